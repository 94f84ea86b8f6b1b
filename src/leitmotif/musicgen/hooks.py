"""What happens at a site during a pass: interventions first, then capture.

Steps and frames: with the delay pattern, frame f of codebook 0 is predicted at step f, and that
step has read tokens of earlier frames only. Interventions and captures speak of steps; where frames
are named, these are turned into steps.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.sites import canonical_site, sites_of, summarised

Edit = Callable[[Tensor], Tensor]
Mode = Literal["add", "replace", "scale", "project_out"]
Half = Literal["both", "conditional", "unconditional"]


@dataclass(frozen=True, eq=False)
class Intervention:
    """One change at one site, for chosen rows, steps and halves of the guidance.

    ========================  ==================================================================
    ``"add"``                 x + strength * tensor
    ``"replace"``             x + strength * (tensor - x); strength 1 puts the tensor there
    ``"scale"``               strength * x; with a direction as tensor, its component alone
    ``"project_out"``         x less ``strength`` times its component along the direction
    a function                of the chosen activations [rows, n, d], keeping their shape; during
                              generation it is called for the prefix and then step by step
    ========================  ==================================================================

    ``tensor`` is [d]; for ``add`` and ``replace`` it may be [steps, d] or [rows, steps, d], one
    vector for each chosen step and row, and needs ``steps`` (and ``rows``) to be named. Several
    interventions at one site act in the order given; a pass refuses one that would leave nothing of
    an earlier one (``replace`` with strength 1, ``scale`` with strength 0, at the same rows and
    steps). Raises ModelError if the fields do not agree.
    """

    site: str
    change: Mode | Edit
    tensor: Tensor | None = None
    strength: float = 1.0
    rows: Sequence[int] | None = None
    """Rows of the batch; None means all."""
    steps: range | None = None
    """Contiguous decoder steps; None means all."""
    frames: range | None = None
    """Contiguous codec frames, in place of ``steps``: all steps at which a token of one of them is
    predicted, which are ``range(start, stop + max(delays))`` of the model."""
    half: Half = "both"
    """With guidance each row runs with and without its prompt; the ISMIR 2024 experiments change
    the conditional half only."""

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "site", canonical_site(self.site))
        except ValueError as error:
            raise ModelError(str(error)) from None
        if self.steps is not None and (self.steps.step != 1 or self.steps.start < 0):
            raise self._error(self.steps, "steps as range(start, stop) with 0 <= start")
        if self.frames is not None:
            self._check_frames(self.frames)
        if self.half not in get_args(Half):
            raise self._error(f"half={self.half!r}", f"one of {get_args(Half)}")
        if callable(self.change):
            if self.tensor is not None or self.strength != 1.0:
                raise self._error("a function with a tensor or strength", "a function alone")
            return
        if self.change not in get_args(Mode):
            raise self._error(repr(self.change), f"a function or one of {get_args(Mode)}")
        if self.tensor is None:
            if self.change != "scale":
                raise self._error("no tensor", f"a tensor for {self.change!r}")
            return
        self._check_tensor(self.tensor)

    def _check_frames(self, frames: range) -> None:
        if self.steps is not None:
            raise self._error("both steps and frames", "one of them")
        if frames.step != 1 or frames.start < 0:
            raise self._error(frames, "frames as range(start, stop) with 0 <= start")

    def _check_tensor(self, tensor: Tensor) -> None:
        if not torch.isfinite(tensor).all():
            raise self._error("a tensor with NaN or infinity", "finite numbers")
        if self.change in ("scale", "project_out"):
            if tensor.dim() != 1 or not tensor.any():
                raise self._error(
                    f"a direction of shape {tuple(tensor.shape)}, norm {tensor.norm():.3g}",
                    "one vector (d,) other than zero",
                )
            return
        counts = {
            1: (),
            2: (self.steps,),
            3: (self.rows, self.steps),
        }.get(tensor.dim())
        named = counts is not None and all(axis is not None for axis in counts)
        if not named or tuple(tensor.shape[:-1]) != tuple(len(axis or ()) for axis in counts or ()):
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
        """Return the intervention with its frames as steps; itself where it names no frames.

        ``delay`` is the number of steps by which the model's last codebook lags behind.
        """
        if self.frames is None:
            return self
        steps = range(self.frames.start, self.frames.stop + (delay if self.frames else 0))
        return replace(self, frames=None, steps=steps)

    def touches(self, row: int, before: int) -> bool:
        """Whether it changes ``row`` at any step below ``before``."""
        in_time = self.steps is None or (len(self.steps) > 0 and self.steps.start < before)
        return in_time and (self.rows is None or row in self.rows)

    @property
    def discards(self) -> bool:
        """Whether it leaves nothing of the activations that it changes."""
        replaces = self.change == "replace" and self.strength == 1.0
        return replaces or (self.change == "scale" and not self.strength and self.tensor is None)

    def overlaps(self, other: "Intervention") -> bool:
        """Whether both change some row, half and step."""
        rows = self.rows is None or other.rows is None or set(self.rows) & set(other.rows)
        halves = "both" in (self.half, other.half) or self.half == other.half
        named = [item.steps for item in (self, other) if item.steps is not None]
        start = max((steps.start for steps in named), default=0)
        stop = min((steps.stop for steps in named), default=start + 1)
        return bool(rows) and halves and start < stop


class BoundIntervention:
    """An intervention bound to a batch: its rows as indices into the pass's rows."""

    def __init__(self, item: Intervention, rows: Tensor | None, repeats: int, like: Tensor) -> None:
        self._item, self._rows = item, rows
        self._tensor = None
        if item.tensor is not None:
            tensor = item.tensor.to(like)
            if item.change in ("scale", "project_out"):
                tensor = tensor / tensor.norm()
            self._tensor = tensor.repeat(repeats, 1, 1) if tensor.dim() == 3 else tensor

    def __call__(self, x: Tensor, first_step: int) -> Tensor:
        """Return activations [B, S, d] with the change; the first column is ``first_step``."""
        end = first_step + x.shape[1]
        chosen = self._item.steps if self._item.steps is not None else range(first_step, end)
        start, stop = max(chosen.start, first_step), min(chosen.stop, end)
        if start >= stop:
            return x
        columns = slice(start - first_step, stop - first_step)
        before = x[:, columns] if self._rows is None else x[self._rows, columns]
        after = self._change(before, slice(start - chosen.start, stop - chosen.start))
        if after.shape != before.shape:
            raise ModelError(
                f"the function at {self._item.site} changed the activations' shape",
                found=tuple(after.shape),
                expected=tuple(before.shape),
            )
        x = x.clone()
        if self._rows is None:
            x[:, columns] = after
        else:
            x[self._rows, columns] = after
        return x

    def _change(self, x: Tensor, at: slice) -> Tensor:
        strength, tensor = self._item.strength, self._tensor
        if tensor is not None and tensor.dim() > 1:
            tensor = tensor[..., at, :]
        match self._item.change, tensor:
            case "add", Tensor():
                return x + strength * tensor
            case "replace", Tensor():
                return tensor.expand_as(x) if strength == 1.0 else x + strength * (tensor - x)
            case "scale", None:
                return strength * x
            case "scale", Tensor():
                return x + (strength - 1.0) * (x @ tensor)[..., None] * tensor
            case "project_out", Tensor():
                return x - strength * (x @ tensor)[..., None] * tensor
            case function, _:
                assert callable(function)
                return function(x)


