"""Pieces side by side: the clips and measures of one process, whatever the number of processes."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.hearing import ListeningSettings
from leitmotif.causal.experiment.measures import MeasuredClip
from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.runner import ContinuationSettings
from leitmotif.causal.experiment.sweep import Sweep
from leitmotif.causal.experiment.targets import WholeSite
from leitmotif.config import JudgeParams, ModelParams
from leitmotif.errors import ModelError
from leitmotif.musicgen.loading import shared_model
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.work.parallel import WORKERS
from tests.judge.tiny_judges import save_tiny_clap
from tests.tiny import save_tiny_checkpoint

SITE = WholeSite("layers.1.residual", torch.zeros(32))
BASELINE = Condition("baseline")
CONDITIONS = [
    BASELINE,
    Condition("zero_effect", "site", SITE, tracks=frozenset({"track_1"})),
    Condition("patch", "site", SITE, source="other"),
]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    root = tmp_path_factory.mktemp("sweep")
    model, clap = str(root / "tiny"), str(save_tiny_clap(root / "clap"))
    save_tiny_checkpoint(root / "tiny", layers=3)
    return Sweep(
        load=partial(
            shared_model,
            ModelParams(
                name=model,
                revision=None,
                watch=model,
                device="cpu",
                dtype="float64",
                text_padding="auto",
                position_seconds=0.0,
            ),
        ),
        judge=JudgeParams(
            clap=clap,
            clap_revision=None,
            tagger=clap,
            tagger_revision=None,
            second_tagger=None,
            second_tagger_revision=None,
            watch=clap,
            device="cpu",
        ),
        continuation=ContinuationSettings(seconds=2.0, seeds=(1, 2)),
        listening=ListeningSettings(search=SearchSettings(), motifs={}),
        cache=root / "cache",
        rows=8,
        kept=frozenset({"track_1"}),
    )


def told(measured: list[MeasuredClip]) -> list[object]:
    return [
        (clip.clip.id, clip.tokens_sha256, clip.audio_sha256, clip.metrics, clip.excluded)
        for clip in measured
    ]


def test_processes_batches_and_threads_do_not_show(
    sweep: Sweep,
    prefixes: list[Prefix],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_order = []
    for workers, rows in (("1", 64), ("2", 3)):
        monkeypatch.setenv(WORKERS, workers)
        own = replace(sweep, cache=tmp_path / workers, rows=rows)
        by_order.append(list(own.run(prefixes, CONDITIONS)))
    assert told(by_order[0]) == told(by_order[1])
    for measured in by_order:
        order = [(clip.clip.prefix, clip.clip.seed, clip.clip.condition) for clip in measured]
        assert order == [
            (p, seed, c) for p in prefixes for seed in (1, 2) for c in CONDITIONS if c.treats(p)
        ]
        assert len(order) < len(prefixes) * 2 * len(CONDITIONS), "one track is written back"
        kept = {clip.clip.prefix.track_id for clip in measured if clip.samples is not None}
        assert kept == {"track_1"}
    ours, theirs = (
        next(m.samples for m in clips_of_order if m.samples is not None)
        for clips_of_order in by_order
    )
    assert ours is not None
    assert np.array_equal(ours, theirs)


def test_what_fails_in_a_process_is_said_here(
    sweep: Sweep, prefixes: list[Prefix], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKERS, "2")
    unknown = Condition("patch", "site", SITE, source="twin")
    with pytest.raises(ModelError, match="cannot be patched from twin"):
        list(sweep.run(prefixes, [BASELINE, unknown]))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_no_piece_at_all_gives_no_clip(sweep: Sweep, device: str) -> None:
    """As where no recording can show an effect."""
    elsewhere = SimpleNamespace(device=torch.device(device))
    idle = replace(sweep, load=lambda: cast("MusicModel", elsewhere))
    assert list(idle.run([], CONDITIONS)) == []
    assert list(idle.make([], CONDITIONS)) == []
