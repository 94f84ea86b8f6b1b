"""From samples to codec tokens and back: `transformers`' EnCodec."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

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

    @torch.inference_mode()
    def encode(self, samples: Tensor | np.ndarray) -> Tensor:
        """Encode samples [n] or [B, n] to codes [B, K, T] with T = n // hop whole frames.

        Raises ModelError for audio shorter than one frame, of a wrong shape, or not finite.
        """
        audio = torch.as_tensor(samples, device=self._device).to(self._dtype)
        audio = audio[None] if audio.dim() == 1 else audio
        if audio.dim() != 2 or audio.shape[1] < self.hop or not torch.isfinite(audio).all():
            raise ModelError(
                "the audio cannot be encoded",
                found=f"shape {tuple(audio.shape)}, finite: {bool(torch.isfinite(audio).all())}",
                expected=f"finite mono samples [n] or [B, n] at {self.sample_rate} Hz, "
                f"at least {self.hop} of them",
            )
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
        return codes[0].clone()

    @torch.inference_mode()
    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes [B, K, T] to samples [B, T * hop], float32."""
        codes = codes.to(self._device)
        audio = self.encodec.decode(codes[None], [None] * codes.shape[0]).audio_values
        return audio[:, 0, : codes.shape[2] * self.hop].to(torch.float32, copy=True)

    @property
    def _device(self) -> torch.device:
        return next(self.encodec.parameters()).device

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.encodec.parameters()).dtype
