"""What of this machine the process may use: processors and memory.

A container, a batch system or the system itself may allow less than there is. Each says so in its
own place; the least of them holds. What cannot be read says nothing.
"""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_MEBIBYTE = 2**20
"""Slurm's unit of memory."""


@dataclass(frozen=True)
class Machine:
    """Where the limits of a process are stated."""

    root: Path = Path("/")
    """Root of the file system, in which ``proc`` and ``sys`` are mounted."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    """Variables in which Slurm says what a job has."""

    @property
    def memory(self) -> int | None:
        """Bytes that this process may use; None where nothing says."""
        limits = [
            self._of_slurm("SLURM_MEM_PER_NODE"),
            self._slurm_memory_of_processors(),
            self._slurm_memory_of_gpus(),
        ]
        for folder in self._control_groups("memory"):
            names = ("memory.max", "memory.high", "memory.limit_in_bytes")
            limits += [_number(_read(folder / name)) for name in names]
        return min(
            (limit for limit in (physical_memory(), *limits) if limit is not None), default=None
        )

    @property
    def processors(self) -> int:
        """Processors that this process may use, at least 1; a share of one counts as one."""
        limits = [_allowed(), self._slurm_processors()]
        for folder in self._control_groups("cpu"):
            quota, _, period = _read(folder / "cpu.max").partition(" ")
            limits.append(_share(quota, period))
            old = (folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us")
            limits.append(_share(*map(_read, old)))
        return max(1, min(limit for limit in limits if limit is not None))

    def _control_groups(self, controller: str) -> Iterator[Path]:
        """Folders of this process's group and of those around it, each of which limits it.

        Of version 2, and of version 1 with a folder for each controller. In a container that sees
        its own group alone the path may be that from outside: it leads nowhere, but its top does.
        See https://docs.kernel.org/admin-guide/cgroup-v2.html.
        """
        mounted = self.root / "sys/fs/cgroup"
        for line in _read(self.root / "proc/self/cgroup").splitlines():
            controllers, _, group = line.partition(":")[2].partition(":")
            if controllers and controller not in controllers.split(","):
                continue
            tops = [mounted / name for name in (controllers, controller)] if controllers else []
            for top in tops or [mounted, mounted / "unified"]:
                folder = top / group.lstrip("/")
                while folder.is_relative_to(top) and ".." not in folder.parts:
                    yield folder
                    folder = folder.parent
        yield mounted

    def _slurm_processors(self) -> int | None:
        """Of a task; of the job on this node, where tasks have no number of their own."""
        of_task = self._of_slurm("SLURM_CPUS_PER_TASK", unit=1)
        return of_task or self._of_slurm("SLURM_CPUS_ON_NODE", unit=1)

    def _slurm_memory_of_processors(self) -> int | None:
        """Of the job on this node, of which each processor brings some."""
        each = self._of_slurm("SLURM_MEM_PER_CPU")
        count = self._of_slurm("SLURM_CPUS_ON_NODE", unit=1) or self._slurm_processors()
        return None if each is None or count is None else each * count

    def _slurm_memory_of_gpus(self) -> int | None:
        """Of the job on this node, of which each GPU brings some."""
        each = self._of_slurm("SLURM_MEM_PER_GPU")
        count = self._of_slurm("SLURM_GPUS_ON_NODE", unit=1)
        return None if each is None or count is None else each * count

    def _of_slurm(self, name: str, *, unit: int = _MEBIBYTE) -> int | None:
        """A variable of a job; 0 is all that the node has. See https://slurm.schedmd.com/sbatch.html."""
        value = _number(self.environment.get(name, ""))
        return value * unit if value else None


def memory_here() -> int | None:
    """Bytes of memory that this process may use; None where the system does not say."""
    return Machine().memory


def processors_here() -> int:
    """Processors that this process may use."""
    return Machine().processors


def physical_memory() -> int | None:
    """Bytes of memory that are built in."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _allowed() -> int:
    """Processors that the system lets this process run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _share(quota: str, period: str) -> int | None:
    """Processors of a quota and its period, in microseconds; None: no quota."""
    allowed, every = _number(quota), _number(period)
    return math.ceil(allowed / every) if allowed and every else None


def _number(text: str) -> int | None:
    """A number that is not negative; None for any other text, such as ``max`` or -1."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _read(path: Path) -> str:
    """The text of a file; empty if there is none."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
