"""Numbers that a caller gives, as plain Python has them."""

import math
from numbers import Integral, Real


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
