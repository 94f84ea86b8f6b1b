"""Which clips of the swaps are kept as audio, so that one hears what a component does."""

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import NamedTuple

from leitmotif.lens.pairs import ConceptPair, ConceptPairs
from leitmotif.lens.sweep import Swap, SwapSweep


class KeptClip(NamedTuple):
    """A clip that is kept."""

    pair: ConceptPair
    number: int
    """Number of the prompt in the pair's original set."""
    swap: Swap | None
    """What is done to it; None if it is untouched."""


def kept_clips(sweep: SwapSweep, prompts: int) -> list[KeptClip]:
    """So many prompts of each original concept: untouched, and swapped at each single layer.

    A concept is heard with one desired concept alone, because all pairs would take much space: the
    next one of its slot in the order of the pairs, the first one after the last one. If its slot
    has no other concept, it is the next one of another slot. Controls are not kept, and of several
    spans of frames the first one alone is.
    """
    first = sweep.cells[0].frames
    single = [cell for cell in sweep.cells if len(cell.layers) == 1 and cell.frames == first]
    clips = []
    for pairs in _chosen(sweep.pairs):
        every = ((pair, n) for pair in pairs for n in range(_prompts(sweep.pairs, pair)))
        for pair, number in islice(every, prompts):
            clips.append(KeptClip(pair, number, None))
            clips += [
                KeptClip(pair, number, sweep.of(pair, cell, technique)["swap"])
                for technique, cell in product(sweep.techniques, single)
            ]
    return clips


def _chosen(pairs: ConceptPairs) -> Iterator[Sequence[ConceptPair]]:
    """The pairs of each original concept with its one desired concept."""
    originals = list(dict.fromkeys(original for original, _ in pairs.by_concepts))
    order = list(dict.fromkeys([*originals, *(desired for _, desired in pairs.by_concepts)]))
    for original in originals:
        here = order.index(original)
        after = [*order[here + 1 :], *order[:here]]
        partners = [desired for desired in after if (original, desired) in pairs.by_concepts]
        # The first of the smallest: the next one of the same slot if there is one.
        desired = min(partners, key=lambda side: side.slot != original.slot)
        yield pairs.by_concepts[original, desired]


def _prompts(pairs: ConceptPairs, pair: ConceptPair) -> int:
    return len(pairs.sets[pair.original].texts)
