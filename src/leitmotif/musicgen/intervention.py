"""Interventions: one change at one site, for chosen rows, steps and halves of the guidance.

Steps and frames: with the delay pattern, frame f of codebook 0 is predicted at step f, and that
step has read tokens of earlier frames only. Interventions and captures speak of steps; where frames
are named, these are turned into steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from leitmotif.arguments import as_number, odd_storage
from leitmotif.errors import ModelError
from leitmotif.musicgen.arguments import as_rows, described
from leitmotif.sites import canonical_site

Edit = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Replayable:
    """A function for an ``Intervention`` that a graph of a step may hold (``musicgen.graphs``).

    On a CUDA GPU a step is recorded and replayed, and Python does not run again. Steps at which an
    unmarked function acts are not replayed.

    Parameters
    ----------
    function: of the chosen activations [rows, n, d], keeping their shape. It has to be operations
        on tensors of the model's device alone: no value goes to Python (``.item()``, ``if
        x.any()``, a mask as an index) and none comes from it, nothing is counted or collected in
        Python, and what it changes, it changes in place.

    Raises ModelError for what is no function; one that breaks the rule fails when the step is
    recorded.

    Example
    -------
    >>> import torch
    >>> Replayable(lambda x: 2 * x)(torch.ones(1, 1, 2))
    tensor([[[2., 2.]]])
    """

    function: Edit

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ModelError(
                "this is no function of activations",
                found=f"{self.function!r:.200}",
                expected="a function of a tensor [rows, n, d]",
            )

    def __call__(self, x: Tensor) -> Tensor:
        """Call the function.

        Parameters
        ----------
        x: activations [rows, n, d].

        Returns
        -------
        Changed activations of the same shape.
        """
        return self.function(x)


Mode = Literal["add", "replace", "scale", "project_out"]


Half = Literal["both", "conditional", "unconditional"]


@dataclass(frozen=True, eq=False)
class Intervention:
    """One change at one site, for chosen rows, steps and halves of the guidance.

    Parameters
    ----------
    site: canonical name or alias of the site.
    change: one of the rows of the table below.
    tensor: [d]; for ``add`` and ``replace`` also [steps, d] or [rows, steps, d], one vector for
        each chosen step and row, with ``steps`` (and ``rows``) named.
    strength: a factor, see the table.
    rows: rows of the batch, from 0; None means all.
    steps: contiguous decoder steps; None means all.
    frames: contiguous codec frames, in place of ``steps``: all steps at which a token of one of
        them is predicted, which are ``range(start, stop + max(delays))`` of the model.
    half: with guidance each row runs with and without its prompt: ``conditional``,
        ``unconditional`` or ``both``. The ISMIR 2024 experiments change the conditional half only.

    ========================  ==================================================================
    ``"add"``                 x + strength * tensor
    ``"replace"``             x + strength * (tensor - x); strength 1 puts the tensor there
    ``"scale"``               strength * x; with a direction as tensor, its component alone
    ``"project_out"``         x less ``strength`` times its component along the direction
    a function                of the chosen activations [rows, n, d], keeping their shape; during
                              generation it is called for the prefix and then step by step
                              (on a GPU faster if it is ``Replayable``)
    ========================  ==================================================================

    Several interventions at one site act in the order given. A pass refuses one that would leave
    nothing of an earlier one (``replace`` with strength 1, ``scale`` with strength 0, at the same
    rows and steps). Raises ModelError if the fields do not agree.

    Example
    -------
    >>> import torch
    >>> louder = Intervention("layers.2.residual", "scale", strength=1.5, frames=range(50, 100))
    >>> louder.in_steps(3).steps
    range(50, 103)
    >>> Intervention("resid_post2", "add", torch.ones(64)).site
    'layers.2.residual'
    """

    site: str
    change: Mode | Edit
    tensor: Tensor | None = None
    strength: float = 1.0
    rows: Sequence[int] | None = None
    steps: range | None = None
    frames: range | None = None
    half: Half = "both"

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "site", canonical_site(self.site))
        except (TypeError, ValueError) as error:
            raise ModelError(f"site {self.site!r:.200}: {error}") from None
        self._check_where()
        if not isinstance(self.half, str) or self.half not in get_args(Half):
            raise self._error(f"half={self.half!r}", f"one of {get_args(Half)}")
        strength = as_number(self.strength)
        if strength is None:
            raise self._error(f"strength={self.strength!r}", "a finite number")
        object.__setattr__(self, "strength", strength)
        if callable(self.change):
            if self.tensor is not None or self.strength != 1.0:
                raise self._error("a function with a tensor or strength", "a function alone")
            return
        if not isinstance(self.change, str) or self.change not in get_args(Mode):
            raise self._error(repr(self.change), f"a function or one of {get_args(Mode)}")
        if self.tensor is None:
            if self.change != "scale":
                raise self._error("no tensor", f"a tensor for {self.change!r}")
            return
        self._check_tensor(self.tensor)

    def _check_where(self) -> None:
        """Rows, steps and frames; the rows become plain integers."""
        if self.rows is not None:
            rows = as_rows(self.rows)
            if rows is None:
                raise self._error(
                    f"rows={self.rows!r:.200}", "a list of row numbers from 0 up, such as rows=[0]"
                )
            object.__setattr__(self, "rows", rows)
        if self.steps is not None and self.frames is not None:
            raise self._error("both steps and frames", "one of them")
        for name in ("steps", "frames"):
            span = getattr(self, name)
            if span is not None and not (
                isinstance(span, range) and span.step == 1 and span.start >= 0
            ):
                raise self._error(f"{name}={span!r:.200}", "range(start, stop) with 0 <= start")

    def _check_tensor(self, tensor: Tensor) -> None:
        floating = isinstance(tensor, Tensor) and tensor.is_floating_point()
        if not floating or odd_storage(tensor):
            raise self._error(described(tensor), "a dense floating-point torch.Tensor")
        if not torch.isfinite(tensor).all():
            raise self._error("a tensor with NaN or infinity", "finite numbers")
        if self.change in ("scale", "project_out"):
            if tensor.dim() != 1 or not tensor.norm():
                raise self._error(
                    f"a direction of shape {tuple(tensor.shape)}, norm {tensor.norm():.3g}",
                    "one vector (d,) other than zero",
                )
            return
        axes = {
            1: (),
            2: (self.steps,),
            3: (self.rows, self.steps),
        }.get(tensor.dim())
        named = axes is not None and all(axis is not None for axis in axes)
        if not named or tuple(tensor.shape[:-1]) != tuple(len(axis or ()) for axis in axes or ()):
            raise self._error(
                f"a tensor of shape {tuple(tensor.shape)} with rows={self.rows}, "
                f"steps={self.steps}",
                "(d,), (len(steps), d), or (len(rows), len(steps), d), with those named",
            )

    def _error(self, found: object, expected: str) -> ModelError:
        return ModelError(
            f"the intervention at {self.site} cannot be carried out", found=found, expected=expected
        )

    def in_steps(self, delay: int) -> "Intervention":
        """Name the frames as steps.

        Parameters
        ----------
        delay: steps by which the model's last codebook lags behind.

        Returns
        -------
        The intervention with ``steps`` in place of ``frames``; itself where it names no frames.
        """
        if self.frames is None:
            return self
        steps = range(self.frames.start, self.frames.stop + (delay if self.frames else 0))
        return replace(self, frames=None, steps=steps)

    def touches(self, row: int, before: int) -> bool:
        """Say whether a row is changed before a step.

        Parameters
        ----------
        row: of the batch.
        before: decoder step; only steps below it count.

        Returns
        -------
        True if the intervention changes the row at any of them.
        """
        in_time = self.steps is None or (len(self.steps) > 0 and self.steps.start < before)
        return in_time and (self.rows is None or row in self.rows)

    def acts_in(self, steps: range) -> bool:
        """Say whether any of some steps is changed.

        Parameters
        ----------
        steps: contiguous decoder steps.

        Returns
        -------
        True if the intervention changes one of them or more.
        """
        if self.steps is None:
            return True
        return max(self.steps.start, steps.start) < min(self.steps.stop, steps.stop)

    @property
    def replayable(self) -> bool:
        """Whether a graph of a step may hold it: all but a function that is not marked so."""
        return isinstance(self.change, str | Replayable)

    @property
    def discards(self) -> bool:
        """Whether it leaves nothing of the activations that it changes."""
        replaces = self.change == "replace" and self.strength == 1.0
        return replaces or (self.change == "scale" and not self.strength and self.tensor is None)

    def overlaps(self, other: "Intervention") -> bool:
        """Say whether two interventions change the same place.

        Parameters
        ----------
        other: another intervention, at the same site.

        Returns
        -------
        True if both change some row, half and step.
        """
        rows = self.rows is None or other.rows is None or set(self.rows) & set(other.rows)
        halves = "both" in (self.half, other.half) or self.half == other.half
        named = [item.steps for item in (self, other) if item.steps is not None]
        start = max((steps.start for steps in named), default=0)
        stop = min((steps.stop for steps in named), default=start + 1)
        return bool(rows) and halves and start < stop


def all_in_steps(interventions: object, delay: int) -> list[Intervention]:
    """Return interventions with their frames as steps; raises ModelError for what are none.

    ``delay`` is that of ``Intervention.in_steps``.
    """
    listed = isinstance(interventions, list | tuple)
    given: list[Intervention] = list(interventions) if listed else []  # type: ignore[call-overload]
    if not listed or not all(isinstance(item, Intervention) for item in given):
        raise ModelError(
            "these are not interventions",
            found=f"{interventions!r:.200}",
            expected="a list of Intervention, which may be empty",
        )
    return [item.in_steps(delay) for item in given]
