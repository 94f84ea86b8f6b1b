"""Clips are decoded a few at a time, and those that are alike once."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from leitmotif.lens.listening import AT_ONCE, tagged
from leitmotif.musicgen import HookedMusicGen
from tests.tiny import tiny_musicgen, tiny_tokenizer


@dataclass
class Recorder:
    """A tagger whose logits are a clip's first samples, and which counts clips."""

    heard: list[int] = field(default_factory=list)

    def logits(self, clips: list[NDArray[np.float32]], sample_rate: int) -> NDArray[np.float32]:
        self.heard.append(len(clips))
        return np.stack(clips)[:, 1000:1004]


def test_each_clip_gets_its_own_logits_and_audio() -> None:
    theirs = tiny_musicgen()
    random = torch.Generator().manual_seed(0)
    for layer in theirs.audio_encoder.quantizer.layers:
        layer.codebook.embed.copy_(torch.randn(layer.codebook.embed.shape, generator=random))
    model = HookedMusicGen.from_transformers(theirs, tiny_tokenizer()).to(dtype="float64")
    codes = torch.randint(64, (2 * AT_ONCE + 1, 4, 6), generator=random)
    codes[3], codes[7] = codes[0], codes[0]
    recorder = Recorder()
    logits, audio = tagged(model, recorder, codes)  # type: ignore[arg-type]
    assert recorder.heard == [2 * AT_ONCE - 1]
    whole = model.decode_audio(codes).numpy()
    expected = whole[:, 1000:1004]
    assert len(np.unique(expected, axis=0)) == 2 * AT_ONCE - 1
    np.testing.assert_array_equal(logits, expected)
    np.testing.assert_array_equal(audio, whole)
