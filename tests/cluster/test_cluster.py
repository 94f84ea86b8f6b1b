"""Work on a Dask cluster, with real schedulers and workers: the same results, errors and order."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leitmotif.cluster import cluster, connection
from leitmotif.config import ExecutionParams
from leitmotif.errors import AudioError, ConfigError, WorkerError
from leitmotif.files import sha256_file, write_json, write_table
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.pipeline import run
from leitmotif.stages.activations import activations
from leitmotif.work.engine import working_on
from leitmotif.work.parallel import in_parts, in_processes
from tests.cluster.jobs import deadly, held, loads, nested, place, refuses, summed
from tests.cluster.machines import ROOT, Machines, ended, killed, machines
from tests.tables.made import manifest_track
from tests.tiny import save_tiny_checkpoint
from tests.waiting import wait_until

FAULTY = """
import os

opened = os.open

def faulty(path, *rest, **more):
    # Once for each fault that a test lays down, in the process that comes first to this recording.
    if os.fsdecode(path).endswith("track_12.wav"):
        try:
            os.rename(os.environ["FAULT"], os.environ["FAULT"] + str(os.getpid()))
        except FileNotFoundError:
            pass
        else:
            with open(os.environ["FAULT"] + str(os.getpid())) as file:
                number = int(file.read())
            os.kill(os.getpid(), number)
    return opened(path, *rest, **more)

os.open = faulty
"""
"""What every Python that a worker starts runs first."""


class Faulty(Machines):
    """Machines whose workers a signal may meet in the midst of the twelfth recording."""

    def worker(self, *options: str, **variables: str) -> subprocess.Popen[bytes]:
        (self.folder / "sitecustomize.py").write_text(FAULTY)
        paths = [self.folder, ROOT / "src", ROOT]
        variables = {
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "FAULT": str(self.folder / "fault"),
        }
        return super().worker(*options, **variables)

    def lay_down(self, sent: signal.Signals) -> None:
        """Let a signal meet whoever comes first."""
        half = self.folder / "half"
        half.write_text(str(int(sent)))
        half.rename(self.folder / "fault")

    @property
    def workers(self) -> list[subprocess.Popen[bytes]]:
        return [process for process in self.processes[1:] if process.poll() is None]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """A scheduler and two workers that live through the tests of this file, as far as they do."""
    started = Faulty(tmp_path_factory.mktemp("machines"))
    with ended(started):
        started.scheduler()
        for _ in range(2):
            started.worker()
        yield started


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """What the stages before ``activations`` leave, with 25 recordings, three parts of work."""
    folder = tmp_path_factory.mktemp("made")
    audio = folder / "data/corpus/audio"
    audio.mkdir(parents=True)
    rows = []
    for number in range(25):
        path = audio / f"track_{number}.wav"
        samples = 0.1 * np.random.default_rng(number).standard_normal(32_000)
        soundfile.write(path, samples, 32_000)
        rows.append(
            manifest_track(
                track_id=path.stem, path=f"audio/{path.name}", sha256=sha256_file(path), seconds=1.0
            )
        )
    write_table(folder / "data/manifest.jsonl", rows)
    write_table(folder / "data/failures.jsonl", [])
    save_tiny_checkpoint(folder / "tiny", layers=3)
    params = parse_yaml((repo_root / "presets/organism.yaml").read_text())
    params["model"] |= {"name": "tiny", "watch": "tiny"}
    params["activations"] |= {"sites": ["layers.0.residual", "layers.1.residual"]}
    params["calibration"]["site"], params["probes"]["comparisons"] = "layers.1.residual", []
    write_json(folder / "params.yaml", params)
    return folder


@pytest.fixture(scope="module")
def local(made: Path) -> dict[str, bytes]:
    """The bytes that one process of this machine gives."""
    return outputs_of(prepared(made, {"engine": "local", "address": None, "workers": 1}, "local"))


def prepared(made: Path, execution: dict[str, object], name: str) -> Path:
    """A copy of the workspace with these settings."""
    folder = made.with_name(name)
    shutil.copytree(made, folder)
    params = parse_yaml((folder / "params.yaml").read_text())
    write_json(folder / "params.yaml", params | {"execution": execution})
    return folder


def outputs_of(folder: Path) -> dict[str, bytes]:
    """Run the stage ``activations`` in a workspace; returns its outputs by path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("activations", lambda: activations)
    assert not list((folder / ".leitmotif/calls").glob(".*")), "a call's files were left"
    return outputs_in(folder)


