"""One edit for many rows of a batch: each under a condition of its own, all read at once.

A sweep puts dozens of conditions on one site. Edited one by one, each would encode its few rows by
itself at every step; together they take one product, whatever their number.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.targets import join
from leitmotif.musicgen import Intervention
from leitmotif.musicgen.intervention import Edit


@dataclass(frozen=True, eq=False)
class Treated:
    """A row of a batch and what is done to it."""

    row: int
    condition: Condition
    source: int | None
    """Row whose activations a condition with a source takes; None for one without."""


def interventions(treated: Sequence[Treated], continuation: range) -> Iterator[Intervention]:
    """Interventions that together do all of it: one for each family of targets and window.

    ``continuation`` are the steps of conditions that name none. Rows without a target are left out.
    """
    groups: dict[Hashable, list[Treated]] = {}
    for one in treated:
        if one.condition.target is not None:
            groups.setdefault((one.condition.target.family, one.condition.steps), []).append(one)
    for group in groups.values():
        first = group[0].condition
        assert first.target is not None
        sources = list(dict.fromkeys(one.source for one in group if one.source is not None))
        yield Intervention(
            first.target.site,
            joint_edit(
                [one.condition for one in group],
                [None if one.source is None else sources.index(one.source) for one in group],
                sources=len(sources),
            ),
            rows=[*sources, *(one.row for one in group)],
            steps=continuation if first.steps is None else first.steps,
        )


def joint_edit(
    conditions: Sequence[Condition], source_of: Sequence[int | None], *, sources: int = 0
) -> Edit:
    """The function that changes rows, activations [halves * (sources + rows), n, d].

    In each half of the guidance come first the ``sources`` rows that are only read from, then a
    row for each of the conditions, whose targets are of one family; row i takes activations from
    source ``source_of[i]``. A change of nothing leaves a row as it was, to the last bit.
    """
    targets = [condition.target for condition in conditions if condition.target is not None]
    target, columns = join(targets)
    given = torch.tensor([-1 if number is None else number for number in source_of])
    strength = torch.tensor([[condition.strength] for condition in conditions], dtype=torch.float64)
    moves = _moves(columns)

    def change(x: Tensor) -> Tensor:
        by_half = x.view(-1, sources + len(conditions), *x.shape[1:])
        read = target.read(by_half)  # [halves, sources + rows, n, c]
        before = read[:, sources:]
        scale = strength.to(read).view(1, -1, 1, 1)
        patched = (given >= 0).to(x.device).view(1, -1, 1, 1)
        # a' - a, which is s a - a, or with a source s (a_source - a)
        step = scale * before - before
        if sources:
            from_source = read[:, given.clamp(min=0).to(x.device)]
            step = torch.where(patched, scale * (from_source - before), step)
        if moves is not None:
            step = torch.where(moves.to(x.device).view(1, len(conditions), 1, -1), step, 0.0)
        moved = target.moved(by_half[:, sources:], step)
        return torch.cat([by_half[:, :sources], moved], dim=1).view_as(x)

    return change


def _moves(columns: Sequence[Sequence[int]]) -> Tensor | None:
    """Which columns each row's condition moves [rows, c]; None: all."""
    width = 1 + max((column for one in columns for column in one), default=-1)
    if not width:
        return None
    moves = torch.zeros(len(columns), width, dtype=torch.bool)
    for row, one in enumerate(columns):
        moves[row, list(one)] = True
    return moves
