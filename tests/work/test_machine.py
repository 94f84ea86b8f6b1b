"""What a container, Slurm or the system allows, on file systems that are made up."""

import os
from pathlib import Path

import pytest

from leitmotif.work import machine as module
from leitmotif.work.engine import number_of_workers, workers_on
from leitmotif.work.machine import Machine, memory_here, processors_here
from leitmotif.work.parallel import WORKERS

GIB, PHYSICAL, BUILT_IN = 2**30, 64 * 2**30, 32
UNLIMITED = "9223372036854771712"
"""What version 1 says where there is no limit."""


@pytest.fixture(autouse=True)
def _built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "physical_memory", lambda: PHYSICAL)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(BUILT_IN)), raising=False)


def made(root: Path, files: dict[str, str], **environment: str) -> Machine:
    """A machine with these files below its control groups, and the process's own line."""
    for name, text in files.items():
        path = root / ("proc/self/cgroup" if name == "self" else f"sys/fs/cgroup/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return Machine(root, environment)


def test_without_limits_it_is_what_the_machine_has(tmp_path: Path) -> None:
    bare = made(tmp_path, {})
    assert (bare.memory, bare.processors) == (PHYSICAL, BUILT_IN)


NESTED = {
    "self": "0::/slurm/job_7/step_0",
    "cpu.max": "max 100000",
    "slurm/memory.max": f"{32 * GIB}",
    "slurm/cpu.max": "800000 100000",
    "slurm/job_7/memory.max": f"{6 * GIB}",
    "slurm/job_7/cpu.max": "400000 100000",
    "slurm/job_7/step_0/memory.max": "max",
    "slurm/job_7/step_0/cpu.max": "max 100000",
}


@pytest.mark.parametrize(
    ("changed", "memory", "processors"),
    [
        ({}, 6 * GIB, 4),
        ({"slurm/job_7/step_0/memory.max": f"{GIB}"}, GIB, 4),
        ({"slurm/memory.max": f"{2 * GIB}", "slurm/cpu.max": "150000 100000"}, 2 * GIB, 2),
        ({"slurm/job_7/step_0/memory.high": f"{3 * GIB}"}, 3 * GIB, 4),
        ({"slurm/job_7/step_0/cpu.max": "1000 100000"}, 6 * GIB, 1),
        ({"self": "0::/"}, PHYSICAL, BUILT_IN),
        # A container that has its own group as the root, while the line names it from outside.
        ({"self": "0::/outside/of/it", "memory.max": f"{5 * GIB}"}, 5 * GIB, BUILT_IN),
        ({"self": "0::/../other", "memory.max": f"{5 * GIB}"}, 5 * GIB, BUILT_IN),
        ({"self": "", "memory.max": f"{5 * GIB}", "cpu.max": "300000 100000"}, 5 * GIB, 3),
        ({"slurm/job_7/memory.max": "what?", "slurm/job_7/cpu.max": ""}, 32 * GIB, 8),
    ],
)
def test_of_nested_groups_the_narrowest_limit_holds(
    changed: dict[str, str], memory: int, processors: int, tmp_path: Path
) -> None:
    machine = made(tmp_path, NESTED | changed)
    assert (machine.memory, machine.processors) == (memory, processors)


OLD = {
    "self": "9:memory:/user/job\n5:cpu,cpuacct:/user/job\n1:name=systemd:/elsewhere\n0::/",
    "memory/memory.limit_in_bytes": UNLIMITED,
    "memory/user/memory.limit_in_bytes": f"{8 * GIB}",
    "memory/user/job/memory.limit_in_bytes": UNLIMITED,
    "cpu,cpuacct/user/job/cpu.cfs_quota_us": "250000",
    "cpu,cpuacct/user/job/cpu.cfs_period_us": "100000",
    "cpu,cpuacct/user/cpu.cfs_quota_us": "-1",
    "cpu,cpuacct/user/cpu.cfs_period_us": "100000",
}


@pytest.mark.parametrize(
    ("changed", "memory", "processors"),
    [
        ({}, 8 * GIB, 3),
        ({"memory/user/memory.limit_in_bytes": UNLIMITED}, PHYSICAL, 3),
        ({"cpu,cpuacct/user/job/cpu.cfs_quota_us": "-1"}, 8 * GIB, BUILT_IN),
        ({"memory/memory.limit_in_bytes": f"{4 * GIB}"}, 4 * GIB, 3),
        ({"self": "9:memory:/docker/7\n5:cpu:/docker/7"}, PHYSICAL, BUILT_IN),
        (
            {
                "self": "9:memory:/docker/7\n5:cpu:/docker/7",
                "memory/memory.limit_in_bytes": f"{GIB}",
                "cpu/cpu.cfs_quota_us": "100000",
                "cpu/cpu.cfs_period_us": "100000",
            },
            GIB,
            1,
        ),
        ({"unified/memory.max": f"{2 * GIB}"}, 2 * GIB, 3),
    ],
)
def test_so_it_is_with_groups_of_version_1(
    changed: dict[str, str], memory: int, processors: int, tmp_path: Path
) -> None:
    machine = made(tmp_path, OLD | changed)
    assert (machine.memory, machine.processors) == (memory, processors)


@pytest.mark.parametrize(
    ("job", "memory", "processors"),
    [
        ({"SLURM_MEM_PER_NODE": "8192"}, 8 * GIB, BUILT_IN),
        ({"SLURM_MEM_PER_NODE": "0"}, PHYSICAL, BUILT_IN),
        ({"SLURM_MEM_PER_CPU": "2048", "SLURM_CPUS_ON_NODE": "6"}, 12 * GIB, 6),
        ({"SLURM_MEM_PER_CPU": "2048", "SLURM_CPUS_PER_TASK": "3"}, 6 * GIB, 3),
        (
            {
                "SLURM_MEM_PER_CPU": "1024",
                "SLURM_CPUS_ON_NODE": "16",
                "SLURM_CPUS_PER_TASK": "4",
            },
            16 * GIB,
            4,
        ),
        ({"SLURM_MEM_PER_CPU": "2048"}, PHYSICAL, BUILT_IN),
        ({"SLURM_MEM_PER_GPU": "3072", "SLURM_GPUS_ON_NODE": "2"}, 6 * GIB, BUILT_IN),
        ({"SLURM_MEM_PER_GPU": "3072"}, PHYSICAL, BUILT_IN),
        ({"SLURM_CPUS_PER_TASK": "1000"}, PHYSICAL, BUILT_IN),
        ({"SLURM_MEM_PER_NODE": "a lot", "SLURM_CPUS_PER_TASK": ""}, PHYSICAL, BUILT_IN),
    ],
)
def test_a_job_of_slurm_has_what_it_asked_for(
    job: dict[str, str], memory: int, processors: int, tmp_path: Path
) -> None:
    machine = made(tmp_path, {}, **job)
    assert (machine.memory, machine.processors) == (memory, processors)


def test_the_least_of_all_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = made(tmp_path, NESTED, SLURM_MEM_PER_NODE="4096", SLURM_CPUS_PER_TASK="3")
    assert (machine.memory, machine.processors) == (4 * GIB, 3)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5})
    assert machine.processors == 2
    monkeypatch.setattr(module, "physical_memory", lambda: GIB)
    assert machine.memory == GIB
    monkeypatch.setattr(module, "physical_memory", lambda: None)
    assert Machine(tmp_path / "nothing", {}).memory is None


def test_where_affinity_is_not_known_it_is_all_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert Machine(tmp_path, {}).processors == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert Machine(tmp_path, {}).processors == 1


def test_workers_and_budgets_ask_this_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Machine", lambda: Machine(Path("/nowhere"), {}))
    monkeypatch.delenv(WORKERS, raising=False)
    assert (memory_here(), processors_here()) == (PHYSICAL, BUILT_IN)
    assert number_of_workers() == BUILT_IN
    assert number_of_workers(3) == 3


def test_on_a_gpu_one_process_works() -> None:
    assert (workers_on("cuda", 7), workers_on("mps", None)) == (1, 1)
    assert (workers_on("cpu", 7), workers_on("cpu", None)) == (7, None)
