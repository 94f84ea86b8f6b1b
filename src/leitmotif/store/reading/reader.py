"""Reading stored activations, in later stages and in notebooks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from leitmotif.arguments import as_path
from leitmotif.errors import StoreError, counted
from leitmotif.sites import canonical_site
from leitmotif.store.reading.header import TENSOR, Header, header_in_shard, is_shard
from leitmotif.store.reading.index import ShardRow, StoredTensor, read_index
from leitmotif.timing.frames import Timing

_RESTORE = "run `leitmotif verify --full`, then `dvc checkout` or `dvc repro activations`"


class ActivationStore:
    """The tensors of one run: an array [frames, d] for each site and track.

    Row t is the activation at decoder step t, which has read codebook k of the frames up to t - 1 -
    k only. Sites may be given by their alias.

    Parameters
    ----------
    root: folder that the stage ``activations`` wrote, such as ``data/activations``.

    Raises StoreError if the folder has no index, or one that cannot be read.

    >>> store = ActivationStore("data/activations")
    >>> store.load("layers.5.residual", "1076616").shape
    (1500, 1024)
    """

    def __init__(self, root: Path | str) -> None:
        self.root = as_path(root, "the store", error=StoreError)
        rows = read_index(self.root)
        self._bytes = sum(row.bytes for row in rows)
        self._sites: dict[str, dict[str, StoredTensor]] = {row.site: {} for row in rows}
        stored = [tensor for row in rows for tensor in row.stored]
        if any(isinstance(row, ShardRow) for row in rows):
            stored.sort(key=lambda tensor: tensor.track_id)  # the same for every size of shards
        for tensor in stored:
            self._sites[tensor.site][tensor.track_id] = tensor

    def __repr__(self) -> str:
        """Say where it is, and a line a site: tracks, width, precision."""
        size = self._bytes / 1e6
        tensors = counted(sum(map(len, self._sites.values())), "tensor")
        lines = [f"ActivationStore({self.root}, {tensors}, {size:.1f} MB"]
        for site, stored in self._sites.items():
            frames = sum(tensor.shape[0] for tensor in stored.values())
            first = next(iter(stored.values()))
            tracks, width, kind = counted(len(stored), "track"), first.shape[1], first.dtype
            lines.append(f"  {site}  {tracks}, {frames} frames in all, width {width}, {kind}")
        return "\n".join(lines) + ")"

    @property
    def sites(self) -> list[str]:
        """Canonical names of the stored sites, in the order of the index."""
        return list(self._sites)

    def tracks(self, site: str) -> list[str]:
        """List the tracks that are stored for a site.

        Parameters
        ----------
        site: name or alias.

        Returns
        -------
        Their ids, in the order of the manifest, or sorted where the store has shards.

        Raises StoreError for a site that is not stored.
        """
        return list(self._sites[self._known_site(site)])

    def load(self, site: str, track_id: str) -> NDArray[np.floating]:
        """Load one tensor.

        Parameters
        ----------
        site: name or alias.
        track_id: as in ``tracks(site)``.

        Returns
        -------
        Activations [frames, d], in the precision in which they are stored.

        Raises StoreError if the tensor is not stored, is missing, or is not the one of the index.
        """
        stored = self._stored(site, track_id)
        path = self.root / stored.file
        with _opened(path) as file:
            header, _ = _described(file, path, [stored.name])[stored.name]
            array = file.get_tensor(stored.name)
        stated = (header.site, header.track_id, array.shape, array.dtype.name)
        expected = (stored.site, stored.track_id, stored.shape, stored.dtype)
        if stated != expected:
            raise StoreError(
                f"{path} is not the tensor of the index",
                found=", ".join(map(str, stated)),
                expected=", ".join(map(str, expected)),
                fix=_RESTORE,
            )
        return array

    def header(self, site: str, track_id: str) -> Header:
        """Read what a tensor's file says of it: model, site, audio, timing, versions.

        Parameters
        ----------
        site: name or alias.
        track_id: as in ``tracks(site)``.

        Returns
        -------
        The header; no values are read.

        Raises StoreError if the tensor is not stored or cannot be read.
        """
        stored = self._stored(site, track_id)
        path = self.root / stored.file
        with _opened(path) as file:
            header, _ = _described(file, path, [stored.name])[stored.name]
        return header

    @property
    def timing(self) -> Timing:
        """Where rows lie in the audio, which one model gives all tensors; raises StoreError."""
        site = self.sites[0]
        return self.header(site, self.tracks(site)[0]).timing

    def items(self, site: str) -> Iterator[tuple[str, NDArray[np.floating]]]:
        """Go through the tensors of a site, loading one at a time.

        Parameters
        ----------
        site: name or alias.

        Yields
        ------
        Pairs of a track's id and its activations [frames, d].

        Raises StoreError as ``load`` does.
        """
        for track_id in self.tracks(site):
            yield track_id, self.load(site, track_id)

    def _known_site(self, site: str) -> str:
        try:
            name = canonical_site(site)
        except (TypeError, ValueError) as error:
            raise StoreError(
                f"{site!r:.200} is no site", found=error, expected=f"one of {', '.join(self.sites)}"
            ) from None
        if name not in self.sites:
            raise StoreError(
                f"{name} is not in {self.root}",
                expected=f"one of {', '.join(self.sites)}",
                fix="add it to activations.sites and run `dvc repro activations`",
            )
        return name

    def _stored(self, site: str, track_id: str) -> StoredTensor:
        name = self._known_site(site)
        try:
            return self._sites[name][track_id]
        except (KeyError, TypeError):
            raise StoreError(
                f"track {track_id!r:.200} is not in {self.root}",
                found=f"{counted(len(self._sites[name]), 'track')} at {name}",
                fix="see data/manifest.jsonl for the tracks in use and data/failures.jsonl for "
                "those that failed",
            ) from None


def describe(path: Path) -> dict[str, tuple[Header, tuple[int, ...]]]:
    """Header and shape of each tensor in a file of a store, by its name; no values are read.

    Raises StoreError for a missing, torn or foreign file.
    """
    with _opened(path) as file:
        return _described(file, path, sorted(file.keys()))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Map a file: of what is read, only that comes into memory. Raises StoreError."""
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except FileNotFoundError:
        raise StoreError(f"{path} is missing", fix=_RESTORE) from None
    except (SafetensorError, OSError) as error:
        raise StoreError(f"{path} cannot be read", found=error, fix=_RESTORE) from error


def _described(
    file: Any, path: Path, names: Sequence[str]
) -> dict[str, tuple[Header, tuple[int, ...]]]:
    """Header and shape of some of a file's tensors; raises StoreError."""
    stored, metadata = sorted(file.keys()), file.metadata() or {}
    sharded = is_shard(metadata, file=path)
    fits = set(names) <= set(stored) if sharded else stored == list(names) == [TENSOR]
    if not fits:
        raise StoreError(
            f"{path} has other tensors",
            found=", ".join(stored[:3]) + (f" and {len(stored) - 3} more" if stored[3:] else ""),
            expected=TENSOR if stored == list(names) else ", ".join(names),
            fix=_RESTORE,
        )
    described = {}
    for name in names:
        text = header_in_shard(metadata, name) if sharded else metadata
        header = Header.from_metadata(text, file=f"{path}: {name}" if sharded else path)
        described[name] = header, tuple(file.get_slice(name).get_shape())
    return described
