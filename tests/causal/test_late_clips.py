"""A clip that is treated late goes on from its baseline; it is what it is from its prefix on."""

from pathlib import Path

import pytest
import torch

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.runner import Clip, ContinuationSettings, Runner
from leitmotif.causal.experiment.targets import WholeSite
from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.cache.entries import WorkCache
from tests.tiny import tiny_musicgen, tiny_tokenizer

WHOLE = WholeSite("layers.1.residual", torch.zeros(32))
BASELINE = Condition("baseline")
TWIN = Condition("counterfactual", source="other")
LATE = range(48, 54)
"""Of prefixes of 20 frames that grow to 55."""
TREATED = [
    Condition("scale", "site", WHOLE, -5.0, steps=LATE),
    Condition("patch", "site", WHOLE, source="other", steps=LATE),
]
SETTINGS = ContinuationSettings(seconds=0.7, seeds=(1, 2))


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Frames from which each generation goes on."""
    frames: list[int] = []
    generate = HookedMusicGen.generate

    def counted(self: HookedMusicGen, *arguments: object, **named: object) -> object:
        prefix = named["prefix"]
        assert isinstance(prefix, torch.Tensor)
        frames.append(prefix.shape[2])
        return generate(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(HookedMusicGen, "generate", counted)
    return frames


def codes_of(clips: list[Clip], condition: Condition) -> torch.Tensor:
    return torch.stack([clip.codes for clip in clips if clip.condition is condition])


@pytest.mark.parametrize("rows", [64, 3])
def test_a_late_clip_goes_on_from_its_baseline(
    rows: int,
    exact_model: HookedMusicGen,
    prefixes: list[Prefix],
    tmp_path: Path,
    begun: list[int],
) -> None:
    def clips(name: str, conditions: list[Condition]) -> list[Clip]:
        runner = Runner(exact_model, WorkCache(tmp_path / name), SETTINGS, rows=rows)
        return list(runner.run(prefixes, conditions))

    whole = clips("from the prefix", TREATED)
    assert {*begun} == {20}, "without a baseline there is nothing to go on from"
    begun.clear()
    gone_on = clips("from the baseline", [BASELINE, TWIN, *TREATED])
    assert {*begun} == {20, 48 - 4}, "frames that all four codebooks have before step 48"
    for condition in TREATED:
        assert torch.equal(codes_of(gone_on, condition), codes_of(whole, condition))
        assert not torch.equal(codes_of(gone_on, condition), codes_of(gone_on, BASELINE))
    assert [clip.id for clip in gone_on if clip.condition in TREATED] == [c.id for c in whole]
    assert all(clip.codes.shape == (4, 55) and clip.prefix_frames == 20 for clip in gone_on)


def test_a_baseline_that_is_no_music_is_not_gone_on_from(
    prefixes: list[Prefix], tmp_path: Path, begun: list[int]
) -> None:
    model = HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer()).to(dtype="float64")
    model.decoder.embedding.weight[32:64] = float("nan")  # of tokens that no prefix has
    low = prefixes[0].codes % 32
    prefix = Prefix("low", low, sources={"other": prefixes[0].sources["other"] % 32})
    clips = list(Runner(model, WorkCache(tmp_path), SETTINGS).run([prefix], [BASELINE, *TREATED]))
    assert not any(clip.finite for clip in clips)
    assert {*begun} == {20}


def test_steps_behind_the_end_are_refused_as_steps_that_are_not_reached(
    exact_model: HookedMusicGen, prefixes: list[Prefix], tmp_path: Path
) -> None:
    runner = Runner(exact_model, WorkCache(tmp_path), SETTINGS)
    behind = Condition("scale", "site", WHOLE, -5.0, steps=range(70, 74))
    with pytest.raises(ModelError, match="step"):
        list(runner.run(prefixes, [BASELINE, behind]))
