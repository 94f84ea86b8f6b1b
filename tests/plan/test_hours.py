"""Seconds from counts and rates, measured or of a class of GPU."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from leitmotif.plan.calibrate import MOST_ROWS, DeviceTimer
from leitmotif.plan.hours import (
    CLASSES,
    OF_BANDWIDTH,
    OF_OPERATIONS,
    REPLAYED_SECONDS_A_BLOCK,
    PassLoad,
    Rates,
    StepLoad,
    parts_of,
    seconds_of,
    seconds_on,
    step_seconds,
)
from leitmotif.plan.scale import Scale
from leitmotif.plan.sizes import PUBLISHED, ModelSize, step_bytes, step_operations
from leitmotif.plan.work import Generating, Reading, Work, work_of

SMALL = PUBLISHED["facebook/musicgen-small"]
TINY = ModelSize(
    "tiny", replace(SMALL, layers=12, width=64, heads=1, mlp_width=128), 100, 100, 50.0, 32_000,
    file_bytes=0, here=False, known="",
)  # fmt: skip


def _generating(rows: int = 8, clips: int = 20) -> Generating:
    return Generating(TINY, clips, rows, halves=2, prefix_frames=10, frames=47)


def test_a_batch_takes_its_steps_times_the_time_of_one() -> None:
    one = _generating()
    work = Work(generating=(one,), reading=(Reading(TINY, 3.0, 100),), decoded_seconds=5.0)
    rates = Rates({StepLoad("tiny", 16, 35): 0.1}, {PassLoad("tiny", 100): 2.0}, decode=4.0)
    parts = parts_of(work, rates)
    assert parts["generating"] == pytest.approx(20 / 8 * 50 * 0.1)
    assert parts["reading"] == 6.0
    assert parts["codec"] == 20.0
    assert seconds_of(work, rates, processes=2).most == pytest.approx((12.5 + 6 + 20) / 2)


def test_clips_that_stay_as_they_are_need_not_be_heard() -> None:
    work = Work(decoded_seconds=10.0, heard_clips=2, operations=3.0, repeated=0.75)
    rates = Rates({}, {}, decode=1.0, hear=1.0, operation=1.0)
    found = seconds_of(work, rates, processes=1)
    assert (found.least, found.most) == (12 / 4 + 3, 15)


def test_a_step_on_a_gpu_is_bound_by_memory_arithmetic_or_kernels() -> None:
    gpu, size = CLASSES[0], replace(TINY, decoder=SMALL)
    many = replace(_generating(rows=64, clips=64), model=size, prefix_frames=1000)
    batch = StepLoad.of(many)
    read = step_bytes(SMALL, batch.rows, batch.steps, 4) / (gpu.bandwidth * OF_BANDWIDTH)
    assert step_seconds(gpu, many, "float32", 4) == pytest.approx(read)
    computed = step_operations(SMALL, batch.rows, batch.steps) / (
        gpu.operations["float64"] * OF_OPERATIONS
    )
    assert step_seconds(gpu, many, "float64", 8) == pytest.approx(computed)
    few = replace(many, rows=1, prefix_frames=0)
    kernels = 24 * REPLAYED_SECONDS_A_BLOCK
    assert step_seconds(CLASSES[-1], few, "bfloat16", 2) == pytest.approx(kernels)


def test_the_fits_of_a_stage_are_no_work_of_a_gpu() -> None:
    fits = Work(exchanges=1e12, permuted=1e12, shifts=1e12, panels=1e12, tagged_clips=10**9)
    assert seconds_on(CLASSES[0], fits, "float32", 4) == 0


def test_a_feature_without_a_link_spares_exchanges() -> None:
    work = Work(exchanges=5e9, spared=4e9)
    found = seconds_of(work, Rates({}, {}), processes=2)
    assert found.most == pytest.approx(5 * found.least)


def test_a_calibration_measures_all_that_the_works_consist_of(
    scale_of: Callable[..., Scale],
) -> None:
    scale = scale_of("organism")
    works = [*work_of(scale).values()]
    rates = DeviceTimer(scale, "cpu").rates(works)
    assert all(sum(parts_of(work, rates).values()) > 0 for work in works)
    single = (
        rates.encode, rates.decode, rates.compare, rates.tag, rates.search, rates.hear,
        rates.analyse, rates.operation,
    )  # fmt: skip
    assert all(seconds > 0 for seconds in single)
    assert rates.notes == ()


def test_what_is_not_here_is_measured_by_a_stand_in(scale_of: Callable[..., Scale]) -> None:
    scale = scale_of("organism", "model.dtype=float32")
    scale.__dict__["model"] = TINY  # a cached property
    large, wide = _generating(rows=2), _generating(rows=4 * MOST_ROWS, clips=1000)
    work = Work(generating=(large, wide), reading=(Reading(TINY, 1.0, 20),))
    rates = DeviceTimer(scale, "cpu").rates([work])
    assert set(rates.step) == {StepLoad.of(large), StepLoad.of(wide)}
    assert rates.read[PassLoad("tiny", 20)] > 0
    assert rates.notes[0].startswith("tiny: random weights in its shapes")
