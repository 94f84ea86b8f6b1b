"""What the judges learn from: clips drawn from numbers alone, told apart by questions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from leitmotif.corpus.organism.composer import compose, render, sounds
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import load_world
from training import CODEC, FOLDER
from training.captions import TEMPLATES, Captions
from training.codec import load_codec
from training.concepts_codec import load_concept_codec
from training.frame_codec import FrameCodec
from training.judge_data import LEAST_SECONDS, Source
from training.judge_labels import GENRES, LABELS, NO_MUSIC, VOICES
from training.judges import STEPS, ClapRun, TaggerRun, run_of
from training.loop import finish


@pytest.fixture(scope="module")
def source() -> Source:
    torch.set_num_threads(1)
    return Source.shipped()


def test_the_frame_codec_is_the_codec() -> None:
    world = load_world(FOLDER / "varied.json")
    piece = render(SoundBank(world), sounds(world, compose(world, 1, 0, part="training")))
    clip = torch.from_numpy(piece[:64_000])[None]
    for model in (load_codec(CODEC), load_concept_codec()):
        frames = FrameCodec(model)
        with torch.inference_mode():
            codes = model.encode(clip[:, None]).audio_codes[0]
            heard = model.decode(codes[None], [None])[0][:, 0]
        ours = frames.encode(clip)
        # The last book codes next to nothing, where rounding decides.
        assert (ours == codes)[:, :3].float().mean() > 0.999
        torch.testing.assert_close(frames.decode(ours), heard, atol=2e-3, rtol=0)
        torch.testing.assert_close(frames.decode(codes), heard, atol=2e-3, rtol=0)


def test_a_batch_follows_from_its_numbers_alone(source: Source) -> None:
    arguments = {"part": "training", "coding": "any"}
    batch, again = (source(3, range(24), **arguments) for _ in range(2))
    assert {clip.origin for clip in batch} == {"concepts", "world", "nothing"}
    for first, second in zip(batch, again, strict=True):
        np.testing.assert_array_equal(first.samples, second.samples)
        assert replace(first, samples=None) == replace(second, samples=None)
    (other,) = source(4, [0], **arguments)
    assert not np.array_equal(other.samples, batch[0].samples)


@pytest.mark.parametrize("coding", ["plain", "coded"])
def test_a_clip_that_is_measured_follows_from_its_own_number(source: Source, coding: str) -> None:
    together = source(3, range(12), part="held_out", coding=coding)
    for number in (0, 7, 11):
        (alone,) = source(3, [number], part="held_out", coding=coding)
        np.testing.assert_allclose(alone.samples, together[number].samples, atol=1e-5)


def test_clips_have_the_labels_of_what_they_are_asked_for(source: Source) -> None:
    for clip in source(5, range(16), part="held_out", coding="plain", origin="concepts"):
        assert VOICES[clip.words.instrument][0] in clip.labels
        assert GENRES[clip.words.genre][0] in clip.labels
        assert len(clip.samples) == 4 * 32_000
        assert {*clip.labels, *clip.unclear} <= set(LABELS)
        assert not clip.labels & clip.unclear
    for clip in source(5, range(8), part="training", coding="any", origin="nothing"):
        assert clip.words is None
        assert clip.labels <= set(NO_MUSIC)
        assert np.isfinite(clip.samples).all()


def test_a_sound_too_short_to_be_sure_of_is_neither_there_nor_not(source: Source) -> None:
    assert LEAST_SECONDS > 0.16, "one note of a piece"
    crops = source(6, range(60), part="training", coding="any", origin="world")
    assert any("Bell" in crop.unclear for crop in crops)
    assert any("Bell" in crop.labels for crop in crops)


def test_coding_changes_the_sound_and_not_the_music(source: Source) -> None:
    plain, coded = (
        source(5, range(6), part="held_out", coding=coding, origin="concepts")
        for coding in ("plain", "coded")
    )
    for first, second in zip(plain, coded, strict=True):
        assert first.words == second.words
        assert (first.samples != second.samples).any()
        assert np.corrcoef(first.samples, second.samples)[0, 1] > 0.7


def test_no_prompt_of_the_evaluation_is_trained_on(source: Source) -> None:
    training = {words.prompt for words in source.words("training")}
    drawn = source(0, range(64), part="training", coding="plain", origin="concepts")
    assert {clip.words.prompt for clip in drawn} <= training
    measured = source(1000, range(64), part="held_out", coding="plain", origin="concepts")
    assert not {clip.words.prompt for clip in measured} & training


def test_each_question_has_one_answer_for_every_clip(source: Source) -> None:
    heard = source(8, range(32), part="training", coding="plain")
    captions = Captions(source.words("training"))
    for step in range(4):
        prompts, *fields = captions.asked(heard, step)
        assert [question.name for question in fields] == list(TEMPLATES)
        for clip in heard:
            said = prompts.sentences[prompts.answer(clip)]
            assert said == (clip.words.prompt if clip.words else next(iter(clip.labels)).lower())
            for question in fields:
                sentence = question.sentences[question.answer(clip)]
                if clip.words:
                    assert getattr(clip.words, question.name) in sentence
        for question in (prompts, *fields):
            assert len(set(question.sentences)) == len(question.sentences)


@pytest.mark.fault("training of the judges", "process stopped", outcome="resumed, the same weights")
@pytest.mark.parametrize("name", [*STEPS])
def test_a_run_that_was_broken_off_ends_in_the_same_weights(
    name: str, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.judges.BATCH", 4)
    monkeypatch.setitem(STEPS, name, 3)

    def start() -> TaggerRun | ClapRun:
        torch.manual_seed(0)
        return run_of(name, source)

    whole, broken = start(), start()
    finish(whole, tmp_path / "whole.safetensors", tmp_path / "whole.csv")
    broken.advance()
    broken.save(tmp_path / "checkpoint.safetensors")
    (tmp_path / "curve.csv").write_text("step,loss\n")
    resumed = start()
    finish(resumed, tmp_path / "checkpoint.safetensors", tmp_path / "curve.csv")
    for key, weight in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], weight), key
    initial = start().model.state_dict()
    assert any((weight != initial[key]).any() for key, weight in whole.model.state_dict().items())
