"""Measures of clips whose difference is known, and the clips that cannot be heard."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.hearing import ListeningSettings, returns_of
from leitmotif.causal.experiment.measures import (
    ClipMeasurer,
    MeasuredClip,
    log_likelihoods,
    sha256_audio,
)
from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.runner import Clip, ContinuationSettings, Runner
from leitmotif.causal.experiment.targets import WholeSite
from leitmotif.causal.experiment.twins import Twins
from leitmotif.config import load_params
from leitmotif.errors import ModelError
from leitmotif.judge.models import Clap
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.recurrence.search.settings import search_of
from leitmotif.store.cache.entries import WorkCache
from leitmotif.tables.base import Span

ORGANISM = Path("models/organism")
AFTER = 5 * 32_000
"""Returns count from 5 s after the prefix on."""


@pytest.fixture(scope="module")
def clap(repo_root: Path) -> Clap:
    return Clap.from_pretrained(str(repo_root / ORGANISM / "judges/clap"), device="cpu")


@pytest.fixture(scope="module")
def listening(
    repo_root: Path, pieces: list[Prefix], twins: Twins, planner: HookedMusicGen
) -> ListeningSettings:
    proposals = load_params(repo_root / "presets/organism.yaml").proposals
    planted = {piece.track_id: twins.planted(piece.track_id, planner) for piece in pieces}
    known = {track: truth for track, truth in planted.items() if truth is not None}
    end = next(iter(known.values())).slots[0]
    heard = Span(start_sample=AFTER, samples=end.start_sample + end.samples - AFTER)
    return ListeningSettings(
        search=search_of(proposals),
        motifs={track: truth.motifs for track, truth in known.items()},
        heard=dict.fromkeys(known, heard),
        window_seconds=1.92,
    )


@pytest.fixture(scope="module")
def measured_clips(
    planner: HookedMusicGen,
    clap: Clap,
    listening: ListeningSettings,
    pieces: list[Prefix],
    twins: Twins,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[MeasuredClip]:
    """Baseline, identity and the gap patched from the twin, of six pieces."""
    known = twins.planted(pieces[0].track_id, planner)
    assert known is not None
    site = WholeSite("layers.1.residual", torch.zeros(128))
    given = [
        Condition("baseline"),
        Condition("zero_effect", "gap", site, steps=known.gap_steps(0)),
        Condition("patch", "gap", site, source="twin", steps=known.gap_steps(0)),
    ]
    continuation = ContinuationSettings(seconds=9 * 0.64, sampling=Sampling(top_k=50))
    runner = Runner(planner, WorkCache(tmp_path_factory.mktemp("clips")), continuation)
    return list(ClipMeasurer(planner, clap, listening).measure(runner.run(pieces[:6], given)))


def test_the_motif_is_heard_where_the_cue_or_the_twin_says(
    measured_clips: list[MeasuredClip], twins: Twins, planner: HookedMusicGen
) -> None:
    for measured in measured_clips:
        known = twins.planted(measured.clip.prefix.track_id, planner)
        assert known is not None
        says = known.returns[0] != (measured.clip.condition.kind == "patch")
        assert measured.excluded is None
        assert measured.metrics.recurrence == float(says)
        (motif,) = measured.returns
        assert motif.motif == known.motifs[0]
        assert motif.recurs == says
        if says:
            due = known.prefix_samples + known.slots[0].start_sample
            assert motif.start == pytest.approx(due / 32_000, abs=0.05)
            assert measured.heard is not None
            assert measured.heard.start_sample <= motif.start * 32_000


def test_a_clip_that_is_listened_to_alone_returns_the_same(
    planner: HookedMusicGen, listening: ListeningSettings, measured_clips: list[MeasuredClip]
) -> None:
    for measured in measured_clips[:2]:
        assert returns_of(planner, listening, measured.clip) == measured.returns
    broken = replace(measured_clips[0].clip, finite=False)
    assert returns_of(planner, listening, broken) is None


def test_identity_is_perfect_and_an_edit_is_not(measured_clips: list[MeasuredClip]) -> None:
    for measured in measured_clips:
        metrics, kind = measured.metrics, measured.clip.condition.kind
        if kind == "patch":
            assert measured.audio_sha256 != measured.baseline_audio_sha256
            assert metrics.log_likelihood != 0
            assert metrics.clap_similarity < 0.9999
            assert metrics.spectral_db > 1
        else:
            assert measured.audio_sha256 == measured.baseline_audio_sha256
            assert metrics.clap_similarity == pytest.approx(1)
            assert metrics.spectral_db == metrics.loudness_db == metrics.log_likelihood == 0
        assert metrics.clap_prompt is None


def test_likelihood_is_that_of_a_plain_forward_pass(exact_model: HookedMusicGen) -> None:
    codes = torch.randint(64, (3, 4, 12), generator=torch.Generator().manual_seed(2))
    chances = exact_model(codes, "a calm piece").log_softmax(-1)
    by_hand = [
        float(np.mean([chances[b, k, t, codes[b, k, t]] for k in range(4) for t in range(5, 12)]))
        for b in range(3)
    ]
    np.testing.assert_allclose(log_likelihoods(exact_model, codes, 5, "a calm piece"), by_hand)


def loud(samples: np.ndarray) -> np.ndarray:
    return samples * 1e3


def broken(samples: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(samples)) > 60_000, np.nan, samples)


def silent(samples: np.ndarray) -> np.ndarray:
    return samples * 1e-5


@pytest.mark.parametrize(
    ("change", "reason"), [(loud, "clipped"), (broken, "non_finite"), (silent, "silent")]
)
@pytest.mark.parametrize("which", ["baseline", "patch"])
def test_what_cannot_be_heard_is_excluded_with_its_reason(
    planner: HookedMusicGen,
    clap: Clap,
    listening: ListeningSettings,
    measured_clips: list[MeasuredClip],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[np.ndarray], np.ndarray],
    reason: str,
    which: str,
) -> None:
    clips = [measured.clip for measured in measured_clips[:3]]
    decode, spoilt = HookedMusicGen.decode_audio, clips[0 if which == "baseline" else 2].codes

    def spoil(self: HookedMusicGen, codes: torch.Tensor) -> torch.Tensor:
        samples = decode(self, codes)
        if not torch.equal(codes[0], spoilt):
            return samples
        return torch.from_numpy(change(samples[0].numpy()).astype(np.float32))[None]

    monkeypatch.setattr(HookedMusicGen, "decode_audio", spoil)
    heard = list(ClipMeasurer(planner, clap, listening).measure(clips))
    said = [measured.excluded for measured in heard]
    if which == "baseline":
        assert said == [reason, reason, f"baseline_{reason}"]
    else:
        assert said == [None, None, reason]
    for measured in heard:
        assert (measured.metrics.recurrence is None) == (measured.excluded is not None)


def test_a_run_without_numbers_is_excluded_though_its_audio_is_sound(
    planner: HookedMusicGen,
    clap: Clap,
    listening: ListeningSettings,
    measured_clips: list[MeasuredClip],
) -> None:
    clips: list[Clip] = [measured_clips[0].clip, replace(measured_clips[2].clip, finite=False)]
    heard = list(ClipMeasurer(planner, clap, listening).measure(clips))
    assert [measured.excluded for measured in heard] == [None, "non_finite"]


def test_a_prompt_is_compared_with_the_clip(
    planner: HookedMusicGen,
    clap: Clap,
    listening: ListeningSettings,
    measured_clips: list[MeasuredClip],
) -> None:
    with_prompt = [
        replace(
            measured.clip, prefix=replace(measured.clip.prefix, prompt="a rock piece with a guitar")
        )
        for measured in measured_clips[:3]
    ]
    cosines = [
        measured.metrics.clap_prompt
        for measured in ClipMeasurer(planner, clap, listening).measure(with_prompt)
    ]
    assert cosines[0] == cosines[1] != cosines[2]
    assert all(cosine is not None and -1 <= cosine <= 1 for cosine in cosines)


def test_clips_without_a_baseline_are_refused(
    planner: HookedMusicGen,
    clap: Clap,
    listening: ListeningSettings,
    measured_clips: list[MeasuredClip],
) -> None:
    with pytest.raises(ModelError, match="no baseline"):
        list(ClipMeasurer(planner, clap, listening).measure([measured_clips[2].clip]))


def test_audio_hashes_are_of_what_a_file_holds() -> None:
    samples = np.array([0.0, 0.5, -1.0], np.float32)
    assert sha256_audio(samples) == sha256_audio(samples + np.float32(1e-6))
    assert sha256_audio(samples) != sha256_audio(samples + np.float32(1e-4))
    assert len(sha256_audio(np.array([np.nan, np.inf], np.float32))) == 64
