"""Results of pieces of work, each kept as soon as it is there, so that a killed run goes on.

A piece has an address: the hash of all that decides its result. One that was kept is read, and the
others are worked on, on all processors. So a run that was killed ends with the bytes of an unbroken
one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from leitmotif.files import sha256_json
from leitmotif.files.provenance import code_version, library_versions
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.store.cache.entries import Entry, WorkCache
from leitmotif.tensors import read_tensors, serialise
from leitmotif.work.parallel import in_processes

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Result = TypeVar("Result")
Tensors = Mapping[str, NDArray[np.generic]]


class ResultFormat(NamedTuple, Generic[Item_contra, Result]):
    """How the result of an item lies in files: in one, or in parts that other items may share."""

    keys: Callable[[Item_contra], Sequence[object]]
    """What decides each part, besides what decides all items; as JSON."""
    tensors: Callable[[Item_contra, Result], Sequence[Tensors]]
    """Tensors of each part."""
    result: Callable[[Item_contra, Sequence[Tensors]], Result]
    """Made of its parts again, the same."""


class KeptResults:
    """The results below one folder that the same things decide.

    Parameters
    ----------
    root : folder of the work cache, made if it is not there; None: nothing is kept.
    decided_by : what decides the results of all items, as JSON; see ``computed_by``.
    workers : processes that work on items, as ``in_processes`` takes them.
    """

    def __init__(
        self, root: Path | None, decided_by: Mapping[str, object], *, workers: int | None
    ) -> None:
        self._workers = workers
        self._cache = None if root is None else WorkCache(root)
        self._decided_by = sha256_json(decided_by)

    def each(
        self,
        job: Callable[[Item], Result],
        items: Sequence[Item],
        form: ResultFormat[Item, Result],
    ) -> Iterator[Result]:
        """Yield ``job(item)`` of each item in their order, as ``in_processes`` does.

        An item of which a part is missing or damaged is worked on. Raises StoreError on a full
        disk, and what ``in_processes`` raises.
        """
        if self._cache is None:
            yield from in_processes(job, items, workers=self._workers)
            return
        addresses = [[self._address(key) for key in form.keys(item)] for item in items]
        kept = [_entries(self._cache, of_item) for of_item in addresses]
        missing = [item for item, entries in zip(items, kept, strict=True) if entries is None]
        made = in_processes(job, missing, workers=self._workers)
        for item, of_item, entries in zip(items, addresses, kept, strict=True):
            # Also what is new is read: a part that was there may come from another item.
            whole = entries or self._keep(of_item, form.tensors(item, next(made)))
            yield form.result(item, [read_tensors(entry.path)[0] for entry in whole])

    def _keep(self, addresses: Sequence[str], parts: Sequence[Tensors]) -> list[Entry]:
        assert self._cache is not None
        return [
            self._cache.find(address) or self._cache.put(address, serialise(part, {}))
            for address, part in zip(addresses, parts, strict=True)
        ]

    def _address(self, key: object) -> str:
        return sha256_json([self._decided_by, key])


def _entries(cache: WorkCache, addresses: Sequence[str]) -> list[Entry] | None:
    """The entries of all addresses; None if one is not there, or damaged."""
    entries = [cache.find(address) for address in addresses]
    whole = [entry for entry in entries if entry]
    return whole if len(whole) == len(entries) else None


def computed_by(model: MusicModel, *modules: str) -> dict[str, object]:
    """What decides the results of a model besides what it is asked, as JSON.

    Weights, precision, device, libraries, and the code of ``modules`` (``code_version``).
    """
    device = model.device
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "model_fingerprint": model.fingerprint,
        "dtype": str(model.dtype),
        "device": gpu or device.type,
        "versions": library_versions(),
        "code_version": code_version(*modules),
    }
