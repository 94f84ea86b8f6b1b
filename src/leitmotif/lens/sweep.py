"""Which swaps an experiment has: cells, techniques, pairs, and the controls of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

from leitmotif.errors import ConfigError
from leitmotif.lens.effects import Kind
from leitmotif.lens.pairs import Pair, Pairs
from leitmotif.sites import Component, Control, Technique

CONTROLS: tuple[Control, ...] = ("itself", "redrawn", "mixed", "random")


class Cell(NamedTuple):
    """One component at one layer, or at several layers that change at once."""

    component: Component
    layers: tuple[int, ...]

    @property
    def sites(self) -> list[str]:
        """Where the model is changed."""
        return [f"layers.{layer}.{self.component}" for layer in self.layers]


class Swap(NamedTuple):
    """What is done to the clips of one set of prompts."""

    cell: Cell
    technique: Technique
    original: str
    """Name of the set of prompts that is played."""
    target: str
    """Name of the set whose means are put in."""
    random: bool
    """Whether a random vector stands for the difference between the two."""


@dataclass(frozen=True)
class Sweep:
    """What is swapped.

    Parameters
    ----------
    pairs : which prompts are swapped with which.
    cells : components and layers.
    techniques : how means are put in.
    controls : what is put in besides; a pair that lacks the prompts for one goes without it.

    Raises ConfigError if there are no cells or no techniques.
    """

    pairs: Pairs
    cells: Sequence[Cell]
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

    def of(self, pair: Pair, cell: Cell, technique: Technique) -> dict[Kind, Swap]:
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
    components: Iterable[Component], layers: Sequence[int], *, together: bool = False
) -> list[Cell]:
    """Each component at each layer; and at all of these layers at once if ``together``."""
    chosen: list[tuple[int, ...]] = [(layer,) for layer in layers]
    if together and len(layers) > 1:
        chosen.append(tuple(layers))
    return [Cell(component, of_cell) for component, of_cell in product(components, chosen)]
