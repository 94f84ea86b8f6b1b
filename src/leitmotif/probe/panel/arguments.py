"""The arguments of probes: tables of finite numbers, names of tracks, settings in their range.

Every public function of this package checks what it is given by these functions.
"""

from collections import Counter
from collections.abc import Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leitmotif.arguments import odd_storage
from leitmotif.errors import ProbeError

Array = NDArray[np.float64]

LARGEST = 1e100
"""Largest size of a number: sums of squares of larger ones are not finite."""

_OTHERS = frozenset("mMSUV")
"""Kinds of types that are no numbers: spans of time, dates, bytes, texts, records."""


class DenseError(ProbeError, TypeError):
    """A sparse table where a dense one is needed; scikit-learn expects a TypeError there."""


def refuse_hidden(values: object, name: str) -> None:
    """Raise ProbeError for what turns into other numbers without a word.

    These are sparse tables, masked entries, also of the rows of a list, and columns of one name.
    Tensors that no array can be made of are refused here too.
    """
    if hasattr(values, "detach") and (found := odd_storage(values)):
        raise DenseError(f"{name} cannot be read", found=found, expected="a dense array")
    from scipy import sparse  # here: `leitmotif status` needs panels, and none of scipy

    if sparse.issparse(values):
        raise DenseError(
            f"{name} are sparse",
            found=type(values).__name__,
            expected="a dense array",
            fix="use .toarray()",
        )
    rows = values if isinstance(values, list | tuple) else [values]
    if hidden := sum(map(_masked, rows)):
        raise ProbeError(
            f"{name} have masked entries",
            found=f"{hidden} of them",
            expected="numbers only",
            fix="leave out their rows",
        )
    names = columns_of(values) or []
    if twice := [column for column, times in Counter(names).items() if times > 1]:
        raise ProbeError(
            f"{name} have columns of one name",
            found=f"{twice[0]!r}, {names.count(twice[0])} times",
            expected="a name for each column",
        )


def refuse_other_types(values: object, name: str) -> None:
    """Raise ProbeError for arrays and columns of a data frame that hold no numbers.

    Made into numbers, dates and texts would pass for measurements.
    """
    of_columns = values.dtypes if columns_of(values) is not None else []  # type: ignore[attr-defined]
    dtypes = [getattr(values, "dtype", None), *of_columns]
    if other := [dtype for dtype in dtypes if getattr(dtype, "kind", None) in _OTHERS]:
        raise ProbeError(
            f"{name} are not numbers", found=f"type {other[0]}", expected="real numbers"
        )


def _masked(values: Any) -> int:
    """How many entries are masked."""
    masked = isinstance(values, np.ma.MaskedArray)
    return int(np.count_nonzero(np.ma.getmaskarray(values))) if masked else 0


def numbers(values: ArrayLike, name: str) -> Array:
    """Return an array of any shape in float64; raises ProbeError for what is not real numbers."""
    refuse_hidden(values, name)
    try:
        array = np.asarray(values)
        if array.dtype.kind in _OTHERS | {"c"}:
            raise TypeError(f"type {array.dtype}")
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ProbeError(f"{name} are not numbers", found=error, expected="real numbers") from error


def matrix(values: ArrayLike, name: str) -> Array:
    """Return finite [rows, columns] in float64, for values [rows] or [rows, columns].

    Raises ProbeError for another shape, and for NaN, infinity and numbers whose squares have no
    sum, with the row and the column.
    """
    array = table(values, name)
    refuse_not_finite(array, name, columns=columns_of(values))
    return array


def table(values: ArrayLike, name: str) -> Array:
    """Return [rows, columns] in float64 as ``matrix`` does, NaN and infinity as they are."""
    array = numbers(values, name)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or not array.size:
        raise ProbeError(
            f"{name} must be a table", found=f"shape {array.shape}", expected="[rows, columns]"
        )
    return array


def columns_of(values: object) -> Sequence[object] | None:
    """Names of the columns of a data frame; None of anything else."""
    columns = getattr(values, "columns", None)
    return None if columns is None else list(columns)


