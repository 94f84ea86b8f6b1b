"""Sizes of the models that settings name, known without loading them.

Of a folder, its config.json and the headers of its weights say them. A checkpoint of the hub may
not be here yet; the sizes of MusicGen's three are published (Copet et al. 2023, "Simple and
Controllable Music Generation", and the checkpoints' config.json).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from leitmotif.config import ModelParams
from leitmotif.errors import ConfigError
from leitmotif.files import kind_of, read_json
from leitmotif.musicgen.audiocraft import Description, describe, is_audiocraft
from leitmotif.musicgen.memory import CODEC_PARAMETERS, Footprint
from leitmotif.musicgen.model import DecoderConfig
from leitmotif.musicgen.room import key_value_bytes
from leitmotif.tensors import open_tensors

T5_BASE_PARAMETERS = 109_628_544
"""Number of parameters of the encoder of t5-base, which MusicGen reads prompts with."""
SAMPLE_RATE, FRAME_RATE = 32_000, 50.0
"""Rates of MusicGen, in Hz."""
BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of one number."""
JUDGE_BYTES = {
    "laion/larger_clap_general": 776_000_000,
    "MIT/ast-finetuned-audioset-10-10-0.4593": 346_000_000,
}
"""Size of the published weights; see docs/judges.md."""
LARGEST = 1 << 20
"""No size in a config.json is as large."""


def _published(layers: int, width: int) -> DecoderConfig:
    return DecoderConfig(
        layers=layers,
        width=width,
        heads=width // 64,
        mlp_width=4 * width,
        codebooks=4,
        codebook_size=2048,
    )


PUBLISHED = {
    "facebook/musicgen-small": _published(24, 1024),
    "facebook/musicgen-medium": _published(48, 1536),
    "facebook/musicgen-large": _published(48, 2048),
}


@dataclass(frozen=True)
class ModelSize:
    """Sizes of one MusicGen."""

    name: str
    """Folder or hub id."""
    decoder: DecoderConfig
    text_parameters: int
    """Number of parameters of the text encoder and of the map from it to the decoder."""
    codec_parameters: int
    frame_rate: float
    """Frames and decoder steps a second."""
    sample_rate: int
    """Sample rate in Hz."""
    file_bytes: int
    """Bytes of its weights on the disk, or in the download."""
    here: bool
    """Whether its weights are on this machine."""
    known: str
    """Where these sizes come from."""

    @property
    def parameters(self) -> int:
        """Of all its parts."""
        return decoder_parameters(self.decoder) + self.text_parameters + self.codec_parameters

    def weight_bytes(self, dtype: str) -> int:
        """Of the weights in memory; the codec computes in 4 bytes or more."""
        own = decoder_parameters(self.decoder) + self.text_parameters
        return own * BYTES[dtype] + self.codec_parameters * max(4, BYTES[dtype])

    def footprint(self, settings: ModelParams) -> Footprint:
        """What decides its memory, in the precision of some settings."""
        return Footprint(
            self.decoder,
            self.frame_rate,
            self.weight_bytes(settings.dtype),
            self.codec_parameters,
            BYTES[settings.dtype],
            BYTES[settings.dtype_beside],
        )


def block_parameters(config: DecoderConfig) -> int:
    """Weights of one block: 4 d² of self-attention, 4 d² of cross-attention, the MLP, 3 norms."""
    d = config.width
    return 8 * d * d + 2 * d * config.mlp_width + 3 * 2 * d


def active_parameters(config: DecoderConfig) -> int:
    """Weights that a step multiplies: the prompts' keys and values are made once.

    Without a prompt cross-attention is left out, and these are 2 d² a block fewer.
    """
    d = config.width
    return config.layers * (6 * d * d + 2 * d * config.mlp_width) + head_parameters(config)


def decoder_parameters(config: DecoderConfig) -> int:
    """Weights of the decoder: blocks, embeddings (with the pad token), heads, and the last norm."""
    books, d = config.codebooks, config.width
    embeddings = books * (config.codebook_size + 1) * d
    return config.layers * block_parameters(config) + embeddings + head_parameters(config) + 2 * d


def head_parameters(config: DecoderConfig) -> int:
    """Weights of the heads, one a codebook."""
    return config.codebooks * config.codebook_size * config.width


def step_bytes(config: DecoderConfig, rows: int, steps: int, size: int) -> int:
    """Bytes that one decoder step reads: blocks and heads once, keys and values of every row.

    Parameters
    ----------
    config : sizes of the decoder.
    rows : of the batch, those of both halves of the guidance.
    steps : that lie before this one.
    size : bytes of a number.
    """
    return active_parameters(config) * size + key_value_bytes(config, rows, steps, size)


def step_operations(config: DecoderConfig, rows: int, steps: int) -> int:
    """Floating-point operations of one decoder step: two a weight and row, and the attention."""
    return 2 * rows * (active_parameters(config) + 2 * config.layers * config.width * steps)


