"""Which swaps an experiment has: cells, techniques, pairs, and the controls of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import NamedTuple

from leitmotif.config import Params
from leitmotif.errors import ConfigError, counted
from leitmotif.lens.concepts import load_concepts
from leitmotif.lens.effects import Kind
from leitmotif.lens.pairs import ConceptPair, ConceptPairs, concept_pairs, read_pairs
from leitmotif.sites import Component, Control, Technique

CONTROLS: tuple[Control, ...] = ("itself", "redrawn", "mixed", "random")


class SwapCell(NamedTuple):
    """One component at one layer, or at several layers that change at once."""

    component: Component
    layers: tuple[int, ...]
    frames: range | None = None
    """Frames of the clip in which it is changed; None: all."""

    @property
    def sites(self) -> list[str]:
        """Where the model is changed."""
        return [f"layers.{layer}.{self.component}" for layer in self.layers]

    def span(self, length: int) -> range:
        """The frames of a clip of so many."""
        return range(length) if self.frames is None else self.frames


class Swap(NamedTuple):
    """What is done to the clips of one set of prompts."""

    cell: SwapCell
    technique: Technique
    original: str
    """Name of the set of prompts that is played."""
    target: str
    """Name of the set whose means are put in."""
    random: bool
    """Whether a random vector stands for the difference between the two."""


@dataclass(frozen=True)
class SwapSweep:
    """What is swapped.

    Parameters
    ----------
    pairs : which prompts are swapped with which.
    cells : components and layers.
    techniques : how means are put in.
    controls : what is put in besides; a pair that lacks the prompts for one goes without it.

    Raises ConfigError if there are no cells or no techniques.
    """

    pairs: ConceptPairs
    cells: Sequence[SwapCell]
    techniques: Sequence[Technique] = ("replace", "adjust")
    controls: Sequence[Control] = CONTROLS

    def __post_init__(self) -> None:
        if not self.cells or not self.techniques or not all(cell.layers for cell in self.cells):
            raise ConfigError(
                "there is nothing to swap",
                found=f"cells {list(self.cells)}, techniques {list(self.techniques)}",
                expected="one of each or more, and a layer in each cell",
            )

    @cached_property
    def sites(self) -> list[str]:
        """Where cells change the model, each site once."""
        return list(dict.fromkeys(site for cell in self.cells for site in cell.sites))

    def of(self, pair: ConceptPair, cell: SwapCell, technique: Technique) -> dict[Kind, Swap]:
        """The swap of a pair in a cell, and those of its controls; pairs share some of these."""
        targets: dict[Kind, str | None] = {
            "swap": pair.desired,
            "itself": pair.original,
            "redrawn": pair.redrawn,
            "mixed": pair.mixed,
            "random": pair.desired,
        }
        kinds: list[Kind] = ["swap", *self.controls]
        return {
            kind: Swap(cell, technique, pair.original, target, kind == "random")
            for kind in kinds
            if (target := targets[kind]) is not None
        }

    @cached_property
    def swaps(self) -> list[Swap]:
        """Each swap once; those of a cell follow each other, so that a batch has few sites."""
        return list(
            dict.fromkeys(
                swap
                for cell, technique in product(self.cells, self.techniques)
                for pair in self.pairs.pairs
                for swap in self.of(pair, cell, technique).values()
            )
        )


def cells_of(
    components: Iterable[Component],
    layers: Sequence[int],
    *,
    groups: Iterable[Sequence[int]] = (),
    together: bool = False,
    spans: Sequence[range | None] = (None,),
) -> list[SwapCell]:
    """Each component at each layer, in each span of frames.

    Also at the layers of each group at once, and at all of these layers if ``together``.
    """
    chosen: list[tuple[int, ...]] = [(layer,) for layer in layers]
    chosen += [tuple(sorted(group)) for group in groups]
    if together and len(layers) > 1:
        chosen.append(tuple(layers))
    return [SwapCell(*of_cell) for of_cell in product(components, dict.fromkeys(chosen), spans)]


def sweep_of(
    params: Params, *, layers: int, frame_rate: float, prompts: int | None = None
) -> SwapSweep:
    """The sweep of the stage ``swaps`` on a model of so many layers and frames a second.

    ``prompts`` stands in the place of the setting. Raises ConfigError if concepts or pairs cannot
    be used, or if settings name layers or frames that there are not.
    """
    settings, lens = params.swaps, params.decoderlens
    if beyond := sorted({layer for group in settings.groups for layer in group if layer >= layers}):
        raise ConfigError(
            "swaps.groups names layers that the model lacks",
            found=", ".join(map(str, beyond)),
            expected=f"0 to {layers - 1}",
        )
    if settings.pairs is None:
        table = load_concepts(Path(lens.concepts)).only(settings.slots)
        pairs = concept_pairs(table, prompts or settings.prompts, seed=lens.seed)
    else:
        pairs = read_pairs(Path(settings.pairs), seed=lens.seed)
    return SwapSweep(
        pairs=pairs,
        cells=cells_of(
            settings.components,
            range(layers),
            groups=settings.groups,
            together=settings.together,
            spans=_frames(settings.spans, frame_rate),
        ),
        techniques=settings.techniques,
        controls=settings.controls,
    )


def _frames(spans: Sequence[Sequence[float]] | None, frame_rate: float) -> list[range | None]:
    """Frames of a clip; raises ConfigError for a span that has none, or those of another."""
    if spans is None:
        return [None]
    frames = [range(*(round(second * frame_rate) for second in span)) for span in spans]
    for span, of_span in zip(spans, frames, strict=True):
        if not of_span or frames.count(of_span) > 1:
            raise ConfigError(
                "swaps.spans cannot be told apart in frames of the model",
                found=f"{list(span)} s: {counted(len(of_span), 'frame')} from {of_span.start}",
                expected=f"spans of a frame or more, {frame_rate:g} frames a second",
            )
    return [*frames]
