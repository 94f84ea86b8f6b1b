"""What a model is given: numbers and rows as plain Python has them, tensors that fit its own."""

import numpy as np
import torch
from torch import Tensor

from leitmotif.arguments import is_integer, odd_storage
from leitmotif.checkpoints.weights import is_finite
from leitmotif.errors import ModelError


def as_rows(rows: object) -> list[int] | None:
    """Rows as plain integers; None where they are not a sequence of integers from 0 up."""
    if isinstance(rows, Tensor) and odd_storage(rows):
        return None
    if isinstance(rows, Tensor | np.ndarray):
        rows = rows.tolist()
    if not isinstance(rows, list | tuple | range):
        return None
    if not all(is_integer(row) and row >= 0 for row in rows):
        return None
    return [int(row) for row in rows]


def check_result(after: object, before: Tensor, site: str) -> Tensor:
    """Return what a function at ``site`` made of ``before``; raises ModelError if it is no such."""
    if not isinstance(after, Tensor):
        raise ModelError(
            f"the function at {site} returned no activations",
            found=type(after).__name__,
            expected=f"a tensor of shape {tuple(before.shape)}",
            fix="return the changed activations",
        )
    if found := odd_storage(after):
        raise ModelError(
            f"the function at {site} returned activations that cannot be read",
            found=found,
            expected="a dense tensor",
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


def check_residual(residual: object, width: int, *, like: Tensor) -> Tensor:
    """A residual stream [B, S, d] of this width, in the type and place of ``like``.

    Raises ModelError for anything else, and for NaN or infinity.
    """
    is_stream = (
        isinstance(residual, Tensor)
        and odd_storage(residual) is None
        and residual.is_floating_point()
        and residual.dim() == 3
        and residual.shape[-1] == width
    )
    if not isinstance(residual, Tensor) or not is_stream:
        raise ModelError(
            "this is no residual stream of the model",
            found=described(residual),
            expected=f"numbers [B, S, {width}]",
        )
    if not is_finite(residual):
        raise ModelError(
            "the residual stream holds what is not a number",
            found="NaN or infinity",
            expected="finite numbers",
        )
    return residual.to(device=like.device, dtype=like.dtype)


def check_steps(steps: object, length: int) -> list[int]:
    """Return numbers of the steps of a pass, at least one; raises ModelError for what is none."""
    numbers = as_rows(steps)
    if not numbers or max(numbers) >= length:
        raise ModelError(
            "the pass has no such steps",
            found=f"steps={steps!r:.200}",
            expected=f"a list of numbers of 0..{length - 1}, at least one",
        )
    return numbers


def described(value: object) -> str:
    """What was given in the place of a tensor, in a few words: its kind, its shape."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    return odd_storage(value) or f"{value.dtype} of shape {tuple(value.shape)}"