def size_of(name: str, revision: str | None = None) -> ModelSize:
    """The sizes of a model, by its folder or hub id.

    Raises ConfigError for a checkpoint of the hub that is not here and whose sizes are not known,
    and for a folder that holds no MusicGen whose sizes can be read.
    """
    folder = _folder(name, revision)
    if folder is not None:
        return _measured(name, folder)
    if name not in PUBLISHED:
        raise ConfigError(
            f"the sizes of {name} are not known",
            found="a checkpoint of the hub that is not on this machine",
            expected=f"a folder, a downloaded checkpoint, or one of {', '.join(PUBLISHED)}",
            fix="download it first: `hf download NAME --revision REVISION`",
        )
    config = PUBLISHED[name]
    text = T5_BASE_PARAMETERS + 768 * config.width + config.width
    parameters = decoder_parameters(config) + text + CODEC_PARAMETERS
    return ModelSize(
        name,
        config,
        text,
        CODEC_PARAMETERS,
        FRAME_RATE,
        SAMPLE_RATE,
        file_bytes=4 * parameters,
        here=False,
        known="estimate: parameters x 4 bytes",
    )


def judge_bytes(name: str, revision: str | None) -> tuple[int | None, bool]:
    """Bytes of a judge's weights (None: not known), and whether they are on this machine.

    Raises ConfigError for a folder without weights, and for a name that is no checkpoint's.
    """
    folder = _folder(name, revision)
    if folder is not None:
        return _bytes(_weights(folder) or _old_weights(folder), folder), True
    return JUDGE_BYTES.get(name), False


def _folder(name: str, revision: str | None) -> Path | None:
    """Where a checkpoint is on this machine; None: nowhere.

    Raises ConfigError for a name that is neither a folder nor one that the hub could have.
    """
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(name, "config.json", revision=revision)
    except HFValidationError as error:
        raise ConfigError(
            f"{name} is no checkpoint",
            found="no folder of this name, and none that a hub's checkpoint can have",
            expected="a folder, or a hub id such as facebook/musicgen-small",
            fix="check the names of models in params.yaml",
        ) from error
    folder = Path(cached).parent if isinstance(cached, str) else None
    here = folder is not None and (_weights(folder) or _old_weights(folder))
    return folder if here else None


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _old_weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("pytorch_model*.bin"))


def _bytes(weights: Sequence[Path], folder: Path) -> int:
    """Bytes of a checkpoint's weights; raises ConfigError if there are none, or one is no file."""
    if not weights:
        raise ConfigError(
            f"{folder} has no weights", expected="model.safetensors", fix="download it again"
        )
    for path in weights:
        if not path.is_file():
            found = "a link to no file" if path.is_symlink() else kind_of(path.lstat().st_mode)
            raise ConfigError(
                f"{path} cannot be read", found=found, expected="a file", fix="download it again"
            )
    return sum(path.stat().st_size for path in weights)


def _measured(name: str, folder: Path) -> ModelSize:
    if is_audiocraft(str(folder)):
        return _described(name, describe(str(folder)))
    values = read_json(folder / "config.json")
    try:
        theirs, codec = values["decoder"], values["audio_encoder"]
        sizes = {
            "layers": theirs["num_hidden_layers"],
            "width": theirs["hidden_size"],
            "heads": theirs["num_attention_heads"],
            "mlp_width": theirs["ffn_dim"],
            "codebooks": theirs["num_codebooks"],
            "codebook_size": theirs["vocab_size"],
            "channels": theirs.get("audio_channels", 1),
        }
        rate, hop = codec["sampling_rate"], math.prod(codec["upsampling_ratios"])
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"{name} is not a MusicGen checkpoint",
            found=f"config.json without {error}",
            expected="the sizes of decoder and audio_encoder",
        ) from error
    _check_sizes(name, {**sizes, "sampling rate": rate, "samples of a frame": hop})
    config = DecoderConfig(**sizes)
    weights = _weights(folder)
    size, counts = _bytes(weights, folder), _counted(weights)
    return ModelSize(
        name,
        config,
        counts["text_encoder"] + counts["enc_to_dec_proj"],
        counts["audio_encoder"],
        rate / hop,
        rate,
        file_bytes=size,
        here=True,
        known="its config.json and weights",
    )


def _described(name: str, sizes: Description) -> ModelSize:
    return ModelSize(
        name,
        sizes.decoder,
        sizes.text_parameters,
        sizes.codec_parameters,
        sizes.codec.sampling_rate / sizes.codec.hop_length,
        sizes.codec.sampling_rate,
        file_bytes=sizes.file_bytes,
        here=True,
        known="its weights and settings",
    )


def _check_sizes(name: str, sizes: Mapping[str, Any]) -> None:
    """Raise ConfigError for sizes of a config.json that no model has."""
    for key, size in sizes.items():
        if type(size) is not int or not 0 < size < LARGEST:
            raise ConfigError(
                f"{name} is not a MusicGen checkpoint",
                found=f"{key} {size!r:.100} in its config.json",
                expected=f"a whole number from 1, below {LARGEST:,}",
                fix="download it again",
            )


def _counted(weights: Sequence[Path]) -> Mapping[str, int]:
    """Numbers in a checkpoint by the first part of their names, from the files' headers alone."""
    counts: dict[str, int] = dict.fromkeys(("text_encoder", "enc_to_dec_proj", "audio_encoder"), 0)
    for path in weights:
        try:
            with open_tensors(path, "numpy") as opened:
                for key in opened.keys():  # noqa: SIM118  (no mapping)
                    part = key.partition(".")[0]
                    shape = opened.get_slice(key).get_shape()
                    counts[part] = counts.get(part, 0) + math.prod(shape)
        except (SafetensorError, OSError) as error:
            raise ConfigError(
                f"{path} cannot be read",
                found=error,
                expected="weights as safetensors",
                fix="download it again",
            ) from error
    return counts
