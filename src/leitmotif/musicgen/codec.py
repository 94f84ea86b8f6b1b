"""From samples to codec tokens and back: `transformers`' EnCodec."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leitmotif.checkpoints.weights import is_finite
from leitmotif.errors import ModelError

HEARING_SECONDS = 0.074
"""How far the encoder of MusicGen's 32 kHz EnCodec hears past the end of a frame: 2370 samples."""


class Codec(nn.Module):
    """EnCodec with the shapes of this project: codes are [B, K, T], samples [B, n].

    It computes in float64 beside a decoder in float64, which makes tokens and samples the same on
    every processor, and in float32 beside any other. Samples are rounded to float32 either way.
    """

    def __init__(self, encodec: Any, codebooks: int) -> None:
        super().__init__()
        self.encodec = encodec.float()
        self.codebooks = codebooks
        self.sample_rate: int = encodec.config.sampling_rate
        self.hop: int = encodec.config.hop_length
        """Samples a frame."""
        self.hearing_seconds = HEARING_SECONDS

    def encode(self, samples: Tensor | np.ndarray) -> Tensor:
        """Encode samples [n] or [B, n] to codes [B, K, T] with T = n // hop whole frames.

        Raises ModelError for audio shorter than one frame, of a wrong shape, not floating-point, or
        not finite.
        """
        with torch.inference_mode():
            codes = self._encoded(self._audio(samples))
        return codes.clone()  # outside, so that a loss may be taken of them

    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes [B, K, T] to samples [B, T * hop], float32.

        Raises ModelError if a sample is not finite.
        """
        with torch.inference_mode():
            codes = codes.to(self._device)
            audio = self.encodec.decode(codes[None], [None] * codes.shape[0]).audio_values
            audio = audio[:, 0, : codes.shape[2] * self.hop].to(torch.float32)
        if not is_finite(audio):
            rows = (~torch.isfinite(audio).all(1)).nonzero().flatten().tolist()
            raise ModelError(
                "the codec gives samples that are no numbers",
                found=f"NaN or infinity in rows {rows}",
                expected="finite samples",
                fix="check the codec's weights",
            )
        return audio.clone()

    def _audio(self, samples: Tensor | np.ndarray) -> Tensor:
        """Samples as [B, n] on the codec's device and in its precision; raises ModelError."""
        try:
            given = samples if isinstance(samples, Tensor) else np.ascontiguousarray(samples)
            audio = torch.as_tensor(given)
        except (TypeError, ValueError, RuntimeError) as error:
            raise self._error(f"{type(samples).__name__}: {error}") from error
        if not audio.is_floating_point():
            raise self._error(
                f"samples of {audio.dtype}",
                fix="divide integers by their full scale: samples / 32768 for int16",
            )
        audio = audio[None] if audio.dim() == 1 else audio
        if audio.dim() != 2 or not audio.shape[0] or audio.shape[1] < self.hop:
            raise self._error(f"shape {tuple(audio.shape)}")
        audio = audio.detach().to(self._dtype).to(self._device)  # no float64 on Apple's GPUs
        if not is_finite(audio):
            raise self._error(f"{int((~torch.isfinite(audio)).sum())} NaN or infinite samples")
        return audio

    def _error(self, found: str, *, fix: str | None = None) -> ModelError:
        return ModelError(
            "the audio cannot be encoded",
            found=found,
            expected=f"finite mono samples [n] or [B, n] at {self.sample_rate} Hz, full scale at "
            f"1, at least {self.hop} of them",
            fix=fix,
        )

    def _encoded(self, audio: Tensor) -> Tensor:
        frames = audio.shape[1] // self.hop
        codes = self.encodec.encode(audio[:, None, : frames * self.hop]).audio_codes
        if codes.shape[0] != 1 or codes.shape[2] != self.codebooks or codes.shape[3] != frames:
            raise ModelError(
                "the codec does not fit the decoder",
                found=f"codes of shape {tuple(codes.shape)}",
                expected=f"(1, {audio.shape[0]}, {self.codebooks}, {frames}): one chunk, "
                f"{self.codebooks} codebooks",
                fix="check chunk_length_s (null) and target_bandwidths in the codec's config.json",
            )
        return codes[0]

    @property
    def _device(self) -> torch.device:
        return next(self.encodec.parameters()).device

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.encodec.parameters()).dtype
