"""Tables of the swaps between concepts: what one component's output does to what a tagger hears."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from leitmotif.claims import exceeds_controls
from leitmotif.sites import Component, Control, Technique
from leitmotif.tables.base import Count, PathBelow, Sha256, Share, Table
from leitmotif.tables.decoderlens import AgreementRow
from leitmotif.tables.interval import IntervalRow

Scope = Literal["all", "within", "across", "slots"]
"""Which pairs of concepts: all; those of one slot; those of two slots; those of two given slots."""
Depth = Literal["first", "intermediate", "last", "every"]
"""Over which single layers a summary averages; intermediate are all but the first and the last."""


class MeasuredRow(Table):
    """What one kind of swap does, in nats, mean over clips or over pairs of concepts."""

    effect: IntervalRow
    """Equation 1 of the paper: the sum of the two below."""
    original: IntervalRow
    """Fall of the log-odds of the original concept's label."""
    desired: IntervalRow
    """Rise of the log-odds of the desired concept's label."""
    precision: IntervalRow
    """Minus the KL divergence of all labels from what was heard before; at most 0. Without p, as
    every change of the sound lowers it."""


class CellRow(Table):
    """What all rows say: which cell, what it does, and what its controls do.

    An effect counts only where it exceeds those of the controls, which change the music too.
    """

    technique: Technique
    component: Component
    layers: Annotated[list[Count], Field(min_length=1)]
    frames: tuple[Count, Count]
    """Of the clip, in which outputs are swapped: the first one, and the one after the last."""
    swap: MeasuredRow
    ideal_precision: float
    """Precision of a perfect swap: the probabilities of the two labels exchange places."""
    controls: dict[Control, MeasuredRow]
    strongest: Control | None
    """The control with the largest mean effect; null without controls."""
    excess: IntervalRow | None
    """Effect less that of the strongest control; paired. Its p is two-sided and of this control
    alone."""


class SwapRow(CellRow):
    """One cell and one ordered pair of concepts; intervals are over clips."""

    KEY = ("technique", "component", "layers", "frames", "original", "desired")

    original: str
    """Concept whose prompts are played."""
    desired: str
    """Concept whose mean is put in."""
    original_slot: str | None
    """Slot of the prompts' template; null where the prompts come from no template."""
    desired_slot: str | None
    turned: IntervalRow
    """Share of clips in which the desired label ranks above the original one after the swap."""
    turned_before: Share
    """The same before."""


class SwapSummaryRow(CellRow):
    """One cell over several pairs of concepts; intervals resample pairs, or the clips of one."""

    KEY = (
        "technique",
        "component",
        "layers",
        "frames",
        "scope",
        "original_slot",
        "desired_slot",
        "depth",
    )

    scope: Scope
    original_slot: str | None
    desired_slot: str | None
    depth: Depth | None
    """Null for one cell, whose ``layers`` change at once. Else the row is the mean over cells of
    single layers, which are then the ``layers``."""
    pairs: Count
    """Ordered pairs of concepts, which are the clusters."""
    p: Share | None
    """That the effect exceeds none of some control: the largest of the controls' p-values, each
    two-sided, of flipping signs of pairs; 1 where a control's mean is as large. Null without
    controls and where ``depth`` is given."""
    q: Share | None
    """After Benjamini and Hochberg over the cells of all techniques in one scope."""
    agreement: AgreementRow | None
    """Agreement of the tagger and a second one on the swapped clips, controls left out, over the
    labels by which all concepts of the table are known; null without a second one."""

    @property
    def beyond(self) -> bool:
        """Whether the effect is positive and exceeds the controls, by rule 9 of the claims."""
        return exceeds_controls(self.q, self.swap.effect)


AnyCell = TypeVar("AnyCell", bound=CellRow)


def of_first_frames(rows: Sequence[AnyCell]) -> list[AnyCell]:
    """The rows of the frames that were named first, which metrics, plot, clips and page are of."""
    return [row for row in rows if row.frames == rows[0].frames]


class SwapClipRow(Table):
    """data/swap_clips/clips.jsonl: a clip that was kept, untouched or with one component swapped.

    Of an untouched clip all that says what was done is null.
    """

    KEY = ("original", "desired", "technique", "component", "layer", "prompt")

    original: str
    """Concept whose prompt is played."""
    desired: str | None
    """Concept whose mean is put in."""
    technique: Technique | None
    component: Component | None
    layer: Count | None
    prompt: str
    """The whole text."""
    named: str
    """The concept of the original one's slot whose label the tagger ranks highest."""
    effect: float | None
    """Effect of this clip alone, in nats."""
    file: PathBelow
    """Name of the WAV file beside the table: mono, 16 bits."""
    sha256: Sha256
    """SHA-256 of the file."""
