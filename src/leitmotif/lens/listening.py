"""Clips that are given as codes: their audio, and what a tagger hears in it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leitmotif.judge.models.tagger import Tagger
from leitmotif.musicgen import HookedMusicGen

AT_ONCE = 4
"""Clips that a processor decodes at once. What a codec holds of more leaves the processor's cache:
32 clips of one second took two to three times as long, and twenty times the memory."""
AT_ONCE_ON_GPU = 8
"""Clips that another device decodes at once: EnCodec holds 36 MB for each second of them."""


def decoded(model: HookedMusicGen, codes: Tensor) -> NDArray[np.float32]:
    """Audio [B, n] of clips [B, K, T]; raises ModelError."""
    size = AT_ONCE if model.device.type == "cpu" else AT_ONCE_ON_GPU
    return np.concatenate(
        [model.decode_audio(part).cpu().numpy() for part in torch.split(codes, size)]
    )


def tagged(
    model: HookedMusicGen, tagger: Tagger, codes: Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """A tagger's logits [B, labels] of clips [B, K, T], and their audio [B, n].

    Clips that are alike are heard once. Raises ModelError.
    """
    distinct, which = torch.unique(codes, dim=0, return_inverse=True)
    audio, rows = decoded(model, distinct), which.cpu().numpy()
    return logits_of(model, tagger, audio)[rows], np.asarray(audio[rows])


def logits_of(
    model: HookedMusicGen,
    tagger: Tagger,
    audio: Sequence[NDArray[np.float32]] | NDArray[np.float32],
) -> NDArray[np.float64]:
    """A tagger's logits [B, labels] of the model's clips, [n] each; raises ModelError."""
    return np.asarray(tagger.logits(list(audio), model.sample_rate), np.float64)
