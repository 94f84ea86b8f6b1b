"""Error rates of the probes' tests on panels whose truth is known, and their power.

    python -m benchmarks.nulls

Targets are drawn anew, ``DRAWS`` on each of ``PANELS`` panels. Those of a panel share its controls,
so intervals are over panels: Student's t of the panels' rates. All tests are at 0.05. A null whose
rate exceeds ``MOST`` is named as out of reach, with the reason, or the run ends with status 1; how
many there are is entered into metrics/validity.json.
Power is of features that share the target's residual with a partial correlation, beside an oracle
that knows the residuals and compares their score by track with Student's t.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import TypedDict

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

from benchmarks._null_panels import LINEAR, NULLS, Array, Case, drawn
from benchmarks._report import RESULTS, machine, record
from leitmotif.files import write_json
from leitmotif.probe.estimators.effects import PartialEffects
from leitmotif.probe.estimators.expansion import expand
from leitmotif.probe.estimators.nested import NestedRidge
from leitmotif.probe.estimators.nulls import studentised
from leitmotif.work.parallel import in_processes
from leitmotif.work.progress import progress

TRACKS = (60, 100)
PANELS, DRAWS, PERMUTATIONS = 16, 32, 199
ALPHA, MOST = 0.05, 0.07
STRENGTHS = (0.1, 0.2)
TESTS = ("PartialEffects", "shifts", "NestedRidge", "oracle")
HELD = ("PartialEffects", "NestedRidge")
"""Tests that should hold their level; the one by shifts asks another question."""


class Rate(TypedDict):
    """Share of draws that a test calls significant, with its 95 % interval over panels."""

    mean: float
    low: float
    high: float


class Row(TypedDict):
    """One case at one number of tracks."""

    case: str
    tracks: int
    strength: float
    rates: dict[str, Rate]
    out_of_reach: str | None
    """Why a null's rate may exceed the limit; null where it does not."""


def tested(case: Case, tracks: int, strength: float, seed: int) -> Array:
    """Share of a panel's draws that each of ``TESTS`` calls significant."""
    made = drawn(case, tracks, DRAWS, seed, strength=strength)
    controls = expand(made.controls, groups=made.groups)
    one_by_one = PartialEffects(permutations=PERMUTATIONS, shifts=PERMUTATIONS, alpha=1.0)
    one_by_one.fit(made.features, made.targets, controls=controls, groups=made.groups)
    together = NestedRidge(permutations=PERMUTATIONS)
    together.fit(made.features, made.targets, controls=controls, groups=made.groups)
    pairs = np.arange(DRAWS)
    starts = np.flatnonzero(np.r_[True, made.groups[1:] != made.groups[:-1]])
    scores = np.add.reduceat(made.left[0] * made.left[1], starts)
    t = studentised(scores.sum(axis=0), (scores**2).sum(axis=0), tracks)
    p = (
        one_by_one.p_[pairs, pairs],
        one_by_one.p_shift_[pairs, pairs],
        together.p_,
        2 * student.sf(np.abs(t), tracks - 1),
    )
    return np.array([(values <= ALPHA).mean() for values in p])


def measured(case: Case, tracks: int, strength: float = 0.0) -> Row:
    """Rates of all tests."""
    shares = np.stack([tested(case, tracks, strength, seed) for seed in range(PANELS)])
    means, error = shares.mean(axis=0), shares.std(axis=0, ddof=1) / np.sqrt(PANELS)
    reach = student.ppf(0.975, PANELS - 1) * error
    rates = {
        name: Rate(
            mean=round(float(mean), 4),
            low=round(max(0.0, float(mean - width)), 4),
            high=round(min(1.0, float(mean + width)), 4),
        )
        for name, mean, width in zip(TESTS, means, reach, strict=True)
    }
    row = Row(case=case.name, tracks=tracks, strength=strength, rates=rates, out_of_reach=None)
    if above([row]):
        row["out_of_reach"] = case.reason
    return row


def unexplained(rows: Sequence[Row]) -> list[str]:
    """Nulls above the limit without a reason."""
    return [
        f"{row['case']}, {row['tracks']} tracks: {name} {row['rates'][name]['mean']:.3f}"
        for row in above(rows)
        if row["out_of_reach"] is None
        for name in HELD
        if row["rates"][name]["mean"] > MOST
    ]


def above(rows: Sequence[Row]) -> list[Row]:
    """Nulls of which a test that should hold its level exceeds the limit."""
    return [
        row
        for row in rows
        if not row["strength"] and max(row["rates"][name]["mean"] for name in HELD) > MOST
    ]


def main() -> int:
    """Measure, print the table and write benchmarks/results/nulls.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    cells = [(case, tracks, 0.0) for case in NULLS for tracks in TRACKS]
    cells += [(LINEAR, tracks, strength) for strength in STRENGTHS for tracks in TRACKS]
    with threadpool_limits(1):
        done = in_processes(partial(_measured), cells)
        rows = list(progress(done, "panels", total=len(cells)))
    write_json(RESULTS / "nulls.json", {"machine": machine(), "rows": rows})
    record("nulls_above", len(above(rows)))
    table = Table("case", "tracks", "strength", *TESTS, "out of reach", title="rates at p 0.05")
    for row in rows:
        rates = [
            f"{rate['mean']:.3f} ({rate['low']:.3f} to {rate['high']:.3f})"
            for rate in row["rates"].values()
        ]
        strength = f"{row['strength']:g}" if row["strength"] else "-"
        table.add_row(row["case"], str(row["tracks"]), strength, *rates, row["out_of_reach"] or "")
    Console(width=200).print(table)
    print(*unexplained(rows), sep="\n")
    return 1 if unexplained(rows) else 0


def _measured(cell: tuple[Case, int, float]) -> Row:
    return measured(*cell)


if __name__ == "__main__":
    sys.exit(main())
