"""Memory as a budget: how many rows a batch has, and how many processes work side by side.

``resources`` of params.yaml says how much a stage may use. What a process holds beside its batch is
known (the weights) or allowed for; the rest is for rows. Neither decides what is computed.
"""

import sys
from dataclasses import dataclass, replace

from leitmotif.config import Params, ResourcesParams
from leitmotif.work.engine import workers_on
from leitmotif.work.machine import memory_here

GB = 10**9
PROCESS_BYTES = 450_000_000
"""Of a process that has imported torch, transformers and librosa: a third of what the benchmark
measured of the stage activations, which has three."""
GPU_CONTEXT_BYTES = 500_000_000
"""Memory of a CUDA context with its libraries; assumed."""
USED = 0.95
"""Share of what is allowed that is shared out; the rest is for what no formula has."""
LEAST_ROWS = 2
"""Fewest rows of a batch: a clip, and the row that it is patched from."""


@dataclass(frozen=True)
class Holding:
    """Bytes that a stage needs beside the rows of its batches."""

    weights: int
    """Bytes of the model and of all that stays with it but the judge, in each process."""
    row: int
    """Bytes of a row of a batch."""
    judge: int = 0
    """Bytes of its weights, in each process."""
    otherwise: int = 0
    """Of what each process holds before or after a batch, in its place: the codec's, at most."""
    main: int = 0
    """Bytes of what is held once on the host, for all processes."""
    packed: int = 0
    """Of matrices that are held a second time on a CPU, in each process that multiplies by them."""


@dataclass(frozen=True)
class Batches:
    """How the clips of a stage are shared out."""

    workers: int
    """Processes."""
    rows: int
    """Rows of a batch in each."""


@dataclass(frozen=True)
class Budget:
    """Bytes that a stage may use."""

    host: int
    gpu: int

    @classmethod
    def of(cls, settings: ResourcesParams) -> "Budget":
        """What the settings allow, or what this machine lets us have, if that is less."""
        host, gpu = round(settings.memory_gb * GB), round(settings.gpu_memory_gb * GB)
        return cls(min(host, memory_here() or host), min(gpu, gpu_memory_here() or gpu))

    def batches(self, holding: Holding, *, device: str, processors: int, most: int) -> Batches:
        """As many rows as there is room for, in as many processes as have room for a few.

        Where there is room for none, it is ``LEAST_ROWS`` in one process all the same.

        Parameters
        ----------
        holding : what a process holds.
        device : kind of the device, ``cpu`` or another; on another, one process does all.
        processors : processes at most, on a CPU.
        most : rows of a batch at most.
        """
        held = holding.weights + holding.judge
        if device == "cpu":
            shared = round(USED * self.host) - PROCESS_BYTES - holding.main
            each = PROCESS_BYTES + held + holding.packed
            least = max(LEAST_ROWS * holding.row, holding.otherwise)
            # Of several processes, the one that started them has the model too, and waits.
            several = (shared - holding.weights) // (each + least)
            workers = max(1, min(processors, several))
            free = (shared - (holding.weights if workers > 1 else 0)) // workers - each
        else:
            workers, free = 1, round(USED * self.gpu) - GPU_CONTEXT_BYTES - held
        return Batches(workers, max(LEAST_ROWS, min(most, free // holding.row)))

    def over(self, holding: Holding, batches: Batches, *, device: str) -> str | None:
        """Say that batches need more than may be used; None: they do not."""
        each = holding.weights + holding.judge + max(batches.rows * holding.row, holding.otherwise)
        if device == "cpu":
            others = batches.workers * (PROCESS_BYTES + each + holding.packed)
            waiting = holding.weights if batches.workers > 1 else 0
            needed, there = PROCESS_BYTES + holding.main + waiting + others, self.host
            where = f"memory in {batches.workers} of its processes (resources.memory_gb)"
        else:
            needed, there = GPU_CONTEXT_BYTES + each, self.gpu
            where = "the GPU's memory (resources.gpu_memory_gb)"
        if needed <= there:
            return None
        return f"about {needed / GB:.0f} GB of {where}, and may use {there / GB:.0f} GB"


def of_a_worker(
    params: Params, holding: Holding, *, device: str, processors: int
) -> tuple[Holding, int]:
    """What a process holds, and the processes that share the budget.

    A worker of a cluster shares its budget with no other. But it may share its machine, and its
    GPU, with the stage, which has the model too.
    """
    if params.execution.engine == "local":
        return holding, processors
    context = 0 if device == "cpu" else GPU_CONTEXT_BYTES
    return replace(holding, weights=2 * holding.weights + context), 1


def batches_of(
    params: Params, section: str, holding: Holding, *, device: str, processors: int
) -> Batches:
    """The batches of a section such as ``interventions``: its ``rows``, or what there is room for.

    For the other parameters see ``Budget.batches``. Says what ``auto`` comes to. Rows that are set
    are as they are set, in every process; if that is more than may be used, it is said.
    """
    most: int = getattr(params, section).rows
    holding, processors = of_a_worker(params, holding, device=device, processors=processors)
    budget = Budget.of(params.resources)
    if f"{section}.rows" not in params.auto:
        batches = Batches(workers_on(device, processors), most)
        if over := budget.over(holding, batches, device=device):
            print(f"{section}.rows {most} need {over}: set them to auto", file=sys.stderr)
        return batches
    batches = budget.batches(holding, device=device, processors=processors, most=most)
    where = f" in each of {batches.workers} processes" if batches.workers > 1 else ""
    where = where if params.execution.engine == "local" else " in each worker"
    print(f"auto: {section}.rows {batches.rows}{where}", file=sys.stderr)
    return batches


def gpu_memory_here() -> int | None:
    """Bytes of the GPU's memory; None: there is none, or it is not NVIDIA's."""
    import torch

    if not torch.cuda.is_available():
        return None
    return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
