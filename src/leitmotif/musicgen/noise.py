"""Sampling noise that belongs to a row, not to the batch it happens to be in.

A token is drawn by the Gumbel-max trick: argmax over tokens of log-probability + Gumbel noise.
Conditions that share the noise make the same choice wherever the change leaves the distribution
alone (Oberst and Sontag 2019, "Counterfactual Off-Policy Evaluation with Gumbel-Max Structural
Causal Models"), so a difference between two clips is the intervention's doing.

The noise of a step is a function of (seed, track, step) alone: a counter-based generator
(Philox; Salmon et al. 2011) keyed by a hash of seed and track, read at the step's place.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from leitmotif.precision import doubled

_BLOCK = 32  # steps drawn at once: long enough to hide the call, short enough to stay in cache
_SMALLEST = 2.0**-25  # half of float32's uniform grid, in place of the zeros that have no logarithm


class RowNoise:
    """Gumbel noise [B, K, V] for each step, drawn on the CPU so that every device hears the same.

    Logarithms are taken on the device: to a GPU go random bits alone.

    ``tracks`` names each row; rows with the same name (and seed) share their noise.
    """

    def __init__(
        self,
        seed: int,
        tracks: Sequence[str],
        *,
        codebooks: int,
        codebook_size: int,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._names = list(dict.fromkeys(tracks))
        self._keys = [_philox_key(seed, name) for name in self._names]
        rows = [self._names.index(track) for track in tracks]
        self._rows = torch.tensor(rows, device=device) if len(self._names) < len(rows) else None
        self._shape = (_BLOCK, codebooks, codebook_size)
        self._device, self._dtype = device, dtype
        self._block = -1
        self._noise = torch.empty(0)

    def at(self, step: int) -> Tensor:
        """Noise [B, K, V] for one decoder step, in the type that was asked for."""
        block, offset = divmod(step, _BLOCK)
        if block != self._block:
            self._block, self._noise = block, self._draw(block)
        noise = self._noise[:, offset]
        return noise if self._rows is None else noise.index_select(0, self._rows)

    def _draw(self, block: int) -> Tensor:
        uniform = np.empty((len(self._keys), *self._shape), dtype=np.float32)
        for row, key in enumerate(self._keys):
            # Each block owns 2^64 values of the counter.
            bits = np.random.Philox(key=key, counter=block << 64)
            np.random.Generator(bits).random(dtype=np.float32, out=uniform[row])
        # Logarithms in float64: those of float32 differ between processors in the last digit.
        exact = doubled(torch.from_numpy(uniform).to(self._device))
        exponential = exact.neg_().log1p_().neg_().clamp_(min=_SMALLEST)
        return exponential.log_().neg_().to(self._dtype).to(self._device)


def _philox_key(seed: int, track: str) -> int:
    digest = hashlib.sha256(f"{seed}\n{track}".encode()).digest()
    return int.from_bytes(digest[:16], "little")
