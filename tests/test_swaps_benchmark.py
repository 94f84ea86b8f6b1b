"""The benchmark of swaps: its peer does what the sweep does, and the page has its results."""

import json
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks._swap_peer import Stopwatch, SwapPeer, hooked
from benchmarks.swaps import CASES, Case, Timed, clips_of, rows_of, sweep_of, table_of
from leitmotif.lens.playing import Playing
from leitmotif.lens.swaps import Swaps
from leitmotif.musicgen import GREEDY, HookedMusicGen
from leitmotif.work.parallel import WORKERS
from tests.tiny import tiny_musicgen, tiny_tokenizer

ROOT = Path(__file__).parents[1]
LABELS = ("Noise", "Guitar", "Silence", "Piano")
TURNS = {
    "peer": [Timed(8.0, {"generation": 4.0, "codec": 2.0, "tagger": 1.0})],
    "one": [Timed(4.0, {"generation": 2.0, "codec": 1.0, "tagger": 0.5})],
    "all": [Timed(2.0, {})],
}


@dataclass(frozen=True)
class SpectrumTagger:
    """A tagger whose logits are spectra."""

    labels: tuple[str, ...]

    def logits(self, clips: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
        spectra = np.abs(np.fft.rfft(np.stack(clips), axis=1))
        return np.log(spectra[:, 1 : 1 + len(self.labels)].astype(np.float64) + 1e-9)


@cache
def tiny() -> HookedMusicGen:
    theirs = tiny_musicgen()
    random = torch.Generator().manual_seed(0)
    for layer in theirs.audio_encoder.quantizer.layers:
        # Untrained codebooks hold zeros, and all codes would sound alike.
        layer.codebook.embed.copy_(torch.randn(layer.codebook.embed.shape, generator=random))
    return HookedMusicGen.from_transformers(theirs, tiny_tokenizer()).to(dtype="float64")


def test_the_peer_hears_every_swap_as_the_sweep_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv(WORKERS, "1")
    sweep, greedy = sweep_of(2, [1]), Playing(0.3, GREEDY, 3.0, seed=0)
    tagger = partial(SpectrumTagger, LABELS)
    ours = Swaps(tiny, tagger, sweep, greedy, rows=5).run().after  # type: ignore[arg-type]
    theirs = tiny_musicgen().double()
    theirs.audio_encoder = tiny().codec.encodec
    known = [LABELS.index(label) for label in sweep.pairs.labels]
    peer = SwapPeer(theirs, tiny_tokenizer(), tiny(), tagger(), known, greedy)  # type: ignore[arg-type]
    found = peer.run(sweep)
    assert len(found) == len(ours) == 4 * 2 * 2
    for swap, heard in found.items():
        np.testing.assert_allclose(heard.log_odds, ours[swap].log_odds, atol=1e-6)
        np.testing.assert_allclose(heard.divergence, ours[swap].divergence, atol=1e-6)
    moved = {swap.cell.component for swap, heard in found.items() if heard.divergence.any()}
    assert moved == {"self_attention", "cross_attention", "mlp", "residual"}


def test_a_hook_changes_the_rows_with_prompts_at_each_step_and_is_taken_off() -> None:
    module = nn.Identity()
    with hooked(module, rows=1, change=lambda x, step: x + 10 * (step + 1)):
        first, second = module(torch.zeros(2, 2, 1)), module(torch.zeros(2, 1, 1))
    assert first[:, :, 0].tolist() == [[10.0, 20.0], [0.0, 0.0]]
    assert second[:, :, 0].tolist() == [[30.0], [0.0]]
    assert module(torch.zeros(2, 1, 1)).tolist() == [[[0.0]], [[0.0]]]


def test_seconds_of_a_method_are_counted_while_the_watch_is_on_it() -> None:
    class Codec(SimpleNamespace):
        def decode(self, number: int) -> int:
            return sum(range(number)) and number

    codec, watch = Codec(), Stopwatch()
    with watch.on(codec, "codec", "decode"):
        assert codec.decode(1_000_000) == 1_000_000
    counted = watch.seconds["codec"]
    assert counted > 0
    codec.decode(1_000_000)
    assert watch.seconds == {"codec": counted}


def test_clips_are_those_of_the_concepts_and_of_the_swaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert clips_of(sweep_of(3, range(2))) == 2 * 3 + 4 * 2 * 2 * 2 * 3


def test_ratios_are_of_rates_and_costs_are_of_a_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    case = Case("float64", 2, range(6))
    # The peer plays 36 clips, our side 196 of them.
    rows = rows_of(case, TURNS)
    assert [row["ours"] for row in rows] == [49.0, 98.0, 10.2, 5.102, 2.551]
    assert [row["peer"] for row in rows] == [4.5, 4.5, 111.1, 55.56, 27.78]
    assert [row["ratio"] for row in rows] == [10.889, 21.778, 10.889, 10.889, 10.889]


def test_a_ratio_is_the_median_of_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    # The machine was slow in the first turn of both, and in the last of the peer alone.
    slow = {side: [turn._replace(wall=10 * turn.wall)] for side, [turn] in TURNS.items()}
    turns = {side: [*slow[side], *TURNS[side], *TURNS[side]] for side in TURNS}
    turns["peer"][2] = slow["peer"][0]
    (one, *_) = rows_of(CASES[0], turns)
    assert one["ratio"] == 10.889


def test_the_table_of_the_page_is_that_of_the_results() -> None:
    results = ROOT / "benchmarks" / "results" / "swaps.json"
    table = table_of(json.loads(results.read_text(encoding="utf-8"))["rows"])
    assert table in (ROOT / "docs" / "stages" / "swaps.md").read_text(encoding="utf-8")