def refuse_not_finite(
    array: NDArray[np.floating],
    name: str,
    *,
    columns: Sequence[object] | None = None,
    groups: NDArray[Any] | None = None,
) -> None:
    """Raise ProbeError if [rows, columns] hold NaN, infinity or numbers beyond ``LARGEST``.

    It names the row, the column and, where ``groups`` [rows] are known, the track.
    """
    with np.errstate(invalid="ignore"):
        usable = np.abs(array) <= LARGEST
    if usable.all():
        return
    bad, places = np.nonzero(~usable)
    row, column = int(bad[0]), int(places[0])
    place = f"row {row}, column {columns[column] if columns else column}"
    if groups is not None:
        place += f", track {groups[row]}"
    if np.isfinite(array).all():
        raise ProbeError(
            f"{name} hold numbers whose squares have no sum",
            found=f"{array[row, column]:g} at {place}",
            expected=f"sizes up to {LARGEST:g}",
            fix="use another unit",
        )
    raise ProbeError(
        f"{name} hold NaN or infinity",
        found=f"{len(bad)} entries; first at {place}",
        expected="finite numbers",
        fix="leave out the rows whose past is too short, and look for the track that made them",
    )


def column(values: ArrayLike, name: str, *, rows: int | None = None) -> Array:
    """Return finite numbers [rows] in float64; raises ProbeError for anything else."""
    array = numbers(values, name)
    if array.ndim != 1 or not array.size or (rows is not None and len(array) != rows):
        wanted = "[rows], at least one" if rows is None else f"[{rows}]"
        raise ProbeError(f"{name} must be a column", found=f"shape {array.shape}", expected=wanted)
    refuse_not_finite(array[:, np.newaxis], name)
    return array


def track_names(groups: ArrayLike, *, rows: int) -> NDArray[Any]:
    """Return the name of each row's track, [rows]: all text, or all numbers.

    Raises ProbeError for another shape, a missing name, and names of several types, of which some
    would become equal.
    """
    refuse_hidden(groups, "groups")
    # NumPy would write a NaN among texts as the text "nan".
    try:
        names = np.asarray(groups, dtype=None if hasattr(groups, "dtype") else object)
    except RuntimeError as error:  # a tensor that asks for a gradient
        raise ProbeError("groups name each row's track", found=error) from error
    if names.shape != (rows,):
        raise ProbeError(
            "groups name each row's track", found=f"shape {names.shape}", expected=f"[{rows}]"
        )
    if names.dtype.kind in "biuUST":
        return names
    missing = [row for row, name in enumerate(names.tolist()) if not _is_name(name)]
    if missing:
        raise ProbeError(
            "groups name each row's track",
            found=f"{names.tolist()[missing[0]]!r} at row {missing[0]}; {len(missing)} such rows",
            expected="a text or a finite number for each row",
        )
    kinds = {isinstance(name, str) for name in names.tolist()}
    if len(kinds) > 1:
        raise ProbeError(
            "groups name each row's track",
            found="texts and numbers",
            expected="names of one type",
        )
    return names


def _is_name(name: object) -> bool:
    return isinstance(name, str | Integral) or (isinstance(name, Real) and isfinite(name))


def whole_number(value: object, name: str, *, least: int = 0) -> int:
    """Return an integer setting; raises ProbeError for another type and for less than ``least``."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral) or value < least:
        raise ProbeError(
            f"{name} is not a number of things",
            found=repr(value),
            expected=f"an integer of at least {least}",
        )
    return int(value)


def share(value: object, name: str) -> float:
    """Return a setting above 0, at most 1; raises ProbeError for anything else."""
    if (
        isinstance(value, bool | np.bool_)
        or not isinstance(value, int | float | np.number)
        or not 0 < value <= 1
    ):
        raise ProbeError(
            f"{name} is not a share", found=repr(value), expected="a number above 0, at most 1"
        )
    return float(value)


def switch(value: object, name: str) -> bool:
    """Return a setting that is on or off; raises ProbeError for anything but True and False."""
    if not isinstance(value, bool | np.bool_):
        raise ProbeError(f"{name} is on or off", found=repr(value), expected="True or False")
    return bool(value)
