"""Controls in several shapes, the simplest first: which one a response needs is chosen later."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Shapes = tuple[tuple[int, ...], ...]
"""Sets of columns of the controls, the simplest first."""


@dataclass(frozen=True)
class Curves:
    """Columns made of controls, and the sets of them of which a control model may use one.

    It takes the place of a table of controls, and its rows can be chosen like an array's.
    """

    values: Array
    """[rows, p]"""
    shapes: Shapes

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.values.shape

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.values)

    def __getitem__(self, rows: Any) -> "Curves":
        """Some of the rows."""
        return Curves(self.values[rows], self.shapes)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All columns, as an array."""
        return np.array(self.values, dtype=dtype, copy=copy)


def shapes_of(controls: ArrayLike | Curves | None, *, columns: int) -> Shapes:
    """The shapes that controls [rows, columns] come in: a plain table has one, all of it."""
    return controls.shapes if isinstance(controls, Curves) else (tuple(range(columns)),)
