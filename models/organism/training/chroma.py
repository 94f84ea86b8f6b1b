"""How well a codec keeps the harmony of what it codes."""

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import EncodecModel


def chroma_cosine(codec: EncodecModel, samples: NDArray[np.float32]) -> float:
    """Cosine of the chroma of a piece (samples,) before and after the codec, mean over frames."""
    with torch.inference_mode():
        codes = codec.encode(torch.from_numpy(samples)[None, None]).audio_codes
        coded = codec.decode(codes, [None])[0][0, 0].numpy()
    rate, hop = codec.config.sampling_rate, codec.config.hop_length
    before, after = (
        librosa.util.normalize(librosa.feature.chroma_cqt(y=y, sr=rate, hop_length=hop), norm=2)
        for y in (samples, coded)
    )
    return float((before * after).sum(0).mean())
