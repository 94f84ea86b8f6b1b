"""What an autoencoder makes of rows: the few features of each that are active."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Codes(NamedTuple):
    """Feature activations of n rows, as compressed sparse rows."""

    indices: Tensor
    """int64 [z]: features, ascending within a row."""
    values: Tensor
    """[z]: their activations, all above 0."""
    offsets: Tensor
    """int64 [n + 1]: row i holds ``offsets[i]:offsets[i + 1]``."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.offsets) - 1

    @property
    def l0(self) -> Tensor:
        """Active features of each row, int64 [n]."""
        return self.offsets.diff()

    def dense(self, features: int) -> Tensor:
        """[n, F]; for tests and small things."""
        out = self.values.new_zeros(self.rows, features)
        rows = torch.repeat_interleave(torch.arange(self.rows, device=out.device), self.l0)
        out[rows, self.indices] = self.values
        return out


def rows_of(values: Tensor, columns: Tensor) -> Codes:
    """Features of rows by the values and columns [n, k] of their largest pre-activations."""
    columns, order = columns.sort(dim=1)
    values = values.gather(1, order)
    active = values > 0
    return Codes(columns[active], values[active], offsets_of(active.sum(1)))


def offsets_of(counts: Tensor) -> Tensor:
    """Where rows begin [n + 1] that have so many features [n]."""
    return F.pad(counts.cumsum(0), (1, 0))


def joined(parts: list[Codes], device: torch.device) -> Codes:
    """Rows of several parts, one after the other."""
    if not parts:
        empty = torch.empty(0, dtype=torch.long, device=device)
        return Codes(empty, torch.empty(0, device=device), empty.new_zeros(1))
    return Codes(
        torch.cat([part.indices for part in parts]),
        torch.cat([part.values for part in parts]),
        offsets_of(torch.cat([part.l0 for part in parts])),
    )
