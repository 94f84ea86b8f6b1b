"""Making an activation store: capture what is missing, reuse what is not, write and index it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from leitmotif.audio.decode import load_audio, verified
from leitmotif.audio.reading.failures import named_failure
from leitmotif.errors import AudioError
from leitmotif.files.provenance import code_version, library_versions
from leitmotif.musicgen.choice import require_sites
from leitmotif.musicgen.protocol import AudioEncoder, MusicModel
from leitmotif.store.cache.entries import Entry, WorkCache, place
from leitmotif.store.prompt import prompt_from_tags
from leitmotif.store.reading.header import TENSOR, Header, TensorOrigin, address_of
from leitmotif.store.reading.index import IndexRow, StoreRow, file_of, write_index
from leitmotif.store.reading.reader import describe
from leitmotif.store.writing.capture import capture
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tensors import serialise
from leitmotif.timing.windows import end_seconds, fit_windows, windows_at

if TYPE_CHECKING:
    from leitmotif.config import ActivationsParams, ModelParams

T = TypeVar("T")

_WRITERS = 2


@dataclass
class Build:
    """What a run did."""

    rows: list[StoreRow] = field(default_factory=list)
    captured: int = 0
    """Tensors computed; the others came from the work cache."""
    failures: list[tuple[ManifestTrack, AudioError]] = field(default_factory=list)


@dataclass
class CachedTensors:
    """What is in the work cache of some tracks."""

    addresses: dict[tuple[str, str], str] = field(default_factory=dict)
    """Address of every tensor, by site and track."""
    captured: int = 0
    """Tensors computed; the others were there."""
    failures: list[tuple[ManifestTrack, AudioError]] = field(default_factory=list)


class StoreBuilder:
    """Captures tracks one by one and writes the store.

    ``audio_root`` is where the manifest's paths begin. Tracks are never batched together, so a
    tensor does not depend on which others are made with it. ``codec`` gives the codes, the model
    itself by default.
    """

    def __init__(
        self,
        model: MusicModel,
        *,
        params: "ActivationsParams",
        model_params: "ModelParams",
        audio_root: Path,
        cache: WorkCache,
        codec: AudioEncoder | None = None,
    ) -> None:
        self.sites = require_sites(params.sites, model.sites)
        self.model, self.params, self.model_params = model, params, model_params
        self.audio_root, self.cache, self.codec = audio_root, cache, codec
        self._code_version = code_version(__name__)
        self._versions = library_versions()

    def build(self, out: Path, tracks: Iterable[ManifestTrack]) -> Build:
        """Write tensors and index into the empty folder ``out``; memory is that of two tracks.

        A track that cannot be read, whatever the cause, is a failure and is left out. Raises
        StoreError for what cannot be written.
        """
        result = self.add(out, tracks)
        write_index(out, result.rows)
        return result

    def add(self, out: Path, tracks: Iterable[ManifestTrack]) -> Build:
        """Write the tensors of some tracks into ``out``, and leave its index to others."""
        kept = CachedTensors()
        jobs = self._jobs(tracks, kept, partial(_placed, out))
        rows = in_background(jobs, workers=_WRITERS, pending=len(self.sites))
        return Build(list(rows), kept.captured, kept.failures)

    def keep(self, tracks: Iterable[ManifestTrack], *, packed: Set[str]) -> CachedTensors:
        """Write the tensors of some tracks into the work cache alone.

        Those at the addresses ``packed`` are left out: shards have them.
        """
        kept = CachedTensors()
        jobs = self._jobs(tracks, kept, lambda _: None, packed=packed)
        for _ in in_background(jobs, workers=_WRITERS, pending=len(self.sites)):
            pass
        return kept

    def origins(self, track: ManifestTrack) -> dict[str, TensorOrigin]:
        """Return, for each site, everything that decides the bytes of this track's tensor.

        Raises AudioError for a window that is shorter than a frame of the model.
        """
        device = self.model.device
        gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
        return {
            site: TensorOrigin(
                model=self.model_params.name,
                revision=self.model_params.revision or "",
                model_fingerprint=self.model.fingerprint,
                site=site,
                track_id=track.track_id,
                audio_sha256=track.sha256,
                windows=windows_at(track.windows, self.model.frame_rate),
                prompt=self._prompt(track) or "",
                text_padding=self.model_params.text_padding,
                forward_dtype=self.model_params.dtype,
                dtype=self.params.dtype,
                device=gpu or device.type,
                versions=self._versions,
                code_version=self._code_version,
            )
            for site in self.sites
        }

    def _jobs(
        self,
        tracks: Iterable[ManifestTrack],
        kept: CachedTensors,
        use: Callable[[Entry], T],
        *,
        packed: Set[str] = frozenset(),
    ) -> Iterator[Callable[[], T]]:
        """Give jobs that ``use`` the entry of each tensor, of each site in turn; fills ``kept``."""
        for track in tracks:
            try:
                with named_failure(self.audio_root / track.path):
                    addresses = {s: address_of(origin) for s, origin in self.origins(track).items()}
                    loose = [site for site in self.sites if addresses[site] not in packed]
                    entries = {site: self.cache.find(addresses[site]) for site in loose}
                    missing = [site for site in loose if entries[site] is None]
                    fresh = self._capture(track, missing) if missing else {}
            except AudioError as error:
                kept.failures.append((track, error))
                continue
            kept.captured += len(missing)
            for site, address in addresses.items():
                kept.addresses[site, track.track_id] = address
            for site in loose:
                if entry := entries[site]:
                    yield partial(use, entry)
                else:
                    header, array = fresh[site]
                    yield partial(self._keep, header, array, use)

    def _capture(
        self, track: ManifestTrack, sites: Sequence[str]
    ) -> dict[str, tuple[Header, NDArray[np.floating]]]:
        path = self.audio_root / track.path
        rate, end = self.model.frame_rate, end_seconds(track.windows)
        with verified(path, track.sha256):
            audio = load_audio(path, sample_rate=self.model.sample_rate, seconds=end)
        frames = len(audio.samples) // self.model.samples_per_frame
        windows = fit_windows(windows_at(track.windows, rate), frames, rate)
        arrays = capture(
            self.model,
            audio.samples,
            windows,
            sites,
            prompt=self._prompt(track),
            dtype=self.params.dtype,
            codec=self.codec,
        )
        origins = self.origins(track)
        return {
            site: (
                Header(
                    **origins[site].model_dump(exclude={"windows"}),
                    windows=windows,
                    frames=len(array),
                    frame_rate=rate,
                    hearing_seconds=self.model.hearing_seconds,
                    sample_rate=audio.sample_rate,
                    address=address_of(origins[site]),
                ),
                array,
            )
            for site, array in arrays.items()
        }

    def _keep(self, header: Header, array: NDArray[np.floating], use: Callable[[Entry], T]) -> T:
        file = serialise({TENSOR: array}, header.to_metadata())
        return use(self.cache.put(header.address, file))

    def _prompt(self, track: ManifestTrack) -> str | None:
        return prompt_from_tags(track.tags) if self.params.prompt == "tags" else None


def _placed(out: Path, entry: Entry) -> IndexRow:
    """Copy a tensor's entry into the store in ``out``; returns its row of the index."""
    header, shape = describe(entry.path)[TENSOR]
    file = file_of(header.site, header.track_id)
    place(entry, out / file)
    return IndexRow(
        site=header.site,
        track_id=header.track_id,
        file=file,
        bytes=entry.bytes,
        sha256=entry.sha256,
        shape=(shape[0], shape[1]),
        dtype=header.dtype,
        address=header.address,
    )


def in_background(jobs: Iterable[Callable[[], T]], *, workers: int, pending: int) -> Iterator[T]:
    """Run jobs in threads while the next ones are being made; yield their results in order.

    At most ``pending`` jobs wait or run at a time, which bounds the memory that they hold. The
    first exception of a job, or of the making of one, ends it; jobs not yet begun are dropped.
    """
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(job))
                if len(waiting) >= pending:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
