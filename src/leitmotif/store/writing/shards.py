"""Shards of a store: one site of many tracks in a file, packed from what the work cache holds.

As git does with objects and packs: a tensor is captured into the work cache as a file of its own,
and once all tensors of a shard are there, the shard is written, and their files are deleted. So the
work cache never holds more loose tensors than those of one shard's tracks, and a kill costs the
track that was under work.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from leitmotif.errors import StoreError
from leitmotif.files import sha256_json
from leitmotif.store.cache.entries import Entry, WorkCache, place
from leitmotif.store.reading.header import SHARD_FORMAT, TENSOR, Header, shard_metadata
from leitmotif.store.reading.index import ShardRow
from leitmotif.store.reading.layout import shard_file, shard_of
from leitmotif.store.reading.reader import describe
from leitmotif.store.writing.build import Build, CachedTensors, in_background
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tensors import TensorFile, map_tensors, serialise

T = TypeVar("T")

FOLDER = "shards"
"""Name of the shards' folder in the work cache; in it one for each site, and one for each shard."""
_THREADS = 2
"""Threads that hash, pack and copy; each maps one shard."""

Keep = Callable[[Sequence[ManifestTrack], Set[str]], Iterable[CachedTensors]]
"""Writes tensors of tracks into the work cache, but those at some addresses."""


@dataclass(frozen=True)
class Group:
    """The tracks of one shard at each site."""

    shard: str
    """Binary digits."""
    tracks: list[ManifestTrack]


@dataclass(frozen=True)
class Packed:
    """What shards in the work cache hold of one site of a group's tracks."""

    cache: WorkCache
    """Cache of the shard to be written, in all forms that it has had."""
    whole: Mapping[str, Entry]
    """These, by address."""
    tensors: Mapping[str, tuple[Path, Header]]
    """Those of these and of other shards, by address: the file, where a track is the name."""


def groups_of(tracks: Sequence[ManifestTrack], digits: int) -> list[Group]:
    """The tracks by shard, in the order of the shards' names; within one, in that of the tracks."""
    groups: dict[str, Group] = {}
    for track in tracks:
        shard = shard_of(track.track_id, digits)
        groups.setdefault(shard, Group(shard, [])).tracks.append(track)
    return [groups[shard] for shard in sorted(groups)]


def build_shard(
    group: Group, sites: Sequence[str], out: Path, *, keep: Keep, loose: Path, cache: Path
) -> Build:
    """Write a shard for each site into the store in ``out``; its index is left to others.

    Parameters
    ----------
    group : tracks; those that cannot be read are failures.
    sites : canonical names.
    keep : captures what neither the work cache nor its shards have.
    loose : folder of the work cache that ``keep`` writes to.
    cache : root of the work cache.

    Raises StoreError for what cannot be written, and as ``keep`` does.
    """
    looks = (partial(_packed, cache / FOLDER / site, group.shard) for site in sites)
    packed = dict(zip(sites, _in_threads(looks), strict=True))
    result, addresses = Build(), dict[tuple[str, str], str]()
    there = frozenset(address for of_site in packed.values() for address in of_site.tensors)
    for part in keep(group.tracks, there):
        addresses |= part.addresses
        result.captured += part.captured
        result.failures += part.failures
    failed = {track.track_id for track, _ in result.failures}
    tracks = sorted({track.track_id for track in group.tracks} - failed)
    if tracks:
        entries = WorkCache(loose)
        jobs = (
            partial(
                _placed,
                packed[site],
                entries,
                {track: addresses[site, track] for track in tracks},
                out / shard_file(site, group.shard),
            )
            for site in sites
        )
        result.rows = [
            _row(site, group.shard, entry)
            for site, entry in zip(sites, _in_threads(jobs), strict=True)
        ]
    return result


def _in_threads(jobs: Iterable[Callable[[], T]]) -> Iterator[T]:
    return in_background(jobs, workers=_THREADS, pending=_THREADS)


def _packed(folder: Path, shard: str) -> Packed:
    """Look into this shard, and into those of fewer or more digits, which hold tracks of it."""
    cache = WorkCache(folder / shard)
    whole = {address: entry for address in cache.addresses if (entry := cache.find(address))}
    entries = [*whole.values()]
    for path in sorted(folder.iterdir()):
        if path.name != shard and (path.name.startswith(shard) or shard.startswith(path.name)):
            other = WorkCache(path)
            entries += [entry for address in other.addresses if (entry := other.find(address))]
    tensors = {
        header.address: (entry.path, header)
        for entry in entries
        for header, _ in describe(entry.path).values()
    }
    return Packed(cache, whole, tensors)


def _placed(packed: Packed, loose: WorkCache, addresses: Mapping[str, str], target: Path) -> Entry:
    """Place the shard of the tensors at some addresses, by track; pack it if it is not there."""
    own = sha256_json([SHARD_FORMAT, addresses])
    entry = packed.whole.get(own) or packed.cache.put(own, _serialised(packed, loose, addresses))
    place(entry, target)
    for address in addresses.values():
        loose.remove(address)
    return entry


def _serialised(packed: Packed, loose: WorkCache, addresses: Mapping[str, str]) -> TensorFile:
    """Lay out a shard; the arrays are mapped, and not held in memory."""
    arrays, headers = {}, []
    for track, address in addresses.items():
        if address in packed.tensors:
            path, header = packed.tensors[address]
            name = track
        elif entry := loose.find(address):
            path, name = entry.path, TENSOR
            header, _ = describe(path)[name]
        else:
            raise StoreError(
                f"a tensor of track {track} has gone from the work cache",
                found=f"nothing at {loose.root / address}",
                expected="that nobody deletes files in it while a stage runs",
                fix="run the stage again; what is finished will be reused",
            )
        arrays[track] = map_tensors(path)[name]
        headers.append(header)
    return serialise(arrays, shard_metadata(headers))


def _row(site: str, shard: str, entry: Entry) -> ShardRow:
    described = describe(entry.path)
    header, (_, width) = next(iter(described.values()))
    return ShardRow(
        site=site,
        file=shard_file(site, shard),
        bytes=entry.bytes,
        sha256=entry.sha256,
        width=width,
        dtype=header.dtype,
        tracks=list(described),
        frames=[header.frames for header, _ in described.values()],
    )
