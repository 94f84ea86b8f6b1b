"""Sizes of models against the real classes and the organism's weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import MusicgenForCausalLM, T5Config, T5EncoderModel
from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

from leitmotif.errors import ConfigError
from leitmotif.musicgen import HookedMusicGen
from leitmotif.musicgen.checkpoint import transformers_weights
from leitmotif.musicgen.key_values import key_value_cache
from leitmotif.musicgen.loading import load_model
from leitmotif.musicgen.memory import CODEC_PARAMETERS
from leitmotif.musicgen.model import Decoder
from leitmotif.musicgen.room import key_value_bytes
from leitmotif.musicgen.tap import Tap
from leitmotif.plan.scale import Scale
from leitmotif.plan.sizes import (
    PUBLISHED,
    T5_BASE_PARAMETERS,
    decoder_parameters,
    size_of,
    step_bytes,
    step_operations,
)
from leitmotif.plan.stand_ins import musicgen_of
from tests.musicgen.audiocraft_files import save_audiocraft
from tests.tiny import tiny_musicgen


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_of_a_decoder_are_those_of_the_class(name: str) -> None:
    with torch.device("meta"):
        decoder = Decoder(PUBLISHED[name])
    assert decoder_parameters(PUBLISHED[name]) == sum(x.numel() for x in decoder.parameters())


def test_published_text_encoder_and_codec_are_those_of_the_classes() -> None:
    t5 = T5Config(vocab_size=32128, d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12)
    with torch.device("meta"):
        text = T5EncoderModel(t5)
    assert sum(x.numel() for x in text.parameters()) == T5_BASE_PARAMETERS
    small = replace(PUBLISHED["facebook/musicgen-small"], width=64, heads=1, mlp_width=64)
    codec = musicgen_of(small, blocks=1).codec
    assert sum(x.numel() for x in codec.state_dict().values()) == CODEC_PARAMETERS


def test_a_folder_of_audiocraft_has_the_sizes_of_its_model(tmp_path: Path) -> None:
    folder = save_audiocraft(tiny_musicgen(), tmp_path / "own")
    model = HookedMusicGen.from_pretrained(str(folder), device="cpu")
    size = size_of(str(folder))
    assert size.here
    assert size.decoder == model.config
    assert (size.frame_rate, size.sample_rate) == (model.frame_rate, model.sample_rate)
    assert size.text_parameters == sum(x.numel() for x in model.text.parameters())
    assert size.codec_parameters == sum(x.numel() for x in model.codec.state_dict().values())


def test_a_folder_is_measured_from_its_headers(scale_of: Callable[..., Scale]) -> None:
    scale = scale_of("organism")
    model = load_model(scale.params.model)
    size = scale.model
    assert size.here
    assert size.decoder == model.config
    assert decoder_parameters(size.decoder) == sum(x.numel() for x in model.decoder.parameters())
    assert (size.frame_rate, size.sample_rate) == (model.frame_rate, model.sample_rate)
    assert size.file_bytes == Path("models/organism/planner/model.safetensors").stat().st_size
    parts = (model.decoder, model.text, model.codec)
    held = sum(x.nbytes for part in parts for x in part.state_dict().values())
    assert size.weight_bytes("float64") == pytest.approx(held, rel=0.02)


def test_musicgen_small_is_known_without_a_download(scale_of: Callable[..., Scale]) -> None:
    size = scale_of("musicgen-small").model
    assert not size.here
    assert 580e6 < size.parameters < 600e6
    assert size.file_bytes == 4 * size.parameters
    # The codec keeps 4 bytes a number beside a decoder of 2.
    assert size.weight_bytes("float16") == 2 * (size.parameters + size.codec_parameters)


def test_an_unknown_checkpoint_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match="the sizes of someone/else are not known"):
        size_of("someone/else", "0" * 40)


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"decoder": {}}', encoding="utf-8")
    with pytest.raises(ConfigError, match="is not a MusicGen checkpoint"):
        size_of(str(tmp_path))


@pytest.mark.parametrize("rows", [2, 16])
def test_keys_and_values_take_what_the_cache_allocates(rows: int) -> None:
    config = replace(
        PUBLISHED["facebook/musicgen-small"], layers=2, width=64, heads=4, mlp_width=64
    )
    steps, held = 40, []
    cache = key_value_cache(
        layers=config.layers, rows=rows, heads=config.heads, steps=steps, like=torch.empty(0)
    )
    for layer in range(config.layers):
        keys_values = torch.zeros(2, rows, config.heads, steps, config.width // config.heads)
        cache.attend(layer, keys_values[0], keys_values)
        held.append(keys_values.nbytes)
    assert key_value_bytes(config, rows, steps, 4) == sum(held)


def test_a_step_reads_weights_once_and_keys_of_every_row() -> None:
    config = PUBLISHED["facebook/musicgen-small"]
    alone, many = (step_bytes(config, rows, 1000, 4) for rows in (1, 64))
    assert many - alone == 63 * key_value_bytes(config, 1, 1000, 4)
    assert step_operations(config, 64, 1000) == 64 * step_operations(config, 1, 1000)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_checkpoint_has_the_names_and_shapes_of_our_decoder(name: str) -> None:
    ours = PUBLISHED[name]
    theirs = MusicgenDecoderConfig(
        num_hidden_layers=ours.layers,
        hidden_size=ours.width,
        num_attention_heads=ours.heads,
        ffn_dim=ours.mlp_width,
        num_codebooks=ours.codebooks,
        vocab_size=ours.codebook_size,
    )
    with torch.device("meta"):  # no weight is made
        state = MusicgenForCausalLM(theirs).state_dict()
        decoder = Decoder(ours)
    mapped = {key: x.shape for key, x in transformers_weights(dict(state), ours).items()}
    assert mapped == {key: x.shape for key, x in decoder.named_parameters()}
    stored = [x.numel() for key, x in state.items() if "embed_positions" not in key]
    assert sum(stored) == decoder_parameters(ours)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_pass_of_a_published_size_has_its_shapes(name: str) -> None:
    config, steps = PUBLISHED[name], 9
    with torch.device("meta"):
        decoder = Decoder(config)
        decoder.codebook_offsets = torch.zeros(config.codebooks, 1, dtype=torch.long)
        tokens = torch.zeros(2, config.codebooks, steps, dtype=torch.long)
        positions = torch.zeros(steps, config.width)
        x = decoder(tokens, positions, tap=Tap(), text=None, text_mask=None)
        logits = decoder.logits(x)
    assert x.shape == (2, steps, config.width)
    assert logits.shape == (2, steps, config.codebooks, config.codebook_size)