def outputs_in(folder: Path) -> dict[str, bytes]:
    outputs = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for part in ("data/activations", "metrics", "plots")
        for path in sorted((folder / part).rglob("*"))
        if path.is_file()
    }
    assert len(outputs) == 25 * 2 + 2 + 2
    return outputs


def on(where: Machines, workers: int = 1) -> dict[str, object]:
    return {"engine": "dask", "address": where.address, "workers": workers}


@pytest.fixture
def cluster_of_two(two: Faulty, tmp_path: Path) -> Iterator[None]:
    settings = ExecutionParams(engine="dask", address=two.address, workers=2)
    with working_on(settings, tmp_path / "calls"):
        yield


def test_work_is_done_elsewhere_in_order_and_in_this_folder(
    cluster_of_two: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results = list(in_processes(place, range(20)))
    assert [number for number, _, _, _ in results] == list(range(20))
    assert {folder for _, _, folder, _ in results} == {str(tmp_path)}
    assert {variable for _, _, _, variable in results} == {"1"}
    assert os.getpid() not in {pid for _, pid, _, _ in results}
    assert not list((tmp_path / "calls").iterdir())


def test_a_function_and_its_large_arguments_travel_once(cluster_of_two: None) -> None:
    array = np.arange(500_000.0)
    sums = list(in_processes(partial(summed, array), iter(range(5))))
    assert sums == [array.sum() + number for number in range(5)]


def test_an_error_of_the_function_is_raised_as_it_is(cluster_of_two: None, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no sound") as caught:
        list(in_processes(refuses, range(5)))
    error = caught.value
    assert (error.reason, error.found, error.expected, error.fix) == ("silent", [1], 2, "listen")
    assert not list((tmp_path / "calls").iterdir())


def test_within_a_worker_no_more_are_asked(cluster_of_two: None) -> None:
    assert [len(pids) for pids in in_processes(nested, [3, 3])] == [1, 1]


def test_few_items_are_taken_before_they_are_needed(cluster_of_two: None, tmp_path: Path) -> None:
    taken: list[int] = []
    gate = tmp_path / "gate"

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    results = in_processes(partial(held, gate), items())
    assert next(results) == 0
    assert len(taken) <= 2 * 2 + 1
    gate.touch()
    assert list(results) == list(range(1, 20))


def test_a_worker_loads_its_model_once(cluster_of_two: None, tmp_path: Path) -> None:
    folder = tmp_path / "loaded"
    folder.mkdir()
    pids = {pid for _ in range(2) for _, pid in in_processes(partial(loads, folder), range(8))}
    assert len(list(folder.iterdir())) == len(pids)


def test_a_stage_gives_the_same_bytes(two: Faulty, made: Path, local: dict[str, bytes]) -> None:
    assert outputs_of(prepared(made, on(two, workers=2), "two")) == local


@pytest.mark.fault(
    "Dask cluster",
    "a worker is killed with -9 in the midst of a track",
    outcome="another one does its work: the same bytes",
)
def test_a_worker_that_is_killed(two: Faulty, made: Path, local: dict[str, bytes]) -> None:
    two.lay_down(signal.SIGKILL)
    assert outputs_of(prepared(made, on(two, workers=2), "killed")) == local
    assert len(two.workers) == 1
    two.worker()


@pytest.mark.fault(
    "Dask cluster",
    "a worker stands still in the midst of a track",
    outcome="another one does its work as well: the same bytes",
)
def test_a_straggler(
    two: Faulty, made: Path, local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SECONDS_LATE", 1.0)
    monkeypatch.setattr(cluster, "LATE", 0.0)
    two.lay_down(signal.SIGSTOP)
    assert outputs_of(prepared(made, on(two, workers=2), "stopped")) == local
    (stopped,) = [worker for worker in two.workers if state(worker) == "T"]
    stopped.send_signal(signal.SIGCONT)
    wait_until(lambda: state(stopped) != "T")
    assert outputs_in(made.with_name("stopped")) == local


def state(process: subprocess.Popen[bytes]) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1][0]


@pytest.mark.fault(
    "Dask cluster",
    "the stage is killed with -9 while workers work",
    outcome="the next run ends with the same bytes, and nothing else is left",
)
def test_a_stage_that_is_killed(two: Faulty, made: Path, local: dict[str, bytes]) -> None:
    folder = prepared(made, on(two, workers=2), "again")
    two.lay_down(signal.SIGSTOP)
    stage = subprocess.Popen(
        [sys.executable, "-m", "leitmotif.stages", "activations"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    wait_until(lambda: stage.poll() is not None or "T" in map(state, two.workers))
    assert stage.poll() is None
    killed(stage)
    for worker in two.workers:
        worker.send_signal(signal.SIGCONT)  # it goes on, for a stage that is gone
    assert outputs_of(folder) == local
    assert {path.name for path in (folder / "data").iterdir() if path.is_dir()} == {
        "corpus",
        "activations",
    }


@pytest.mark.fault(
    "Dask cluster",
    "the scheduler is killed and started again, with new workers",
    outcome="finished work stays, the other is given out again: all results, in order",
)
def test_a_scheduler_that_is_started_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gate = tmp_path / "gate"
    with machines(tmp_path / "machines", workers=0) as started:
        (scheduler,) = started.processes
        workers = [started.worker() for _ in range(2)]
        settings = ExecutionParams(engine="dask", address=started.address, workers=2)
        with working_on(settings, tmp_path / "calls"):
            results = in_processes(partial(held, gate), range(8))
            assert next(results) == 0
            wait_until(lambda: len(list(tmp_path.glob("held-*"))) >= 2)
            killed(scheduler)
            for worker in workers:
                killed(worker)
            gate.touch()
            started.scheduler()
            started.worker()
            assert list(results) == list(range(1, 8))
    assert "is gone; waiting until it is back" in capfd.readouterr().err


@pytest.mark.fault(
    "Dask cluster",
    "an item ends every worker that takes it",
    outcome="this item has no result, and all others have theirs",
)
def test_an_item_that_ends_workers(tmp_path: Path) -> None:
    def lost(number: int, error: WorkerError) -> list[int]:
        assert "2 workers, the last of them tcp" in str(error.found)
        return [-number]

    started = Machines(tmp_path / "machines")
    with ended(started):
        started.scheduler(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1")
        started.worker("--nanny", "--nworkers", "2")
        settings = ExecutionParams(engine="dask", address=started.address, workers=2)
        with working_on(settings, tmp_path / "calls"):
            parts = list(in_parts(deadly, range(8), size=2, lost=lost))
            assert [item for part in parts for item in part] == [0, 2, 4, -3, 8, 10, 12, 14]
            with pytest.raises(WorkerError, match="Dask workers"):
                list(in_processes(deadly, [[1], [3], [5]]))


@pytest.mark.fault(
    "Dask cluster",
    "a worker runs other code than the stage",
    outcome="the stage stops and names both; nothing is computed",
)
def test_a_worker_with_other_code(tmp_path: Path, repo_root: Path) -> None:
    other = tmp_path / "src"
    shutil.copytree(repo_root / "src", other, ignore=shutil.ignore_patterns("__pycache__"))
    with (other / "leitmotif/sites.py").open("a") as file:
        file.write("# edited\n")
    with machines(tmp_path / "machines", workers=0) as started:
        started.worker(sources=other)
        settings = ExecutionParams(engine="dask", address=started.address, workers=None)
        with (
            working_on(settings, tmp_path / "calls"),
            pytest.raises(ConfigError, match=r"(?s)other software.*leitmotif .*sources.*anew"),
        ):
            list(in_processes(place, range(3)))


@pytest.mark.fault(
    "Dask cluster", "no worker comes", outcome="WorkerError after a time that is said"
)
def test_no_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connection, "SECONDS_WITHOUT_WORKERS", 1.0)
    with machines(tmp_path / "machines", workers=0) as started:
        settings = ExecutionParams(engine="dask", address=started.address, workers=2)
        with (
            working_on(settings, tmp_path / "calls"),
            pytest.raises(WorkerError, match=r"(?s)no Dask workers.*0 at tcp.*2, within"),
        ):
            list(in_processes(place, range(3)))
    assert "waiting for workers" in capfd.readouterr().err


@pytest.mark.fault(
    "Dask cluster",
    "no scheduler at the address, and no scheduler file",
    outcome="named before the stage begins, in bounded time",
)
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere.json", "what is this"])
def test_no_scheduler(
    address: str, made: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connection, "SECONDS_TO_CONNECT", 1.0)
    execution: dict[str, object] = {"engine": "dask", "address": address, "workers": None}
    folder = prepared(made, execution, f"without-{sum(address.encode())}")
    with pytest.raises(SystemExit):
        outputs_of(folder)
    said = capfd.readouterr().err
    assert "no Dask scheduler at execution.address" in said
    assert address in said
    assert "Traceback" not in said


def test_the_local_engine_does_not_load_dask() -> None:
    program = (
        "import sys, leitmotif.stages.activations, leitmotif.work.parallel as p\n"
        "list(p.in_processes(abs, range(3)))\n"
        "assert not {'distributed', 'dask', 'leitmotif.cluster.calls'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
