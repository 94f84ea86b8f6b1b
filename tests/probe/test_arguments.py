"""What a probe is given: the right value, or an error that says what was found and expected."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, clone

from leitmotif.errors import LeitmotifError, ProbeError
from leitmotif.intervals import bounded_mean, interval_of, track_weights
from leitmotif.probe.calibration.generators import link
from leitmotif.probe.estimators.effects import PartialEffects
from leitmotif.probe.estimators.expansion import expand
from leitmotif.probe.estimators.intervals import auroc, explained
from leitmotif.probe.estimators.naive import NaiveCorrelation
from leitmotif.probe.estimators.nested import NestedRidge
from leitmotif.probe.estimators.nulls import exchanges, p_value
from leitmotif.probe.estimators.selectivity import control_task, sound_types
from leitmotif.probe.inputs.targets import Events, target
from leitmotif.probe.panel.panel import constant_columns
from leitmotif.probe.study.leak import look_ahead
from tests.probe.made import made

ONE = made(1)
BOTH = np.column_stack([ONE.y, 1 - ONE.y])
PROBES = [NestedRidge(permutations=0), PartialEffects(permutations=99, shifts=0)]


def fitted(y: np.ndarray = ONE.y, controls: Any = ONE.Z) -> NestedRidge:
    return NestedRidge(permutations=0).fit(ONE.X, y, controls=controls, groups=ONE.groups)


def with_entry(values: np.ndarray, entry: object, dtype: Any = float) -> np.ndarray:
    changed = values.astype(dtype)
    changed.reshape(len(values), -1)[31, 0] = entry
    return changed


@pytest.mark.fault(
    "probe", "targets of another shape than those fitted to", outcome="refused with both shapes"
)
@pytest.mark.parametrize(
    ("trained", "scored"),
    [(BOTH, BOTH[:, 0]), (BOTH, BOTH[:, :1]), (ONE.y, BOTH), (ONE.y, ONE.y[1:]), (BOTH, BOTH[1:])],
)
def test_a_score_of_other_targets_does_not_broadcast(trained, scored) -> None:
    probe = fitted(trained)
    rows, horizons = 600, trained.reshape(600, -1).shape[1]
    with pytest.raises(ProbeError, match=rf"targets must have(?s:.)*\[{rows}, {horizons}\]"):
        probe.score(ONE.X, scored, controls=ONE.Z, groups=ONE.groups)


def test_a_column_of_targets_is_the_target() -> None:
    more = {"controls": ONE.Z, "groups": ONE.groups}
    score = fitted().score(ONE.X, ONE.y, **more)
    assert score == fitted().score(ONE.X, ONE.y[:, np.newaxis], **more)
    apart = [fitted(y).score(ONE.X, y, **more) for y in BOTH.T]
    assert fitted(BOTH).score(ONE.X, BOTH, **more) == pytest.approx(np.mean(apart))


NAMED = pd.DataFrame(ONE.Z, columns=["loud", "bright"])


def test_controls_keep_scikit_learns_rules_for_names() -> None:
    probe = fitted(controls=NAMED)
    more = {"groups": ONE.groups}
    assert np.array_equal(
        probe.predict(ONE.X, controls=NAMED, **more),
        fitted().predict(ONE.X, controls=ONE.Z, **more),
    )
    for other in (NAMED[["bright", "loud"]], NAMED.rename(columns={"loud": "late"})):
        for call in (
            lambda c: probe.predict(ONE.X, controls=c, **more),
            lambda c: probe.score(ONE.X, ONE.y, controls=c, **more),
        ):
            with pytest.raises(ValueError, match="feature names should match"):
                call(other)
    with pytest.warns(UserWarning, match="valid feature names"):
        probe.predict(ONE.X, controls=ONE.Z, **more)
    with pytest.warns(UserWarning, match="fitted without feature names"):
        fitted().predict(ONE.X, controls=NAMED, **more)


@pytest.mark.parametrize("number", [1, 3])
def test_other_numbers_of_controls_are_refused(number) -> None:
    other = np.tile(ONE.Z[:, :1], number)
    with pytest.raises(ProbeError, match=rf"controls must be(?s:.)*\[600, 2\]|600, {number}"):
        fitted().predict(ONE.X, controls=other, groups=ONE.groups)


@pytest.mark.fault(
    "probe",
    "NaN, infinity, masked, complex, sparse or too large entries",
    outcome="refused with the row, the column and the track",
)
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: type(probe).__name__)
@pytest.mark.parametrize("which", ["features", "targets", "controls"])
def test_what_is_not_a_number_is_named(probe: BaseEstimator, which: str) -> None:
    arrays = {"features": ONE.X, "targets": ONE.y, "controls": ONE.Z}

    def fit(changed: Any) -> None:
        given = {**arrays, which: changed}
        clone(probe).fit(
            given["features"], given["targets"], controls=given["controls"], groups=ONE.groups
        )

    good = arrays[which]
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ProbeError, match=f"{which} hold NaN(?s:.)*row 31, column 0, track 1"):
            fit(with_entry(good, bad))
    with pytest.raises(ProbeError, match=f"{which} hold numbers whose squares(?s:.)*1e\\+200"):
        fit(with_entry(good, 1e200))
    for bad in (
        with_entry(good, 10**400, object),
        with_entry(good, "loud", object),
        with_entry(good, None, object),
        good + 1j,
        good[np.newaxis],
        np.repeat(good[np.newaxis], 2, axis=0).reshape(2, 300, -1, 2),
        good[:0],
        good[:599],
        np.ma.masked_less(good, 0.1),
        csr_array(good.reshape(600, -1)),
    ):
        with pytest.raises(ValueError, match=r"[A-Za-z]{5}"):
            fit(bad)


def framed(values: np.ndarray) -> pd.DataFrame:
    """A data frame with two columns of one name."""
    return pd.DataFrame(np.tile(values.reshape(600, -1)[:, :1], 2), columns=["a", "a"])


@pytest.mark.fault(
    "probe",
    "dates, texts, records, masked rows of a list, two columns of one name, a tensor in bfloat16",
    outcome="refused by what was found",
)
@pytest.mark.parametrize("which", ["features", "targets", "controls"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda good: good.astype("M8[s]"), "not numbers(?s:.)*datetime64"),
        (lambda good: good.astype("m8[s]"), "not numbers(?s:.)*timedelta64"),
        (lambda good: good.astype(str), "not numbers(?s:.)*U32"),
        (lambda good: good.astype("S20"), "not numbers(?s:.)*S20"),
        (lambda good: np.ascontiguousarray(good).view([("a", "f8")]), "not numbers(?s:.)*'a'"),
        (lambda good: list(np.ma.masked_less(good.reshape(600, -1), 0.1)), "masked entries"),
        (lambda good: pd.DataFrame(good).assign(b=pd.Timestamp(0)), "not numbers"),
        (framed, "columns of one name(?s:.)*'a', 2 times"),
        (lambda good: torch.as_tensor(good).bfloat16(), "not numbers(?s:.)*BFloat16"),
    ],
)
def test_what_numpy_would_make_numbers_of_is_refused(
    which: str, change: Callable[[np.ndarray], object], said: str
) -> None:
    given = {"features": ONE.X, "targets": ONE.y, "controls": ONE.Z}
    given[which] = change(given[which])
    probe = NestedRidge(permutations=0)
    with pytest.raises(ProbeError, match=f"{which} .*{said}"):
        probe.fit(
            given["features"], given["targets"], controls=given["controls"], groups=ONE.groups
        )


@pytest.mark.parametrize(
    "same",
    [
        lambda values: np.repeat(values, 2, axis=0)[::2],
        lambda values: values[::-1].copy()[::-1],
        np.asfortranarray,
        lambda values: values.astype(">f8"),
        lambda values: values.astype(object),
        lambda values: pd.DataFrame(values).astype("Float64"),
        lambda values: torch.as_tensor(values.copy()),
        np.ma.masked_array,
    ],
)
def test_the_layout_of_an_array_changes_nothing(same: Callable[[np.ndarray], Any]) -> None:
    frozen = [values.copy() for values in (ONE.X, ONE.y, ONE.Z)]
    for values in frozen:
        values.flags.writeable = False
    X, y, Z = frozen
    probe = NestedRidge(permutations=0)
    expected = probe.fit(X, y, controls=Z, groups=ONE.groups).partial_r2_
    found = probe.fit(same(X), same(y), controls=same(Z), groups=ONE.groups).partial_r2_
    for one, other in zip(expected, found, strict=True):
        assert other.mean == pytest.approx(one.mean, rel=1e-9)


def test_integers_and_other_types_give_the_values_of_floats() -> None:
    X = np.round(ONE.X * 10)
    expected = NestedRidge(permutations=0).fit(X, ONE.y, groups=ONE.groups).partial_r2_
    for dtype in (np.int8, np.int16, np.float32, object):
        probe = NestedRidge(permutations=0).fit(X.astype(dtype), ONE.y > 0, groups=ONE.groups)
        assert probe.partial_r2_ == expected


@pytest.mark.parametrize(
    "names",
    [
        ONE.groups.astype(float),
        [f"track {group}" for group in ONE.groups],
        pd.Series(ONE.groups).astype(str),
        pd.Categorical(ONE.groups),
        ONE.groups.astype(object),
    ],
)
def test_tracks_may_have_any_names(names) -> None:
    probe = NestedRidge(permutations=0).fit(ONE.X, ONE.y, groups=names)
    assert (
        probe.partial_r2_
        == NestedRidge(permutations=0).fit(ONE.X, ONE.y, groups=ONE.groups).partial_r2_
    )


NAMES = [f"track {group}" for group in ONE.groups]


@pytest.mark.fault(
    "probe",
    "tracks without a name, of several types or of another length",
    outcome="refused with what was found",
)
@pytest.mark.parametrize(
    "names",
    [
        np.where(ONE.groups == 3, np.nan, ONE.groups),
        [
            float("nan") if group == 3 else name
            for group, name in zip(ONE.groups, NAMES, strict=True)
        ],
        [None if group == 3 else name for group, name in zip(ONE.groups, NAMES, strict=True)],
        [3 if group == 3 else name for group, name in zip(ONE.groups, NAMES, strict=True)],
        pd.Series(NAMES).where(ONE.groups != 3),
        ONE.groups[1:],
        ONE.groups[:, np.newaxis],
        "track",
    ],
)
def test_tracks_without_a_name_are_refused(names) -> None:
    for call in (
        lambda: NestedRidge(permutations=0).fit(ONE.X, ONE.y, groups=names),
        lambda: PartialEffects(permutations=99, shifts=0).fit(ONE.X, ONE.y, groups=names),
        lambda: fitted().predict(ONE.X, controls=ONE.Z, groups=names),
        lambda: fitted().score(ONE.X, ONE.y, controls=ONE.Z, groups=names),
    ):
        with pytest.raises(ProbeError, match="groups name each row's track"):
            call()


@pytest.mark.parametrize("groups", [np.zeros(600), np.repeat([0, 1], 300)])
def test_fewer_tracks_than_folds_need_are_refused(groups) -> None:
    for probe in PROBES:
        with pytest.raises(ProbeError, match="too few tracks"):
            clone(probe).fit(ONE.X, ONE.y, groups=groups)


@pytest.mark.parametrize(
    "settings",
    [
        {"folds": 3.5},
        {"folds": "5"},
        {"folds": True},
        {"folds": 0},
        {"permutations": -1},
        {"permutations": 9.5},
        {"place_means": "no"},
        {"random_state": -1},
        {"random_state": True},
    ],
)
def test_settings_out_of_range_are_named(settings) -> None:
    for kind in (NestedRidge, PartialEffects):
        with pytest.raises(ProbeError, match="found"):
            kind(**settings).fit(ONE.X, ONE.y, groups=ONE.groups)


@pytest.mark.parametrize("settings", [{"alpha": 0}, {"alpha": np.nan}, {"shifts": -1}])
def test_settings_of_the_effects_are_named(settings) -> None:
    with pytest.raises(ProbeError, match=next(iter(settings))):
        PartialEffects(**settings).fit(ONE.X, ONE.y, groups=ONE.groups)


def test_a_target_that_the_controls_know_is_refused() -> None:
    Z = np.column_stack([ONE.y, ONE.Z])
    for probe in PROBES:
        with pytest.raises(ProbeError, match="the target is a function of the controls"):
            clone(probe).fit(ONE.X, ONE.y, controls=Z * [1e6, 1, 1], groups=ONE.groups)


def test_an_infinite_column_is_no_constant() -> None:
    values = np.column_stack([np.zeros(5), np.r_[np.zeros(4), np.inf], np.full(5, np.nan)])
    assert constant_columns(values).tolist() == [0]
    assert constant_columns(np.array([[0.0, 0], [1e-200, 1]])).tolist() == [0]


def test_a_naive_correlation_of_two_rows_is_refused() -> None:
    with pytest.raises(ProbeError, match="at least 3 rows"):
        NaiveCorrelation().fit([[0.0], [1.0]], [0, 1])
    for y in (BOTH, ONE.y[1:], with_entry(ONE.y, np.nan)):
        for call in (NaiveCorrelation().fit, NaiveCorrelation().fit(ONE.X, ONE.y).score):
            with pytest.raises(ValueError, match=r"rows|1d array|NaN"):
                call(ONE.X, y)


BAD = with_entry(ONE.Z, np.nan)
WEIGHTS = track_weights(2)
EVENTS = Events(np.array([1.0]), np.array([np.nan]))
TWO = np.array([1.0, 2.0])


@pytest.mark.fault(
    "probe", "NaN and other shapes in its functions", outcome="refused with what was found"
)
@pytest.mark.parametrize(
    "call",
    [
        lambda: expand(BAD),
        lambda: expand(ONE.Z[np.newaxis]),
        lambda: expand(ONE.Z, knots=-1),
        lambda: expand(ONE.Z, interactions=2.5),
        lambda: sound_types(BAD),
        lambda: sound_types(ONE.Z[:5]),
        lambda: control_task(np.arange(3), ONE.y),
        lambda: control_task(np.full(600, -1), ONE.y),
        lambda: control_task(np.zeros(600, int), BAD[:, 0]),
        lambda: explained(TWO, TWO[:1], WEIGHTS),
        lambda: explained(TWO * np.nan, TWO, WEIGHTS),
        lambda: explained(TWO * 0, TWO, WEIGHTS),
        lambda: explained(np.ones(3), np.ones(3), WEIGHTS),
        lambda: auroc(TWO * np.nan, TWO > 1, np.arange(2), np.zeros(2, int), WEIGHTS),
        lambda: auroc(TWO, TWO > 1, np.arange(3), np.zeros(2, int), WEIGHTS),
        lambda: p_value(np.array([0.0, np.nan]), np.array(1.0)),
        lambda: p_value(np.zeros((9, 2)), np.zeros(3)),
        lambda: exchanges([4, 4], -1, seed=0),
        lambda: link(TWO, np.nan),
        lambda: link(TWO, 1.0),
        lambda: target(TWO, EVENTS, None, known=None),
        lambda: target(TWO * np.nan, Events(TWO, TWO), None, known=None),
        lambda: target(TWO, Events(TWO, TWO[:1]), None, known=None),
        lambda: target(TWO, Events(TWO, TWO), None, known=[(0.0, np.nan)]),
        lambda: interval_of(np.nan, TWO, tracks=2),
        lambda: interval_of(1.0, TWO * np.nan, tracks=2),
        lambda: bounded_mean(TWO, (0, 1)),
        lambda: bounded_mean(TWO * np.nan, (0, 1)),
        lambda: bounded_mean(TWO[:0], (0, 1)),
        lambda: track_weights(0),
    ],
)
def test_every_function_names_what_it_cannot_use(call: Callable[[], object]) -> None:
    with pytest.raises(LeitmotifError, match="found"):
        call()


def test_a_feature_of_nan_does_not_pass_the_leak_check() -> None:
    audio = np.random.default_rng(0).normal(size=100).astype(np.float32)

    def extract(samples: np.ndarray) -> np.ndarray:
        return np.where(np.arange(10)[:, np.newaxis] == 3, np.nan, samples[:10, np.newaxis])

    with pytest.raises(ProbeError, match="1 not finite"):
        look_ahead(extract, audio, sample_rate=10, instants=np.arange(10.0), cuts=[5.0])
