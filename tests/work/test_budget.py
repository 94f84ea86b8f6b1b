"""Rows and processes by the memory that may be used."""

from collections.abc import Callable
from pathlib import Path

import pytest

from leitmotif.cli.preset_texts import preset
from leitmotif.config import Params, ResourcesParams, parse_params
from leitmotif.config.auto import MOST_ROWS
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.work import budget as module
from leitmotif.work.budget import (
    GB,
    GPU_CONTEXT_BYTES,
    LEAST_ROWS,
    PROCESS_BYTES,
    USED,
    Batches,
    Budget,
    Holding,
    batches_of,
)

ROW = 300_000_000
HOLDING = Holding(weights=2 * GB, row=ROW)


@pytest.fixture
def params_of(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Params]:
    monkeypatch.chdir(repo_root)
    monkeypatch.setattr(module, "memory_here", lambda: 64 * GB)
    monkeypatch.setattr(module, "gpu_memory_here", lambda: None)
    return lambda name, *settings: parse_params(parse_yaml(preset(name, settings)))


def _held(found: Batches, holding: Holding) -> int:
    """What all processes of a CPU hold then."""
    each = PROCESS_BYTES + holding.weights + holding.judge + holding.packed
    each += max(found.rows * holding.row, holding.otherwise)
    waiting = holding.weights if found.workers > 1 else 0
    return PROCESS_BYTES + holding.main + waiting + found.workers * each


@pytest.mark.parametrize("processors", [1, 2, 16])
@pytest.mark.parametrize("gigabytes", [8, 16, 64])
@pytest.mark.parametrize(
    "more",
    [{}, {"judge": GB}, {"otherwise": 2 * GB}, {"main": GB}, {"packed": GB}],
    ids=lambda more: str([*more]),
)
def test_all_processes_together_stay_within_the_budget(
    processors: int, gigabytes: int, more: dict[str, int]
) -> None:
    holding = Holding(weights=2 * GB, row=ROW, **more)
    found = Budget(gigabytes * GB, 0).batches(
        holding, device="cpu", processors=processors, most=10**6
    )
    assert 1 <= found.workers <= processors
    assert _held(found, holding) <= gigabytes * GB
    # Another row in each would be more than may be used.
    one_more = Batches(found.workers, found.rows + 1)
    assert _held(one_more, holding) > USED * gigabytes * GB or found.rows * ROW < holding.otherwise


def test_a_gpu_has_one_process_and_its_own_budget() -> None:
    found = Budget(8 * GB, 24 * GB).batches(HOLDING, device="cuda", processors=16, most=10**6)
    assert found.workers == 1
    held = GPU_CONTEXT_BYTES + 2 * GB + found.rows * ROW
    assert 24 * USED * GB - ROW < held <= 24 * GB


def test_more_memory_than_the_most_rows_need_is_left() -> None:
    found = Budget(GB, 1000 * GB).batches(HOLDING, device="cuda", processors=1, most=48)
    assert found.rows == 48


def test_without_room_it_is_tried_with_the_fewest_rows() -> None:
    for device in ("cpu", "cuda"):
        found = Budget(2 * GB, 2 * GB).batches(HOLDING, device=device, processors=4, most=64)
        assert found == Batches(1, LEAST_ROWS)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_rows_that_are_set_are_as_they_are_set_and_too_many_are_named(
    device: str, params_of: Callable[..., Params], capsys: pytest.CaptureFixture[str]
) -> None:
    processes = 3 if device == "cpu" else 1
    said = {}
    for gigabytes in (5, 60):
        resources = [f"resources.{name}_gb={gigabytes}" for name in ("memory", "gpu_memory")]
        params = params_of("musicgen-small", "interventions.rows=12", *resources)
        found = batches_of(params, "interventions", HOLDING, device=device, processors=3)
        assert found == Batches(processes, 12)
        said[gigabytes] = capsys.readouterr().err
    assert said[60] == ""
    assert "interventions.rows 12 need about" in said[5]
    assert "may use 5 GB: set them to auto" in said[5]


def test_rows_that_are_auto_follow_from_the_resources_and_are_said(
    params_of: Callable[..., Params], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {}
    for gigabytes in (8, 12, 1000):
        params = params_of("musicgen-small", f"resources.gpu_memory_gb={gigabytes}")
        found = batches_of(params, "swaps", HOLDING, device="cuda", processors=3)
        rows[gigabytes] = found.rows
        assert f"auto: swaps.rows {found.rows}\n" in capsys.readouterr().err
    assert rows[8] < rows[12] < rows[1000] == MOST_ROWS


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_worker_of_a_cluster_has_the_budget_for_itself_and_leaves_the_stage_its_model(
    device: str, params_of: Callable[..., Params], capsys: pytest.CaptureFixture[str]
) -> None:
    gigabytes = 12
    resources = [f"resources.{name}_gb={gigabytes}" for name in ("memory", "gpu_memory")]
    dask = ["execution.engine=dask", "execution.address=tcp://127.0.0.1:1", "execution.workers=3"]
    params = params_of("musicgen-small", *resources, *dask)
    found = batches_of(params, "swaps", HOLDING, device=device, processors=16)
    assert f"auto: swaps.rows {found.rows} in each worker\n" in capsys.readouterr().err
    beside = 2 * PROCESS_BYTES if device == "cpu" else GPU_CONTEXT_BYTES
    worker = beside + HOLDING.weights + found.rows * ROW
    stage = HOLDING.weights + (0 if device == "cpu" else GPU_CONTEXT_BYTES)
    assert USED * gigabytes * GB - ROW < worker + stage <= USED * gigabytes * GB
    assert found.workers == 1


def test_a_machine_with_less_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = ResourcesParams(memory_gb=16.0, gpu_memory_gb=24.0)
    monkeypatch.setattr(module, "memory_here", lambda: 7 * GB)
    monkeypatch.setattr(module, "gpu_memory_here", lambda: 11 * GB)
    assert Budget.of(settings) == Budget(7 * GB, 11 * GB)
    monkeypatch.setattr(module, "memory_here", lambda: None)
    monkeypatch.setattr(module, "gpu_memory_here", lambda: 80 * GB)
    assert Budget.of(settings) == Budget(16 * GB, 24 * GB)
