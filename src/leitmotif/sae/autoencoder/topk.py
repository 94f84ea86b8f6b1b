"""The largest entries of long rows, without sorting them: the rows are 32,768 features wide."""

import torch
from torch import Tensor

_GROUPS_PER_K = 8
"""Top-k first picks groups by their maxima; this many groups for each feature that is kept."""


def grouped_topk(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Values and columns of the k largest entries of each row [n, F], in no order: 2 x [n, k].

    The k largest entries lie in the k groups of columns with the largest maxima, so a whole row is
    only read for the maxima; sorting is left to a few groups. Exact; ties are cut at will.
    """
    n, features = x.shape
    groups = _GROUPS_PER_K * k
    size = features // groups
    if size < 4 or features % groups:
        groups = _divisor(features, groups)
        size = features // groups
    if size < 4 or groups <= k:
        values, columns = x.topk(k, dim=1, sorted=False)
        return values, columns
    # Group g holds columns g, g + groups, …: maxima then run along contiguous memory.
    blocks = x.view(n, size, groups)
    best = blocks.amax(1).topk(k, dim=1, sorted=False).indices  # [n, k]
    candidates = blocks.gather(2, best[:, None].expand(n, size, k)).flatten(1)  # [n, size * k]
    values, at = candidates.topk(k, dim=1, sorted=False)
    columns = at // k * groups + best.gather(1, at % k)
    return values, columns


def _divisor(number: int, near: int) -> int:
    """The divisor of ``number`` closest above ``near``, at most four times it; else 1."""
    for candidate in range(near, min(number, 4 * near) + 1):
        if number % candidate == 0:
            return candidate
    return 1


class RunningTopk:
    """The k largest positive entries of each row, of columns that come block by block.

    An entry that is not above all of its row's k largest so far, or not above 0, is passed over;
    the others wait until there are as many as k a row, and are then merged. After b blocks of
    random numbers a row has k / b new ones in the next block, so that little is ever sorted; in
    the worst order of columns each block is sorted once. Exact; ties are cut at will.
    """

    def __init__(self, block: Tensor, k: int) -> None:
        """``block`` [n, m] holds the first m columns, with m of at least k."""
        self.k = k
        self._values, self._columns = grouped_topk(block, k)
        self._width = block.shape[1]
        self._waiting: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self._counts = block.new_zeros(len(block), dtype=torch.long)
        self._set_floor()

    def add(self, block: Tensor) -> None:
        """Take the next columns [n, m]; the block may be written over afterwards."""
        rows, columns = (block > self._floor).nonzero(as_tuple=True)  # rows ascend
        counts = torch.bincount(rows, minlength=len(block))
        first = counts.cumsum(0) - counts
        number = torch.arange(len(rows), device=rows.device) - first[rows]
        self._waiting.append(
            (rows, self._counts[rows] + number, columns + self._width, block[rows, columns])
        )
        self._counts += counts
        self._width += block.shape[1]
        if sum(len(part[0]) for part in self._waiting) >= self.k * len(block):
            self._merge()

    def result(self) -> tuple[Tensor, Tensor]:
        """Values and columns, in no order: 2 x [n, k].

        In a row that has fewer than k positive entries, those beyond them are not positive.
        """
        self._merge()
        return self._values, self._columns

    def _merge(self) -> None:
        if not self._waiting:
            return
        rows, places, columns, values = (
            torch.cat(part) for part in zip(*self._waiting, strict=True)
        )
        n, widest = len(self._values), int(self._counts.max())
        shape = (n, self.k + widest)
        all_values = self._values.new_full(shape, -torch.inf)
        all_columns = self._columns.new_zeros(shape)
        all_values[:, : self.k], all_columns[:, : self.k] = self._values, self._columns
        all_values[rows, self.k + places] = values
        all_columns[rows, self.k + places] = columns
        self._values, at = all_values.topk(self.k, dim=1, sorted=False)
        self._columns = all_columns.gather(1, at)
        self._waiting.clear()
        self._counts.zero_()
        self._set_floor()

    def _set_floor(self) -> None:
        self._floor = self._values.amin(1, keepdim=True).clamp(min=0)  # [n, 1]
