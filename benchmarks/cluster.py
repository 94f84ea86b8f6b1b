"""A Dask cluster on this machine with one and two workers, beside processes of the engine local.

    python -m benchmarks.cluster

The work is that of the stage activations: the organism reads tracks of noise and keeps its states.
Every run is timed from the first item to the last, with a work cache of its own, after a first run
has loaded the model. Scheduler and workers are processes; the outputs of all runs are compared.
The ratio is the speed beside that of the same number of local processes: above 1 the cluster is
faster, and below 1 is what files and messages cost.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from benchmarks._report import RESULTS, report, row
from leitmotif.config import ExecutionParams, load_params
from leitmotif.files import read_json, sha256_file, sha256_json, write_json
from leitmotif.musicgen.loading import shared_model
from leitmotif.store.writing.parts import StoreReading, built
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.work import WORKERS
from leitmotif.work.engine import working_on

ROOT = Path(__file__).parents[1]
SECONDS, PARTS, REPEATS = 4, 4, 2
TRACKS_OF_A_PART = 10
Engine = Literal["dask", "local"]
ENGINES: tuple[Engine, ...] = ("dask", "local")


def main() -> None:
    """Measure, print and write benchmarks/results/cluster.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--note", help="what else the machine did meanwhile")
    note = parser.parse_args().note
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as name:
        tracks = recordings(Path(name))
        speeds = {workers: speeds_with(workers, tracks, Path(name)) for workers in (1, 2)}
    rows = [
        row(
            f"activations of {len(tracks)} tracks of {SECONDS} s; workers: {workers}",
            speed["dask"],
            speed["local"],
            peer_name="the engine local, as many processes",
            unit="tracks/s",
            better="higher",
        )
        for workers, speed in speeds.items()
    ]
    rows += [
        row(
            f"the same, engine {engine}: two beside one",
            speeds[2][engine],
            speeds[1][engine],
            peer_name="one worker",
            unit="tracks/s",
            better="higher",
        )
        for engine in ENGINES
    ]
    report("cluster", rows)
    if note:
        path = RESULTS / "cluster.json"
        write_json(path, {**read_json(path), "note": note})


def speeds_with(workers: int, tracks: list[ManifestTrack], folder: Path) -> dict[Engine, float]:
    """Tracks a second by engine, the median of runs that alternate; all outputs are the same."""
    times: dict[Engine, list[float]] = {engine: [] for engine in ENGINES}
    outputs = set()
    with scheduler_and_workers(folder / f"machines-{workers}", workers) as address:
        for repeat in range(REPEATS + 1):
            for engine, seconds in times.items():
                settings = ExecutionParams(engine=engine, address=address, workers=workers)
                place = folder / f"{engine}-{workers}-{repeat}"
                if not repeat:  # loads the models
                    timed(settings, tracks[: workers * TRACKS_OF_A_PART], folder, place)
                    continue
                took, made = timed(settings, tracks, folder, place)
                seconds.append(took)
                outputs.add(made)
    assert len(outputs) == 1, "the outputs differ"
    return {engine: len(tracks) / statistics.median(times[engine]) for engine in ENGINES}


def recordings(folder: Path) -> list[ManifestTrack]:
    """Tracks of noise, enough for ``PARTS`` parts of work."""
    tracks = []
    for number in range(PARTS * TRACKS_OF_A_PART):
        path = folder / f"track_{number}.wav"
        samples = 0.1 * np.random.default_rng(number).standard_normal(32_000 * SECONDS)
        soundfile.write(path, samples, 32_000)
        tracks.append(
            ManifestTrack(
                track_id=path.stem,
                path=path.name,
                sha256=sha256_file(path),
                seconds=float(SECONDS),
                tags=[],
                licence=None,
                windows=[Window(start_frame=0, frames=50 * SECONDS)],
            )
        )
    return tracks


def timed(
    settings: ExecutionParams, tracks: list[ManifestTrack], audio: Path, place: Path
) -> tuple[float, str]:
    """Seconds of one run in the empty folder ``place``, and a hash of what it wrote."""
    params = load_params()
    reading = StoreReading(
        partial(shared_model, params.model),
        params.model,
        params.activations,
        audio_root=audio,
        cache=place / "cache",
    )
    with working_on(settings, place / "calls"):
        os.environ.pop(WORKERS, None)
        begun = time.perf_counter()
        failures = [
            f for build in built(reading, place / "out", tracks, shown="") for f in build.failures
        ]
        seconds = time.perf_counter() - begun
    assert not failures
    files = sorted(path for path in (place / "out").rglob("*") if path.is_file())
    return seconds, sha256_json([[path.name, sha256_file(path)] for path in files])


@contextmanager
def scheduler_and_workers(folder: Path, number: int) -> Iterator[str]:
    """Processes that end with the body; gives the path of the scheduler file."""
    folder.mkdir()
    address = folder / "scheduler.json"
    common = ["--scheduler-file", str(address), "--no-dashboard"]
    worker = ["worker", "--nthreads", "1", "--memory-limit", "0", "--local-directory", str(folder)]
    commands = [["scheduler", "--port", "0", *common], *([[*worker, *common]] * number)]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            with (folder / f"{len(processes)}.log").open("wb") as log:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "dask", *command], stdout=log, stderr=log
                    )
                )
            while not address.exists():
                time.sleep(0.1)
        yield str(address)
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