class Tap:
    """Carries out interventions and captures at the sites that a pass goes through."""

    def __init__(
        self,
        interventions: Mapping[str, Sequence[BoundIntervention]] | None = None,
        capture: Iterable[str] = (),
    ) -> None:
        self.first_step = 0
        """Step of the pass's first column."""
        self.captured: dict[str, list[Tensor]] = {site: [] for site in capture}
        self._interventions = interventions or {}

    def wants(self, site: str) -> bool:
        """Whether anything happens at ``site``."""
        return site in self.captured or site in self._interventions

    def __call__(self, site: str, x: Tensor) -> Tensor:
        """Return the activations [B, S, d] to go on with."""
        if site in self._interventions:
            for intervention in self._interventions[site]:
                x = intervention(x, self.first_step)
        if site in self.captured:
            self.captured[site].append(x)
        return x


def bind(
    interventions: Sequence[Intervention],
    *,
    rows: int,
    halves: Sequence[Half],
    sites: Sequence[str],
    like: Tensor,
) -> dict[str, list[BoundIntervention]]:
    """Group interventions by site for a batch of ``rows`` in each of ``halves``, in that order.

    ``sites`` are those that the model offers; ``like`` is a tensor [..., d] of its width, dtype and
    device. Raises ModelError for a site, row, width or half that the pass does not have, and for
    an intervention that would wipe out what an earlier one at its site does.
    """
    bound: dict[str, list[BoundIntervention]] = {}
    for number, item in enumerate(interventions):
        require_sites([item.site], sites)
        for earlier in interventions[:number]:
            _refuse_wiping_out(earlier, item)
        offsets = [i * rows for i, half in enumerate(halves) if item.half in ("both", half)]
        if not offsets:
            raise ModelError(
                f"the intervention at {item.site} would change nothing",
                found=f"half={item.half!r} in a pass that has only {', '.join(halves)} rows",
                fix="give prompts, use guidance, or choose half='both'",
            )
        chosen = list(range(rows) if item.rows is None else item.rows)
        if len(set(chosen)) != len(chosen) or not set(chosen) <= set(range(rows)):
            raise ModelError(
                f"the intervention at {item.site} names rows that the batch lacks, or one twice",
                found=chosen,
                expected=f"distinct rows of 0..{rows - 1}",
            )
        if item.tensor is not None and item.tensor.shape[-1] != like.shape[-1]:
            raise ModelError(
                f"the intervention at {item.site} has a tensor of another width",
                found=f"shape {tuple(item.tensor.shape)}",
                expected=f"{like.shape[-1]} numbers in the last axis",
            )
        everything = item.rows is None and len(offsets) == len(halves)
        indices = torch.tensor(
            [at + row for at in offsets for row in chosen], dtype=torch.long, device=like.device
        )
        bound.setdefault(item.site, []).append(
            BoundIntervention(item, None if everything else indices, len(offsets), like)
        )
    return bound


