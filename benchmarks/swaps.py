"""The sweep of swaps between concepts beside forward hooks on `transformers`, cell by cell.

    OMP_NUM_THREADS=1 python -m benchmarks.swaps

On the organism that knows concepts, outputs of components are swapped by both techniques, between a
guitar and a piano. Ours is ``Swaps``, in batches of 96 clips. The peer is ``transformers``'
``generate`` on the same weights, called once for each cell, technique and pair with all prompts of
the pair, with a hook on one module. It is timed on one layer: its rate is the same in the others.
Both sides play the prompts of each concept first, and these clips count too. Controls are left out.

Rates are clips a second of wall time, from the prompt to the tagger's logits, medians of turns; a
ratio is the median of the turns' ratios. What the parts take is processor time in one process.

Before anything is timed, both sides play the peer's part of the sweep greedily, and what the tagger
hears must be equal. In float32 that cannot be asked for: two tokens may be nearly as likely. How
many swaps are heard alike is printed.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np
import torch

from benchmarks._report import Row, report, row
from benchmarks._swap_peer import Stopwatch, SwapPeer
from leitmotif.config import load_params
from leitmotif.judge.models.loading import shared_tagger
from leitmotif.lens.concepts import load_concepts
from leitmotif.lens.pairs import ConceptPairs, concept_pairs
from leitmotif.lens.playing import Playing
from leitmotif.lens.swaps import Swaps
from leitmotif.lens.sweep import SwapSweep, cells_of
from leitmotif.musicgen import GREEDY, Sampling
from leitmotif.musicgen.loading import shared_model
from leitmotif.sites import Component
from leitmotif.work.parallel import WORKERS, number_of_workers

FOLDER = "models/organism/concepts"
COMPONENTS: tuple[Component, ...] = ("self_attention", "cross_attention", "mlp", "residual")
CONCEPTS = ("guitar", "piano")
PEER_LAYERS, ROWS = range(3, 4), 96
PLAYING = Playing(1.0, Sampling(top_k=50), 3.0, seed=0)
PARTS = ("generation", "codec", "tagger")


class Timed(NamedTuple):
    """What a side took in one process."""

    wall: float
    """Seconds."""
    parts: Mapping[str, float]
    """Processor seconds; what is neither codec nor tagger is generation."""


@dataclass(frozen=True)
class Case:
    """One comparison."""

    dtype: str
    prompts: int
    """Of each concept; the peer's batch."""
    layers: range
    """What our side sweeps."""

    @property
    def name(self) -> str:
        """What is swapped, for the table."""
        return f"{self.dtype}, {self.prompts} prompts, {self.clips} clips"

    @property
    def clips(self) -> int:
        """Of the whole sweep."""
        return clips_of(self.sweep)

    @cached_property
    def sweep(self) -> SwapSweep:
        """The whole sweep."""
        return sweep_of(self.prompts, self.layers)

    @cached_property
    def peer_sweep(self) -> SwapSweep:
        """The part on which the peer is timed."""
        return sweep_of(self.prompts, PEER_LAYERS)

    @cached_property
    def ours(self) -> Swaps:
        """Our side."""
        params = load_params()
        model = params.model.beside(FOLDER).model_copy(update={"dtype": self.dtype})
        return Swaps(
            load=partial(shared_model, model),
            load_tagger=partial(shared_tagger, params.judge, model.dtype_beside),
            sweep=self.sweep,
            playing=PLAYING,
            rows=ROWS,
        )

    def peer(self, playing: Playing) -> SwapPeer:
        """The other side."""
        tagger = self.ours.load_tagger()
        known = tagger.indices(self.peer_sweep.pairs.labels)
        return SwapPeer.of(FOLDER, self.ours.load(), tagger, known, playing)


CASES = (
    Case("float64", 2, range(6)),
    Case("float32", 2, range(6)),
    Case("float32", 16, PEER_LAYERS),
)


