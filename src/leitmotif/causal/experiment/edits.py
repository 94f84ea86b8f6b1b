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
from leitmotif.musicgen import Intervention, Replayable
from leitmotif.placed import Placed


@dataclass(frozen=True, eq=False)
class Treated:
    """A row of a batch and what is done to it."""

    row: int
    condition: Condition
    source: int | None
    """Row whose activations a condition with a source takes; None for one without."""
    steps: range | None = None
    """Steps at which the edit is done; None: the whole continuation."""


def interventions(treated: Sequence[Treated], continuation: range) -> Iterator[Intervention]:
    """Interventions that together do all of it: one for each family of targets and window.

    ``continuation`` are the steps of conditions that name none. Rows without a target are left out.
    """
    groups: dict[Hashable, list[Treated]] = {}
    for treatment in treated:
        condition = treatment.condition
        if condition.target is not None:
            groups.setdefault((condition.target.family, treatment.steps), []).append(treatment)
    for group in groups.values():
        target, steps = group[0].condition.target, group[0].steps
        assert target is not None
        source_of = [treatment.source for treatment in group]
        sources = list(dict.fromkeys(source for source in source_of if source is not None))
        yield Intervention(
            target.site,
            joint_edit(
                [treatment.condition for treatment in group],
                [None if source is None else sources.index(source) for source in source_of],
                sources=len(sources),
            ),
            rows=[*sources, *(treatment.row for treatment in group)],
            steps=continuation if steps is None else steps,
        )


def joint_edit(
    conditions: Sequence[Condition], source_of: Sequence[int | None], *, sources: int = 0
) -> Replayable:
    """The function that changes rows, activations [halves * (sources + rows), n, d].

    In each half of the guidance come first the ``sources`` rows that are only read from, then a
    row for each of the conditions, whose targets are of one family; row i takes activations from
    source ``source_of[i]``. A change of nothing leaves a row as it was, to the last bit.
    """
    targets = [condition.target for condition in conditions if condition.target is not None]
    target, columns = join(targets)
    given = torch.tensor([-1 if number is None else number for number in source_of])
    rows = Placed(given.clamp(min=0))
    is_patched = Placed((given >= 0).view(1, -1, 1, 1))
    strengths = [condition.strength for condition in conditions]
    strength = Placed(torch.tensor(strengths, dtype=torch.float64).view(1, -1, 1, 1))
    moves = _moves(columns)
    stays = None if moves is None else Placed(~moves.view(1, len(conditions), 1, -1))

    def change(x: Tensor) -> Tensor:
        by_half = x.view(-1, sources + len(conditions), *x.shape[1:])
        read = target.read(by_half)  # [halves, sources + rows, n, c]
        before = read[:, sources:]
        scale = strength.like(read)
        # a' - a, which is s a - a, or with a source s (a_source - a)
        step = scale * before - before
        if sources:
            from_source = read[:, rows.on(x.device)]
            step = torch.where(is_patched.on(x.device), scale * (from_source - before), step)
        if stays is not None:
            step = step.masked_fill(stays.on(x.device), 0.0)
        moved = target.moved(by_half[:, sources:], step)
        return torch.cat([by_half[:, :sources], moved], dim=1).view_as(x)

    return Replayable(change)


def _moves(columns: Sequence[Sequence[int]]) -> Tensor | None:
    """Which columns each row's condition moves [rows, c]; None: all."""
    width = 1 + max((column for of_row in columns for column in of_row), default=-1)
    if not width:
        return None
    moves = torch.zeros(len(columns), width, dtype=torch.bool)
    for row, of_row in enumerate(columns):
        moves[row, list(of_row)] = True
    return moves
