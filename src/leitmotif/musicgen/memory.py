"""Bytes that a model holds: weights, and the rows of a batch that goes on step by step."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from leitmotif.musicgen.model import DecoderConfig
from leitmotif.musicgen.room import row_bytes
from leitmotif.work.budget import Batches, Holding, batches_of
from leitmotif.work.parallel import number_of_workers

if TYPE_CHECKING:
    from leitmotif.config import Params
    from leitmotif.musicgen.hooked import HookedMusicGen

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
