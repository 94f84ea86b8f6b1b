"""Weights from `transformers` checkpoints and from audiocraft state dicts into our decoder."""

from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leitmotif.checkpoints.folders import fetch_checkpoint, reading_checkpoint
from leitmotif.checkpoints.weights import check_finite, load_weights, refuse_other_names
from leitmotif.errors import ModelError
from leitmotif.files import read_json
from leitmotif.musicgen.codec import Codec
from leitmotif.musicgen.model import Decoder, DecoderConfig
from leitmotif.musicgen.text import Padding, TextEncoder

_ACTIVATIONS = ("gelu", "relu")
_PADDINGS = ("constant", "reflect", "replicate")
_MISSING = {
    "musicgen_melody": ". What a melody checkpoint needs is not there: the chroma of a melody, its "
    "projection, and a prompt that stands before the tokens in place of cross-attention",
    "musicgen_style": ". What a style checkpoint needs is not there: the style conditioner "
    "(features of an audio excerpt, a transformer and a residual quantiser over them), a prompt "
    "that stands before the tokens in place of cross-attention, and guidance with two weights",
}
"""Why other kinds of MusicGen are refused."""
_AUDIO_CONDITIONER = "condition_provider.conditioners.self_wav."
"""Where audiocraft keeps what listens to audio: of melody the chroma, of style a quantiser."""


@dataclass(frozen=True)
class Parts:
    """What a checkpoint is made of."""

    decoder: Decoder
    text: TextEncoder
    codec: Codec
    guidance_scale: float
    """The checkpoint's own default."""
    source: str | None = None
    """Folder or hub id, with the revision."""


def load_transformers(
    name: str, *, revision: str | None, dtype: torch.dtype, padding: Padding
) -> Parts:
    """Load a hub id or a folder in `transformers`' layout; only safetensors are read.

    Raises ModelError when there is no such checkpoint or it is not a MusicGen.
    """
    from transformers import AutoConfig, AutoTokenizer, MusicgenForConditionalGeneration

    with reading_checkpoint(
        name,
        expected="a hub id with its 40-digit revision, or a folder with config.json, "
        "model.safetensors and the tokenizer's files",
        fix="check model.name and model.revision; for a hub id, the network or HF_HUB_OFFLINE",
    ):
        folder = fetch_checkpoint(name, revision)
        if (kind := _kind(name, folder)) in _MISSING:  # `transformers` may not know it
            raise _not_musicgen(name, kind)
        config = AutoConfig.from_pretrained(folder)
        if config.model_type != "musicgen":
            raise _not_musicgen(name, config.model_type)
        # Its warnings hold for every MusicGen: the pad token lies outside the vocabulary.
        # In half the digits the codec's weights would be others, so they are cut afterwards.
        wide = torch.float32 if dtype.itemsize < torch.float32.itemsize else dtype
        model = load_weights(
            MusicgenForConditionalGeneration, folder, dtype=wide, use_safetensors=True
        )
        _narrow(model, dtype)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    parts = split_transformers(model, tokenizer, padding, emptied=True)
    return replace(parts, source=name if revision is None else f"{name}@{revision}")


def _kind(name: str, folder: Path) -> str:
    """The ``model_type`` of a checkpoint's config.json, or what its name says if there is none."""
    config = folder / "config.json"
    if not config.is_file():
        return next((kind for kind in _MISSING if kind.replace("_", "-") in name), "")
    values = read_json(config, fix="fetch the checkpoint again", error=ModelError)
    return str(values.get("model_type", "")) if isinstance(values, dict) else ""


def _not_musicgen(name: str, kind: str) -> ModelError:
    return ModelError(
        f"{name} is not a MusicGen checkpoint",
        found=f"model_type {kind!r}",
        expected=f"'musicgen'{_MISSING.get(kind, '')}",
        fix="use a mono or stereo MusicGen checkpoint without melody or style conditioning",
    )


def split_transformers(
    model: Any, tokenizer: Any | None, padding: Padding, *, emptied: bool = False
) -> Parts:
    """Take a ``MusicgenForConditionalGeneration`` apart; the decoder's weights are rearranged.

    With ``emptied`` its decoder loses them meanwhile, one by one. Otherwise queries, keys, values,
    embeddings and heads, which are joined, are in memory twice until it is dropped.
    """
    kind = getattr(getattr(model, "config", None), "model_type", None)
    if kind != "musicgen":
        raise ModelError(
            "this is no MusicGen of `transformers`",
            found=f"model_type {kind!r}" if kind else f"{type(model).__name__}",
            expected="a MusicgenForConditionalGeneration",
        )
    theirs = model.config.decoder
    _check_config(model, theirs)
    check_finite(model, "the weights")
    config = DecoderConfig(
        layers=theirs.num_hidden_layers,
        width=theirs.hidden_size,
        heads=theirs.num_attention_heads,
        mlp_width=theirs.ffn_dim,
        codebooks=theirs.num_codebooks,
        codebook_size=theirs.vocab_size,
        embedding_scale=theirs.hidden_size**0.5 if theirs.scale_embedding else 1.0,
        activation=theirs.activation_function,
        channels=theirs.audio_channels,
    )
    state = model.decoder.state_dict()
    if emptied:
        model.decoder.to("meta")  # the state alone holds them now
    decoder = build_decoder(config, transformers_weights(state, config))
    projection = getattr(model, "enc_to_dec_proj", None) or nn.Identity()
    text = TextEncoder(tokenizer, model.text_encoder, projection, padding)
    guidance = model.generation_config.guidance_scale
    codec = Codec(model.audio_encoder, config.codebooks, config.channels)
    return Parts(decoder, text, codec, 3.0 if guidance is None else float(guidance))


