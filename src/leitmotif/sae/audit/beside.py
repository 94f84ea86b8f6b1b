"""The sites next to an autoencoder's own, whichever of them the activations stage keeps.

What goes wrong in practice is off by one. The stored sites may lie several blocks apart, and then
none of them would show it. So the sites beside are captured on a few tracks, by the code that the
activations stage runs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from leitmotif.errors import ModelError
from leitmotif.sites import split_site
from leitmotif.store.reading.header import Header
from leitmotif.store.reading.index import StoreRow, write_index
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.store.writing.parts import StoreReading, built
from leitmotif.tables.corpus import ManifestTrack


@dataclass(frozen=True)
class SitesBeside:
    """Stored sites, and captured ones beside them."""

    store: ActivationStore
    captured: ActivationStore | None
    """Activations of a few tracks; None if everything that was wanted is stored."""

    @property
    def sites(self) -> list[str]:
        """Names of the stored sites, then of the captured ones."""
        return [*self.store.sites, *(self.captured.sites if self.captured else [])]

    def load(self, site: str, track_id: str) -> NDArray[np.floating]:
        """A tensor [frames, d]; raises StoreError."""
        return self._of(site).load(site, track_id)

    def header(self, site: str, track_id: str) -> Header:
        """What a tensor's file says of itself; raises StoreError."""
        return self._of(site).header(site, track_id)

    def _of(self, site: str) -> ActivationStore:
        return self.store if self.captured is None or site in self.store.sites else self.captured


def adjacent(site: str, known: Sequence[str], *, reach: int) -> list[str]:
    """The sites of its kind up to ``reach`` blocks before and after, of those that a model has.

    >>> adjacent("layers.0.mlp", ["layers.0.mlp", "layers.1.mlp", "layers.2.mlp"], reach=1)
    ['layers.1.mlp']
    """
    layer, kind = split_site(site)
    near = (f"layers.{other}.{kind}" for other in range(layer - reach, layer + reach + 1))
    return [other for other in near if other != site and other in known]


@contextmanager
def sites_beside(
    store: ActivationStore,
    sites: Sequence[str],
    reading: StoreReading,
    tracks: Sequence[ManifestTrack],
    *,
    reach: int,
) -> Iterator[SitesBeside]:
    """Capture on some tracks what ``store`` lacks of the sites next to ``sites``.

    ``reading`` says which model reads, and how. What has been read before comes from the work
    cache; the captured tensors vanish with the context. Raises ModelError for a track that cannot
    be read.
    """
    known = reading.load().sites
    near = [other for site in sites for other in adjacent(site, known, reach=reach)]
    missing = [site for site in dict.fromkeys(near) if site not in store.sites]
    if not missing:
        yield SitesBeside(store, None)
        return
    activations = reading.activations.model_copy(update={"sites": missing})
    reading = StoreReading(
        reading.load, reading.model, activations, reading.audio_root, reading.cache
    )
    with TemporaryDirectory(prefix="leitmotif-") as folder:
        out = Path(folder)
        write_index(out, _captured(reading, out, tracks))
        yield SitesBeside(store, ActivationStore(out))


def _captured(
    reading: StoreReading, out: Path, tracks: Sequence[ManifestTrack]
) -> Iterator[StoreRow]:
    for part in built(reading, out, tracks, shown="sites beside"):
        for track, error in part.failures:
            raise ModelError(
                f"the alignment cannot be measured on track {track.track_id}",
                found=error,
                fix="run `dvc repro activations`, which names unusable recordings",
            )
        yield from part.rows
