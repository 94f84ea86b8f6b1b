"""Folders in audiocraft's layout, written from the tiny model, and settings as it exports them."""

import copy
import io
import re
from pathlib import Path
from typing import Any

import torch
from ruamel.yaml import YAML
from torch import Tensor
from transformers import MusicgenForConditionalGeneration

from tests.tiny import tiny_tokenizer

SETTINGS: dict[str, Any] = {
    "sample_rate": 32_000,
    "channels": 1,
    "lm_model": "transformer_lm",
    "transformer_lm": {
        "dim": 32, "num_heads": 4, "num_layers": 3, "hidden_scale": 2, "n_q": 4, "card": 64,
        "norm_first": True, "bias_ff": False, "bias_attn": False, "bias_proj": False,
        "activation": "gelu", "past_context": None, "causal": True, "norm": "layer_norm",
        "positional_embedding": "sin", "layer_scale": None, "qk_layer_norm": False,
        "kv_repeat": 1,
    },
    "codebooks_pattern": {
        "modeling": "delay",
        "delay": {"delays": [0, 1, 2, 3], "flatten_first": 0, "empty_initial": 0},
    },
    "fuser": {
        "cross_attention_pos_emb": False, "sum": [], "prepend": [], "cross": ["description"],
        "input_interpolate": [],
    },
    "conditioners": {
        "args": {"merge_text_conditions_p": 0.25},
        "description": {
            "model": "t5",
            "t5": {"name": "t5-base", "finetune": False, "word_dropout": 0.2,
                   "normalize_text": False},
        },
    },
    "interleave_stereo_codebooks": {"use": False, "per_timestep": False},
}  # fmt: skip
CODEC_SETTINGS: dict[str, Any] = {
    "sample_rate": 32_000,
    "channels": 1,
    "compression_model": "encodec",
    "encodec": {
        "autoencoder": "seanet", "quantizer": "rvq", "sample_rate": "${sample_rate}",
        "channels": "${channels}", "causal": False, "renormalize": False,
    },
    "seanet": {
        "dimension": 16, "channels": "${channels}", "causal": "${encodec.causal}", "n_filters": 4,
        "n_residual_layers": 1, "ratios": [8, 5, 4, 4], "activation": "ELU",
        "activation_params": {"alpha": 1.0}, "norm": "weight_norm", "norm_params": {},
        "kernel_size": 7, "residual_kernel_size": 3, "last_kernel_size": 7, "dilation_base": 2,
        "pad_mode": "reflect", "true_skip": False, "compress": 2, "lstm": 1,
        "disable_norm_outer_blocks": 0, "encoder": {},
        "decoder": {"trim_right_ratio": 1.0, "final_activation": None},
    },
    "rvq": {"n_q": 4, "bins": 64},
}  # fmt: skip


def settings(of: dict[str, Any] = SETTINGS, **changed: Any) -> dict[str, Any]:
    """Settings with others at places such as ``transformer_lm.norm``; a dot is written ``__``."""
    made = copy.deepcopy(of)
    for place, value in changed.items():
        *folders, key = place.split("__")
        section = made
        for folder in folders:
            section = section[folder]
        section[key] = value
    return made


def export(path: Path, state: dict[str, Tensor], of: dict[str, Any]) -> None:
    """Write a file as ``audiocraft.utils.export`` does."""
    text = io.StringIO()
    YAML().dump(of, text)
    content = {"best_state": state, "xp.cfg": text.getvalue(), "version": "1.3.0"}
    torch.save({**content, "exported": True}, path)


def language_model(theirs: MusicgenForConditionalGeneration) -> dict[str, Tensor]:
    """The decoder and the projection of `transformers`' model, in audiocraft's names."""
    state, made = theirs.decoder.state_dict(), {}
    for name, weight in state.items():
        new = name.removeprefix("model.decoder.")
        new = re.sub(r"^embed_tokens\.", "emb.", new)
        new = re.sub(r"^lm_heads\.", "linears.", new)
        new = re.sub(r"^layer_norm\.", "out_norm.", new)
        new = re.sub(r"^layers\.", "transformer.layers.", new)
        for old, theirs_name in (
            ("self_attn_layer_norm", "norm1"), ("encoder_attn_layer_norm", "norm_cross"),
            ("final_layer_norm", "norm2"), ("encoder_attn", "cross_attention"),
            ("fc1", "linear1"), ("fc2", "linear2"),
        ):  # fmt: skip
            new = new.replace(f".{old}.", f".{theirs_name}.")
        made[new] = weight
    for name in [name for name in made if ".q_proj." in name]:
        parts = [made.pop(name.replace(".q_proj.", f".{part}_proj.")) for part in "qkv"]
        made[name.replace(".q_proj.weight", ".in_proj_weight")] = torch.cat(parts)
    made = {name: x for name, x in made.items() if "embed_positions" not in name}
    root = "condition_provider.conditioners.description.output_proj"
    projection = theirs.enc_to_dec_proj.state_dict()
    return made | {f"{root}.{name}": weight for name, weight in projection.items()}


def codec(theirs: MusicgenForConditionalGeneration) -> dict[str, Tensor]:
    """The codec of `transformers`' model, in audiocraft's names."""
    made = {}
    for name, weight in theirs.audio_encoder.state_dict().items():
        new = name.replace("parametrizations.weight.original0", "weight_g")
        new = new.replace("parametrizations.weight.original1", "weight_v")
        inner = "convtr.convtr" if re.match(r"decoder\.layers\.\d+\.conv\.", new) and (
            int(new.split(".")[2]) not in (0, 15)
        ) else "conv.conv"  # fmt: skip
        new = re.sub(r"\.conv\.", f".{inner}.", new)
        new = re.sub(r"^(encoder|decoder)\.layers\.", r"\1.model.", new)
        new = new.replace("quantizer.layers.", "quantizer.vq.layers.")
        made[new.replace(".codebook.", "._codebook.")] = weight
    return made


def save_audiocraft(theirs: MusicgenForConditionalGeneration, folder: Path) -> Path:
    """Write the model as a folder of audiocraft, with the text encoder beside it."""
    folder.mkdir(parents=True)
    export(folder / "state_dict.bin", language_model(theirs), SETTINGS)
    export(folder / "compression_state_dict.bin", codec(theirs), CODEC_SETTINGS)
    theirs.text_encoder.save_pretrained(folder / "t5-base")
    tiny_tokenizer().save_pretrained(folder / "t5-base")
    return folder
