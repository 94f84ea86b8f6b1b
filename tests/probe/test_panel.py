import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.errors import ProbeError
from leitmotif.probe.panel.panel import (
    constant_columns,
    panel,
    refuse_collinear,
    track_folds,
    track_slices,
)

RANDOM = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(20), 5)


def arrays(rows: int = 100) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return RANDOM.normal(size=(rows, 3)), RANDOM.normal(size=rows), RANDOM.normal(size=(rows, 2))


def made(X, y, Z, groups=GROUPS, folds=5):
    return panel(X, y, controls=Z, groups=groups, folds=folds, seed=0)


@given(tracks=st.integers(20, 80), folds=st.integers(3, 5), seed=st.integers(0, 9))
def test_folds_part_the_tracks_evenly(tracks, folds, seed) -> None:
    parts = track_folds(tracks, folds, seed=seed)
    assert sorted(sum(parts, ())) == list(range(tracks))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_too_few_tracks_are_refused_with_the_number_needed() -> None:
    with pytest.raises(ProbeError, match=r"19 tracks for 5 folds(?s:.)*at least 20"):
        track_folds(19, 5, seed=0)
    with pytest.raises(ProbeError, match="at least 3"):
        track_folds(100, 2, seed=0)


def test_rows_are_found_and_scattered_tracks_refused() -> None:
    assert track_slices(np.array(list("aabccc")), rows=6) == (slice(0, 2), slice(2, 3), slice(3, 6))
    with pytest.raises(ProbeError, match="'a' in 2 pieces"):
        track_slices(np.array(list("aba")), rows=3)
    with pytest.raises(ProbeError, match=r"expected: \[4\]"):
        track_slices(np.array(list("aba")), rows=4)


@pytest.mark.fault(
    "probe", "NaN and infinity in features, targets and controls", outcome="named by row and column"
)
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_is_refused_where_it_is(which, bad) -> None:
    given_arrays = list(arrays())
    given_arrays[which].reshape(100, -1)[7, 0] = bad
    name = ["features", "targets", "controls"][which]
    with pytest.raises(ProbeError, match=rf"{name} hold NaN(?s:.)*row 7, column 0"):
        made(*given_arrays)


def test_constant_features_and_single_classes_are_refused() -> None:
    X, y, Z = arrays()
    X[:, 1] = 3.0
    assert constant_columns(X).tolist() == [1]
    with pytest.raises(ProbeError, match=r"constant features(?s:.)*1 of 3 columns: 1"):
        made(X, y, Z)
    with pytest.raises(ProbeError, match="constant targets"):
        made(X[:, :1], np.zeros(100), Z)


def test_a_class_that_few_tracks_have_is_refused_with_the_number_needed() -> None:
    X, _, Z = arrays()
    folds = track_folds(20, 5, seed=0)
    events = np.zeros((100, 2))
    events[::3, 0] = 1
    for fold in (0, 1):
        events[folds[fold][0] == GROUPS, 1] = 0.5
    message = r"one class only(?s:.)*in 2 of 20 tracks(?s:.)*column 1(?s:.)*at least 3 folds"
    with pytest.raises(ProbeError, match=message):
        made(X, events, Z)
    events[folds[2][0] == GROUPS, 1] = 0.5
    assert made(X, events, Z).targets.shape == (100, 2)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_other_shapes_than_tables_are_refused(which) -> None:
    given_arrays = list(arrays())
    for bad in (np.zeros((100, 2, 2)), np.zeros((0, 3)), 1.0):
        given_arrays[which] = bad
        name = ["features", "targets", "controls"][which]
        with pytest.raises(ProbeError, match=rf"{name} must be a table(?s:.)*rows, columns"):
            made(*given_arrays)


def test_collinear_controls_are_named() -> None:
    X, y, Z = arrays()
    Z = np.column_stack([Z, Z @ [2.0, -1.0] + 4])
    with pytest.raises(ProbeError, match="1 of 3 columns follow from the others"):
        made(X, y, Z)
    with pytest.raises(ProbeError, match="others: steady"):
        refuse_collinear(np.column_stack([Z[:, 0], np.ones(100)]), ["moving", "steady"])


def test_unequal_rows_are_refused() -> None:
    X, y, Z = arrays()
    with pytest.raises(ProbeError, match="99, 100 and 100"):
        made(X[1:], y, Z)


def test_sums_by_track() -> None:
    X, y, Z = arrays()
    panel_of_rows = made(X, y, Z)
    assert panel_of_rows.by_track(X) == pytest.approx(X.reshape(20, 5, 3).sum(1))
    assert panel_of_rows.places.tolist() == [0, 1, 2, 3, 4] * 20
    assert all(
        (panel_of_rows.fold_of_row[panel_of_rows.tracks[t]] == f).all()
        for f in range(5)
        for t in panel_of_rows.folds[f]
    )
