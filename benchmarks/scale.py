"""Planted effects found among one, ten and 160 thousand features, and what that takes.

    python -m benchmarks.scale

Before: permutations for a block of 1,024 features, with the correction over all of them. The
p-values are those that this rule gives to the same statistics; its seconds are those of one block
times the blocks. Each row runs in a process of its own, with one thread, whose peak memory is
noted. Beside it: the share of false discoveries over many small panels.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any, TypedDict

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import sparse
from scipy.stats import false_discovery_control
from threadpoolctl import threadpool_limits

from benchmarks._report import RESULTS, machine
from benchmarks._sparse_panels import HORIZON, SparsePanel, sparse_panel
from leitmotif.claims import Claims
from leitmotif.files import write_json
from leitmotif.intervals import interval_of, track_weights
from leitmotif.probe.estimators.effects import PartialEffects
from leitmotif.probe.estimators.experiment import ProbeSettings, expanded, varying
from leitmotif.probe.inputs.controls import Position
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.ranking import candidates
from leitmotif.probe.study.leak import look_ahead
from leitmotif.tables.candidates import Ranked
from leitmotif.work.progress import progress

CELLS = ((40, 1_024), (100, 1_024), (40, 10_240), (100, 10_240), (100, 163_840))
"""Tracks and features."""
TRACKS, PANELS = (40, 100), 40
"""Of the share of false discoveries."""
PLANTED, STRENGTH = 8, 0.9
BEFORE = 2 * (1_024 * 20 - 1)
"""Permutations for a block of 1,024 features at a false discovery rate of 0.05."""
LEAST_ACTIVE = 0.1
CLAIMS = Claims.of_horizons([[HORIZON.after, HORIZON.until]], minimum_seconds=5, alpha=0.05)
PROBING = ProbeSettings(folds=5, permutations=199, shifts=1000, alpha=0.05, seeds=3, seed=0)
CONTROLS = ControlSettings([Position()], knots=2, interactions=8)


class Row(TypedDict):
    """One panel."""

    tracks: int
    features: int
    tested: int
    planted: int
    found_before: int
    false_before: int
    found: int
    false: int
    alone_before: float
    """The smallest q that an effect could have by itself."""
    alone: float
    seconds_before: float
    seconds: float
    most_exchanges: int
    exchanges: int
    peak_mb: int


def searched(made: SparsePanel, probing: ProbeSettings = PROBING) -> list[Ranked]:
    """All features, ranked as the stage does it."""
    inside = made.sample.inside
    blocks = (
        block
        for encoded in made.encoded
        for block in encoded.blocks(inside, least_active=LEAST_ACTIVE)
    )
    return candidates(blocks, made.sample, CONTROLS, probing, CLAIMS)


def q_before(ranked: list[Ranked]) -> np.ndarray:
    """What q would be with a fixed number of permutations; none below their resolution."""
    p = np.maximum([feature.p for feature in ranked], 1 / (BEFORE + 1))
    return np.asarray(false_discovery_control(p))


def found(made: SparsePanel, ranked: list[Ranked], q: np.ndarray) -> tuple[int, int]:
    """Numbers of planted features and of others that are chosen."""
    chosen = {
        (feature.site, feature.feature)
        for feature, value in zip(ranked, q, strict=True)
        if CLAIMS.is_chosen(value)
    }
    return len(chosen & made.planted), len(chosen - made.planted)


def measured(tracks: int, features: int) -> Row:
    """Search one panel."""
    made = sparse_panel(features, tracks=tracks, planted=PLANTED, strength=STRENGTH, seed=0)
    begun = time.perf_counter()
    ranked = searched(made)
    seconds = time.perf_counter() - begun
    q = np.array([feature.q for feature in ranked])
    before = q_before(ranked)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    hits, false = found(made, ranked, q)
    hits_before, false_before = found(made, ranked, before)
    exchanges = [feature.exchanges or 0 for feature in ranked]
    return Row(
        tracks=tracks,
        features=features,
        tested=len(ranked),
        planted=len(made.planted & {(feature.site, feature.feature) for feature in ranked}),
        found_before=hits_before,
        false_before=false_before,
        found=hits,
        false=false,
        alone_before=float(f"{len(ranked) / (BEFORE + 1):.3g}"),
        alone=CLAIMS.alpha,
        seconds_before=round(_seconds_of_block(made) * len(ranked) / 1024, 1),
        seconds=round(seconds, 1),
        most_exchanges=max(exchanges),
        exchanges=round(float(np.mean(exchanges))),
        peak_mb=peak,
    )


def _seconds_of_block(made: SparsePanel) -> float:
    """The fixed number of permutations for one block, without the stability over splits."""
    inside = made.sample.inside
    block = next(made.encoded[0].blocks(inside, least_active=LEAST_ACTIVE))
    controls = expanded(made.sample, CONTROLS)
    test = PartialEffects(permutations=BEFORE, shifts=PROBING.shifts)
    begun = time.perf_counter()
    values = varying(block.values[inside])[0]
    test.fit(values, made.sample.y, controls=controls, groups=made.sample.groups)
    return (time.perf_counter() - begun) * 1024 / len(values.T)


def false_share(draws: int, *, features: int, tracks: int, planted: int) -> dict[str, float]:
    """False discoveries over all, mean over panels: the rate that is to be at most 0.05."""
    shares, hits = [], 0
    for seed in progress(range(draws), "panels", total=draws):
        made = sparse_panel(
            features, tracks=tracks, planted=planted, strength=STRENGTH, seed=100 + seed
        )
        ranked = searched(made, replace(PROBING, shifts=0, seeds=1))
        right, false = found(made, ranked, np.array([feature.q for feature in ranked]))
        shares.append(false / max(1, right + false))
        hits += right
    values = np.array(shares)
    resampled = track_weights(draws, seed=0) @ values / draws
    rate = interval_of(float(values.mean()), resampled, tracks=draws)
    return {
        "tracks": tracks,
        "features": features,
        "planted": planted,
        "panels": draws,
        "false_share": round(rate.mean, 4),
        "high": round(rate.high, 4),
        "found": round(hits / max(1, draws * planted), 3),
    }


def leak_check() -> dict[str, int]:
    """Peak memory of the leak check on one context of 30 s, five autoencoders, 100 features a row.

    Beside it what one array of these features would take if it were dense.
    """
    rows, features, active = 1_500, 163_840, 500
    random = np.random.default_rng(0)
    columns = random.integers(features, size=(rows, active))
    values = random.random((rows, active))

    def extract(audio: np.ndarray) -> sparse.csr_array:
        loud = np.sqrt((audio.reshape(rows, -1) ** 2).mean(axis=1, keepdims=True))
        entries = ((values * (1 + loud)).ravel(), columns.flatten(), np.arange(rows + 1) * active)
        made = sparse.csr_array(entries, shape=(rows, features))
        made.sum_duplicates()
        return made

    audio = random.normal(size=rows * 640).astype(np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ahead = look_ahead(
        extract, audio, sample_rate=32_000, instants=np.arange(rows) / 50, cuts=[10.0, 20.0]
    )
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert ahead.max() <= 0.02
    return {
        "features": features,
        "rows": rows,
        "peak_mb": (after - before) // 1024,
        "one_dense_mb": rows * features * 8 // 2**20,
    }


def main() -> int:
    """Measure, print the table and write benchmarks/results/scale.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, type=int, metavar=("TRACKS", "FEATURES"))
    parser.add_argument("--leak-check", action="store_true")
    asked = parser.parse_args()
    with threadpool_limits(1):
        if asked.one or asked.leak_check:
            print(json.dumps(measured(*asked.one) if asked.one else leak_check()))
            return 0
        rates = [
            false_share(PANELS, features=256, tracks=tracks, planted=planted)
            for tracks in TRACKS
            for planted in (0, PLANTED)
        ]
    rows = [_alone("--one", *cell) for cell in CELLS]
    leak = _alone("--leak-check")
    write_json(
        RESULTS / "scale.json",
        {"machine": machine(), "rows": rows, "rates": rates, "leak_check": leak},
    )
    for title, lines in (
        ("planted effects", rows),
        ("false discoveries", rates),
        ("leak check", [leak]),
    ):
        table = Table(*lines[0], title=title)
        for line in lines:
            table.add_row(*map(str, line.values()))
        Console(width=200).print(table)
    return 1 if any(row["found"] < row["found_before"] for row in rows) else 0


def _alone(*arguments: object) -> dict[str, Any]:
    """What this program prints in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale", *map(str, arguments)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(output.splitlines()[-1]))


if __name__ == "__main__":
    sys.exit(main())
