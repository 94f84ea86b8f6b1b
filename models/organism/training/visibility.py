"""What each position may know of its own piece in training: this decides how a model works.

In training some keys and values of a query are those of a *partner*, a piece with the same motif
whose cue was drawn anew (``network.PartnerKeys``). What is hidden like this cannot be trusted, so
the model learns to get the decision from what is left. At inference nothing is hidden.

==========  =====================================================================================
window      keys older than ``window`` columns: the decision travels in hops through the gap
carrier     the cue, from ``EARLY_SECONDS`` after its end on: the decision is written into the
            beginning of the gap and read from there, more than five seconds before the second slot
late        the cue, but not from the columns ``LATE_SECONDS`` before a slot: they fetch the
            decision just in time, and the slot reads it from them
inert       the gap, from the slots, but for ``NEAR_SECONDS``: slots look back at the cue, and what
            heads write into the gap is never read
half        the cue, from the first slot and from what lies between; the second slot looks back
redundant   the cue in one batch, the gap in the next: a slot can get the decision from either
==========  =====================================================================================
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from leitmotif.corpus.organism.world import World
from training.network import PartnerKeys
from training.recipes import Visibility

FRAMES_PER_SECOND = 50
EARLY_SECONDS, LATE_SECONDS, NEAR_SECONDS = 1.28, 1.0, 0.8
SETTLED = 4
"""Columns after the cue's last frame in which its later codebooks are still being read."""


@dataclass(frozen=True)
class Visible:
    """Over the S columns of a batch."""

    partners: PartnerKeys
    asked: Tensor
    """(S, slots): where heads read the decision on each slot, at every depth that can know it."""


def visible(
    kind: Visibility, columns: Tensor, world: World, *, step: int, window: int | None = None
) -> Visible:
    """What is hidden, and where heads ask, over the given columns (S,) in one step.

    Raises ValueError for kind ``window`` without a window.
    """
    bar = world.frames_per_bar
    cue, gap = world.cue_bar * bar, (world.cue_bar + 1) * bar + SETTLED
    starts = [slot * bar for slot in world.slot_bars]
    early = gap - SETTLED + _frames(EARLY_SECONDS)
    query, key = columns[:, None], columns[None]
    of_cue, of_gap = (key >= cue) & (key < gap), key >= gap
    in_slot = [(query >= start) & (query < start + bar + SETTLED) for start in starts]
    in_slots = torch.stack(in_slot).any(0)
    if kind == "redundant":
        kind = "carrier" if step % 2 else "inert"
    if kind == "window":
        if window is None:
            raise ValueError("kind window needs a window")
        own = (key > query - window) | (key < bar)
        asked = torch.zeros(len(columns), len(starts), dtype=torch.bool)  # by depth: see Trainer
    elif kind == "carrier":
        own = ~(of_cue & (query >= early))
        asked = _between(columns, gap, early).expand(-1, len(starts))
    elif kind == "late":
        loads = torch.stack(
            [(query >= start - _frames(LATE_SECONDS)) & (query < start) for start in starts]
        ).any(0)
        own = ~(of_cue & (query >= gap) & ~loads)
        asked = torch.cat(
            [_between(columns, start - _frames(LATE_SECONDS) // 2, start) for start in starts], 1
        )
    elif kind == "inert":
        own = ~(in_slots & of_gap & (key <= query - _frames(NEAR_SECONDS)))
        asked = torch.cat([_between(columns, gap, start) for start in starts], 1)
    else:
        own = ~(of_cue & (query >= early) & (query < starts[0] + bar + SETTLED))
        asked = _between(columns, gap, early).expand(-1, len(starts)).clone()
        asked[:, 1:] = False
    past = key <= query
    return Visible(PartnerKeys.of_own(past & own, past), asked)


def _frames(seconds: float) -> int:
    return round(seconds * FRAMES_PER_SECOND)


def _between(columns: Tensor, start: int, stop: int) -> Tensor:
    return ((columns >= start) & (columns < stop))[:, None]