def main() -> None:
    """Measure, print the table and write benchmarks/results/swaps.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    rows: list[Row] = []
    for case in CASES:
        alike, swaps = heard_alike(case)
        print(f"{case.name}: greedy, {alike} of {swaps} swaps are heard alike", flush=True)
        assert alike == swaps or case.dtype == "float32", "the two sides do not swap alike"
        rows += compared(case, chosen.repeats)
        report("swaps", rows)
    print(table_of(rows))


def heard_alike(case: Case) -> tuple[int, int]:
    """Of how many swaps both sides hear the same greedily, and of how many there are.

    Raises AssertionError if the swaps change nothing.
    """
    greedy = replace(PLAYING, sampling=GREEDY)
    with processes(1):
        ours = replace(case.ours, sweep=case.peer_sweep, playing=greedy).run().after
    theirs = case.peer(greedy).run(case.peer_sweep)
    assert any(one.divergence.any() for one in ours.values()), "the swaps change nothing"
    same = [
        np.allclose(ours[swap].log_odds, other.log_odds, atol=1e-4)
        and np.allclose(ours[swap].divergence, other.divergence, atol=1e-4)
        for swap, other in theirs.items()
    ]
    return sum(same), len(same)


def compared(case: Case, repeats: int) -> list[Row]:
    """Time both sides in turns."""
    peer, model = case.peer(PLAYING), case.ours.load()
    replace(case.ours, sweep=case.peer_sweep, rows=case.prompts).run()  # processes load the model
    turns: dict[str, list[Timed]] = {"peer": [], "one": [], "all": []}
    for _ in range(repeats):
        turns["peer"].append(timed(case, peer.codec, "decode", partial(peer.run, case.peer_sweep)))
        turns["one"].append(timed(case, model, "decode_audio", case.ours.run))
        start = perf_counter()
        case.ours.run()
        turns["all"].append(Timed(perf_counter() - start, {}))
    return rows_of(case, turns)


def rows_of(case: Case, turns: Mapping[str, Sequence[Timed]]) -> list[Row]:
    """Rates in one process and in all, and milliseconds a clip of each part, in one process."""
    played = {"peer": clips_of(case.peer_sweep), "one": case.clips, "all": case.clips}
    rates = {
        side: [played[side] / turn.wall for turn in of_side] for side, of_side in turns.items()
    }
    peer_name = f"transformers generate with a hook, {case.prompts} clips at a time"
    rows = []
    for side, count in (("one", 1), ("all", number_of_workers())):
        entry = row(
            f"{case.name}; processes: {count}",
            median(rates[side]),
            median(rates["peer"]),
            peer_name=peer_name,
            unit="clips/s",
            better="higher",
        )
        ratios = [mine / other for mine, other in zip(rates[side], rates["peer"], strict=True)]
        rows.append(Row({**entry, "ratio": round(median(ratios), 3)}))
    for part in PARTS:
        ours, theirs = (
            median(1000 * turn.parts[part] / played[side] for turn in turns[side])
            for side in ("one", "peer")
        )
        rows.append(
            row(
                f"{case.name}; {part} in one process",
                ours,
                theirs,
                peer_name=peer_name,
                unit="ms/clip",
                better="lower",
            )
        )
    return rows


def table_of(rows: Sequence[Row]) -> str:
    """The rows as the table of docs/stages/swaps.md, a line for each case."""
    lines = [
        "| sweep | clips a second | ratio | ms a clip | generation | codec | tagger |",
        "|---|---|---|---|---|---|---|",
    ]
    by_case: dict[str, list[Row]] = {}
    for entry in rows:
        by_case.setdefault(entry["case"].split(";")[0], []).append(entry)
    for case, (one, every, *parts) in by_case.items():
        rates = f"{one['peer']:.3g}; {one['ours']:.3g}, {every['ours']:.3g}"
        ratios = f"{one['ratio']:.1f}, {every['ratio']:.1f}"
        whole = {side: sum(part[side] for part in parts) for side in ("peer", "ours")}
        costs = [f"{cost['peer']:.3g}; {cost['ours']:.3g}" for cost in (whole, *parts)]
        lines.append(f"| {case} | {rates} | {ratios} | {' | '.join(costs)} |")
    return "\n".join(lines)


def timed(case: Case, codec: object, name: str, run: Callable[[], object]) -> Timed:
    """Run a side in this process; ``name`` is the method by which ``codec`` decodes."""
    watch = Stopwatch()
    with (
        processes(1),
        watch.on(codec, "codec", name),
        watch.on(case.ours.load_tagger(), "tagger", "logits"),
    ):
        started, start = perf_counter(), process_time()
        run()
        wall, spent = perf_counter() - started, process_time() - start
    return Timed(wall, {"generation": spent - sum(watch.seconds.values()), **watch.seconds})


def clips_of(sweep: SwapSweep) -> int:
    """Clips that are played: those of the concepts, and those of the swaps."""
    counts = {name: len(prompts.texts) for name, prompts in sweep.pairs.sets.items()}
    return sum(counts.values()) + sum(counts[swap.original] for swap in sweep.swaps)


def sweep_of(prompts: int, layers: Sequence[int]) -> SwapSweep:
    """Both pairs of the concepts, without controls and their prompts."""
    whole = load_concepts(Path("concepts.yaml"))
    table = whole.model_copy(update={"concepts": [whole[name] for name in CONCEPTS]})
    found = concept_pairs(table, prompts)
    pairs = ConceptPairs(
        {name: found.sets[name] for name in CONCEPTS},
        [replace(pair, redrawn=None, mixed=None) for pair in found.pairs],
    )
    return SwapSweep(pairs, cells_of(COMPONENTS, layers), controls=())


@contextmanager
def processes(count: int) -> Iterator[None]:
    """Let our side use so many processes."""
    before = os.environ.get(WORKERS)
    os.environ[WORKERS] = str(count)
    try:
        yield
    finally:
        del os.environ[WORKERS]
        if before is not None:
            os.environ[WORKERS] = before


if __name__ == "__main__":
    main()
