"""Folders as audiocraft exports them are the same models as those of `transformers`."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import EncodecModel, MusicgenForConditionalGeneration

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen
from tests.musicgen.audiocraft_files import (
    CODEC_SETTINGS,
    SETTINGS,
    codec,
    export,
    language_model,
    save_audiocraft,
    settings,
)
from tests.tiny import make_audible, save_checkpoint, tiny_musicgen

PROMPTS = ["a calm piece", "sad fast guitar with drums and violin"]


@pytest.fixture(scope="module")
def audible() -> MusicgenForConditionalGeneration:
    return make_audible(tiny_musicgen())


@pytest.fixture
def folder(audible: MusicgenForConditionalGeneration, tmp_path: Path) -> Path:
    return save_audiocraft(audible, tmp_path / "own")


def _loaded(folder: Path, **options: Any) -> HookedMusicGen:
    return HookedMusicGen.from_pretrained(str(folder), device="cpu", **options)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_captures_tokens_and_audio_are_those_of_the_other_layout(
    dtype: str, folder: Path, audible: MusicgenForConditionalGeneration, tmp_path: Path
) -> None:
    ours = _loaded(folder, dtype=dtype)
    saved = save_checkpoint(audible, tmp_path / "theirs")
    theirs = _loaded(saved, dtype=dtype, text_padding="attended")
    assert ours.text.padding == "attended"
    assert ours.fingerprint == theirs.fingerprint
    assert ours.codec_fingerprint == theirs.codec_fingerprint
    audio = torch.sin(torch.arange(32_000) * 0.07).numpy()
    codes = ours.encode_audio(audio)
    assert torch.equal(codes, theirs.encode_audio(audio))
    codes = torch.randint(64, (1, 4, 50), generator=torch.Generator().manual_seed(0))
    assert torch.equal(ours.decode_audio(codes), theirs.decode_audio(codes))
    both = codes[:, :, :20].repeat(2, 1, 1)
    logits, cache = ours.run_with_cache(both, PROMPTS, sites=["layers.1.residual", "layers.2.mlp"])
    expected, others = theirs.run_with_cache(both, PROMPTS, sites=list(cache))
    assert torch.equal(logits, expected)
    assert all(torch.equal(cache[site], others[site]) for site in cache)
    made = ours.generate(PROMPTS, seconds=0.2, tracks=["a", "b"]).codes
    assert torch.equal(made, theirs.generate(PROMPTS, seconds=0.2, tracks=["a", "b"]).codes)


def test_a_codec_that_is_only_named_is_read_beside(
    folder: Path, audible: MusicgenForConditionalGeneration
) -> None:
    named = {"pretrained": "facebook/encodec_32khz", "exported": True, "version": "1.3.0"}
    expected = _loaded(folder).codec_fingerprint
    torch.save(named, folder / "compression_state_dict.bin")
    with pytest.raises(ModelError, match="hf download facebook/encodec_32khz"):
        _loaded(folder)
    audible.audio_encoder.save_pretrained(folder / "encodec_32khz")
    assert _loaded(folder).codec_fingerprint == expected


def test_stereo_checkpoints_load(tmp_path: Path) -> None:
    theirs = make_audible(tiny_musicgen(channels=2))
    folder = save_audiocraft(theirs, tmp_path / "own")
    changed = settings(
        transformer_lm__n_q=8,
        codebooks_pattern__delay__delays=[0, 0, 1, 1, 2, 2, 3, 3],
        interleave_stereo_codebooks__use=True,
    )
    export(folder / "state_dict.bin", language_model(theirs), changed)
    saved = save_checkpoint(theirs, tmp_path / "theirs")
    ours, others = _loaded(folder), _loaded(saved, text_padding="attended")
    assert ours.channels == 2
    assert (ours.fingerprint, ours.codec_fingerprint) == (
        others.fingerprint, others.codec_fingerprint,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("lm_model", "transformer_lm_magnet"),
        ("codebooks_pattern__modeling", "parallel"),
        ("codebooks_pattern__delay__delays", [0, 2, 4, 6]),
        ("transformer_lm__norm_first", False),
        ("transformer_lm__positional_embedding", "rope"),
        ("transformer_lm__past_context", 500),
        ("fuser__prepend", ["description"]),
        ("fuser__cross", ["description", "other"]),
        ("conditioners__description__t5__normalize_text", True),
        ("conditioners__description__model", "lut"),
    ],
)
def test_what_is_computed_otherwise_is_refused_by_name(
    place: str, value: object, folder: Path, audible: MusicgenForConditionalGeneration
) -> None:
    export(folder / "state_dict.bin", language_model(audible), settings(**{place: value}))
    with pytest.raises(ModelError, match=place.rpartition("__")[2]):
        _loaded(folder)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("compression_model", "dac"),
        ("encodec__renormalize", True),
        ("channels", 2),
        ("seanet__norm", "time_group_norm"),
        ("seanet__dimension", 24),
    ],
)
def test_so_is_a_codec(
    place: str, value: object, folder: Path, audible: MusicgenForConditionalGeneration
) -> None:
    changed = settings(CODEC_SETTINGS, **{place: value})
    export(folder / "compression_state_dict.bin", codec(audible), changed)
    with pytest.raises(ModelError, match=r"compression_state_dict\.bin"):
        _loaded(folder)


def test_melody_is_refused_by_kind(folder: Path, audible: MusicgenForConditionalGeneration) -> None:
    name = "condition_provider.conditioners.self_wav.output_proj.weight"
    state = language_model(audible) | {name: torch.zeros(2, 2)}
    export(folder / "state_dict.bin", state, settings(fuser__prepend=["self_wav", "description"]))
    with pytest.raises(ModelError, match="a melody conditioner"):
        _loaded(folder)


@pytest.mark.parametrize("what", ["t5-base", "compression_state_dict.bin"])
def test_what_is_not_there_is_named(what: str, folder: Path) -> None:
    (folder / what).rename(folder / "away")
    with pytest.raises(ModelError, match=what):
        _loaded(folder)


def test_no_code_of_a_file_is_run(folder: Path, tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "run",))

    torch.save({"best_state": {}, "xp.cfg": Harmful()}, folder / "state_dict.bin")
    with pytest.raises(ModelError, match="export"):
        _loaded(folder)
    assert not (tmp_path / "run").exists()


def test_a_training_checkpoint_is_sent_to_be_exported(folder: Path) -> None:
    torch.save({"best_state": {"model": {}}, "epoch": 1}, folder / "state_dict.bin")
    with pytest.raises(ModelError, match=r"audiocraft\.utils\.export"):
        _loaded(folder)


def test_half_precision_files_are_widened(
    folder: Path, audible: MusicgenForConditionalGeneration
) -> None:
    """As the published ones are."""
    half = {name: weight.half() for name, weight in language_model(audible).items()}
    export(folder / "state_dict.bin", half, SETTINGS)
    model = _loaded(folder)
    assert {weight.dtype for weight in model.decoder.parameters()} == {torch.float32}
    assert {weight.dtype for weight in model.text.parameters()} == {torch.float32}


def test_the_class_of_the_codec_is_the_one_that_is_saved(folder: Path) -> None:
    assert isinstance(_loaded(folder).codec.encodec, EncodecModel)