def build_decoder(config: DecoderConfig, weights: Mapping[str, Tensor]) -> Decoder:
    """Make a decoder around ``weights`` without copying them; names and shapes must all match."""
    with torch.device("meta"):
        decoder = Decoder(config)
    try:
        decoder.load_state_dict(dict(weights), strict=True, assign=True)
    except RuntimeError as error:
        raise ModelError("the checkpoint's tensors do not fit its config", found=error) from error
    check_finite(decoder, "the decoder's weights")
    decoder.codebook_offsets = torch.arange(config.codebooks)[:, None] * (config.codebook_size + 1)
    return decoder


def transformers_weights(
    state: MutableMapping[str, Tensor], config: DecoderConfig
) -> dict[str, Tensor]:
    """Map a `transformers` ``MusicgenForCausalLM`` state dict to ours, and take them out of it.

    Raises ModelError, which names them, for tensors that are missing or unexpected.
    """
    source = _Source(state, left=("model.decoder.embed_positions.weights",))
    root = "model.decoder"
    books = range(config.codebooks)
    weights = {
        "embedding.weight": source.stack(f"{root}.embed_tokens.{k}.weight" for k in books),
        "final_norm.weight": source[f"{root}.layer_norm.weight"],
        "final_norm.bias": source[f"{root}.layer_norm.bias"],
        "heads.weight": source.stack(f"lm_heads.{k}.weight" for k in books),
    }
    for i in range(config.layers):
        theirs, ours = f"{root}.layers.{i}", f"blocks.{i}"
        for norm, name in (
            ("self_norm", "self_attn_layer_norm"),
            ("cross_norm", "encoder_attn_layer_norm"),
            ("mlp_norm", "final_layer_norm"),
        ):
            weights[f"{ours}.{norm}.weight"] = source[f"{theirs}.{name}.weight"]
            weights[f"{ours}.{norm}.bias"] = source[f"{theirs}.{name}.bias"]
        attention, cross = f"{theirs}.self_attn", f"{theirs}.encoder_attn"
        weights |= {
            f"{ours}.self_query_key_value.weight": source.stack(
                f"{attention}.{part}_proj.weight" for part in "qkv"
            ),
            f"{ours}.self_out.weight": source[f"{attention}.out_proj.weight"],
            f"{ours}.cross_query.weight": source[f"{cross}.q_proj.weight"],
            f"{ours}.cross_key_value.weight": source.stack(
                f"{cross}.{part}_proj.weight" for part in "kv"
            ),
            f"{ours}.cross_out.weight": source[f"{cross}.out_proj.weight"],
            f"{ours}.mlp_in.weight": source[f"{theirs}.fc1.weight"],
            f"{ours}.mlp_out.weight": source[f"{theirs}.fc2.weight"],
        }
    source.check_all_taken()
    return weights


def audiocraft_weights(
    state: MutableMapping[str, Tensor], config: DecoderConfig
) -> dict[str, Tensor]:
    """Map the state dict of audiocraft's ``LMModel`` (1.3.0) to ours, and take them out of it.

    Its text conditioner is left out. Raises ModelError, which names them, for tensors that are
    missing or unexpected, and for a checkpoint that listens to audio.
    """
    refuse_audio_conditioner(state)
    source = _Source(state, left=("condition_provider.",))
    books = range(config.codebooks)
    weights = {
        "embedding.weight": source.stack(f"emb.{k}.weight" for k in books),
        "final_norm.weight": source["out_norm.weight"],
        "final_norm.bias": source["out_norm.bias"],
        "heads.weight": source.stack(f"linears.{k}.weight" for k in books),
    }
    for i in range(config.layers):
        theirs, ours = f"transformer.layers.{i}", f"blocks.{i}"
        for norm, name in (
            ("self_norm", "norm1"),
            ("cross_norm", "norm_cross"),
            ("mlp_norm", "norm2"),
        ):
            weights[f"{ours}.{norm}.weight"] = source[f"{theirs}.{name}.weight"]
            weights[f"{ours}.{norm}.bias"] = source[f"{theirs}.{name}.bias"]
        cross = source[f"{theirs}.cross_attention.in_proj_weight"]
        cross = cross if cross.dim() else cross[None]
        weights |= {
            f"{ours}.self_query_key_value.weight": source[f"{theirs}.self_attn.in_proj_weight"],
            f"{ours}.self_out.weight": source[f"{theirs}.self_attn.out_proj.weight"],
            f"{ours}.cross_query.weight": cross[: config.width],
            f"{ours}.cross_key_value.weight": cross[config.width :],
            f"{ours}.cross_out.weight": source[f"{theirs}.cross_attention.out_proj.weight"],
            f"{ours}.mlp_in.weight": source[f"{theirs}.linear1.weight"],
            f"{ours}.mlp_out.weight": source[f"{theirs}.linear2.weight"],
        }
    source.check_all_taken()
    return weights


