"""The leak check with a model: its own past passes, half a second of future does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from scipy import sparse

from leitmotif.errors import ProbeError
from leitmotif.musicgen import HookedMusicGen
from leitmotif.musicgen.activation_cache import ActivationCache
from leitmotif.musicgen.codec import HEARING_SECONDS
from leitmotif.probe.study.leak import look_ahead, refuse_leak
from leitmotif.probe.study.past import FeatureReading, check_past
from leitmotif.sae.autoencoder.used import load_used
from leitmotif.tables.corpus import ManifestTrack, Window

SITE = "layers.1.residual"
RATE = 32_000


class Clairvoyant:
    """A model whose states are those of 25 steps later."""

    def __init__(self, model: HookedMusicGen) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def run_with_cache(self, codes: Any, prompts: Any, **options: Any) -> Any:
        logits, cache = self._model.run_with_cache(codes, prompts, **options)
        early = {site: torch.roll(cache[site], -25, dims=1) for site in cache}
        return logits, ActivationCache(early)


@pytest.fixture(scope="module")
def planner(repo_root: Path) -> HookedMusicGen:
    return HookedMusicGen.from_pretrained(
        str(repo_root / "models/organism/planner"), device="cpu", dtype="float32"
    )


def music() -> np.ndarray:
    """Three seconds of tones."""
    notes = np.repeat(np.random.default_rng(0).uniform(200, 900, size=12), RATE // 4)
    return (0.3 * np.sin(2 * np.pi * np.cumsum(notes) / RATE)).astype(np.float32)


def heard(model: Any, encoders: Any) -> np.ndarray:
    reading = FeatureReading(model, [SITE], "float16", encoders)
    audio = music()
    frames = len(audio) // 640
    return look_ahead(
        lambda samples: sparse.hstack([*reading(samples, None).values()]).tocsr(),
        audio,
        sample_rate=RATE,
        instants=np.arange(frames) / 50,
        cuts=[1.0, 2.0],
    )


def test_states_and_features_know_the_past_only(
    planner: HookedMusicGen, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo_root)
    (used,) = load_used(["planner-1"])
    ahead = heard(planner, {used.hook.name: (used.site, used.sae)})
    assert len(ahead) == 128 + 1024
    refuse_leak(ahead, allowed=HEARING_SECONDS)


def test_half_a_second_of_future_fails(planner: HookedMusicGen) -> None:
    ahead = heard(Clairvoyant(planner), {})
    assert 0.4 < ahead.max() <= 0.5 + HEARING_SECONDS
    with pytest.raises(ProbeError, match="hear the future"):
        refuse_leak(ahead, allowed=HEARING_SECONDS)


class Kept:
    """Codes as another machine kept them: rounding chose another one at an early frame."""

    def __init__(self, model: HookedMusicGen) -> None:
        self.model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode_audio(self, audio: Any) -> torch.Tensor:
        codes = self.model.encode_audio(audio)
        if np.array_equal(np.asarray(audio).ravel(), music()):
            codes[0, 0, 5] = (codes[0, 0, 5] + 1) % self.model.codebook_size
        return codes


class Stored:
    """The store of one track."""

    def __init__(self, states: np.ndarray) -> None:
        self.states = states
        self.prompt = ""

    def header(self, site: str, track_id: str) -> "Stored":
        return self

    def load(self, site: str, track_id: str) -> np.ndarray:
        return self.states


def test_codes_that_were_rounded_elsewhere_are_no_leak(
    planner: HookedMusicGen, tmp_path: Path
) -> None:
    """Found in a rehearsal in float32: workers with one thread had kept other codes."""
    audio = music()
    soundfile.write(tmp_path / "piece.wav", audio, RATE, subtype="FLOAT")
    track = ManifestTrack(
        track_id="piece", path="piece.wav", sha256="0" * 64, seconds=3.0, tags=[], licence=None,
        windows=[Window(start_frame=0, frames=150)],
    )  # fmt: skip
    states = FeatureReading(planner, [SITE], "float16", {}, Kept(planner))(audio, None)[SITE]
    reading = FeatureReading(planner, [SITE], "float16", {}, Kept(planner))
    furthest = check_past(
        reading, [track], Stored(states.toarray()), audio_root=tmp_path, encoded=tmp_path
    )
    assert furthest <= HEARING_SECONDS
