"""Many conditions over many pieces: clips made and heard, piece by piece, on all processors.

A piece has noise, prefixes and a baseline of its own, so that nothing of one decides anything of
another.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.hearing import (
    ListeningSettings,
    Returns,
    returns_decided_by,
    returns_form,
    returns_of,
)
from leitmotif.causal.experiment.measures import ClipMeasurer, MeasuredClip
from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.runner import Clip, ContinuationSettings, Runner
from leitmotif.config import JudgeParams
from leitmotif.judge.models.checkpoint import Precision
from leitmotif.judge.models.loading import shared_clap
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.store.cache.entries import WorkCache
from leitmotif.store.cache.results import KeptResults
from leitmotif.work.engine import cluster, workers_on
from leitmotif.work.parallel import in_processes

T = TypeVar("T")


@dataclass(frozen=True)
class Sweep:
    """What is done to every piece; small enough to travel to another process."""

    load: Callable[[], MusicModel]
    """Gives the model, the same one each time in a process; it must pickle."""
    judge: JudgeParams
    continuation: ContinuationSettings
    listening: ListeningSettings
    cache: Path
    """Folder of the work cache that keeps finished clips, and what of them returns."""
    rows: int
    """Clips in a batch."""
    kept: frozenset[str]
    """Tracks whose clips keep their samples; of all others the measures are all that is left."""
    workers: int | None = None
    """Processes on a CPU; None: one a processor."""

    def run(
        self, prefixes: Sequence[Prefix], conditions: Sequence[Condition]
    ) -> Iterator[MeasuredClip]:
        """Yield the measured clips of every track, seed and condition treating it, in that order.

        On a CPU each processor has a model of its own and takes pieces one batch at a time; on a
        GPU one process takes all. Raises what ``Runner`` and ``ClipMeasurer`` do.
        """
        for measured, prefix, condition in self._parts(_heard, prefixes, conditions):
            clip = replace(measured.clip, prefix=prefix, condition=condition)
            yield replace(measured, clip=clip)

    def make(self, prefixes: Sequence[Prefix], conditions: Sequence[Condition]) -> Iterator[Clip]:
        """As ``run``, but nobody hears the clips."""
        for clip, prefix, condition in self._parts(_made, prefixes, conditions):
            yield replace(clip, prefix=prefix, condition=condition)

    def returns(self, clips: Sequence[Clip]) -> Iterator[Returns | None]:
        """Yield which motifs each clip returns, in their order; None of one that cannot be heard.

        No clip is compared with another. What was heard before is taken from the work cache.
        Raises what ``KeptResults`` and ``ClipListener`` do.
        """
        model = self.load()
        results = KeptResults(
            self.cache,
            returns_decided_by(model, self.listening),
            workers=workers_on(model.device.type, self.workers),
        )
        return results.each(partial(_returns, self), clips, returns_form(self.listening))

    def _parts(
        self,
        function: "Callable[[Sweep, Sequence[Condition], Sequence[Prefix]], Sequence[T]]",
        prefixes: Sequence[Prefix],
        conditions: Sequence[Condition],
    ) -> Iterator[tuple[T, Prefix, Condition]]:
        # On a cluster each worker has a device of its own.
        one_device = self.load().device.type != "cpu" and cluster() is None
        # Two more, from which patches are taken.
        rows_of_a_piece = len(conditions) * len(self.continuation.seeds) + 2
        size = max(1, len(prefixes) if one_device else self.rows // rows_of_a_piece)
        parts = [prefixes[first : first + size] for first in range(0, len(prefixes), size)]
        workers = workers_on(self.load().device.type, self.workers)
        made = in_processes(partial(function, self, conditions), parts, workers=workers)
        for part, clips in zip(parts, made, strict=True):
            # Conditions and prefixes come back as copies, and are known by identity.
            order = (
                (prefix, condition)
                for prefix in part
                for _ in self.continuation.seeds
                for condition in conditions
                if condition.treats(prefix)
            )
            for clip, (prefix, condition) in zip(clips, order, strict=True):
                yield clip, prefix, condition


def _made(sweep: Sweep, conditions: Sequence[Condition], prefixes: Sequence[Prefix]) -> list[Clip]:
    runner = Runner(sweep.load(), WorkCache(sweep.cache), sweep.continuation, rows=sweep.rows)
    return list(runner.run(prefixes, conditions))


def _returns(sweep: Sweep, clip: Clip) -> Returns | None:
    return returns_of(sweep.load(), sweep.listening, clip)


def _heard(
    sweep: Sweep, conditions: Sequence[Condition], prefixes: Sequence[Prefix]
) -> list[MeasuredClip]:
    model = sweep.load()
    dtype: Precision = "float64" if model.dtype_beside == torch.float64 else "float32"
    clap = shared_clap(sweep.judge, dtype)
    measurer = ClipMeasurer(model, clap, sweep.listening)
    return [
        measured if measured.clip.prefix.track_id in sweep.kept else replace(measured, samples=None)
        for measured in measurer.measure(_made(sweep, conditions, prefixes))
    ]
