"""Paired effects on tables whose answer is known, and error rates of the tests."""

import numpy as np
import pytest

from leitmotif.causal.experiment.effects import (
    by_track,
    chosen_apart,
    contrast,
    differences,
    dose_response,
    effect_of,
    specificity,
    steepest,
    strongest,
)
from leitmotif.errors import ProbeError

BASELINE = {("a", 0): 0.0, ("a", 1): 1.0, ("b", 0): 1.0, ("b", 1): None, ("c", 0): 1.0}
TREATED = {("a", 0): 1.0, ("a", 1): 1.0, ("b", 0): 0.0, ("b", 1): 1.0, ("d", 0): 1.0}


def test_differences_are_paired_averaged_over_seeds_and_turned_as_predicted() -> None:
    assert differences(TREATED, BASELINE, scale=100) == {"a": 50.0, "b": -100.0}
    turned = differences(TREATED, BASELINE, towards={"a": 1, "b": -1})
    assert turned == {"a": 0.5, "b": 1.0}
    assert by_track(BASELINE) == {"a": 0.5, "b": 1.0, "c": 1.0}


def test_an_effect_in_every_track_is_sure() -> None:
    effect = effect_of({str(i): 50.0 + i for i in range(10)})
    assert effect.interval.mean == 54.5
    assert 50 < effect.interval.low < 54.5 < effect.interval.high < 59
    assert effect.p == 2 / 2**10
    assert effect.row().n == 10
    nothing = effect_of({str(i): 0.0 for i in range(10)})
    assert (nothing.interval.low, nothing.interval.high, nothing.p) == (0.0, 0.0, 1.0)


def test_tracks_that_agree_do_not_make_a_bounded_effect_certain() -> None:
    limits = (-100.0, 100.0)
    always = effect_of({str(i): 100.0 for i in range(16)}, limits=limits).interval
    assert 60 < always.low < 80
    assert always.mean == always.high == 100
    never = effect_of({str(i): 0.0 for i in range(16)}, limits=limits).interval
    assert -20 < never.low < -5 < 5 < never.high < 20


def test_a_contrast_is_with_the_mean_of_the_controls() -> None:
    of_condition = {"a": 10.0, "b": 20.0, "c": 1.0}
    random = [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0, "c": 9.0}]
    assert contrast(of_condition, [random]) == {"a": 8.0, "b": 17.0}
    for nothing in ([], [[], []]):
        with pytest.raises(ProbeError, match="contrast"):
            contrast(of_condition, nothing)


def test_of_two_kinds_of_control_each_track_has_the_stronger() -> None:
    of_condition = {"a": 10.0, "b": 20.0, "c": 1.0}
    random = [{"a": 1.0, "b": 2.0, "c": 0.0}, {"a": 3.0, "b": 4.0, "c": 9.0}]
    donor = [{"a": 10.0, "b": -20.0}]
    assert contrast(of_condition, [donor, random]) == {"a": 0.0, "b": 17.0}
    assert contrast(of_condition, [[], random]) == contrast(of_condition, [random])


def test_the_slope_is_that_of_a_line_through_the_baseline() -> None:
    line = {dose: {"a": 7 * (dose - 1), "b": -2 * (dose - 1)} for dose in (-2.0, 0.0, 3.0)}
    slopes = dose_response(line)
    assert slopes["a"] == pytest.approx(7)
    assert slopes["b"] == pytest.approx(-2)
    assert list(dose_response({**line, 4.0: {"a": 21.0}})) == ["a"]
    most = {0.0: {"a": -100.0}, 2.0: {"a": 100.0}, 4.0: {"a": 100.0}}
    least = {0.0: {"a": 100.0}, 2.0: {"a": 100.0}, 4.0: {"a": 100.0}}
    assert steepest(most, 100) >= dose_response(most)["a"] > dose_response(least)["a"]
    assert steepest([0.0, 2.0], 100) == dose_response({0.0: {"a": -100.0}, 2.0: {"a": 100.0}})["a"]
    with pytest.raises(ProbeError, match="without doses"):
        dose_response({})


def test_specificity_is_effect_per_fidelity_lost() -> None:
    effects = {"a": 50.0, "b": 30.0, "d": 99.0}
    ratio = specificity(effects, {"a": 0.8, "b": 0.6, "c": 0.0})
    assert ratio is not None
    assert ratio.interval.mean == pytest.approx(80 / 0.6)
    on_both = effect_of({"a": 50.0, "b": 30.0})
    assert (ratio.p, ratio.tracks) == (on_both.p, on_both.tracks)
    assert specificity(effects, {"a": 1.0, "b": 1.0}) is None


def test_one_track_has_no_interval() -> None:
    with pytest.raises(ProbeError, match="2 or more"):
        effect_of({"a": 1.0})


def test_the_choice_for_a_track_does_not_depend_on_its_own_effect() -> None:
    """Of many candidates of pure noise the best looks good; chosen apart, it does not."""
    random = np.random.default_rng(0)
    tracks = [f"{n:03d}" for n in range(40)]
    effects = {
        f"candidate {n}": dict(zip(tracks, random.normal(0, 50, len(tracks)), strict=True))
        for n in range(200)
    }
    best = strongest(effects, tracks)
    assert np.mean([*effects[best].values()]) > 10
    chosen = chosen_apart(effects, seed=1)
    assert set(chosen) == set(tracks)
    assert len(set(chosen.values())) <= 2
    apart = [effects[chosen[track]][track] for track in tracks]
    assert abs(np.mean(apart)) < 3 * 50 / np.sqrt(len(tracks))
    for track in tracks:
        others = {name: {**by_track, track: 1e6} for name, by_track in effects.items()}
        assert chosen_apart(others, seed=1)[track] == chosen[track]


def test_of_equal_candidates_the_first_is_the_strongest() -> None:
    same = {"a": 1.0, "b": 3.0}
    assert strongest({"one": same, "two": same, "three": {"c": 9.0}}, ["a", "b"]) == "one"


def test_means_that_differ_by_rounding_are_equal() -> None:
    tracks = ["a", "b", "c"]
    first = dict(zip(tracks, (0.1, 0.2, 0.3), strict=True))
    other = dict(zip(tracks, (0.3, 0.2, 0.1 + 1e-15), strict=True))
    assert sum(other.values()) != sum(first.values())
    assert strongest({"one": first, "other": other}, tracks) == "one"
    assert strongest({"other": other, "one": first}, tracks) == "other"
