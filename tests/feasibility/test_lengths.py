"""Which tracks have rows, from their lengths and labels alone."""

from pathlib import Path

import pytest

from leitmotif.claims import Claims
from leitmotif.config import ProbesParams, load_params
from leitmotif.feasibility.lengths import known_throughout, long_enough, rows_of, seconds_needed
from leitmotif.tables.labels import Coverage
from leitmotif.timing.frames import Timing
from tests.status.half_made import folder_experiment, track

MUSICGEN = Timing(50.0, 0.074)


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> ProbesParams:
    root = tmp_path_factory.mktemp("folder") / "repository"
    folder_experiment(root, repo_root)
    return load_params(root / "params.yaml").probes


def covered(number: int) -> Coverage:
    return known_throughout(track(number, 30.0), "decisions")


def test_the_shortest_track_is_as_long_as_is_said(probes: ProbesParams) -> None:
    horizons = Claims.of(probes).horizons
    least = seconds_needed(probes, horizons, MUSICGEN)
    assert least == pytest.approx(17.074)
    rows = [track(0, least + 0.04), track(1, least - 0.04), track(2, 30.0)]
    found = long_enough(probes, rows, "decisions", timing=MUSICGEN, horizons=horizons)
    assert found == 2


def test_a_score_knows_what_follows_the_end(probes: ProbesParams) -> None:
    horizons = Claims.of(probes).horizons
    rows = [track(0, 3.0)]
    assert long_enough(probes, rows, "decisions", timing=MUSICGEN, horizons=horizons) == 0
    assert long_enough(probes, rows, "score", timing=MUSICGEN, horizons=horizons) == 1


def test_windows_that_no_model_can_read_have_no_rows(probes: ProbesParams) -> None:
    slow = Timing(0.5, 0.0)
    assert rows_of(probes, [track(0, 1.0)], [], [covered(0)], timing=slow) is None
