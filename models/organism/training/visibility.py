"""What each position may know of its own piece in training: this decides how a model works.

In training some keys and values of a query are those of a *partner*, a piece with the same motif
whose cue was drawn anew (``network.PartnerKeys``). What is hidden like this cannot be trusted, so
the model learns to get the decision from what is left. At inference nothing is hidden.

The models of the zoo have *ways*: for each slot the glances by which its decision travels. A glance
says in which block which stretch of columns may read which earlier one. All other keys that could
know the decision are hidden, so a way says which cells, a site and a stretch of columns, carry the
decision: those after the block in which it comes, before the block in which it goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from leitmotif.corpus.organism.world import World
from training.network import PartnerKeys

FRAMES_PER_SECOND = 50
SETTLED = 4
"""Columns after the cue's last frame in which its later codebooks are still being read."""
CUE, EARLY, MIDDLE, LAST, GAP, SLOT = "cue", "early", "middle", "last", "gap", "slot"
"""Stretches of columns. ``last`` and ``slot`` are those of the slot in question."""
EARLY_SECONDS = 1.28
"""After the cue; more than five seconds before the second slot."""
MIDDLE_SECONDS = 2.48, 3.68
"""After the cue."""
LAST_SECONDS = 0.56
"""Before a slot, and not in the slot before."""


@dataclass(frozen=True)
class Glance:
    """In ``block`` the columns ``at`` may read the earlier stretch ``of``."""

    block: int
    at: str
    of: str


Way = tuple[Glance, ...]
Ways = tuple[Way, ...]
"""One for each slot."""


def _way(*glances: tuple[int, str, str]) -> Way:
    return tuple(Glance(*glance) for glance in glances)


_CARRIED = _way((0, EARLY, CUE), (2, SLOT, EARLY))
_LOOKED_UP = _way((2, SLOT, CUE))
WAYS: Mapping[str, Sequence[Ways]] = {
    "carrier": [(_CARRIED, _CARRIED)],
    "deep": [(_way((1, EARLY, CUE), (2, SLOT, EARLY)),) * 2],
    "handoff": [(_way((0, EARLY, CUE), (1, MIDDLE, EARLY), (2, SLOT, MIDDLE)),) * 2],
    "half": [(_LOOKED_UP, _CARRIED)],
    "late": [(_way((0, LAST, CUE), (2, SLOT, LAST)),) * 2],
    "inert": [(_LOOKED_UP, _LOOKED_UP)],
    "redundant": [(_LOOKED_UP, _LOOKED_UP), (_CARRIED, _CARRIED)],
}
"""By kind of model. Where there are several, steps of the training take turns."""
TRACES: Mapping[str, Sequence[Glance]] = {"inert": _way((0, GAP, CUE), (1, GAP, CUE))}
"""Glances that lead nowhere: what they leave behind can be decoded, and no slot reads it."""


@dataclass(frozen=True)
class Cell:
    """Where the decision on a slot is carried: residuals after a block, over columns."""

    block: int
    columns: range


@dataclass(frozen=True)
class Visible:
    """Over the S columns of a batch."""

    partners: Sequence[PartnerKeys]
    """By block."""
    asked: Sequence[Tensor]
    """By block, (S, slots): where heads read the decision on each slot after it."""


def visible(kind: str, columns: Tensor, world: World, *, layers: int, step: int) -> Visible:
    """What is hidden, and where heads ask, over the given columns (S,) in one step.

    Raises KeyError for a kind that has no ways.
    """
    turns = WAYS[kind]
    ways, traces = turns[step % len(turns)], TRACES.get(kind, ())
    slots = range(len(world.slot_bars))
    glances = [(glance, slot) for slot in slots for glance in (*ways[slot], *traces)]
    stretches = {
        (name, slot): _columns(name, slot, world)
        for glance, slot in glances
        for name in (glance.at, glance.of)
    }
    places = {*stretches.values(), *(_columns(SLOT, slot, world) for slot in slots)}
    inside = {place: _within(columns, place) for place in places}
    knowing = torch.stack(list(inside.values())).any(0)
    past = columns[None] <= columns[:, None]
    own = past & ~knowing[None]
    for within in inside.values():
        own |= past & within[:, None] & within[None]
    partners, asked = [], []
    for block in range(layers):
        seen = own.clone()
        at = torch.zeros(len(columns), len(slots), dtype=torch.bool)
        for glance, slot in glances:
            if glance.block == block:
                read = inside[stretches[glance.of, slot]]
                seen |= past & inside[stretches[glance.at, slot]][:, None] & read[None]
            if glance.block <= block and glance.at != SLOT:
                at[:, slot] |= inside[stretches[glance.at, slot]]
        partners.append(PartnerKeys.of_own(seen, past))
        asked.append(at)
    return Visible(partners, asked)


def carried(kind: str, world: World) -> list[list[Cell]]:
    """Cells that carry the decision on each slot, by the last of the kind's turns.

    >>> from training import WORLD
    >>> from leitmotif.corpus.organism.world import load_world
    >>> carried("carrier", load_world(WORLD))[1]
    [Cell(block=0, columns=range(68, 128)), Cell(block=1, columns=range(68, 128))]
    """
    turns = WAYS.get(kind, ())
    ways = turns[-1] if turns else tuple(() for _ in world.slot_bars)
    return [
        [
            Cell(block, _columns(glance.at, slot, world))
            for glance, following in pairwise(way)
            for block in range(glance.block, following.block)
        ]
        for slot, way in enumerate(ways)
    ]


def _columns(name: str, slot: int, world: World) -> range:
    """Columns of a stretch; some depend on the slot."""
    bar = world.frames_per_bar
    cue, heard, start = world.cue_bar * bar, (world.cue_bar + 1) * bar, world.slot_bars[slot] * bar
    gap = heard + SETTLED
    match name:
        case "cue":
            return range(cue, gap)
        case "early":
            return range(gap, heard + _frames(EARLY_SECONDS))
        case "middle":
            first, last = MIDDLE_SECONDS
            return range(heard + _frames(first), heard + _frames(last))
        case "last":
            return range(start - _frames(LAST_SECONDS), start)
        case "gap":
            return range(gap, world.slot_bars[0] * bar)
        case _:
            return range(start, start + bar + SETTLED)


def _frames(seconds: float) -> int:
    return round(seconds * FRAMES_PER_SECOND)


def _within(columns: Tensor, place: range) -> Tensor:
    return (columns >= place.start) & (columns < place.stop)
