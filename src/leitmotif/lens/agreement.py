"""How far two taggers agree on what is heard of concepts.

Taggers may list the same labels in another order, and each may have some that the other lacks. So
labels are matched by their names, and those that both know are compared alone.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from leitmotif.intervals import bounded_mean
from leitmotif.lens.concepts import Concept
from leitmotif.lens.recognition import known_labels, named
from leitmotif.tables.decoderlens import AgreementRow
from leitmotif.tables.interval import IntervalRow

Array = NDArray[np.float64]


class TwoTaggers(NamedTuple):
    """What two taggers hear in the same clips."""

    logits: tuple[Array, Array]
    """[clips, labels] of each."""
    labels: tuple[Sequence[str], Sequence[str]]
    """Labels of both taggers, in the order of their logits."""


def shared_labels(concepts: Sequence[Concept], *labels: Sequence[str]) -> list[str]:
    """Labels of the concepts that all taggers know, each once.

    Raises ModelError if one of them lacks the name of a concept.
    """
    by_tagger = [
        {of_tagger[column] for concept in concepts for column in known_labels(concept, of_tagger)}
        for of_tagger in labels
    ]
    wanted = dict.fromkeys(label for concept in concepts for label in concept.labels)
    return [label for label in wanted if all(label in known for known in by_tagger)]


def agreement(heard: TwoTaggers, concepts: Sequence[Concept]) -> AgreementRow:
    """How far two taggers agree on some clips, with intervals over clips.

    ``concepts`` are all of one slot. Raises ModelError if a tagger lacks the name of one.
    """
    shared = shared_labels(concepts, *heard.labels)
    first, second = (
        logits[:, [list(labels).index(label) for label in shared]]
        for logits, labels in zip(heard.logits, heard.labels, strict=True)
    )
    return agreed(
        (first, second),
        (named(first, concepts, shared), named(second, concepts, shared)),
    )


def agreed(
    heard: tuple[Array, Array], names: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> AgreementRow:
    """How far two taggers agree that give the same labels some order [clips, labels].

    ``names`` are the concepts that each hears first [clips].
    """
    same = (names[0] == names[1]).astype(np.float64)
    counts = [Counter(of_tagger.tolist()) for of_tagger in names]
    by_chance = sum(counts[0][name] * counts[1][name] for name in counts[0]) / len(same) ** 2
    return AgreementRow(
        labels=heard[0].shape[1],
        rank=_mean(rank_correlation(*heard), -1.0),
        named=_mean(same, 0.0),
        named_by_chance=round(by_chance, 4),
    )


def rank_correlation(first: Array, second: Array) -> Array:
    """Spearman's correlation of the rows of two tables [clips, labels]: [clips].

    Equal logits share their mean rank. Where one says nothing, for all its logits are equal or
    there is one label alone, it is 0.
    """
    ranks = [rankdata(logits, axis=1) for logits in (first, second)]
    centred = [of_tagger - of_tagger.mean(1, keepdims=True) for of_tagger in ranks]
    both = (centred[0] * centred[1]).sum(1)
    norm = np.sqrt((centred[0] ** 2).sum(1) * (centred[1] ** 2).sum(1))
    return np.asarray(np.divide(both, norm, out=np.zeros_like(both), where=norm > 0))


def _mean(values: Array, lowest: float) -> IntervalRow:
    return IntervalRow.of(bounded_mean(values, (lowest, 1.0)), 4, n=len(values))
