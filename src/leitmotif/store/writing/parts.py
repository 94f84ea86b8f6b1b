"""Stores made by several processes, each with a model of its own and some of the tracks."""

import math
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from leitmotif.audio.reading.failures import worker_lost
from leitmotif.checkpoints.folders import usable_device
from leitmotif.errors import WorkerError
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.store.cache.codes import CachedCodec
from leitmotif.store.cache.entries import WorkCache
from leitmotif.store.reading.layout import LAYOUT, StoreLayout
from leitmotif.store.writing.build import Build, CachedTensors, StoreBuilder
from leitmotif.store.writing.shards import build_shard, groups_of
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.work.engine import workers_on
from leitmotif.work.parallel import in_parts
from leitmotif.work.progress import progress

if TYPE_CHECKING:
    from leitmotif.config import ActivationsParams, ModelParams

FOLDER = "activations"
"""Name of the tensors' folder in the work cache."""
_TRACKS = 10
"""Tracks that a process reads before it is given others."""


@dataclass(frozen=True)
class StoreReading:
    """A model, and how it reads."""

    load: Callable[[], MusicModel]
    """Gives the model, the same one each time in a process; it must pickle."""
    model: "ModelParams"
    activations: "ActivationsParams"
    audio_root: Path
    """Where the manifest's paths begin."""
    cache: Path
    """Root of the work cache."""


def built(
    reading: StoreReading,
    out: Path,
    tracks: Sequence[ManifestTrack],
    *,
    shown: str,
    layout: StoreLayout = LAYOUT,
) -> Iterator[Build]:
    """Write the tensors of ``tracks`` into ``out``, and yield what was done, some tracks at a time.

    In the order of the tracks, or of the shards if ``layout`` gives such a store shards. The index
    is left to the caller, and progress is ``shown`` by that name. A track with which a process is
    ended is a failure. Raises as ``StoreBuilder`` does.
    """
    sites = reading.activations.sites
    digits = layout.digits_for(tracks, len(sites))
    if not digits:
        build, lost = partial(_build, reading, out), partial(_lost, reading)
        made = in_parts(build, tracks, size=_TRACKS, lost=lost, workers=_workers(reading))
        return progress(made, shown, total=math.ceil(len(tracks) / _TRACKS))
    groups = groups_of(tracks, digits)
    keep, loose = partial(_kept, reading), reading.cache / FOLDER
    shards = (
        build_shard(group, sites, out, keep=keep, loose=loose, cache=reading.cache)
        for group in groups
    )
    return progress(shards, f"{shown}, shards", total=len(groups))


def _workers(reading: StoreReading) -> int | None:
    return workers_on(usable_device(reading.model.device).type, None)


def _builder(reading: StoreReading) -> StoreBuilder:
    model = reading.load()
    return StoreBuilder(
        model,
        params=reading.activations,
        model_params=reading.model,
        audio_root=reading.audio_root,
        cache=WorkCache(reading.cache / FOLDER),
        codec=CachedCodec(model, reading.cache),
    )


def _build(reading: StoreReading, out: Path, tracks: Sequence[ManifestTrack]) -> Build:
    return _builder(reading).add(out, tracks)


def _lost(reading: StoreReading, track: ManifestTrack, error: WorkerError) -> Build:
    return Build(failures=[(track, worker_lost(reading.audio_root / track.path, error))])


def _kept(
    reading: StoreReading, tracks: Sequence[ManifestTrack], packed: Set[str]
) -> Iterator[CachedTensors]:
    """Keep in the work cache what is not ``packed``, in several processes."""
    keep, lost = partial(_keep, reading, packed), partial(_not_kept, reading)
    return in_parts(keep, tracks, size=_TRACKS, lost=lost, workers=_workers(reading))


def _keep(
    reading: StoreReading, packed: Set[str], tracks: Sequence[ManifestTrack]
) -> CachedTensors:
    return _builder(reading).keep(tracks, packed=packed)


def _not_kept(reading: StoreReading, track: ManifestTrack, error: WorkerError) -> CachedTensors:
    return CachedTensors(failures=[(track, worker_lost(reading.audio_root / track.path, error))])
