"""What each approach chooses and reports, on made rows of which the truth is known."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from leitmotif.causal.approaches.comparison import verdict_without_features
from leitmotif.causal.approaches.kinds import APPROACHES, AtSite, EncodedFeatures, FeatureChoice
from leitmotif.causal.approaches.search import FeatureSearch
from leitmotif.causal.experiment.study import Study
from leitmotif.causal.verdict import VerdictRules
from leitmotif.claims import Claims
from leitmotif.probe.estimators.experiment import ProbeSettings
from leitmotif.probe.inputs.controls import ControlTable, Position
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Context, Rows
from leitmotif.timing.frames import Timing
from tests.probe.made import made

SETTINGS = ControlSettings([Position()], knots=2, interactions=0)
NOWHERE = EncodedFeatures(Path("nowhere"), [])
SITES = ["layers.0.residual", "layers.1.residual"]
LENGTH = 20


TIMING = Timing(frame_rate=50, hearing_seconds=0.074)


class Store:
    """Holds each track's features at a site in memory."""

    def __init__(self, features: dict[str, np.ndarray]) -> None:
        self.features = features
        self.timing = TIMING

    def header(self, site: str, track_id: str) -> "Store":
        return self

    def load(self, site: str, track_id: str) -> np.ndarray:
        at = int(track_id) * LENGTH
        return self.features[site][at : at + LENGTH]


def search(planted: float, *, tracks: int = 32, d: int = 6, alpha: float = 0.05) -> FeatureSearch:
    """A search in which feature 0 of block 1 shares the far target's noise, and nothing else does;
    the near target follows feature 0 of block 0."""
    data = made(3, tracks=tracks, length=LENGTH, d=d, planted=planted)
    random = np.random.default_rng(1)
    other = random.normal(size=data.X.shape)
    near = (other[:, 0] + 0.3 * random.normal(size=len(other)) > 0.5).astype(float)
    groups = np.repeat([f"{track:03d}" for track in range(tracks)], LENGTH)
    contexts = [Context(f"{track:03d}", 0, LENGTH, 0, np.arange(LENGTH)) for track in range(tracks)]
    table = ControlTable(data.Z, ["local_energy.last", "position.seconds"], [])
    return FeatureSearch(
        rows=Rows(contexts, groups, np.column_stack([near, data.y]), table, TIMING),
        claims=Claims.of_horizons([[1, 2], [5, 7]], minimum_seconds=5, alpha=alpha),
        controls=SETTINGS,
        store=Store(dict(zip(SITES, (other, data.X), strict=True))),  # type: ignore[arg-type]
        sites=SITES,
        probing=ProbeSettings(folds=4, permutations=0, shifts=0, alpha=alpha, seeds=1, seed=0),
        least_active=0.1,
        surest=50,
        together=3,
    )


def found(name: str, search: FeatureSearch) -> FeatureChoice:
    result = search(APPROACHES[name], NOWHERE)
    assert result is not None
    return result


def own(choice: FeatureChoice) -> AtSite:
    return choice.sites[choice.site]


def test_the_whole_pipeline_finds_what_is_planted_and_holds_its_figure_out() -> None:
    choice = found("aligned", search(3.0, tracks=80))
    assert choice.site == SITES[1]
    assert own(choice).chosen[0].feature == 0
    assert own(choice).partial_r2 is not None
    assert own(choice).partial_r2.low > 0.1
    assert own(choice).partial_r2.p == 0.0001, "nearly all of 80 tracks gain"
    assert own(choice).r2 == own(choice).partial_r2.mean


def test_the_local_approach_chooses_by_the_nearest_horizon() -> None:
    choice = found("local", search(3.0))
    assert choice.site == SITES[0]
    assert own(choice).chosen[0].feature == 0
    assert own(choice).partial_r2 is not None
    assert own(choice).partial_r2.low < 0.05, (
        "it is measured on the horizon of which the claim is made"
    )


def test_choosing_among_noise_flatters_the_naive_figure_and_not_the_held_out_one() -> None:
    """With a rate of 1 everything passes, and the best of 60 features of noise are taken."""
    flattering = search(0.0, d=60, alpha=1.0)
    naive, aligned = found("naive", flattering), found("aligned", flattering)
    assert own(naive).r2 is not None
    assert own(naive).r2 > 0.02
    for choice in (naive, aligned):
        assert own(choice).partial_r2 is not None
        assert own(choice).partial_r2.low < 0.01
        assert own(choice).partial_r2.p is not None
    assert own(aligned).r2 is not None
    assert own(aligned).r2 < own(naive).r2


def test_an_approach_that_finds_nothing_says_so() -> None:
    assert search(0.0, alpha=1e-300)(APPROACHES["naive"], NOWHERE) is None


@pytest.mark.parametrize(
    ("ways", "expected"),
    [([], "unknown"), ([1] * 9, "unknown"), ([1, -1], "unknown"), ([1, -1] * 4, "none")],
)
def test_without_a_feature_it_is_unknown_where_none_could_have_counted(
    ways: list[int], expected: str
) -> None:
    claims = search(0.0).claims
    study = SimpleNamespace(
        pieces=SimpleNamespace(towards=dict(enumerate(ways))),
        thresholds=lambda tried: VerdictRules(claims, tried, similarity=0.8),
    )
    assert verdict_without_features(cast("Study", study)) == expected


def test_too_few_tracks_to_be_halved_have_no_held_out_figure() -> None:
    choice = found("aligned", search(3.0, tracks=20))
    assert own(choice).partial_r2 is None
    assert own(choice).r2 is None


@pytest.mark.parametrize("name", ["naive", "aligned"])
def test_no_more_features_are_taken_of_a_site_than_asked_for(name: str) -> None:
    choice = found(name, search(3.0, alpha=1.0))
    assert {len(at.chosen) for at in choice.sites.values()} == {3}
    assert all(chosen.site == site for site, at in choice.sites.items() for chosen in at.chosen)
