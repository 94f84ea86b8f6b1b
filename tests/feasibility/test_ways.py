"""Settings for which the tracks at hand are long enough."""

from pathlib import Path

import pytest

from leitmotif.claims import Claims
from leitmotif.config import Params, load_params
from leitmotif.feasibility.lengths import long_enough
from leitmotif.feasibility.ways import best_way
from leitmotif.timing.frames import AS_MUSICGEN
from tests.status.half_made import folder_experiment, track


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Params:
    root = tmp_path_factory.mktemp("folder") / "repository"
    folder_experiment(root, repo_root, "probes.folds=5")
    return load_params(root / "params.yaml")


@pytest.mark.parametrize(
    ("lengths", "settings"),
    [
        ([30.0] * 20, ()),
        ([30.0] * 19, ("probes.folds=4",)),
        ([30.0] * 12 + [16.0] * 30, ("probes.folds=3",)),
        ([15.0] * 21, ("probes.horizons=[[1, 2], [2, 5], [5, 13]]",)),
        ([15.0] * 13, ("probes.horizons=[[1, 2], [2, 5], [5, 13]]", "probes.folds=3")),
    ],
)
def test_folds_are_given_up_before_horizons(
    lengths: list[float], settings: tuple[str, ...], params: Params
) -> None:
    way = best_way(params, lengths, timing=AS_MUSICGEN)
    assert way is not None
    assert way.settings == settings


@pytest.mark.parametrize("lengths", [[], [30.0] * 11, [8.9] * 100])
def test_nothing_would_do(lengths: list[float], params: Params) -> None:
    assert best_way(params, lengths, timing=AS_MUSICGEN) is None


def test_its_tracks_are_those_of_the_probes(params: Params) -> None:
    """The lengths are compared by the rule by which rows are made."""
    lengths = [30.0] * 4 + [15.0] * 9 + [14.98] * 3
    way = best_way(params, lengths, timing=AS_MUSICGEN)
    assert way is not None
    horizons = Claims.of_horizons([[1, 2], [2, 5], [5, 13]], minimum_seconds=5, alpha=0.05).horizons
    rows = [track(number, seconds) for number, seconds in enumerate(lengths)]
    assert way.tracks == 13
    assert way.tracks == long_enough(
        params.probes, rows, "decisions", timing=AS_MUSICGEN, horizons=horizons
    )
