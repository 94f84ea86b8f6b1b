"""A store with shards beside one with a file for each tensor: writing, reading, opening."""

import random
import statistics
from collections.abc import Callable, Iterator, Sequence, Set
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks._report import Row, row
from leitmotif.store.cache.entries import Entry, WorkCache, place
from leitmotif.store.reading import ActivationStore
from leitmotif.store.reading.header import TENSOR, Header, TensorOrigin, address_of
from leitmotif.store.reading.index import IndexRow, ShardRow, StoreRow, file_of, write_index
from leitmotif.store.reading.layout import shard_file, shard_of
from leitmotif.store.writing.build import CachedTensors, in_background
from leitmotif.store.writing.shards import build_shard, groups_of
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tensors import serialise

SITES = [f"layers.{number}.residual" for number in (1, 5, 11)]
TRACKS, DIGITS = 128, 1
SHAPE = (1500, 1024)
"""30 s of musicgen-small: 3 MB in float16, so 64 tracks are a shard of 197 MB."""
LOADS, ROUNDS = 100, 3
INDEXED = (1_440, 72)
"""Tracks and sites of the index that is opened: a hundred thousand tensors."""
_SHA = "0" * 64


def shards_beside_files(folder: Path) -> Iterator[Row]:
    """Measure both, taking turns; medians."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(SHAPE).astype(np.float16) for _ in range(10)]
    tracks = [_track(f"{number}", SHAPE[0]) for number in range(TRACKS)]
    megabytes = TRACKS * len(SITES) * arrays[0].nbytes / 1e6
    ways = {"files": _write_files, "shards": _write_shards}
    written: dict[str, list[float]] = {way: [] for way in ways}
    read: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(ROUNDS):
        for way, write in ways.items():
            out = folder / f"{way}{number}"
            written[way].append(megabytes / _seconds(partial(write, out, tracks, arrays)))
            store = ActivationStore(out / "out")
            read[way].append(_seconds(partial(_load, store, number)) / LOADS * 1e3)
    yield row(
        "write a store with shards, packing included",
        statistics.median(written["shards"]),
        statistics.median(written["files"]),
        peer_name="a file for each tensor",
        unit="MB/s of tensors",
        better="higher",
    )
    yield row(
        f"load a tensor at random from shards of {TRACKS >> DIGITS} tracks, from memory",
        statistics.median(read["shards"]),
        statistics.median(read["files"]),
        peer_name="a file for each tensor",
        unit="ms",
        better="lower",
    )
    yield _opening(folder)


def _opening(folder: Path) -> Row:
    tracks = [f"{number}" for number in range(INDEXED[0])]
    sites = [f"layers.{number}.residual" for number in range(INDEXED[1])]
    for name, index in (("files", _file_rows), ("shards", _shard_rows)):
        (folder / f"index of {name}").mkdir()
        write_index(folder / f"index of {name}", index(tracks, sites))
    taken: dict[str, list[float]] = {"files": [], "shards": []}
    for _ in range(ROUNDS):
        for name, measured in taken.items():
            measured.append(_seconds(partial(ActivationStore, folder / f"index of {name}")))
    return row(
        f"open a store of {len(tracks) * len(sites):,} tensors with shards",
        statistics.median(taken["shards"]),
        statistics.median(taken["files"]),
        peer_name="a file for each tensor",
        unit="s",
        better="lower",
    )


def _file_rows(tracks: Sequence[str], sites: Sequence[str]) -> Iterator[StoreRow]:
    for track in tracks:
        for site in sites:
            yield IndexRow(
                site=site,
                track_id=track,
                file=file_of(site, track),
                bytes=1,
                sha256=_SHA,
                shape=SHAPE,
                dtype="float16",
                address=_SHA,
            )


def _shard_rows(tracks: Sequence[str], sites: Sequence[str]) -> Iterator[StoreRow]:
    groups: dict[str, list[str]] = {}
    for track in sorted(tracks):
        groups.setdefault(shard_of(track, 4), []).append(track)
    for shard, members in groups.items():
        for site in sites:
            yield ShardRow(
                site=site,
                file=shard_file(site, shard),
                bytes=1,
                sha256=_SHA,
                width=SHAPE[1],
                dtype="float16",
                tracks=members,
                frames=[SHAPE[0]] * len(members),
            )


def _write_files(
    folder: Path, tracks: Sequence[ManifestTrack], arrays: Sequence[NDArray[np.float16]]
) -> None:
    cache = WorkCache(folder / "work")

    def keep(header: Header, array: NDArray[np.float16]) -> IndexRow:
        entry = _put(cache, header, array)
        file = file_of(header.site, header.track_id)
        place(entry, folder / "out" / file)
        return IndexRow(
            site=header.site,
            track_id=header.track_id,
            file=file,
            bytes=entry.bytes,
            sha256=entry.sha256,
            shape=SHAPE,
            dtype="float16",
            address=header.address,
        )

    jobs = (partial(keep, header, array) for header, array in _captured(tracks, arrays))
    write_index(folder / "out", list(in_background(jobs, workers=2, pending=5)))


def _write_shards(
    folder: Path, tracks: Sequence[ManifestTrack], arrays: Sequence[NDArray[np.float16]]
) -> None:
    def keep(some: Sequence[ManifestTrack], packed: Set[str]) -> Iterator[CachedTensors]:
        cache, kept = WorkCache(folder / "work/loose"), CachedTensors()
        captured = list(_captured(some, arrays))
        jobs = (partial(_put, cache, header, array) for header, array in captured)
        for _ in in_background(jobs, workers=2, pending=5):
            pass
        kept.addresses |= {(one.site, one.track_id): one.address for one, _ in captured}
        yield kept

    rows: list[StoreRow] = []
    for group in groups_of(tracks, DIGITS):
        out, work = folder / "out", folder / "work"
        rows += build_shard(
            group, SITES, out, keep=keep, loose=folder / "work/loose", cache=work
        ).rows
    write_index(folder / "out", rows)


def _put(cache: WorkCache, header: Header, array: NDArray[np.float16]) -> Entry:
    return cache.put(header.address, serialise({TENSOR: array}, header.to_metadata()))


def _captured(
    tracks: Sequence[ManifestTrack], arrays: Sequence[NDArray[np.float16]]
) -> Iterator[tuple[Header, NDArray[np.float16]]]:
    for track in tracks:
        for site in SITES:
            origin = TensorOrigin(
                model="random",
                revision="",
                model_fingerprint=_SHA,
                site=site,
                track_id=track.track_id,
                audio_sha256=_SHA,
                windows=track.windows,
                prompt="",
                text_padding="auto",
                forward_dtype="float32",
                dtype="float16",
                device="cpu",
                versions="",
                code_version=_SHA,
            )
            header = Header(
                **origin.model_dump(),
                frames=SHAPE[0],
                frame_rate=50.0,
                hearing_seconds=0.0,
                sample_rate=32_000,
                address=address_of(origin),
            )
            yield header, arrays[int(track.track_id) % len(arrays)]


def _track(name: str, frames: int) -> ManifestTrack:
    return ManifestTrack(
        track_id=name,
        path=f"{name}.wav",
        sha256=_SHA,
        seconds=frames / 50,
        tags=[],
        licence=None,
        windows=[Window(start_frame=0, frames=frames)],
    )


def _load(store: ActivationStore, seed: int) -> None:
    chosen = random.Random(seed)
    for _ in range(LOADS):
        store.load(chosen.choice(SITES), f"{chosen.randrange(TRACKS)}")


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
