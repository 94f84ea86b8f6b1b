"""What the formula says of tests beside what they were measured to take."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks._sparse_panels import WIDTH
from leitmotif.plan.memory import memory_of
from leitmotif.plan.scale import Scale
from leitmotif.plan.work import work_of
from leitmotif.probe.memory import PanelSizes, sparse_bytes

LEAST, MOST = 1.0, 1.5


def results(name: str) -> Any:
    return json.loads(Path(f"benchmarks/results/{name}.json").read_text())


def test_what_a_process_tests_fits_into_the_formula_and_nearly_fills_it() -> None:
    for row in results("testing")["rows"]:
        shifts = 1000
        made = PanelSizes(
            row["tracks"] * row["length"],
            row["tracks"],
            5,
            row["free"],
            tuple(row["shapes"]),
            shifts,
        )
        formula = made.design + made.block(row["features"])
        assert LEAST <= formula / row["peak"] <= MOST, row


@pytest.mark.parametrize("stage", ["probes", "calibration", "summary"])
def test_so_does_a_stage_of_the_shipped_experiment(
    stage: str, scale_of: Callable[..., Scale]
) -> None:
    scale = scale_of("organism")
    computed = memory_of(scale, work_of(scale), device="cpu", processes=2)[stage].host
    assert LEAST <= computed / (results("testing")["stages"][stage] * 1e6) <= MOST


def test_so_does_what_163840_features_take_more_than_10240() -> None:
    """Of benchmarks/scale.py: 30 rows a track, 3.9 % of them active; the process itself cancels."""
    peaks, known = {}, {}
    for row in results("scale")["rows"]:
        features, tracks = row["features"], row["tracks"]
        length = 30 * tracks
        sizes = PanelSizes(length, tracks, 5, 31, (3,), 1000)
        active, widest = (0.0391 * length * count for count in (features, min(WIDTH, features)))
        peaks[tracks, features] = row["peak_mb"] * 2**20
        sparse = sparse_bytes(round(active), round(widest))
        known[tracks, features] = sparse + sizes.collected(features)
    many, few = (100, 163_840), (100, 10_240)
    assert LEAST <= (known[many] - known[few]) / (peaks[many] - peaks[few]) <= MOST


def test_a_process_holds_more_with_more_of_anything() -> None:
    base = PanelSizes(2_000, 100, 5, 23, (42, 200, 200, 440), 1000)
    for more in (
        PanelSizes(4_000, 100, 5, 23, (42, 200, 200, 440), 1000),
        PanelSizes(2_000, 200, 5, 23, (42, 200, 200, 440), 1000),
        PanelSizes(2_000, 100, 6, 23, (42, 200, 200, 440), 1000),
        PanelSizes(2_000, 100, 5, 80, (42, 200, 200, 440), 1000),
        PanelSizes(2_000, 100, 5, 23, (42, 200, 200, 500), 1000),
        PanelSizes(2_000, 100, 5, 23, (42, 200, 200, 440), 2000),
    ):
        assert more.process(512) > base.process(512)
    assert base.process(1024) > base.process(512)
    assert base.process(512, designs=1) < base.process(512)
