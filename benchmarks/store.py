"""The activation store against the disk, memory over the number of tracks, and shards.

    python -m benchmarks.store

Writing is compared with one sequential write of the same bytes and one fsync, without a hash. A
ratio of 0.8 is the goal: the store hashes every byte, and flushes and renames every file. Stores
with shards are measured beside stores with a file for each tensor, on the same arrays.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from benchmarks._report import Row, report, row
from benchmarks._shards import shards_beside_files
from leitmotif.config import ActivationsParams, ModelParams
from leitmotif.files import sha256_file
from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.cache.entries import WorkCache, place
from leitmotif.store.writing.build import StoreBuilder, in_background
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tensors import serialise
from tests.tiny import tiny_musicgen

Arrays = list[NDArray[np.float16]]

REPOSITORY = Path(__file__).resolve().parents[1]
SHAPE = (1500, 1024)
"""30 s of musicgen-small: 3 MB in float16."""
TENSORS = 100
ROUNDS = 7
TRACK_COUNTS = (20, 100)
MEMORY_ROUNDS = 3


def main() -> None:
    """Measure, print the table and write benchmarks/results/store.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, help="only capture, and print the peak memory")
    tracks = parser.parse_args().tracks
    if tracks:
        print(capture_run(tracks))
        return
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory(dir=REPOSITORY, prefix=".benchmark-") as folder:
        rows = [*writing(Path(folder)), memory(), *shards_beside_files(Path(folder))]
    report("store", rows)


def writing(folder: Path) -> Iterator[Row]:
    """Measure both ways of the store against the plain write, alternating; MB/s, medians."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(SHAPE).astype(np.float16) for _ in range(10)]
    megabytes = TENSORS * arrays[0].nbytes / 1e6
    ways: dict[str, Callable[[Path, Arrays], None]] = {
        "plain": plain_write,
        "cache": partial(store_write, placed=False),
        "cache and place": partial(store_write, placed=True),
    }
    measured: dict[str, list[float]] = {case: [] for case in ways}
    for round_number in range(ROUNDS):
        for case, write in ways.items():
            target = folder / f"{case} {round_number}"
            target.mkdir()
            measured[case].append(megabytes / seconds(partial(write, target, arrays)))
            os.sync()
    speed = {case: statistics.median(speeds) for case, speeds in measured.items()}
    yield row(
        "write into the work cache (goal 0.8)",
        speed["cache"],
        speed["plain"],
        peer_name="one sequential write and fsync, no hash",
        unit="MB/s of tensors",
        better="higher",
    )
    yield row(
        "the same and place in data/activations: two copies (goal 0.8)",
        speed["cache and place"],
        speed["plain"] / 2,
        peer_name="one sequential write and fsync of two copies, no hash",
        unit="MB/s of tensors",
        better="higher",
    )


def plain_write(folder: Path, arrays: Arrays) -> None:
    with (folder / "plain").open("wb", buffering=0) as file:
        for number in range(TENSORS):
            file.write(arrays[number % len(arrays)].data)
        os.fsync(file.fileno())


def store_write(folder: Path, arrays: Arrays, *, placed: bool) -> None:
    cache = WorkCache(folder / "work")

    def keep(number: int) -> None:
        tensor = serialise({"activations": arrays[number % len(arrays)]}, {"n": str(number)})
        entry = cache.put(f"{number:064x}", tensor)
        if placed:
            place(entry, folder / "out" / f"{number}.safetensors")

    jobs = (partial(keep, number) for number in range(TENSORS))
    for _ in in_background(jobs, workers=2, pending=5):
        pass


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def memory() -> Row:
    """Peak memory of whole capture runs, each in a process of its own; medians."""
    peaks: dict[int, list[float]] = {tracks: [] for tracks in TRACK_COUNTS}
    for _ in range(MEMORY_ROUNDS):
        for tracks, measured in peaks.items():
            command = [sys.executable, "-m", "benchmarks.store", "--tracks", str(tracks)]
            run = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=REPOSITORY)
            measured.append(float(run.stdout))
    few, many = (statistics.median(peaks[tracks]) for tracks in TRACK_COUNTS)
    return row(
        f"peak memory of a capture run over {TRACK_COUNTS[1]} tracks (goal 1)",
        many,
        few,
        peer_name=f"the same over {TRACK_COUNTS[0]} tracks",
        unit="MB",
        better="lower",
    )


def capture_run(tracks: int) -> float:
    """Capture tracks of 10 s with a random model of width 512; returns the peak memory in MB."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=REPOSITORY, prefix=".benchmark-") as name:
        folder = Path(name)
        rows = [write_track(folder, number) for number in range(tracks)]
        model = HookedMusicGen.from_transformers(
            tiny_musicgen(layers=2, width=512, heads=8, mlp_width=512)
        )
        builder = StoreBuilder(
            model,
            params=ActivationsParams(
                sites=["layers.0.residual", "layers.1.residual"],
                prompt="none",
                dtype="float16",
                max_failures=0,
            ),
            model_params=ModelParams(
                name="random",
                revision=None,
                watch="random",
                device="cpu",
                dtype="float32",
                text_padding="auto",
                position_seconds=0.0,
            ),
            audio_root=folder,
            cache=WorkCache(folder / "work"),
        )
        builder.build(folder / "out", rows)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_track(folder: Path, number: int) -> ManifestTrack:
    path = folder / f"{number}.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(number).standard_normal(320_000), 32_000)
    return ManifestTrack(
        track_id=str(number),
        path=path.name,
        sha256=sha256_file(path),
        seconds=10.0,
        tags=[],
        licence=None,
        windows=[Window(start_frame=0, frames=500)],
    )


if __name__ == "__main__":
    main()
