"""Numbers that a notebook gives: whole ones, positive ones, and lists of them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leitmotif.arguments import as_number, is_integer, odd_storage
from leitmotif.errors import LeitmotifError


def whole_number(value: object, name: str, *, least: int, most: int | None = None) -> int:
    """Return an integer in a range, ends included; raises LeitmotifError."""
    if not is_integer(value) or value < least or (most is not None and value > most):  # type: ignore[operator]
        span = f"from {least} up" if most is None else f"of {least}..{most}"
        raise LeitmotifError(
            f"{name} cannot be used", found=f"{value!r:.200}", expected=f"a whole number {span}"
        )
    return int(value)  # type: ignore[call-overload]


def whole_numbers(values: object, name: str, *, count: int) -> list[int]:
    """Return numbers of 0..``count`` - 1, at least one; raises LeitmotifError."""
    odd = hasattr(values, "detach") and odd_storage(values)
    listed = values.tolist() if hasattr(values, "tolist") and not odd else values
    if not isinstance(listed, list | tuple | range) or not listed:
        raise LeitmotifError(
            f"{name} cannot be used",
            found=f"{values!r:.200}",
            expected=f"a list of numbers of 0..{count - 1}",
        )
    return [whole_number(value, name, least=0, most=count - 1) for value in listed]


def positive(value: object, name: str) -> float:
    """Return a finite number above 0; raises LeitmotifError."""
    number = as_number(value)
    if number is None or number <= 0:
        raise LeitmotifError(
            f"{name} cannot be used", found=f"{value!r:.200}", expected="a finite number above 0"
        )
    return number


def spans_of(spans: object) -> list[tuple[str, float, float]]:
    """Return named spans (start, end) in seconds; raises LeitmotifError for what is none."""
    if not isinstance(spans, Mapping):
        raise _no_span("spans", spans)
    checked = []
    for name, span in spans.items():
        ends = [as_number(end) for end in span] if isinstance(span, Iterable) else []
        if len(ends) != 2 or ends[0] is None or ends[1] is None or not ends[0] < ends[1]:
            raise _no_span(f"the span {name}", span)
        checked.append((str(name), ends[0], ends[1]))
    return checked


def finite_array(values: Any, what: str) -> NDArray[np.float64]:
    """Return an array or tensor as float64; raises LeitmotifError unless all are finite."""
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            values = values.float() if "bfloat16" in str(values.dtype) else values
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_numbers(what, f"{type(values).__name__}: {error}") from error
    if array.dtype.kind not in "fiu":
        raise _no_numbers(what, f"dtype {array.dtype}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        found = f"{np.count_nonzero(~np.isfinite(array))} NaN or infinite of {array.size}"
        raise _no_numbers(what, found)
    return array


def _no_span(name: str, found: object) -> LeitmotifError:
    return LeitmotifError(
        f"{name} cannot be drawn",
        found=f"{found!r:.200}",
        expected="a start before the end, in seconds, by name: {'motif': (1.5, 4.0)}",
    )


def _no_numbers(what: str, found: str) -> LeitmotifError:
    return LeitmotifError(f"{what} cannot be drawn", found=found, expected="finite numbers")
