"""The concept clips' codec: one line of the music in each codebook, whatever else sounds."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import EncodecModel

from training.chroma import chroma_cosine
from training.concept_sounds import ConceptSounds
from training.concept_world import ConceptWorld
from training.concepts import Clip, compose_clip, render_clip, single_line
from training.concepts_codec import BOOKS, build_concept_codec, load_concept_codec
from training.concepts_tokens import ClipTable


@pytest.fixture(scope="module")
def concept_codec(organism: Path) -> EncodecModel:
    torch.set_num_threads(1)
    return load_concept_codec(organism / "concepts")


@pytest.fixture(scope="module")
def concept_sounds(concept_world: ConceptWorld) -> ConceptSounds:
    return ConceptSounds(concept_world)


@pytest.fixture(scope="module")
def clips(concept_world: ConceptWorld) -> list[Clip]:
    return [compose_clip(concept_world, 17, index) for index in range(8)]


def encode(codec: EncodecModel, samples: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return codec.encode(torch.from_numpy(samples)[None, None]).audio_codes[0, 0]


def test_a_line_has_the_codes_that_the_table_gives_it(
    concept_world: ConceptWorld,
    concept_codec: EncodecModel,
    concept_sounds: ConceptSounds,
    clips: list[Clip],
) -> None:
    table = ClipTable(concept_world, concept_codec)
    for book, line in enumerate(BOOKS):
        for clip, codes in zip(clips, table(clips), strict=True):
            alone = render_clip(concept_sounds, single_line(clip, line))
            agreeing = encode(concept_codec, alone)[book] == codes[book]
            # A sum of floats in another order can tip a frame that lies between two entries.
            assert agreeing.float().mean() >= 0.99, (line, clip.concepts)


def test_a_line_has_nearly_the_same_codes_whatever_else_sounds(
    concept_world: ConceptWorld,
    concept_codec: EncodecModel,
    concept_sounds: ConceptSounds,
    clips: list[Clip],
) -> None:
    codes = ClipTable(concept_world, concept_codec)(clips)
    heard = torch.stack(
        [encode(concept_codec, render_clip(concept_sounds, clip)) for clip in clips]
    )
    agreeing = (heard == codes).float().mean((0, 2))
    assert (agreeing >= torch.tensor([0.99, 0.99, 0.97, 0.99])).all(), agreeing


def test_the_codebooks_of_different_lines_are_orthogonal(concept_codec: EncodecModel) -> None:
    entries = [layer.codebook.embed for layer in concept_codec.quantizer.layers]
    for (book, first), (other, second) in combinations(zip(BOOKS, entries, strict=True), 2):
        overlap = (first @ second.T).abs().max()
        assert (overlap > 0.01) == (book == other), (book, other, overlap)


def test_the_codec_keeps_the_chroma(
    concept_codec: EncodecModel, concept_sounds: ConceptSounds, clips: list[Clip]
) -> None:
    cosines = [chroma_cosine(concept_codec, render_clip(concept_sounds, clip)) for clip in clips]
    assert np.mean(cosines) >= 0.975


def test_a_codec_of_few_clips_knows_them(
    concept_world: ConceptWorld, concept_sounds: ConceptSounds
) -> None:
    codec = build_concept_codec(concept_world, clips=3)
    samples = render_clip(concept_sounds, compose_clip(concept_world, 20, 0))
    with torch.inference_mode():
        codes = encode(codec, samples)
        coded = codec.decode(codes[None, None], [None])[0][0, 0].numpy()
    noise = np.square(samples - coded).sum() / np.square(samples).sum()
    assert 10 * np.log10(1 / noise) > 9, "signal-to-noise ratio in dB"
