"""What a model is given: numbers and rows as plain Python has them, tensors that fit its own."""

import math
from numbers import Integral, Real

import torch
from torch import Tensor

from leitmotif.errors import ModelError


def as_rows(rows: object) -> list[int] | None:
    """Rows as plain integers; None where they are not a sequence of integers from 0 up."""
    if isinstance(rows, Tensor) or hasattr(rows, "tolist"):
        rows = rows.tolist()
    if not isinstance(rows, list | tuple | range):
        return None
    if not all(is_integer(row) and row >= 0 for row in rows):
        return None
    return [int(row) for row in rows]


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


def check_result(after: object, before: Tensor, site: str) -> Tensor:
    """Return what a function at ``site`` made of ``before``; raises ModelError if it is no such."""
    if not isinstance(after, Tensor):
        raise ModelError(
            f"the function at {site} returned no activations",
            found=type(after).__name__,
            expected=f"a tensor of shape {tuple(before.shape)}",
            fix="return the changed activations",
        )
    if after.shape != before.shape:
        raise ModelError(
            f"the function at {site} changed the activations' shape",
            found=tuple(after.shape),
            expected=tuple(before.shape),
        )
    if after.device != before.device or not after.is_floating_point():
        raise ModelError(
            f"the function at {site} returned activations of another kind",
            found=f"{after.dtype} on {after.device}",
            expected=f"{before.dtype} on {before.device}",
        )
    return after


def cast(tensor: Tensor, like: Tensor, site: str) -> Tensor:
    """An intervention's tensor in the model's type and place; raises ModelError if it overflows."""
    there = tensor.to(like)
    if not torch.isfinite(there).all():
        raise ModelError(
            f"the intervention at {site} has a tensor that the model's type does not hold",
            found=f"up to {float(tensor.detach().abs().max()):.3g}",
            expected=f"at most {torch.finfo(like.dtype).max:.3g}, as {like.dtype}",
        )
    return there
