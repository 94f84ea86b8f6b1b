"""Checkpoints as audiocraft exports them: two files of weights, and the settings of their models.

Read with torch's weights-only unpickler, which builds tensors and runs nothing. The weights of the
text encoder are in neither file; they lie in a folder beside them, in `transformers`' layout.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leitmotif.checkpoints.folders import reading_checkpoint
from leitmotif.checkpoints.weights import (
    check_finite,
    load_weights,
    refuse_other_names,
    weight_norm_name,
)
from leitmotif.errors import ModelError
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.musicgen.checkpoint import (
    Parts,
    audiocraft_weights,
    build_decoder,
    refuse_audio_conditioner,
)
from leitmotif.musicgen.codec import Codec
from leitmotif.musicgen.model import DecoderConfig
from leitmotif.musicgen.text import Padding, TextEncoder

LANGUAGE_MODEL, CODEC = "state_dict.bin", "compression_state_dict.bin"
GUIDANCE_SCALE = 3.0
"""Default of audiocraft's ``MusicGen``, whatever the checkpoint was trained with."""
_PROJECTION = "condition_provider.conditioners.description.output_proj."
_OF_T5S_DECODER = ("decoder.", "lm_head.")
_HUB_NAMES = {"t5-small": "google-t5/t5-small", "t5-base": "google-t5/t5-base"}
"""Of models that audiocraft names as the hub did once."""

_LANGUAGE_MODELS: Mapping[str, tuple[object, ...]] = {
    "lm_model": ("transformer_lm",),
    "codebooks_pattern.modeling": ("delay",),
    "codebooks_pattern.delay.flatten_first": (0, None),
    "codebooks_pattern.delay.empty_initial": (0, None),
    "transformer_lm.norm_first": (True,),
    "transformer_lm.norm": ("layer_norm", None),
    "transformer_lm.causal": (True, None),
    "transformer_lm.activation": ("gelu", "relu"),
    "transformer_lm.positional_embedding": ("sin", None),
    "transformer_lm.positional_scale": (1, None),
    "transformer_lm.max_period": (10_000, None),
    "transformer_lm.past_context": (None,),
    "transformer_lm.qk_layer_norm": (False, None),
    "transformer_lm.qk_layer_norm_cross": (False, None),
    "transformer_lm.kv_repeat": (1, None),
    "fuser.cross": (["description"],),
    "fuser.prepend": ([], None),
    "fuser.sum": ([], None),
    "fuser.input_interpolate": ([], None),
    "fuser.cross_attention_pos_emb": (False, None),
    "conditioners.description.model": ("t5",),
    "conditioners.description.t5.finetune": (False, None),
    "conditioners.description.t5.normalize_text": (False, None),
}
"""Settings that decide what is computed, and the values for which ours is the same computation.

None stands for what is not said, where that is audiocraft's default. What has weights of its own,
such as biases, is found by their names.
"""
_CODECS: Mapping[str, tuple[object, ...]] = {
    "compression_model": ("encodec",),
    "encodec.autoencoder": ("seanet",),
    "encodec.quantizer": ("rvq",),
    "encodec.channels": (1,),
    "encodec.renormalize": (False, None),
    "seanet.activation": ("ELU", None),
    "seanet.activation_params.alpha": (1, None),
    "seanet.norm": ("weight_norm",),
    "seanet.disable_norm_outer_blocks": (0, None),
    "seanet.encoder": ({}, None),
    "seanet.decoder.final_activation": (None,),
}


def is_audiocraft(name: str) -> bool:
    """Whether ``name`` is a folder with a checkpoint of audiocraft, and none of `transformers`."""
    folder = Path(str(name))
    try:
        return (folder / LANGUAGE_MODEL).is_file() and not (folder / "config.json").exists()
    except OSError:  # a name that no file can have is refused by what fetches it
        return False


