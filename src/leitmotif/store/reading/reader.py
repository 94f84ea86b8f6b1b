"""Reading stored activations, in later stages and in notebooks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from leitmotif.errors import StoreError, counted
from leitmotif.sites import canonical_site
from leitmotif.store.reading.header import TENSOR, Header
from leitmotif.store.reading.index import IndexRow, read_index
from leitmotif.timing.frames import Timing

_RESTORE = "run `leitmotif verify --full`, then `dvc checkout` or `dvc repro activations`"


class ActivationStore:
    """The tensors of one run: an array [frames, d] for each site and track.

    Row t is the activation at decoder step t, which has read codebook k of the frames up to
    t - 1 - k only. Sites may be given by their alias.

    >>> store = ActivationStore("data/activations")
    >>> store.load("layers.5.residual", "1076616").shape
    (1500, 1024)
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._rows = {(row.site, row.track_id): row for row in read_index(self.root)}

    def __repr__(self) -> str:
        """Say where it is, and a line a site: tracks, width, precision."""
        size = sum(row.bytes for row in self._rows.values()) / 1e6
        tensors = counted(len(self._rows), "tensor")
        lines = [f"ActivationStore({self.root}, {tensors}, {size:.1f} MB"]
        for site in self.sites:
            rows = [row for row in self._rows.values() if row.site == site]
            frames = sum(row.shape[0] for row in rows)
            tracks, width, kind = counted(len(rows), "track"), rows[0].shape[1], rows[0].dtype
            lines.append(f"  {site}  {tracks}, {frames} frames in all, width {width}, {kind}")
        return "\n".join(lines) + ")"

    @property
    def sites(self) -> list[str]:
        """Canonical names of the stored sites, in the order of the index."""
        return list(dict.fromkeys(site for site, _ in self._rows))

    def tracks(self, site: str) -> list[str]:
        """Tracks stored for a site, in the order of the manifest; raises StoreError."""
        site = self._known_site(site)
        return [track_id for stored, track_id in self._rows if stored == site]

    def load(self, site: str, track_id: str) -> NDArray[np.floating]:
        """Load one tensor [frames, d]; raises StoreError when it is missing or another one."""
        array, _ = self._read(self._row(site, track_id))
        return array

    def header(self, site: str, track_id: str) -> Header:
        """Read what a tensor's file says of itself; raises StoreError."""
        row = self._row(site, track_id)
        return read_header(self.root / row.file)

    @property
    def timing(self) -> Timing:
        """Where rows lie in the audio, which one model gives all tensors; raises StoreError."""
        site = self.sites[0]
        return self.header(site, self.tracks(site)[0]).timing

    def items(self, site: str) -> Iterator[tuple[str, NDArray[np.floating]]]:
        """Iterate over (track_id, tensor) of a site, loading one at a time; raises StoreError."""
        for track_id in self.tracks(site):
            yield track_id, self.load(site, track_id)

    def _known_site(self, site: str) -> str:
        try:
            name = canonical_site(site)
        except ValueError as error:
            raise StoreError(str(error)) from None
        if name not in self.sites:
            raise StoreError(
                f"{name} is not in {self.root}",
                expected=f"one of {', '.join(self.sites)}",
                fix="add it to activations.sites and run `dvc repro activations`",
            )
        return name

    def _row(self, site: str, track_id: str) -> IndexRow:
        name = self._known_site(site)
        try:
            return self._rows[name, track_id]
        except KeyError:
            raise StoreError(
                f"track {track_id!r} is not in {self.root}",
                found=f"{counted(len(self.tracks(name)), 'track')} at {name}",
                fix="see data/manifest.jsonl for the tracks in use and data/failures.jsonl for "
                "those that failed",
            ) from None

    def _read(self, row: IndexRow) -> tuple[NDArray[np.floating], Header]:
        path = self.root / row.file
        header = read_header(path)
        with safe_open(path, framework="np") as file:
            array = file.get_tensor(TENSOR)
        stated = (header.site, header.track_id, array.shape, array.dtype.name)
        expected = (row.site, row.track_id, row.shape, row.dtype)
        if stated != expected:
            raise StoreError(
                f"{path} is not the tensor of the index",
                found=", ".join(map(str, stated)),
                expected=", ".join(map(str, expected)),
                fix=_RESTORE,
            )
        return array, header


def read_header(path: Path) -> Header:
    """Read a tensor file's header; raises StoreError for a missing, torn or foreign file."""
    header, _ = describe(path)
    return header


def describe(path: Path) -> tuple[Header, tuple[int, ...]]:
    """Read a tensor file's header and the tensor's shape, not its values; raises StoreError."""
    try:
        with safe_open(path, framework="np") as file:
            names, metadata = list(file.keys()), file.metadata()
            shape = tuple(file.get_slice(names[0]).get_shape()) if names else ()
    except FileNotFoundError:
        raise StoreError(f"{path} is missing", fix=_RESTORE) from None
    except (SafetensorError, OSError) as error:
        raise StoreError(f"{path} cannot be read", found=error, fix=_RESTORE) from error
    if names != [TENSOR]:
        raise StoreError(f"{path} has other tensors", found=names, expected=[TENSOR], fix=_RESTORE)
    return Header.from_metadata(metadata or {}, file=path), shape
