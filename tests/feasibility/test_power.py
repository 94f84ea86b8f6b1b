"""The computed power is that which the calibration measured."""

from pathlib import Path

import pytest

from leitmotif.feasibility.power import least_correlation, power
from leitmotif.files import read_table
from leitmotif.pipeline import CALIBRATION, HORIZONS
from leitmotif.tables.calibration import CalibrationRow, of_kind
from leitmotif.tables.probes import HorizonRow


def test_it_is_that_of_the_committed_calibration(repo_root: Path) -> None:
    rows = of_kind(read_table(repo_root / CALIBRATION, CalibrationRow), "planted")
    horizons = read_table(repo_root / HORIZONS, HorizonRow)
    tracks = {row.horizon: row.tracks for row in horizons}
    assert len(rows) >= 3
    for row in rows:
        assert row.strength is not None
        computed = power(row.strength, tracks[row.horizon], alpha=row.alpha)
        assert row.controlled.low <= computed <= row.controlled.high, row.strength


@pytest.mark.parametrize("tracks", [12, 20, 100])
def test_the_least_correlation_has_that_power(tracks: int) -> None:
    correlation = least_correlation(tracks, alpha=0.05)
    assert correlation is not None
    assert power(correlation, tracks, alpha=0.05) == pytest.approx(0.8, abs=0.001)


def test_three_tracks_find_nothing() -> None:
    assert power(0.9, 3, alpha=0.05) == 0
    assert least_correlation(3, alpha=0.05) is None