def _refuse_wiping_out(earlier: Intervention, later: Intervention) -> None:
    """Raise ModelError if ``later`` leaves nothing of what ``earlier`` does somewhere."""
    if later.site == earlier.site and later.discards and later.overlaps(earlier):
        raise ModelError(
            f"two interventions at {later.site} change the same rows and steps, and the second "
            "leaves nothing of the first",
            found=f"{earlier.change!r}, then {later.change!r} with strength {later.strength:g}",
            expected="changes that add up, as they act in the order given",
            fix="leave the first one out, or give them rows, steps or halves of their own",
        )


def check_sites(sites: Iterable[str], layers: int) -> list[str]:
    """Return canonical names of sites of a MusicGen with ``layers`` blocks; raises ModelError."""
    return require_sites(sites, sites_of(layers))


def require_sites(sites: Iterable[str], offered: Sequence[str]) -> list[str]:
    """Return canonical names; raises ModelError for a bad name, or a site that is not offered.

    ``offered`` are the canonical names of all sites that a model has.
    """
    canonical = []
    for name in sites:
        try:
            site = canonical_site(name)
        except ValueError as error:
            raise ModelError(str(error)) from None
        if site not in offered:
            raise ModelError(
                f"the model has no site {name}",
                expected=summarised(offered),
                fix="layers count from 0; literature that counts from 1 means the one before",
            )
        canonical.append(site)
    return canonical


class ActivationCache(Mapping[str, Tensor]):
    """Captured activations [B, S, d] by site; a site's alias finds it too.

    So does a pair of a TransformerLens name and a layer: ``cache["resid_post", 3]``.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = dict(tensors)

    def __getitem__(self, site: str | tuple[str, int]) -> Tensor:
        """Activations [B, S, d]; raises KeyError naming what was captured."""
        name = site if isinstance(site, str) else f"{site[0]}{site[1]}"
        try:
            return self._tensors[canonical_site(name)]
        except (KeyError, ValueError):
            raise KeyError(f"{name} was not captured; captured: {list(self._tensors)}") from None

    def at_frames(self, site: str | tuple[str, int], frames: range) -> Tensor:
        """Activations [B, len(frames), d]: for frame f the first step at which it is predicted.

        That row has read tokens of frames before f only, so it is a summary of what precedes f.
        Raises KeyError as ``cache[site]`` does, and ModelError for frames that were not read.
        """
        activations = self[site]
        steps = activations.shape[1]
        if frames.step != 1 or not 0 <= frames.start <= frames.stop <= steps:
            raise ModelError(
                "these frames were not captured",
                found=frames,
                expected=f"range(start, stop) within 0..{steps}",
            )
        return activations[:, frames.start : frames.stop]

    def __iter__(self) -> Iterator[str]:
        """Iterate over canonical site names."""
        return iter(self._tensors)

    def __len__(self) -> int:
        """Count the sites."""
        return len(self._tensors)

    def __repr__(self) -> str:
        """Show sites and shapes."""
        shapes = {site: tuple(tensor.shape) for site, tensor in self._tensors.items()}
        return f"ActivationCache({shapes})"
