"""What a notebook shows of an object: one or a few lines that tell what it is."""

from pathlib import Path

import pytest

import leitmotif
from leitmotif.musicgen import HookedMusicGen
from leitmotif.recurrence.proposals.engine import Suggestion
from tests.tiny import tiny_musicgen

ROOT = Path(__file__).parents[2]
PLANNER = "models/organism/planner"


@pytest.fixture(scope="module")
def model() -> HookedMusicGen:
    return HookedMusicGen.from_pretrained(PLANNER, device="cpu")


def test_a_model_says_origin_sizes_rates_precision_and_place(model: HookedMusicGen) -> None:
    assert repr(model) == (
        "HookedMusicGen(models/organism/planner\n"
        "  decoder: 6 layers, width 128, 4 heads, 1.84 M weights, float32 on cpu\n"
        "  codec:   4 codebooks of 256, 50 frames/s, 32000 Hz)"
    )
    assert "made in memory" in repr(HookedMusicGen.from_transformers(tiny_musicgen()))


def test_a_cache_and_a_generation_say_what_they_hold(model: HookedMusicGen) -> None:
    made = model.generate(seconds=0.2, tracks=["a", "b"], seed=1, capture=["layers.2.residual"])
    assert repr(made) == (
        "Generation(2 clips, 4 codebooks, 0 frames of prefix and 10 new, on cpu, 1 site captured)"
    )
    _, cache = model.run_with_cache(made.codes, sites=["layers.2.residual", "pattern0"])
    assert repr(cache) == (
        "ActivationCache(2 sites, float32 on cpu, 0.0 MB\n"
        "  layers.2.residual                [2, 13, 128]\n"
        "  layers.0.self_attention.pattern  [2, 4, 13, 13])"
    )
    assert repr(leitmotif.ActivationCache({})) == "ActivationCache(nothing)"


def test_an_autoencoder_and_a_judge_say_what_they_are() -> None:
    sae = leitmotif.load_sae("models/organism/sae/layers.2.residual")
    assert repr(sae) == (
        "SparseAutoencoder(128 -> 1024 features, topk 16, at layers.2.residual, float32 on cpu)"
    )
    clap = leitmotif.Clap.from_pretrained("models/organism/judges/clap", device="cpu")
    assert repr(clap) == "Clap(models/organism/judges/clap, 48000 Hz, float32 on cpu)"


def test_a_piece_says_in_which_slots_its_motif_returns_and_plays() -> None:
    [piece] = leitmotif.compose(1, seed=3)
    assert repr(piece) == (
        "ComposedPiece(piece_0000, 8.32 s at 32000 Hz, mono, peak 0.35; "
        "slot 0 at 6.4 s returns, slot 1 at 7.68 s does not return)"
    )
    assert piece._repr_html_().count("<audio controls") == 1


def test_a_suggestion_says_when_and_how_alike() -> None:
    found = Suggestion(2.3, 3.5, 5.4, 6.6, 0, 0.8, 0.79, 0.004, 0.01, 0.2)
    assert repr(found) == "Suggestion(2.30-3.50 s returns at 5.40-6.60 s: likeness 0.790, p 0.004)"
    higher = Suggestion(2.3, 3.5, 5.4, 6.6, 2, 0.8, 0.79, 0.004, 0.01, 0.2)
    assert "s, +2 semitones: likeness" in repr(higher)