def refuse_audio_conditioner(state: Mapping[str, Tensor]) -> None:
    """Raise ModelError, which says what is missing, for weights of a melody or style model."""
    names = sorted(name for name in state if name.startswith(_AUDIO_CONDITIONER))
    if names:
        is_style = any(".rvq." in name or ".transformer." in name for name in names)
        kind = "musicgen_style" if is_style else "musicgen_melody"
        raise ModelError(
            "the checkpoint is conditioned on audio",
            found=f"a {kind.partition('_')[2]} conditioner: {names[0]}",
            expected=f"a prompt of text alone{_MISSING[kind]}",
            fix="use a mono or stereo MusicGen checkpoint without melody or style conditioning",
        )


class _Source:
    """A state dict out of which every tensor has to be taken once."""

    def __init__(self, state: MutableMapping[str, Tensor], *, left: tuple[str, ...]) -> None:
        """``left``: how the names of tensors begin that are not taken."""
        self._state, self._left = state, left
        self._missing: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        """Take a tensor out of the state, which may be all that holds it."""
        if name not in self._state:
            self._missing.add(name)
            return torch.empty(0)
        return self._state.pop(name)

    def stack(self, names: Iterable[str]) -> Tensor:
        """Tensors of one shape, one under the other."""
        parts = {name: self[name] for name in names}
        shapes = Counter(tuple(part.shape) for part in parts.values())
        (usual, _), *_ = shapes.most_common()
        if len(shapes) > 1 and not parts.keys() & self._missing:
            other = [f"{k} {tuple(v.shape)}" for k, v in parts.items() if tuple(v.shape) != usual]
            refuse_other_names(
                "the checkpoint's tensors do not fit each other",
                misshapen=(f"{shape} in place of {usual}" for shape in other),
            )
        return torch.cat([part for part in parts.values() if tuple(part.shape) == usual])

    def check_all_taken(self) -> None:
        """Raise ModelError for tensors that were missing, and for those that nothing took."""
        refuse_other_names(
            "the checkpoint's tensors are not those of the decoder",
            missing=self._missing,
            unexpected=(name for name in self._state if not name.startswith(self._left)),
        )


def _narrow(model: Any, dtype: torch.dtype) -> None:
    """Cut everything but the codec to ``dtype``, in place."""
    for name, part in model.named_children():
        if name != "audio_encoder":
            part.to(dtype)


def _check_config(model: Any, decoder: Any) -> None:
    refused = {
        "decoder.audio_channels": (decoder.audio_channels, (1, 2)),
        "decoder.num_codebooks % audio_channels": (
            decoder.num_codebooks % decoder.audio_channels,
            (0,),
        ),
        "audio_encoder.audio_channels": (model.config.audio_encoder.audio_channels, (1,)),
        "decoder.num_attention_heads": (
            decoder.num_attention_heads,
            [n for n in range(1, decoder.hidden_size + 1) if decoder.hidden_size % n == 0],
        ),
        "decoder.activation_function": (decoder.activation_function, _ACTIVATIONS),
        "decoder.pad_token_id": (decoder.pad_token_id, (decoder.vocab_size,)),
        "audio_encoder.pad_mode": (model.config.audio_encoder.pad_mode, _PADDINGS),
        "text_encoder.relative_attention_max_distance": (
            model.config.text_encoder.relative_attention_max_distance,
            (128,),  # of every T5
        ),
        "audio_encoder.chunk_length_s": (model.config.audio_encoder.chunk_length_s, (None,)),
        "audio_encoder.codebook_size": (
            model.config.audio_encoder.codebook_size,
            (decoder.vocab_size,),
        ),
    }
    for key, (value, allowed) in refused.items():
        if value not in allowed:
            raise ModelError(
                f"the checkpoint's {key} is not supported",
                found=value,
                expected=" or ".join(map(str, allowed)),
                fix="use a mono or stereo MusicGen checkpoint without melody or style conditioning",
            )
