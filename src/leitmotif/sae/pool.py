"""Rows for training, drawn from a store without holding all of it."""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from leitmotif.errors import StoreError
from leitmotif.files import sha256_json
from leitmotif.store.reading import ActivationStore

STEPS_PER_ROUND = 100
"""Steps that draw from the same tracks before others take their place."""


class TrainingRows(Protocol):
    """What a training needs of the rows that it draws from."""

    @property
    def width(self) -> int:
        """Numbers in a row."""

    @property
    def identity(self) -> str:
        """What the rows are; a run that was broken off goes on with the same ones only."""

    def centre(self) -> tuple[Tensor, float]:
        """Mean of all rows [d], and the root mean square of their distance from it."""

    def batch(self, step: int, rows: int, seed: int) -> Tensor:
        """Rows [rows, d] of one step."""


class RowPool:
    """Batches of one site's rows.

    For a round of steps, ``size`` tracks are in memory (float16 as stored: 3 MB each for 30 s of
    musicgen-small), drawn without repetition until all have had their turn; a batch's rows are
    drawn from them. All of it follows from (seed, step), so any step can be made again.
    """

    def __init__(
        self,
        store: ActivationStore,
        site: str,
        *,
        tracks: Sequence[str] | None = None,
        size: int = 100,
    ) -> None:
        self._store, self._site = store, site
        self.tracks = list(tracks) if tracks is not None else store.tracks(site)
        if not self.tracks:
            raise StoreError(f"no track of {site} is left to train on")
        self._size = min(size, len(self.tracks))
        self._round: tuple[int, int] | None = None
        self._rows = np.empty((0, 0), np.float16)

    @cached_property
    def width(self) -> int:
        """Numbers in a row."""
        return int(self._store.load(self._site, self.tracks[0]).shape[1])

    @cached_property
    def identity(self) -> str:
        """SHA-256 of what the rows are: the addresses of the tensors, in order."""
        headers = [self._store.header(self._site, track_id) for track_id in self.tracks]
        return sha256_json([[self._size], *([header.address] for header in headers)])

    def centre(self) -> tuple[Tensor, float]:
        """Mean of all rows [d], and the root mean square of their distance from it."""
        total, squares, count = np.zeros(self.width), 0.0, 0
        for track_id in self.tracks:
            rows = self._store.load(self._site, track_id).astype(np.float64)
            total += rows.sum(0)
            squares += float(np.square(rows).sum())
            count += len(rows)
        mean = total / count
        variance = squares / count - float(mean @ mean)
        if variance <= 0:
            raise StoreError(f"the activations at {self._site} do not vary")
        return torch.from_numpy(mean).float(), variance**0.5

    def batch(self, step: int, rows: int, seed: int) -> Tensor:
        """Rows [rows, d] of one step, drawn with replacement from those in memory."""
        self._enter(step // STEPS_PER_ROUND, seed)
        random = np.random.default_rng([seed, 1, step])
        chosen = random.integers(len(self._rows), size=rows)
        return torch.from_numpy(self._rows[chosen]).float()

    def _enter(self, number: int, seed: int) -> None:
        if self._round == (number, seed):
            return
        places = np.arange(number * self._size, (number + 1) * self._size)
        epochs, at = np.divmod(places, len(self.tracks))
        orders = {
            int(epoch): np.random.default_rng([seed, 0, int(epoch)]).permutation(len(self.tracks))
            for epoch in np.unique(epochs)
        }
        chosen = sorted({int(orders[int(e)][a]) for e, a in zip(epochs, at, strict=True)})
        if self._round is None or self._size < len(self.tracks):
            self._rows = np.concatenate(
                [self._store.load(self._site, self.tracks[i]) for i in chosen]
            )
        self._round = (number, seed)
