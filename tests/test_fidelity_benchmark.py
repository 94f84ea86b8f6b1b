"""The thresholds are those that were measured, by the rule that is stated."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from benchmarks.fidelity import BAR_SECONDS, REDRAWN, Damager, thresholds_of
from leitmotif.audio.reading.samples import Samples
from leitmotif.causal.experiment.measures import MeasuredClip
from leitmotif.causal.experiment.study import Study
from leitmotif.files.yaml_files import parse_yaml

ROOT = Path(__file__).parents[1]
RATE, HOP, PREFIX = 800, 16, 5


def results() -> Any:
    return json.loads((ROOT / "benchmarks/results/fidelity.json").read_text(encoding="utf-8"))


def test_the_rule_gives_what_the_results_say() -> None:
    found = results()
    assert thresholds_of(found["rows"]) == found["rule"]


def test_the_presets_thresholds_call_no_undamaged_music_broken() -> None:
    preset = parse_yaml((ROOT / "presets/organism.yaml").read_text(encoding="utf-8"))
    settings, found = preset["interventions"], results()
    (redrawn,) = (row for row in found["rows"] if row["kind"] == REDRAWN)
    assert settings["min_similarity"] < redrawn["similarity"]["low"]
    assert settings["min_log_likelihood"] == found["rule"]["nats"]["threshold"]
    assert settings["min_log_likelihood"] < redrawn["nats"]["low"]


def test_visible_damage_is_below_the_threshold_from_its_onset_on() -> None:
    found = results()
    rule, rows = found["rule"]["nats"], found["rows"]
    assert rule["visible"] == ["dropped", "noise", "tokens"]
    for kind in rule["visible"]:
        doses = [row for row in rows if row["kind"] == kind]
        onset = [row["dose"] for row in doses].index(found["rule"]["onsets"][kind])
        assert all(row["nats"]["mean"] < rule["threshold"] for row in doses[onset:])


def test_damage_takes_returns_and_adds_none() -> None:
    found = results()
    damaged = [row for row in found["rows"] if row["dose"] is not None]
    assert {row["kind"] for row in damaged} == found["rule"]["onsets"].keys()
    assert all(row["gained"]["low"] <= 0 for row in damaged)


def test_the_page_has_what_was_measured() -> None:
    page = (ROOT / "docs/stages/interventions.md").read_text(encoding="utf-8")
    found = results()
    onsets = found["rule"]["onsets"]
    for row in found["rows"]:
        if row["dose"] is None or onsets.get(row["kind"]) == row["dose"]:
            lost = row["lost"]
            cells = [
                f"{lost['mean']:.0f} ({lost['low']:.0f} to {lost['high']:.0f})",
                f"{row['similarity']['mean']:.3f}",
                f"{row['spectral_db']['mean']:.1f}",
                f"{row['nats']['mean']:.2f}",
            ]
            assert " | ".join(cells) in page, row["kind"]


def row(kind: str, dose: float | None, *, lost: float, likeness: float) -> dict[str, Any]:
    return {
        "kind": kind,
        "dose": dose,
        "lost": {"mean": lost + 5, "low": lost, "high": lost + 10, "n": 32},
        "similarity": {"mean": likeness, "low": likeness - 0.01, "high": likeness + 0.01, "n": 64},
        "nats": {"mean": -1.0, "low": -2.0, "high": 0.0, "n": 64},
    }


def test_the_threshold_is_the_highest_similarity_at_which_visible_damage_takes_returns() -> None:
    rows = [
        row(REDRAWN, None, lost=-5, likeness=0.97),
        row("mild", 1.0, lost=-2, likeness=0.99),
        row("mild", 2.0, lost=1, likeness=0.928),
        row("mild", 3.0, lost=30, likeness=0.5),
        row("rough", 1.0, lost=4, likeness=0.7),
        row("order", 1.0, lost=20, likeness=0.98),
        row("harmless", 1.0, lost=-3, likeness=0.4),
    ]
    found = thresholds_of(rows)
    assert found["onsets"] == {"mild": 2.0, "rough": 1.0, "order": 1.0}
    assert found["similarity"]["threshold"] == 0.93
    assert found["similarity"]["visible"] == ["mild", "rough"]
    assert found["similarity"]["not_visible"] == ["order"]


def test_damage_that_is_as_like_as_undamaged_music_gives_no_threshold() -> None:
    rows = [
        row(REDRAWN, None, lost=-5, likeness=0.97),
        row("order", 1.0, lost=20, likeness=0.955),
    ]
    assert thresholds_of(rows)["similarity"]["threshold"] is None
    # Of the likelihood, which is the same in all of these rows.
    assert thresholds_of(rows)["nats"]["threshold"] is None


class Echo:
    """A model of 16 tokens, each of which sounds as its number."""

    codebook_size, samples_per_frame, sample_rate = 16, HOP, RATE

    def decode_audio(self, codes: torch.Tensor) -> torch.Tensor:
        return codes[:, 0].repeat_interleave(HOP, dim=1).float()


@pytest.fixture
def clip() -> MeasuredClip:
    drawn = np.random.default_rng(1).integers(16, size=(2, 165))
    codes = torch.from_numpy(drawn)
    samples = Echo().decode_audio(codes[None])[0].numpy()
    made = SimpleNamespace(codes=codes, prefix_frames=PREFIX)
    return cast(MeasuredClip, SimpleNamespace(clip=made, samples=samples))


@pytest.fixture
def damager() -> Damager:
    return Damager(cast(Study, SimpleNamespace(model=Echo())))


def damaged(
    damage: Callable[[MeasuredClip, float, np.random.Generator], Samples],
    clip: MeasuredClip,
    dose: float,
) -> Samples:
    return damage(clip, dose, np.random.default_rng(0))


def test_noise_has_the_level_that_its_dose_says(damager: Damager, clip: MeasuredClip) -> None:
    own = damager.new(clip)
    for decibels in (20.0, 0.0, -10.0):
        noise = damaged(damager.noise, clip, decibels) - own
        ratio = 10 * np.log10((own**2).mean() / (noise**2).mean())
        assert ratio == pytest.approx(decibels, abs=0.3)


def test_whole_frames_are_dropped_in_their_share(damager: Damager, clip: MeasuredClip) -> None:
    heard = damager.new(clip), damaged(damager.dropped, clip, 0.3)
    own, new = (samples.reshape(-1, HOP) for samples in heard)
    changed = (own != new).any(1)
    assert 0.15 < changed.mean() < 0.4
    assert (new[changed] == 0).all()


def test_tokens_change_in_the_continuation_alone(damager: Damager, clip: MeasuredClip) -> None:
    before = clip.clip.codes.clone()
    own, new = damager.new(clip), damaged(damager.tokens, clip, 0.5)
    assert new.shape == own.shape
    # Of the drawn ones, one in 16 is what stood there.
    assert 0.35 < (own != new).mean() < 0.6
    assert torch.equal(clip.clip.codes, before)


def test_bars_change_places_and_nothing_is_lost(damager: Damager, clip: MeasuredClip) -> None:
    before = damager.new(clip).copy()
    swapped = partial(damaged, damager.bars, clip)
    bar = round(BAR_SECONDS * RATE)
    for pairs in (1, 2):
        new = swapped(pairs)
        assert sorted(new) == sorted(before)
        bars = (new != before)[: len(new) // bar * bar].reshape(-1, bar).any(1)
        assert bars.sum() == 2 * pairs
    assert (damager.new(clip) == before).all()
