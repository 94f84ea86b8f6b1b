"""Every stage of the default pipeline beside an earlier revision: seconds, processor time, memory.

    python -m benchmarks.pipeline --against REVISION

HEAD and the earlier revision are cloned into a temporary folder and run there from empty caches,
with this environment, one after the other: alternating would take too long. The stages are those of
each one's dvc.yaml in its order; their commands run without DVC. Then DVC takes the outputs over
(``dvc commit``), and ``dvc repro`` is timed with nothing to do.

Processor time and memory are those of all processes that a stage starts, looked at every 0.2 s, and
less often where a look takes long (Linux). Memory is the largest sum over them, a page that they
share counted once (proportional set size), and at least what any one of them ever held. Seconds
depend on what else the machine does.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks._report import Row, report, row
from leitmotif.files.yaml_files import parse_yaml

ROOT = Path(__file__).parents[1]
BEFORE = "5d32d25"
"""The last revision in which one process did everything, in float32."""
NOTHING_TO_DO = "`dvc repro` with nothing to do"
SECONDS_BETWEEN_LOOKS = 0.2
SHARE_OF_TIME = 0.05
"""That looking takes at most."""
TRIES = 7


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def main() -> None:
    """Measure both revisions, print the table and write benchmarks/results/pipeline.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--against", default=BEFORE, metavar="REVISION", help="default: %(default)s"
    )
    parser.add_argument("--stages", nargs="+", help="only these, the first ones; for a trial")
    arguments = parser.parse_args()
    if git("status", "--porcelain"):
        print("note: what is not committed is not measured", file=sys.stderr)
    ours = measured("HEAD", arguments.stages)
    theirs = measured(arguments.against, arguments.stages)
    rows = compared(ours, theirs, peer_name=f"revision {arguments.against}")
    if arguments.stages:
        print(*rows, sep="\n")
    else:
        report("pipeline", rows)


def measured(revision: str, only: list[str] | None) -> dict[str, Cost]:
    """The cost of each stage of a revision, and of ``dvc repro`` with nothing to do."""
    with TemporaryDirectory(prefix="leitmotif-") as temporary:
        clone = Path(temporary) / "clone"
        git("clone", "--quiet", str(ROOT), str(clone))
        git("-C", str(clone), "checkout", "--quiet", "--detach", git("rev-parse", revision))
        stages = parse_yaml((clone / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        costs = {}
        for name in only or stages:
            costs[name] = cost(shlex.split(stages[name]["cmd"]), clone)
            shown = costs[name]
            print(
                f"{revision} {name}: {shown.seconds:.1f} s, {shown.cpu_seconds:.1f} CPU s, "
                f"{shown.megabytes:.0f} MB",
                file=sys.stderr,
            )
        if not only:
            costs[NOTHING_TO_DO] = nothing_to_do(clone)
    return costs


def nothing_to_do(clone: Path) -> Cost:
    """The median cost of ``dvc repro`` where all outputs are there and recorded."""
    cost(["dvc", "commit", "--force", "--quiet"], clone)
    tries = [cost(["dvc", "repro"], clone, expected="up to date") for _ in range(TRIES)]
    return Cost(
        *(median(getattr(cost, name) for cost in tries) for name in Cost.__dataclass_fields__)
    )


def cost(
    command: list[str],
    folder: Path,
    *,
    expected: str = "",
    environment: Mapping[str, str] | None = None,
) -> Cost:
    """Run a command of this environment in ``folder`` and measure it with all that it starts.

    ``environment`` holds further variables. Raises RuntimeError if the command fails, or if its
    output does not have ``expected``.
    """
    variables = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": sources_first(folder),
        "OMP_WAIT_POLICY": "PASSIVE",  # as in the Makefile
        "HF_HUB_OFFLINE": "1",
        **(environment or {}),
    }
    with TemporaryDirectory() as temporary, (Path(temporary) / "output").open("w+b") as output:
        start = time.perf_counter()
        # A session of its own: by that its processes are known, those of its children included.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        peak, cpu = 0.0, dict[int, float]()
        with ended_with_us(process):
            while True:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                began = time.perf_counter()
                used = session(process.pid)
                peak = max(peak, held(used))
                cpu |= used
                looked = time.perf_counter()
                pause = SECONDS_BETWEEN_LOOKS if looked - start > 2 else 0.01
                time.sleep(max(pause, (looked - began) / SHARE_OF_TIME))
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    if process.returncode or expected not in said:
        raise RuntimeError(f"{shlex.join(command)}: status {process.returncode}\n{said[-2000:]}")
    # The kernel's count has all but what was not waited for, the looks all but the last moments.
    exact = usage.ru_utime + usage.ru_stime
    return Cost(seconds, max(exact, sum(cpu.values())), peak)


def sources_first(folder: Path) -> str:
    """PYTHONPATH with the sources of a copy of this repository before what it has already."""
    return os.pathsep.join(filter(None, [str(folder / "src"), os.environ.get("PYTHONPATH")]))


@contextmanager
def ended_with_us(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """End a session of its own, which Ctrl-C does not reach, where the body raises."""
    try:
        yield
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise


def session(leader: int) -> dict[int, float]:
    """Processor seconds of each process of a session, by its number."""
    seconds = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except OSError:  # it has ended
                continue
            fields = text.rpartition(")")[2].split()  # its name may hold anything
            if int(fields[3]) == leader:
                ticks = int(fields[11]) + int(fields[12])
                seconds[int(folder.name)] = ticks / os.sysconf("SC_CLK_TCK")
    return seconds


def held(processes: Collection[int]) -> float:
    """Megabytes of processes: their proportional sum now, or the most that one had at a time.

    A process that ends during a look leaves its part of the shared pages to the others, so that
    these pages count more than once in this look. The smaller of two looks counts.
    """
    looks = [sum(field(process, "smaps_rollup", "Pss:") for process in processes) for _ in range(2)]
    most = max((field(process, "status", "VmHWM:") for process in processes), default=0.0)
    return max(most, min(looks))


def field(process: int, file: str, name: str) -> float:
    """A field that the kernel gives in kB, in megabytes; 0 of a process that has ended."""
    try:
        lines = Path(f"/proc/{process}/{file}").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0.0)


def compared(ours: dict[str, Cost], theirs: dict[str, Cost], *, peer_name: str) -> list[Row]:
    """Rows by stage and in all; a stage that one side alone has counts in its sum only."""
    rows: list[Row] = []

    def add(case: str, cost: Cost, other: Cost) -> None:
        for unit, name in (("s", "seconds"), ("CPU s", "cpu_seconds"), ("MB", "megabytes")):
            values = getattr(cost, name), getattr(other, name)
            rows.append(row(case, *values, peer_name=peer_name, unit=unit, better="lower"))

    for case, cost in ours.items():
        if case in theirs:
            add(case, cost, theirs[case])
    add("all stages", total(ours), total(theirs))
    return rows


def total(costs: dict[str, Cost]) -> Cost:
    """Of all stages, one after the other."""
    stages = [cost for name, cost in costs.items() if name != NOTHING_TO_DO]
    return Cost(
        sum(stage.seconds for stage in stages),
        sum(stage.cpu_seconds for stage in stages),
        max(stage.megabytes for stage in stages),
    )


def git(*arguments: str) -> str:
    """What git says, in this repository."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
