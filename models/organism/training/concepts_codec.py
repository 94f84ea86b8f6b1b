"""The concept clips' codec, whose codebooks hear one line of the music each.

It is built as the other one, but its 128 numbers fall into three orthogonal parts: bass, melody,
cymbals. Of entries that lie within a part, the nearest to a frame is the nearest to that part of
it; so the residual search of an unmodified ``EncodecModel`` codes each line as if it sounded
alone. The melody has two codebooks, of which the second holds what the first leaves over.
"""

from pathlib import Path

import torch
from torch import Tensor
from transformers import EncodecModel, MusicgenForConditionalGeneration

from training import CONCEPTS
from training.codec import (
    DIMENSION,
    fine_components,
    fine_projection,
    kmeans,
    linear_codec,
    nearest,
    principal_components,
    set_codebook,
)
from training.concept_sounds import ConceptSounds
from training.concept_world import ConceptWorld
from training.concepts import Clip, compose_clip, render_clip, single_line

ENTRIES = 256
PARTS = {"bass": 16, "melody": 88, "cymbals": 24}
"""Numbers for each line; what an earlier line occupies, a later one has to leave out."""
BOOKS = ("melody", "melody", "bass", "cymbals")
"""The line of each codebook."""
CLIPS = 150
"""Clips that the codec is computed from."""
SEED = 20


def build_concept_codec(world: ConceptWorld, *, clips: int = CLIPS) -> EncodecModel:
    """Compute the codec of the concept clips; the same machine gives the same weights."""
    sounds = ConceptSounds(world)
    composed = [compose_clip(world, SEED, index) for index in range(clips)]
    lines = {
        line: _frames(sounds, [single_line(clip, line) for clip in composed]) for line in PARTS
    }
    fine = fine_components(sum(lines.values(), torch.zeros(())))
    coarse = _parts({line: fine_projection(frames, fine) for line, frames in lines.items()})
    codec = linear_codec(world.sample_rate, ENTRIES, fine, coarse, kernel=1)
    with torch.no_grad():
        coded = {
            line: codec.encoder(frames.reshape(1, 1, -1))[0].T for line, frames in lines.items()
        }
        _fill_codebooks(codec, coded)
    return codec


def load_concept_codec(folder: Path = CONCEPTS) -> EncodecModel:
    """The shipped one, which is a part of the shipped model, in float32."""
    model = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return model.audio_encoder.eval()


def _frames(sounds: ConceptSounds, clips: list[Clip]) -> Tensor:
    waves = [torch.from_numpy(render_clip(sounds, clip)) for clip in clips]
    return torch.cat(waves).reshape(-1, sounds.world.samples_per_frame)


def _parts(lines: dict[str, Tensor]) -> Tensor:
    """Orthonormal columns, the principal components of each line's rows in turn."""
    basis = torch.zeros(next(iter(lines.values())).shape[1], 0)
    for line, size in PARTS.items():
        rest = lines[line] - lines[line] @ basis @ basis.T
        basis = torch.cat([basis, principal_components(rest, size)], 1)
    return basis


def _fill_codebooks(codec: EncodecModel, coded: dict[str, Tensor]) -> None:
    random = torch.Generator().manual_seed(SEED)
    residuals = {line: numbers * _mask(line) for line, numbers in coded.items()}
    for layer, line in zip(codec.quantizer.layers, BOOKS, strict=True):
        points = residuals[line]
        entries = kmeans(points, ENTRIES, random).half().float()
        set_codebook(layer, entries)
        residuals[line] = points - entries[nearest(points, entries)]


def _mask(line: str) -> Tensor:
    """1 where a line's numbers are: (DIMENSION,)."""
    start = sum(
        size for other, size in PARTS.items() if [*PARTS].index(other) < [*PARTS].index(line)
    )
    mask = torch.zeros(DIMENSION)
    mask[start : start + PARTS[line]] = 1
    return mask
