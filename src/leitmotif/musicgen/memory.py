"""Bytes that a model holds: weights, and the rows of a batch that goes on step by step."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from leitmotif.errors import ModelError, counted
from leitmotif.musicgen.model import DecoderConfig
from leitmotif.work.budget import GB, Batches, Holding, batches_of, gpu_memory_here
from leitmotif.work.machine import memory_here
from leitmotif.work.parallel import number_of_workers

if TYPE_CHECKING:
    from leitmotif.config import Params
    from leitmotif.musicgen.core import Core
    from leitmotif.musicgen.hooked import HookedMusicGen

LOGIT_COPIES = 4
"""Of the logits of a step: as they are, guided, cut to the likeliest, with noise."""

CODEC_PARAMETERS, CODEC_BYTES_A_SECOND = 58_990_022, 39_000_000
"""Of EnCodec at 32 kHz with 4 codebooks, codebooks included, and what it holds for each second of
audio in float32, either way: measured with 4 s and 30 s. Another one is taken to hold as much less
as it is narrower, the root of its weights."""


@dataclass(frozen=True)
class Footprint:
    """What decides how much memory a model needs, whether it is loaded or not."""

    config: DecoderConfig
    frame_rate: float
    weights: int
    """Bytes, codec and text encoder included."""
    codec_parameters: int
    size: int
    """Bytes of a number of the decoder, and of keys and values, which have its precision."""
    size_beside: int
    """Bytes of a number beside it: of codec, autoencoders, judges."""

    @classmethod
    def of(cls, model: "HookedMusicGen") -> "Footprint":
        """Of a model that is loaded."""
        return cls(
            model.config,
            model.frame_rate,
            weight_bytes((model.decoder, model.text, model.codec)),
            sum(tensor.numel() for tensor in model.codec.state_dict().values()),
            model.dtype.itemsize,
            model.dtype_beside.itemsize,
        )

    def steps(self, seconds: float) -> int:
        """Decoder steps of so many seconds."""
        return round(seconds * self.frame_rate) + max(self.config.delays)

    def codec_bytes(self, seconds: float) -> int:
        """Of the codec while it encodes or decodes so many seconds at once."""
        narrower = (self.codec_parameters / CODEC_PARAMETERS) ** 0.5
        return round(seconds * CODEC_BYTES_A_SECOND * narrower * self.size_beside / 4)

    def holding(
        self,
        seconds: float,
        *,
        halves: int,
        judge: int,
        beside: int = 0,
        otherwise: int = 0,
        main: int = 0,
    ) -> Holding:
        """Of batches of clips.

        Parameters
        ----------
        seconds : of a clip, its prefix included.
        halves : rows of a clip, 2 with classifier-free guidance.
        beside : bytes of what stays with the weights, but for the judge.
        judge, otherwise, main : see ``Holding``.
        """
        row = halves * row_bytes(self.config, self.steps(seconds), self.size)
        packed = packed_bytes(self.config, self.size)
        return Holding(self.weights + beside, row, judge, otherwise, main, packed)


def key_value_bytes(config: DecoderConfig, rows: int, steps: int, size: int) -> int:
    """Bytes of the keys and values of so many rows and steps: rows x layers x 2 x steps x width."""
    return rows * config.layers * 2 * steps * config.width * size


def row_bytes(config: DecoderConfig, steps: int, size: int) -> int:
    """Bytes of one row of a batch at its last step: keys and values, one layer of them twice.

    Parameters
    ----------
    config : sizes of the decoder.
    steps : of prefix and continuation.
    size : bytes of a number; keys and values have the precision of the weights.
    """
    kept = key_value_bytes(config, 1, steps, size)
    logits = LOGIT_COPIES * config.codebooks * config.codebook_size * max(4, size)
    return kept + kept // config.layers + logits


def check_room(model: "Core", rows: int, steps: int) -> None:
    """Raise ModelError where so many rows and steps cannot lie in this machine's memory.

    The least that they need is compared with all that there is, before any of it is asked for.
    """
    needed = rows * row_bytes(model.config, steps, model.dtype.itemsize)
    there = memory_here() if model.device.type == "cpu" else gpu_memory_here()
    if there is not None and needed > there:
        raise ModelError(
            "there is no room for so much music",
            found=f"{counted(rows, 'row')} of {counted(steps, 'step')}, "
            f"{needed / GB:.3g} GB of keys and values",
            expected=f"at most {there / GB:.3g} GB, the memory of this machine",
            fix="generate fewer seconds or clips at once",
        )


def packed_bytes(config: DecoderConfig, size: int) -> int:
    """Of the second copy of matrices on a CPU (``musicgen.linear``); float64 has none."""
    d = config.width
    matrices = config.layers * (8 * d * d + 2 * d * config.mlp_width)
    matrices += config.codebooks * config.codebook_size * d
    return matrices * size if size < 8 else 0


def weight_bytes(parts: Iterable[nn.Module]) -> int:
    """Bytes of the weights of models."""
    return sum(tensor.nbytes for part in parts for tensor in part.state_dict().values())


def batches_on(
    model: "HookedMusicGen", params: "Params", section: str, holding: Holding
) -> Batches:
    """Rows and processes of a section's batches, with a model that is loaded; says what is auto."""
    return batches_of(
        params, section, holding, device=model.device.type, processors=number_of_workers()
    )
