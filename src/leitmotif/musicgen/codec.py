"""From samples to codec tokens and back: `transformers`' EnCodec."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leitmotif.audio.reading.samples import Clips, as_clips
from leitmotif.checkpoints.weights import is_finite
from leitmotif.errors import AudioError, ModelError
from leitmotif.precision import Undiminished

HEARING_SECONDS = 0.074
"""How far the encoder of MusicGen's 32 kHz EnCodec hears past the end of a frame: 2370 samples."""


class Codec(nn.Module):
    """EnCodec with the shapes of this project: codes are [B, K, T], samples [B, n].

    Of two channels, each is encoded by itself, and codebooks alternate between left and right;
    samples are [B, 2, n] then.

    It computes in float64 beside a decoder in float64, which makes tokens and samples the same on
    every processor, and in float32 beside any other. Samples are rounded to float32 either way.
    """

    def __init__(self, encodec: Any, codebooks: int, channels: int = 1) -> None:
        super().__init__()
        self.encodec = encodec.float()
        self.codebooks, self.channels = codebooks, channels
        self.sample_rate: int = encodec.config.sampling_rate
        self.hop: int = encodec.config.hop_length
        """Samples a frame."""
        self.hearing_seconds = HEARING_SECONDS

    def encode(self, audio: Clips) -> Tensor:
        """Encode clips of one length n to codes [B, K, T] with T = n // hop whole frames.

        Raises AudioError for what is no mono audio at this rate (see ``as_clip``), for clips
        shorter than one frame (``too_short``) and for clips that differ in length (``lengths``).
        """
        with torch.inference_mode(), Undiminished():
            clips = self._audio(audio)  # [B, channels, n]
            each = self._encoded(clips.flatten(0, 1))  # [B * channels, K / channels, T]
            codes = each.reshape(len(clips), self.channels, *each.shape[1:])
        codes = codes.transpose(1, 2).flatten(1, 2)
        return codes.clone()  # outside, so that a loss may be taken of them

    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes [B, K, T] to samples [B, T * hop] or [B, 2, T * hop], float32.

        Raises ModelError if a sample is not finite.
        """
        with torch.inference_mode():
            codes = codes.to(self._device)
            books = self.codebooks // self.channels
            sides = codes.reshape(len(codes), books, self.channels, -1)
            sides = sides.transpose(1, 2).flatten(0, 1)
            with Undiminished():
                audio = self.encodec.decode(sides[None], [None] * sides.shape[0]).audio_values
            audio = audio[:, 0, : codes.shape[2] * self.hop].to(torch.float32)
            audio = audio if self.channels == 1 else audio.reshape(len(codes), self.channels, -1)
        if not is_finite(audio):
            rows = (~torch.isfinite(audio).flatten(1).all(1)).nonzero().flatten().tolist()
            raise ModelError(
                "the codec gives samples that are no numbers",
                found=f"NaN or infinity in rows {rows}",
                expected="finite samples",
                fix="check the codec's weights",
            )
        return audio.clone()

    def _audio(self, audio: Clips) -> Tensor:
        """Clips as [B, channels, n] on the codec's device and in its precision.

        Raises AudioError.
        """
        clips = as_clips(audio, self.sample_rate, channels=self.channels)
        lengths = sorted({clip.shape[-1] for clip in clips})
        if len(lengths) != 1 or lengths[0] < self.hop:
            raise AudioError(
                "the audio cannot be encoded",
                reason="too_short" if lengths and lengths[0] < self.hop else "lengths",
                found=f"clips of {', '.join(map(str, lengths)) or 'no'} samples",
                expected=f"one length, at least the {self.hop} samples of a frame",
            )
        batch = torch.from_numpy(np.stack(clips).reshape(len(clips), self.channels, -1))
        return batch.to(self._dtype).to(self._device)  # no float64 on Apple's GPUs

    def _encoded(self, audio: Tensor) -> Tensor:
        frames = audio.shape[1] // self.hop
        codes = self.encodec.encode(audio[:, None, : frames * self.hop]).audio_codes
        each = self.codebooks // self.channels
        if codes.shape[0] != 1 or codes.shape[2] != each or codes.shape[3] != frames:
            raise ModelError(
                "the codec does not fit the decoder",
                found=f"codes of shape {tuple(codes.shape)}",
                expected=f"(1, {audio.shape[0]}, {each}, {frames}): one chunk, {each} codebooks",
                fix="check chunk_length_s (null) and target_bandwidths in the codec's config.json",
            )
        return codes[0]

    @property
    def _device(self) -> torch.device:
        return next(self.encodec.parameters()).device

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.encodec.parameters()).dtype
