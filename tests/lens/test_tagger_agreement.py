"""How far two taggers agree, where that is known."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from leitmotif.errors import ModelError
from leitmotif.lens.agreement import TwoTaggers, agreement, rank_correlation, shared_labels
from leitmotif.lens.concepts import load_concepts

TABLE = load_concepts(Path(__file__).parents[2] / "concepts.yaml")
INSTRUMENTS = TABLE.of_slot("instrument")
LABELS = ["Music", *(label for concept in INSTRUMENTS for label in concept.labels), "Speech"]


def random(clips: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((clips, len(LABELS)))


def test_a_tagger_agrees_with_itself_whatever_the_order_of_its_labels() -> None:
    logits = random(40, 0)
    order = np.random.default_rng(1).permutation(len(LABELS))
    moved = [LABELS[column] for column in order]
    row = agreement(TwoTaggers((logits, logits[:, order]), (LABELS, moved)), INSTRUMENTS)
    assert (row.rank.mean, row.named.mean) == (1.0, 1.0)
    # By position it would be another tagger.
    wrong = agreement(TwoTaggers((logits, logits[:, order]), (LABELS, LABELS)), INSTRUMENTS)
    assert wrong.rank.high is not None
    assert wrong.rank.high < 0.5


def test_taggers_that_know_nothing_of_each_other_agree_by_chance() -> None:
    row = agreement(TwoTaggers((random(400, 0), random(400, 1)), (LABELS, LABELS)), INSTRUMENTS)
    assert row.rank.low is not None
    assert row.rank.high is not None
    assert row.rank.low < 0 < row.rank.high
    assert row.named.low is not None
    assert row.named.high is not None
    assert row.named.low < row.named_by_chance < row.named.high
    assert 0.2 < row.named_by_chance < 0.4


def test_the_opposite_order_is_minus_one() -> None:
    logits = random(20, 0)
    row = agreement(TwoTaggers((logits, -logits), (LABELS, LABELS)), INSTRUMENTS)
    assert row.rank.mean == -1.0


def test_only_labels_that_both_know_count() -> None:
    fewer = [label for label in LABELS if label not in ("Electric guitar", "Electric piano")]
    shared = shared_labels(INSTRUMENTS, LABELS, fewer)
    assert set(shared) == set(fewer) - {"Music", "Speech"}
    logits = random(30, 0)
    kept = [LABELS.index(label) for label in fewer]
    loud = logits.copy()
    loud[:, LABELS.index("Electric piano")] = 100.0  # the second one could not say so
    row = agreement(TwoTaggers((loud, logits[:, kept]), (LABELS, fewer)), INSTRUMENTS)
    assert (row.labels, row.rank.mean, row.named.mean) == (len(shared), 1.0, 1.0)


def test_a_tagger_without_the_name_of_a_concept_is_refused() -> None:
    with pytest.raises(ModelError, match="does not know the concept 'violin'"):
        shared_labels(INSTRUMENTS, LABELS, [one for one in LABELS if "iolin" not in one])


def test_the_correlation_is_scipys_and_zero_where_nothing_is_said() -> None:
    first, second = random(5, 0)[:, :6].round(1), random(5, 1)[:, :6].round(1)
    expected = [spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlation(first, second), expected)
    assert rank_correlation(np.ones((2, 4)), random(2, 0)[:, :4]).tolist() == [0.0, 0.0]
    assert rank_correlation(np.ones((2, 1)), np.ones((2, 1))).tolist() == [0.0, 0.0]
