import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from leitmotif.intervals import interval_of, track_weights
from leitmotif.probe.estimators.intervals import auroc, explained

RANDOM = np.random.default_rng(0)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=3, max_size=40))
def test_the_area_is_scikit_learns_within_one_fold(rows) -> None:
    scores = np.array([score for score, _ in rows], float)
    present = np.array([event for _, event in rows])
    zeros = np.zeros(len(rows), int)
    area = auroc(scores, present, zeros, zeros, np.ones((2, 1)))
    if present.all() or not present.any():
        assert area is None
    else:
        assert area.mean == pytest.approx(roc_auc_score(present, scores))
        assert area.low == pytest.approx(area.mean)


def test_weights_count_a_tracks_rows_as_often_as_it_is_drawn() -> None:
    scores, present = RANDOM.normal(size=30), RANDOM.random(30) < 0.5
    tracks = np.repeat(np.arange(3), 10)
    area = auroc(scores, present, tracks, np.zeros(30, int), np.array([[2.0, 0, 1]]))
    drawn = np.r_[0:10, 0:10, 20:30]
    assert area.low == pytest.approx(roc_auc_score(present[drawn], scores[drawn]))


def test_scores_of_different_folds_are_not_compared() -> None:
    scores = np.array([0.0, 1.0, 10.0, 11.0])
    present = np.array([False, True, False, True])
    folds = tracks = np.array([0, 0, 1, 1])
    assert auroc(scores, present, tracks, folds, np.ones((1, 2))).mean == 1.0


def test_tracks_are_resampled_whole() -> None:
    weights = track_weights(10, resamples=500, seed=0)
    assert weights.sum(1) == pytest.approx(10)
    total, left = np.full(10, 4.0), np.r_[np.full(5, 1.0), np.full(5, 3.0)]
    interval = explained(total, left, weights)
    assert interval.mean == pytest.approx(0.5)
    assert interval == interval_of(interval.mean, 1 - (weights @ left) / 40, tracks=10)


def test_the_interval_covers_the_mean_of_the_tracks_as_often_as_it_says() -> None:
    weights = track_weights(60, resamples=400, seed=1)
    covered = 0
    for _ in range(300):
        total = RANDOM.gamma(4, size=60)
        interval = explained(total, total * RANDOM.beta(4, 1, size=60), weights)
        covered += interval.low <= 0.2 <= interval.high
    assert 0.9 <= covered / 300 <= 0.98
