"""What happens at a site during a pass: interventions first, then capture."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen.arguments import cast, check_result
from leitmotif.musicgen.choice import require_sites
from leitmotif.musicgen.intervention import Half, Intervention


class BoundIntervention:
    """An intervention bound to a batch: its rows as indices into the pass's rows."""

    def __init__(self, item: Intervention, rows: Tensor | None, repeats: int, like: Tensor) -> None:
        self._item, self._rows = item, rows
        self._made_no_number = torch.zeros((), dtype=torch.bool, device=like.device)
        self._tensor = None
        if item.tensor is not None:
            tensor = cast(item.tensor, like, item.site)
            if item.change in ("scale", "project_out"):
                tensor = cast(tensor / tensor.norm(), like, item.site)
            self._tensor = tensor.repeat(repeats, 1, 1) if tensor.dim() == 3 else tensor

    def __call__(self, x: Tensor, first_step: int, place: "Place | None" = None) -> Tensor:
        """Return activations [B, S, d] with the change; the first column is ``first_step``."""
        end = first_step + x.shape[1]
        chosen = self._item.steps if self._item.steps is not None else range(first_step, end)
        start, stop = max(chosen.start, first_step), min(chosen.stop, end)
        if start >= stop:
            return x
        columns = slice(start - first_step, stop - first_step)
        before = x[:, columns] if self._rows is None else x[self._rows, columns]
        at: slice | Tensor = slice(start - chosen.start, stop - chosen.start)
        if place is not None:
            at = place.step - chosen.start
        after = self._change(before, at)
        self._watch(before, after)
        x = x.clone()
        if self._rows is None:
            x[:, columns] = after
        else:
            x[self._rows, columns] = after
        return x

    @property
    def made_no_number(self) -> bool:
        """Whether it has made NaN or infinity of numbers so far."""
        return bool(self._made_no_number)

    def _watch(self, before: Tensor, after: Tensor) -> None:
        # Kept as a tensor: to look at it would hold up a GPU at every step.
        were_numbers = torch.isfinite(before.detach()).all()
        are_numbers = torch.isfinite(after.detach()).all()
        self._made_no_number |= were_numbers & ~are_numbers

    def _change(self, x: Tensor, at: slice | Tensor) -> Tensor:
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
                return check_result(function(x), x, self._item.site)


@dataclass(frozen=True, eq=False)
class Place:
    """Where a pass of single steps stands that may be replayed (``musicgen.graphs``)."""

    step: Tensor
    """int64 [1], on the device."""
    steps: int
    """S, of the whole pass."""


class Tap:
    """Carries out interventions and captures at the sites that a pass goes through."""

    def __init__(
        self,
        interventions: Mapping[str, Sequence[BoundIntervention]] | None = None,
        capture: Iterable[str] = (),
    ) -> None:
        self.first_step = 0
        """Step of the pass's first column."""
        self.place: Place | None = None
        """Where the step's number lies if the step may be replayed: then ``captured`` holds one
        tensor for the whole pass, and each step is written into its column."""
        self.captured: dict[str, list[Tensor]] = {site: [] for site in capture}
        self._interventions = interventions or {}
        named = [
            name.partition(".self_attention.") for name in (*self.captured, *self._interventions)
        ]
        self._with_parts = {f"{layer}.self_attention" for layer, dot, _ in named if dot}

    def wants(self, site: str) -> bool:
        """Whether anything happens at ``site``."""
        return site in self.captured or site in self._interventions

    def wants_parts(self, site: str) -> bool:
        """Whether anything happens at a part of the attention ``site``, such as at one head."""
        return site in self._with_parts

    def makers_of_no_number(self) -> list[str]:
        """Sites at which an intervention has made NaN or infinity of numbers, in their order."""
        return [
            site
            for site, bound in self._interventions.items()
            if any(intervention.made_no_number for intervention in bound)
        ]

    def __call__(self, site: str, x: Tensor) -> Tensor:
        """Return the activations [B, S, d] to go on with."""
        if site in self._interventions:
            for intervention in self._interventions[site]:
                x = intervention(x, self.first_step, self.place)
        if site in self.captured:
            self._keep(self.captured[site], x)
        return x

    def _keep(self, kept: list[Tensor], x: Tensor) -> None:
        if self.place is None:
            kept.append(x)
            return
        if not kept:
            kept.append(x.new_zeros(x.shape[0], self.place.steps, x.shape[2]))
        kept[0].index_copy_(1, self.place.step, x)


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


def no_numbers(where: str, tap: Tap, dtype: torch.dtype) -> ModelError:
    """The error of a pass in which NaN or infinity arose at ``where``."""
    made = tap.makers_of_no_number()
    by = f"; the intervention at {', '.join(made)} made it of numbers" if made else ""
    return ModelError(
        "the pass gives no numbers",
        found=f"NaN or infinity, first at {where}{by}",
        expected=f"finite activations, computed in {dtype}",
        fix="make the change smaller"
        if made
        else "load the model with dtype float32, and take guidance and temperature nearer to 1",
    )


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
