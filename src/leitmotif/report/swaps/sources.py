"""What the page of swaps is made from, read from the outputs of the stage ``swaps``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from leitmotif.errors import StageError
from leitmotif.files import read_table, sha256_file
from leitmotif.pipeline import SWAP_CLIPS, SWAP_SUMMARY, SWAPS
from leitmotif.sites import Component, Technique
from leitmotif.tables.swaps import (
    Depth,
    SwapClipRow,
    SwapRow,
    SwapSummaryRow,
    of_first_frames,
)

RERUN = "run `dvc repro swaps`"
COMPONENTS: dict[Component, str] = {
    "self_attention": "self-attention",
    "cross_attention": "cross-attention",
    "mlp": "MLP",
    "residual": "residual stream",
}
TECHNIQUES: dict[Technique, str] = {
    "replace": "The desired concept's mean takes the place of the output.",
    "adjust": "The original concept's mean is subtracted from the output, and the desired "
    "concept's mean is added.",
}

CLIPS = SWAP_CLIPS / "clips.jsonl"
TABLES = (SWAPS, SWAP_SUMMARY, CLIPS)

Place = tuple[Technique, Component, int]
"""A cell of the maps: one component at one layer."""
Slots = tuple[str | None, str | None]
"""Slots of an original and of a desired concept."""


@dataclass(frozen=True, eq=False)
class SwapSources:
    """Contents of the outputs, of the frames that were named first.

    At least one component was swapped at one layer.
    """

    model: str
    """Short name of the model that was heard, which need not be the one under study."""
    rows: Sequence[SwapRow]
    summary: Sequence[SwapSummaryRow]
    clips: Sequence[SwapClipRow]
    folder: Path
    """Folder of the WAV files."""
    hashes: Mapping[str, str]
    """SHA-256 of each table, by its path."""
    other_frames: Sequence[tuple[int, int]]
    """Other frames of which the tables have rows."""

    @cached_property
    def techniques(self) -> list[Technique]:
        """In the order of the table."""
        return list(dict.fromkeys(row.technique for row in self.summary))

    @cached_property
    def components(self) -> list[Component]:
        """In the order of the table."""
        return list(dict.fromkeys(row.component for row in self.summary))

    @cached_property
    def layers(self) -> list[int]:
        """Every layer at which something was swapped, the first one first."""
        return sorted({layer for _, _, layer in self.cells})

    @cached_property
    def cells(self) -> dict[Place, SwapSummaryRow]:
        """Single layers, over all pairs."""
        return {
            (row.technique, row.component, row.layers[0]): row
            for row in self.summary
            if row.scope == "all" and row.depth is None and len(row.layers) == 1
        }

    @cached_property
    def together(self) -> dict[tuple[Technique, Component], SwapSummaryRow]:
        """All layers at once, over all pairs."""
        return {
            (row.technique, row.component): row
            for row in self.summary
            if row.scope == "all" and row.depth is None and row.layers == self.layers
            if len(row.layers) > 1
        }

    @cached_property
    def groups(self) -> list[list[int]]:
        """Other layers that were swapped at once."""
        groups = [
            row.layers
            for row in self.summary
            if row.depth is None and len(row.layers) > 1 and row.layers != self.layers
        ]
        return sorted({tuple(group): group for group in groups}.values())

    def depths(
        self, technique: Technique, depth: Depth, slots: Slots | None = None
    ) -> dict[Component, SwapSummaryRow]:
        """Means over the single layers of one depth, of all pairs or those of two slots."""
        scope = ("all", None, None) if slots is None else ("slots", *slots)
        return {
            row.component: row
            for row in self.summary
            if (row.technique, row.depth) == (technique, depth)
            if (row.scope, row.original_slot, row.desired_slot) == scope
        }

    @cached_property
    def slots(self) -> list[Slots]:
        """Slots of the original and of the desired concept, of which there are pairs."""
        named = [
            (row.original_slot, row.desired_slot) for row in self.summary if row.scope == "slots"
        ]
        return list(dict.fromkeys(named))

    @cached_property
    def of_pairs(self) -> dict[tuple[str, str, Place], SwapRow]:
        """Single layers, by original and desired concept."""
        return {
            (row.original, row.desired, (row.technique, row.component, row.layers[0])): row
            for row in self.rows
            if len(row.layers) == 1
        }


def read_swaps(model: str, root: Path = Path()) -> SwapSources | None:
    """Read the outputs of a model; None if nothing was swapped, so that there is nothing to show.

    ``model`` is the model's name or folder, and ``root`` the folder of the outputs.

    Raises LeitmotifError if a table is missing or damaged, or if the tables do not fit together.
    """
    summary = read_table(root / SWAP_SUMMARY, SwapSummaryRow)
    frames = list(dict.fromkeys(row.frames for row in summary))
    sources = SwapSources(
        model=Path(model).name,
        rows=of_first_frames(read_table(root / SWAPS, SwapRow)),
        summary=of_first_frames(summary),
        clips=read_table(root / CLIPS, SwapClipRow),
        folder=root / SWAP_CLIPS,
        hashes={path.as_posix(): sha256_file(root / path) for path in TABLES},
        other_frames=frames[1:],
    )
    if not sources.cells:
        return None
    untouched = {(clip.original, clip.prompt) for clip in sources.clips if not clip.desired}
    for clip in sources.clips:
        if (clip.original, clip.prompt) not in untouched:
            raise StageError(
                f"{CLIPS} has a swapped clip without the untouched one",
                found=f"{clip.original}, prompt {clip.prompt!r:.200}",
                fix=RERUN,
            )
        place = place_of(clip)
        if place and (clip.original, clip.desired, place) not in sources.of_pairs:
            raise StageError(
                f"{root / CLIPS} does not fit {root / SWAPS}",
                found=f"a clip of {clip.original} to {clip.desired}, {clip.technique}, "
                f"{clip.component} of layer {clip.layer}, of which the table has no row",
                fix=RERUN,
            )
    return sources


def place_of(clip: SwapClipRow) -> Place | None:
    """The cell of a clip; None if it is untouched."""
    if clip.technique is None or clip.component is None or clip.layer is None:
        return None
    return clip.technique, clip.component, clip.layer
