"""What a caller gives: numbers as plain Python has them, paths, tensors that hold their numbers."""

import math
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from leitmotif.errors import LeitmotifError


def as_number(value: object) -> float | None:
    """A finite real number as a float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def is_integer(value: object) -> bool:
    """Whether it is an integer, numpy's included, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def as_texts(values: object) -> list[str] | None:
    """Several texts as a list; None for anything else, a single text included."""
    if not isinstance(values, list | tuple) or not all(isinstance(text, str) for text in values):
        return None
    return list(values)


def as_path(value: object, what: str, *, error: type[LeitmotifError] = LeitmotifError) -> Path:
    """Return the path of ``what``; raises ``error`` for what is none, the empty text included.

    An empty text would be the working directory, which nobody means who passes on a variable that
    is not set.
    """
    if isinstance(value, str | Path) and str(value):
        try:
            Path(value).is_symlink()
        except (OSError, ValueError) as problem:  # too long, a NUL, a character no file system has
            found = f"{str(value)!r:.80}: {problem.args[-1]}"
        else:
            return Path(value)
    else:
        found = f"{value!r:.80}"
    raise error(f"{what} is no path", found=found, expected="text that is not empty, or a Path")


def odd_storage(tensor: Any) -> str | None:
    """What keeps the numbers of a torch tensor from being read one by one; None: nothing does."""
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.is_meta:
        return "a tensor on the device meta, which holds no numbers"
    if tensor.is_quantized:
        return f"a quantised tensor, {tensor.dtype}"
    if str(tensor.layout) != "torch.strided":
        return f"a tensor of layout {tensor.layout}"
    if tensor.is_floating_point() and tensor.dtype.itemsize < 2:
        return f"a tensor of {tensor.dtype}, in which nothing is computed"
    return None
