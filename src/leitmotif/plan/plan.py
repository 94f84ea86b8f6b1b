"""What the run that params.yaml describes takes on this machine and on classes of GPU."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leitmotif.checkpoints.folders import usable_device
from leitmotif.config import Params
from leitmotif.pipeline.durations import Duration, Durations
from leitmotif.plan.calibrate import DeviceTimer
from leitmotif.plan.disk import DiskItem, downloads, folders
from leitmotif.plan.hours import CLASSES, DeviceClass, Range, Rates, seconds_of, seconds_on
from leitmotif.plan.memory import Memory, memory_of, within
from leitmotif.plan.people import SECONDS_A_DECISION, decisions, notices
from leitmotif.plan.scale import Scale
from leitmotif.plan.sizes import BYTES
from leitmotif.plan.work import Work, work_of
from leitmotif.work.budget import Budget
from leitmotif.work.engine import number_of_workers, workers_on

FORMAT = "leitmotif-plan/1"


@dataclass(frozen=True)
class Stage:
    """What one stage takes."""

    name: str
    clips: int
    """Clips that are sampled, at most, those included from which patches are taken."""
    rows: int
    """Rows of a batch of them; 0: none is sampled."""
    memory: Memory
    seconds: Range | None
    """Computed from what was measured; None: nothing was measured."""
    recorded: Duration | None
    """What it took; None: it has not run here."""


@dataclass(frozen=True)
class OnGpu:
    """What the decoder takes on a class of GPU, computed and never measured."""

    name: str
    seconds: dict[str, float]
    """Seconds of sampling and reading alone, by stage."""
    memory: dict[str, int]
    """Bytes of its memory that are needed, by stage."""
    fits: dict[str, bool]
    """Whether its memory is enough, by stage."""


@dataclass(frozen=True)
class Plan:
    """What a run takes."""

    model: str
    device: str
    processes: int
    """Processes that share the work of a stage."""
    downloads: list[DiskItem]
    folders: list[DiskItem]
    stages: list[Stage]
    gpus: list[OnGpu]
    decisions: int | None
    """Decisions to be made by hand, at most; None where labels come from a score."""
    decision_seconds: float | None
    notices: list[str]
    """Settings that are impossible or unwise."""
    notes: tuple[str, ...]
    """How things were measured."""
    format: str = FORMAT


def make_plan(
    params: Params,
    *,
    device: str | None,
    measure: bool,
    root: Path = Path(),
    budget: Budget | None = None,
) -> Plan:
    """Compute a plan, and measure for some seconds if asked to.

    Parameters
    ----------
    params : all settings.
    device : that runs the model; None: that of the settings.
    measure : whether pieces of work are timed here.
    root : the repository, whose earlier runs are recorded.
    budget : what a stage may use on another machine, of whose disk nothing is said; None: on this
        one.

    Raises ConfigError for a model whose sizes are not known, and ModelError for a device that is
    not there.
    """
    place = usable_device(device or params.model.device)
    if params.execution.engine == "local":
        processes = workers_on(place.type, number_of_workers(params.execution.workers))
        sharing = processes
    else:  # each worker of a cluster has a memory of its own
        processes, sharing = params.execution.workers or 1, 1
    disk_free = shutil.disk_usage(root).free if budget is None else None
    budget = budget or Budget.of(params.resources)
    fitted = within(Scale(params), budget, device=place.type, processors=sharing)
    scale = fitted.scale
    workers = fitted.workers if sharing == processes else {}
    works = work_of(scale)
    memory = memory_of(scale, works, device=place.type, processes=sharing, workers=fitted.workers)
    rates = DeviceTimer(scale, str(place)).rates(works.values()) if measure else None
    written = folders(scale)
    chosen = decisions(scale)
    return Plan(
        model=params.model.name,
        device=str(place),
        processes=processes,
        downloads=downloads(scale),
        folders=written,
        stages=_stages(
            works, memory, rates, lambda name: workers.get(name, processes), Durations(params, root)
        ),
        gpus=[on_gpu(params, kind) for kind in CLASSES],
        decisions=chosen,
        decision_seconds=None if chosen is None else chosen * SECONDS_A_DECISION,
        notices=notices(
            scale,
            works,
            memory,
            budget=budget,
            on_gpu=place.type != "cpu",
            disk_bytes=sum(item.bytes or 0 for item in written),
            disk_free=disk_free,
        ),
        notes=() if rates is None else rates.notes,
    )


def _stages(
    works: dict[str, Work],
    memory: dict[str, Memory],
    rates: Rates | None,
    processes: Callable[[str], int],
    durations: Durations,
) -> list[Stage]:
    return [
        Stage(
            name,
            sum(part.clips for part in work.generating),
            max((part.rows for part in work.generating), default=0),
            memory[name],
            None if rates is None else seconds_of(work, rates, processes=processes(name)),
            durations.of(name),
        )
        for name, work in works.items()
    ]


def on_gpu(params: Params, kind: DeviceClass) -> OnGpu:
    """Of a class of GPU, with rows that are ``auto`` as its own memory has room for."""
    dtype, budget = params.model.dtype, Budget(Budget.of(params.resources).host, kind.memory_bytes)
    scale = within(Scale(params), budget, device="cuda", processors=1).scale
    works = work_of(scale)
    needs = memory_of(scale, works, device="cuda", processes=1)
    seconds = {
        name: seconds_on(kind, work, dtype, BYTES[dtype])
        for name, work in works.items()
        if work.generating or any(reading.contexts for reading in work.reading)
    }
    fits = {name: needs[name].device <= kind.memory_bytes for name in seconds}
    memory = {name: needs[name].device for name in seconds}
    return OnGpu(kind.name, seconds, memory, fits)
