"""Views of the stage ``calibration``: error rates, power, and both tests level by level."""

from collections.abc import Sequence

import pandas as pd

from leitmotif.probe.calibration.rates import Calibration
from leitmotif.tables.calibration import CalibrationRow, of_kind
from leitmotif.tables.interval import as_metric

LEVELS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def metrics_of(rows: Sequence[CalibrationRow]) -> dict[str, object]:
    """Both tests' false-positive rates over all null features, and the controlled one's power."""
    (nulls,) = of_kind(rows, "all")
    return {
        "fpr_naive": as_metric(nulls.naive),
        "fpr_controlled": as_metric(nulls.controlled),
        "power": {
            f"{row.strength:g}": as_metric(row.controlled) for row in of_kind(rows, "planted")
        },
    }


def plot_of(calibration: Calibration) -> pd.DataFrame:
    """How many features are called significant at each level: both tests, and the planted ones."""
    names = {name: name for name in ("nominal", "naive", "controlled")}
    names |= {str(strength): f"planted {strength:g}" for strength in sorted(calibration.power)}
    return pd.DataFrame(
        [
            {"test": name, "level": level, "share": round(calibration.share(test, level), 4)}
            for test, name in names.items()
            for level in LEVELS
        ]
    )
