"""Memory that testing features takes: the most that is allocated at a time, beside the formula.

    python -m benchmarks.testing --runs .leitmotif/runs

Panels like those of benchmarks/scale.py and with as many controls as the organism has; all in one
process. ``designs`` is what is kept of the controls afterwards, ``peak`` all that was allocated
while the features were tested, the panel itself left out. Beside it what the stages of a finished
run of the shipped experiment measured of themselves.
"""

import argparse
import gc
import sys
import tracemalloc
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.signal import lfilter
from threadpoolctl import threadpool_limits

from benchmarks._report import RESULTS, machine
from benchmarks.scale import PROBING
from leitmotif.files import read_json, write_json
from leitmotif.probe.estimators.effects import REFITS, measured
from leitmotif.probe.estimators.expansion import expand
from leitmotif.probe.memory import PanelSizes
from leitmotif.probe.panel.panel import panel

FOLDS = 5
STAGES = ("probes", "calibration", "summary")
"""Those that test features beyond the controls."""


class Case(NamedTuple):
    """A panel: sizes, and how far the controls are bent."""

    tracks: int
    length: int
    controls: int
    knots: int
    waves: int
    interactions: int
    features: int


CASES = (
    # As in benchmarks/scale.py.
    Case(40, 30, controls=3, knots=2, waves=5, interactions=8, features=1024),
    Case(100, 30, controls=3, knots=2, waves=5, interactions=8, features=1024),
    # As on the organism, and with more places and fewer controls.
    Case(100, 22, controls=42, knots=4, waves=4, interactions=64, features=128),
    Case(100, 22, controls=42, knots=4, waves=4, interactions=64, features=1024),
    Case(100, 80, controls=42, knots=4, waves=4, interactions=64, features=468),
    Case(100, 200, controls=20, knots=4, waves=4, interactions=64, features=256),
    Case(40, 22, controls=20, knots=4, waves=4, interactions=64, features=256),
)


class Row(TypedDict):
    """What a case took, in bytes."""

    tracks: int
    length: int
    features: int
    free: int
    shapes: list[int]
    design: int
    peak: int
    formula_design: int
    formula_peak: int


def noise(
    random: np.random.Generator, tracks: int, length: int, columns: int
) -> NDArray[np.float64]:
    """Noise that a track remembers: [tracks * length, columns]."""
    white = random.normal(size=(tracks, length, columns))
    return np.asarray(lfilter([1], [1, -0.9], white, axis=1)).reshape(-1, columns)


def row_of(case: Case, seed: int) -> Row:
    """Test the features of a panel."""
    random = np.random.default_rng(seed)
    tracks, length = case.tracks, case.length
    Z, X = (noise(random, tracks, length, count) for count in (case.controls, case.features))
    y = Z[:, 0] + random.normal(size=len(Z))
    groups = np.repeat(np.arange(tracks), length).astype(str)
    curves = expand(
        Z, groups=groups, knots=case.knots, waves=case.waves, interactions=case.interactions
    )
    gc.collect()
    tracemalloc.start()
    data = panel(X, y, controls=curves, groups=groups, folds=FOLDS, seed=0)
    tested = measured(data, place_means=True, shifts=PROBING.shifts, refits=REFITS, seed=0)
    tested.first_round()
    peak = tracemalloc.get_traced_memory()[1]
    del tested, data
    gc.collect()
    design = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    shapes = tuple(map(len, curves.shapes))
    formula = PanelSizes(len(y), tracks, FOLDS, 1 + length, shapes, PROBING.shifts)
    return Row(
        tracks=tracks,
        length=length,
        features=case.features,
        free=formula.free,
        shapes=list(shapes),
        design=design,
        peak=peak,
        formula_design=formula.design,
        formula_peak=formula.design + formula.block(case.features),
    )


def main() -> int:
    """Measure, print the table and write benchmarks/results/testing.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    runs = parser.parse_args().runs
    stages = {name: read_json(runs / f"{name}.json", fix="dvc repro")["peak_mb"] for name in STAGES}
    with threadpool_limits(1):
        rows = [row_of(case, seed) for seed, case in enumerate(CASES)]
    write_json(RESULTS / "testing.json", {"machine": machine(), "rows": rows, "stages": stages})
    table = Table("tracks", "length", "features", "design MB", "of it", "peak MB", "of it")
    for row in rows:
        table.add_row(
            str(row["tracks"]),
            str(row["length"]),
            str(row["features"]),
            f"{row['design'] / 1e6:.1f}",
            f"{row['formula_design'] / row['design']:.2f}",
            f"{row['peak'] / 1e6:.1f}",
            f"{row['formula_peak'] / row['peak']:.2f}",
        )
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