def load_audiocraft(name: str, *, dtype: torch.dtype, padding: Padding) -> Parts:
    """Load a folder with ``state_dict.bin``, ``compression_state_dict.bin`` and the text encoder.

    The folder of the text encoder has the last part of the name that the settings give, such as
    ``t5-base``. So has that of the codec, where ``compression_state_dict.bin`` only names one.
    Raises ModelError for what is missing, and for models that are computed otherwise than ours.
    """
    folder = Path(name).resolve()
    with _reading(name):
        state, settings = _read(folder / LANGUAGE_MODEL)
        refuse_audio_conditioner(state)
        _check(settings, _LANGUAGE_MODELS, folder / LANGUAGE_MODEL)
        config = config_of(state, settings)
        decoder = build_decoder(config, audiocraft_weights(state, config)).to(dtype)
        text = _text_encoder(folder, settings, state, padding)  # the state has nothing else now
        encodec = _codec(folder, books=config.codebooks // config.channels)
    codec = Codec(encodec, config.codebooks, config.channels)
    return Parts(decoder, text, codec, GUIDANCE_SCALE, name)


@dataclass(frozen=True)
class Description:
    """Sizes of a checkpoint, for which no weights are read."""

    decoder: DecoderConfig
    text_parameters: int
    """Number of parameters of T5's encoder and of the projection."""
    codec_parameters: int
    codec: Any
    """The config of `transformers`' EnCodec."""
    file_bytes: int
    """Bytes of both files; T5's are beside them."""


def describe(name: str) -> Description:
    """Sizes of a checkpoint that ``load_audiocraft`` would load; raises ModelError as it does."""
    from transformers import EncodecConfig, EncodecModel, T5Config, T5EncoderModel

    folder = Path(name).resolve()
    with _reading(name):
        state, settings = _read(folder / LANGUAGE_MODEL)
        config = config_of(state, settings)
        of_codec, codec_settings = _read(folder / CODEC)
        if of_codec:
            codec_config = _codec_config(codec_settings, config.codebooks // config.channels)
        else:
            place = _beside(folder, codec_settings["pretrained"])
            codec_config = EncodecConfig.from_pretrained(place)
        with torch.device("meta"):
            t5 = T5EncoderModel(T5Config.from_pretrained(_text_folder(folder, settings)))
            codec = EncodecModel(codec_config)
    return Description(
        config,
        sum(x.numel() for x in t5.parameters()) + (t5.config.d_model + 1) * config.width,
        sum(x.numel() for x in codec.state_dict().values()),
        codec_config,
        sum((folder / file).stat().st_size for file in (LANGUAGE_MODEL, CODEC)),
    )


def _reading(name: str) -> AbstractContextManager[None]:
    return reading_checkpoint(
        name,
        expected=f"{LANGUAGE_MODEL} and {CODEC} as audiocraft.utils.export writes them",
        fix="export the training's checkpoint with export_lm and export_pretrained_compression_"
        "model, or fetch the folder again; see docs/model.md",
    )


def config_of(state: Mapping[str, Tensor], settings: Mapping[str, Any]) -> DecoderConfig:
    """Sizes of the decoder, which its weights tell, but for the number of heads.

    Raises ModelError for delays that are those of neither a mono nor a stereo model.
    """
    books, width = state["emb.0.weight"].shape[0] - 1, state["emb.0.weight"].shape[1]
    stereo = bool(_setting(settings, "interleave_stereo_codebooks.use"))
    config = DecoderConfig(
        layers=_count(state, r"transformer\.layers\.(\d+)\."),
        width=width,
        heads=int(_setting(settings, "transformer_lm.num_heads")),
        mlp_width=state["transformer.layers.0.linear1.weight"].shape[0],
        codebooks=_count(state, r"emb\.(\d+)\.weight"),
        codebook_size=books,
        activation=_setting(settings, "transformer_lm.activation"),
        channels=2 if stereo else 1,
    )
    delays = _setting(settings, "codebooks_pattern.delay.delays") or range(config.codebooks)
    if tuple(delays) != config.delays or _setting(
        settings, "interleave_stereo_codebooks.per_timestep"
    ):
        raise ModelError(
            "the checkpoint's codebooks lag otherwise than those of a MusicGen",
            found=f"delays {list(delays)}",
            expected=f"delays {list(config.delays)}",
            fix="use a mono or stereo MusicGen checkpoint",
        )
    return config


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    """Numbers that stand in names, which count from 0."""
    return len({found[1] for name in state if (found := re.match(pattern, name))})


def _read(path: Path) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """Weights and settings of a file; no weights where it only names a model, ``pretrained``."""
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if isinstance(content, dict) and isinstance(content.get("pretrained"), str):
        return {}, content
    state, text = (
        (content.get("best_state"), content.get("xp.cfg")) if isinstance(content, dict) else ("", 0)
    )
    if not isinstance(state, dict) or not isinstance(text, str):
        raise ModelError(
            f"{path} is no exported checkpoint of audiocraft",
            found=f"{[*content] if isinstance(content, dict) else type(content).__name__!r:.200}",
            expected="best_state, the weights, and xp.cfg, the settings as text",
            fix="export the training's checkpoint with audiocraft.utils.export",
        )
    settings = parse_yaml(text)
    return dict(state), settings if isinstance(settings, Mapping) else {}


def _setting(settings: Mapping[str, Any], place: str) -> Any:
    """A setting, or None where it is not said; ``${a.b}`` stands for another one's value."""
    value: Any = settings
    for key in place.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, str) and (link := re.fullmatch(r"\$\{([\w.]+)\}", value)):
        return _setting(settings, link[1]) if link[1] != place else None
    return value


def _check(
    settings: Mapping[str, Any], known: Mapping[str, tuple[object, ...]], path: Path
) -> None:
    wrong = {
        place: value
        for place, allowed in known.items()
        if (value := _setting(settings, place)) not in allowed
    }
    if wrong:
        raise ModelError(
            f"{path} is of a model that is computed otherwise",
            found="; ".join(f"{place} {value!r:.60}" for place, value in wrong.items()),
            expected="; ".join(
                f"{place} {' or '.join(repr(value) for value in known[place])}" for place in wrong
            ),
            fix="use a mono or stereo MusicGen checkpoint without melody or style conditioning",
        )


def _beside(folder: Path, name: str) -> Path:
    """The folder of a model that a checkpoint only names."""
    place = folder / name.rpartition("/")[2]
    if not place.is_dir():
        raise ModelError(
            f"the checkpoint in {folder} names {name}, whose weights it does not hold",
            found=f"no folder {place}",
            expected="that model in transformers' layout",
            fix=f"hf download {_HUB_NAMES.get(name, name)} --local-dir {place}",
        )
    return place


def _text_folder(folder: Path, settings: Mapping[str, Any]) -> Path:
    return _beside(folder, str(_setting(settings, "conditioners.description.t5.name")))


def _text_encoder(
    folder: Path, settings: Mapping[str, Any], state: Mapping[str, Tensor], padding: Padding
) -> TextEncoder:
    from transformers import AutoTokenizer, T5EncoderModel

    expected = {f"{_PROJECTION}weight", f"{_PROJECTION}bias"}
    refuse_other_names(
        f"the text conditioner in {folder / LANGUAGE_MODEL} is not audiocraft's T5",
        missing=expected - state.keys(),
        unexpected=state.keys() - expected,
    )
    place = _text_folder(folder, settings)
    t5 = load_weights(T5EncoderModel, place, dtype=torch.float32, left=_OF_T5S_DECODER)
    weights = {name.removeprefix(_PROJECTION): tensor for name, tensor in state.items()}
    width, read = weights["weight"].shape
    with torch.device("meta"):
        projection = nn.Linear(read, width)
    projection.load_state_dict(weights, assign=True)
    check_finite(projection, "the projection of the text encoder")
    return TextEncoder(AutoTokenizer.from_pretrained(place), t5, projection.float(), padding)


def _codec(folder: Path, *, books: int) -> Any:
    """`transformers`' EnCodec with the weights of audiocraft's, of which ``books`` are used."""
    from transformers import EncodecModel

    state, settings = _read(folder / CODEC)
    if not state:
        place = _beside(folder, settings["pretrained"])
        return load_weights(EncodecModel, place, dtype=torch.float32)
    _check(settings, _CODECS, folder / CODEC)
    model = EncodecModel(_codec_config(settings, books))
    ours, theirs = model.state_dict(), {_codec_name(name): x for name, x in state.items()}
    refuse_other_names(
        f"the weights in {folder / CODEC} are not those of its settings",
        missing=ours.keys() - theirs.keys(),
        unexpected=theirs.keys() - ours.keys(),
        misshapen=(
            f"{name} {tuple(theirs[name].shape)} in place of {tuple(ours[name].shape)}"
            for name in ours.keys() & theirs.keys()
            if ours[name].shape != theirs[name].shape
        ),
    )
    model.load_state_dict(theirs)
    check_finite(model, f"the weights in {folder / CODEC}")
    return model


def _codec_config(settings: Mapping[str, Any], used: int) -> Any:
    from transformers import EncodecConfig

    def of(key: str) -> Any:
        return _setting(settings, f"seanet.{key}")

    rate, ratios = _setting(settings, "encodec.sample_rate"), list(of("ratios"))
    there, size = _setting(settings, "rvq.n_q"), _setting(settings, "rvq.bins")
    config = EncodecConfig(
        sampling_rate=rate, audio_channels=1, normalize=False, chunk_length_s=None,
        hidden_size=of("dimension"), num_filters=of("n_filters"),
        num_residual_layers=of("n_residual_layers"), upsampling_ratios=ratios,
        kernel_size=of("kernel_size"), last_kernel_size=of("last_kernel_size"),
        residual_kernel_size=of("residual_kernel_size"), dilation_growth_rate=of("dilation_base"),
        use_causal_conv=bool(_setting(settings, "encodec.causal")), pad_mode=of("pad_mode"),
        compress=of("compress"), num_lstm_layers=of("lstm"), codebook_size=size,
        use_conv_shortcut=not of("true_skip"), trim_right_ratio=of("decoder.trim_right_ratio"),
    )  # fmt: skip
    # The first bandwidth says how many codebooks are used, the last how many there are.
    bits = config.frame_rate * config.codebook_nbits
    config.target_bandwidths = [books * bits / 1000 for books in sorted({used, there})]
    return config


def _codec_name(name: str) -> str:
    name = re.sub(r"^(encoder|decoder)\.model\.", r"\1.layers.", name)
    name = re.sub(r"\.conv\.conv\.|\.convtr\.convtr\.", ".conv.", name)
    name = name.replace("quantizer.vq.layers.", "quantizer.layers.").replace(
        "._codebook.", ".codebook."
    )
    return weight_norm_name(name)
