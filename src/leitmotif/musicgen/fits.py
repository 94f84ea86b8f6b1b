"""Whether interventions fit a pass: they are refused where they would change nothing."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.sites import split_site

if TYPE_CHECKING:
    from leitmotif.musicgen.intervention import Half, Intervention


@dataclass(frozen=True)
class Pass:
    """What a pass goes through."""

    rows: int
    """Rows of the batch, in each half."""
    halves: Sequence["Half"]
    """Halves of the guidance; without it, the one that there is."""
    steps: int
    """Decoder steps from 0, those of a prefix included."""
    layers: int
    """Blocks that run."""

    def check(self, interventions: Sequence["Intervention"]) -> None:
        """Raise ModelError for an intervention that changes nothing of it.

        Frames must have been turned into steps. One that names more steps than there are is
        carried out on those that there are, with a UserWarning.
        """
        for item in interventions:
            if item.rows is not None and not item.rows:
                raise _nothing(item, "rows=[]", "at least one row")
            if item.steps is not None:
                self._check_steps(item, item.steps)
            layer, kind = split_site(item.site)
            if layer >= self.layers:
                found = f"the pass runs {self.layers} blocks, and ends before this site"
                raise _nothing(item, found, f"a site of a block below {self.layers}")
            if kind == "cross_attention" and item.half != "conditional":
                self._check_cross_attention(item)

    def _check_steps(self, item: "Intervention", named: range) -> None:
        inside = range(named.start, min(named.stop, self.steps))
        if not inside:
            raise _nothing(
                item,
                f"steps {named.start} to {named.stop} in a pass of {self.steps} steps",
                f"at least one of the steps 0 to {self.steps - 1}",
            )
        if len(inside) < len(named):
            warnings.warn(
                f"the intervention at {item.site} names steps {named.start} to {named.stop - 1}; "
                f"the pass ends with step {self.steps - 1}, so it changes {len(inside)} of "
                f"{len(named)} steps",
                stacklevel=5,
            )

    def _check_cross_attention(self, item: "Intervention") -> None:
        """Without a prompt cross-attention adds zeros, which these two leave as they are."""
        reads_prompt = "conditional" in self.halves and item.half != "unconditional"
        if item.change in ("scale", "project_out") and not reads_prompt:
            raise _nothing(
                item,
                f"{item.change!r} of the zeros that cross-attention adds without a prompt",
                "a pass with prompts, or another change",
            )


def _nothing(item: "Intervention", found: str, expected: str) -> ModelError:
    return ModelError(
        f"the intervention at {item.site} would change nothing", found=found, expected=expected
    )


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
