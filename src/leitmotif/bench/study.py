"""One method on many models: it is given no name and no truth, and its verdicts come first."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from leitmotif.bench.method import MethodFinding, checked, method_of
from leitmotif.bench.pieces import composed_pieces
from leitmotif.bench.zoo import Zoo
from leitmotif.causal.experiment.events import Event
from leitmotif.config import ModelParams
from leitmotif.corpus.organism.world import World
from leitmotif.musicgen.loading import shared_model
from leitmotif.tables.bench import BenchVerdict, CellStrength
from leitmotif.work.parallel import in_processes

PIECES = 32


@dataclass(frozen=True)
class Bench:
    """What all methods are given."""

    zoo: Zoo
    world: World
    cache: Path
    """Folder of the work cache, where models are put together."""
    pieces: int = PIECES

    def verdicts(self, method: str, models: Sequence[str]) -> Iterator[BenchVerdict]:
        """Yield what a method says of each model, as soon as it has said it.

        Models come in the order of their hashes, which tells nothing of their kinds, on as many
        processors as there are. ``method`` is as for ``method_of``. Raises ConfigError, StoreError,
        ProbeError for a finding that cannot be scored, and what the method itself raises.
        """
        method_of(method)  # before anything is composed
        ordered = sorted(models, key=self.zoo.weights)
        folders = [self.zoo.assembled(model, self.cache) for model in ordered]
        first = shared_model(_settings(folders[0]))
        pieces = composed_pieces(first, self.world, pieces=self.pieces)
        for model, (finding, seconds) in zip(
            ordered, in_processes(partial(_examined, method, pieces), folders), strict=True
        ):
            yield BenchVerdict(
                method=method,
                model=model,
                weights=self.zoo.weights(model),
                foresight=finding.foresight,
                lead_seconds=finding.lead_seconds,
                strengths=[
                    CellStrength(site=site, after=after, strength=round(float(strength), 6))
                    for (site, after), strength in sorted(finding.strengths.items())
                ],
                seconds=round(seconds, 2),
            )


def _examined(method: str, pieces: Sequence[Event], folder: Path) -> tuple[MethodFinding, float]:
    """What a method finds in one model, and the seconds that it takes."""
    model = shared_model(_settings(folder))
    started = time.monotonic()
    finding = checked(method_of(method)(model, pieces), model, pieces)
    return finding, time.monotonic() - started


def _settings(folder: Path) -> ModelParams:
    return ModelParams(
        name=str(folder),
        revision=None,
        watch=str(folder),
        device="cpu",
        dtype="float32",
        text_padding="auto",
        position_seconds=0.0,
    )
