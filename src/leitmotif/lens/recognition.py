"""How well a tagger recognises a concept in clips, by NDCG over prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leitmotif.errors import ModelError, counted
from leitmotif.intervals import bounded_mean
from leitmotif.judge.measures import ndcg, ndcg_of_chance
from leitmotif.lens.concepts import Concept
from leitmotif.tables.interval import IntervalRow

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Recognition:
    """How well the concepts of one slot were recognised, prompt by prompt."""

    by_concept: Mapping[str, Array]
    """NDCG of each prompt's clip."""
    chances: Mapping[str, float]

    def of(self, concept: str | None) -> tuple[IntervalRow, float]:
        """NDCG of one concept, or of all of them, with its interval over prompts; that of chance.

        All concepts count alike. Raises ModelError if they have different numbers of prompts.
        """
        names = [*self.by_concept] if concept is None else [concept]
        counts = sorted({len(self.by_concept[name]) for name in names})
        if len(counts) > 1:
            raise ModelError("concepts have different numbers of prompts", found=counts)
        values = np.concatenate([self.by_concept[name] for name in names])
        chance = float(np.mean([self.chances[name] for name in names]))
        return IntervalRow.of(bounded_mean(values, (0.0, 1.0)), 4, n=len(values)), round(chance, 4)


def known_labels(concept: Concept, labels: Sequence[str]) -> list[int]:
    """Columns of the concept's labels among those of a tagger, its name first.

    A tagger with few labels may lack some. Raises ModelError if it lacks the name.
    """
    index = {label: number for number, label in enumerate(labels)}
    if concept.labels[0] not in index:
        raise ModelError(
            f"the tagger does not know the concept {concept.name!r}",
            found=f"{counted(len(labels), 'label')} without {concept.labels[0]!r}",
            fix="use a tagger trained on AudioSet, or leave the concept out",
        )
    return [index[label] for label in concept.labels if label in index]


def named(logits: Array, concepts: Sequence[Concept], labels: Sequence[str]) -> NDArray[np.intp]:
    """Number of the concept of which a label ranks highest in each clip [clips].

    ``logits`` are a tagger's [clips, labels]. Raises ModelError for one that lacks a concept's
    name.
    """
    best = [logits[:, known_labels(concept, labels)].max(axis=1) for concept in concepts]
    return np.asarray(np.argmax(best, axis=0))


def recognised(
    logits: Mapping[str, Array],
    concepts: Sequence[Concept],
    labels: Sequence[str],
    *,
    within: bool = False,
) -> Recognition:
    """Rank a tagger's labels in each clip.

    Parameters
    ----------
    logits : of the clips of a concept's prompts [prompts, labels], by concept.
    concepts : all of one slot, or those among which ``within`` ranks.
    labels : the tagger's, in the order of the logits.
    within : whether to rank the labels of these concepts alone, and not all of the tagger's.

    Raises ModelError for a tagger that lacks a concept's name.
    """
    columns = {concept.name: known_labels(concept, labels) for concept in concepts}
    ranked = list(range(len(labels)))
    if within:
        ranked = sorted({column for wanted in columns.values() for column in wanted})
    relevant = {name: [ranked.index(column) for column in columns[name]] for name in logits}
    return Recognition(
        {name: ndcg(logits[name][:, ranked], wanted) for name, wanted in relevant.items()},
        {name: ndcg_of_chance(len(ranked), len(wanted)) for name, wanted in relevant.items()},
    )
