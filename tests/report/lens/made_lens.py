"""Outputs of the DecoderLens with made-up numbers, and a tone for each clip."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from leitmotif.files import sha256_file, write_table
from leitmotif.pipeline import DECODERLENS, LAYER_SIMILARITY, LENS, LENS_DIVERGENCE
from leitmotif.report.lens.sources import CLIPS
from leitmotif.tables.decoderlens import DecoderLensRow, Heard, Lens, LensClipRow
from tests.report.made import MARKUP, RATE
from tests.tables.made import diverging, interval, recognised, similar

SLOTS = {"instrument": ("guitar", "piano"), "genre": ("jazz", MARKUP)}
PROMPT = f"Compose a calm {MARKUP} piece."
WAYS: tuple[tuple[Lens, Heard], ...] = (
    ("plain", "read"),
    ("tuned", "read"),
    ("plain", "sampled"),
    ("tuned", "sampled"),
)


def exits(layers: int) -> Iterator[tuple[int, Lens, Heard]]:
    """Every way to hear every layer; the last one needs no tuned lens."""
    for layer in range(layers):
        for lens, heard in WAYS:
            if lens == "plain" or layer < layers - 1:
                yield layer, lens, heard


def hertz(concept: str, layer: int, lens: Lens, heard: Heard, layers: int) -> int:
    """Pitch of a clip. At the last layer all ways to hear it are the model itself."""
    concepts = [name for names in SLOTS.values() for name in names]
    way = WAYS[0] if layer == layers - 1 else (lens, heard)
    return 400 + 1200 * WAYS.index(way) + 80 * concepts.index(concept) + 320 * (layer % 3)


def named(concept: str, layer: int, layers: int) -> str:
    """What the tagger says: the concept from the middle on, another one of its slot before."""
    first, second = next(names for names in SLOTS.values() if concept in names)
    return concept if layer >= layers // 2 else second if concept == first else first


def write_lens(root: Path, layers: int = 3, *, kept: bool = True) -> Path:
    """Write the four tables, and a clip of half a second for each exit of each concept."""
    clips = root / LENS
    clips.mkdir(parents=True)
    write_table(root / DECODERLENS, _recognition(layers))
    write_table(
        root / LENS_DIVERGENCE,
        (
            diverging(layer=layer, codebook=codebook, lens=lens, nats=interval(4.0 - codebook))
            for layer in range(layers - 1)
            for lens in ("plain", "tuned")
            for codebook in range(4)
        ),
    )
    write_table(
        root / LAYER_SIMILARITY,
        (
            similar(
                concept=concept,
                first=first,
                second=second,
                distance=12.5 * (second - first),
                cka=None if first == second == 0 else 1 - 0.25 * (second - first) / layers,
            )
            for concept in (None, "guitar")
            for first in range(layers)
            for second in range(first, layers)
        ),
    )
    write_table(root / CLIPS, _clips(clips, layers) if kept else [])
    return root


def _recognition(layers: int) -> Iterator[DecoderLensRow]:
    for slot, names in SLOTS.items():
        for concept in (None, *names):
            for layer, lens, heard in exits(layers):
                yield recognised(
                    slot=slot,
                    concept=concept,
                    layer=layer,
                    lens=lens,
                    heard=heard,
                    ndcg=interval(0.4 + 0.2 * layer / layers),
                    within=interval(0.5 + 0.4 * layer / layers),
                )


def _clips(folder: Path, layers: int) -> Iterator[LensClipRow]:
    time = np.arange(RATE // 2) / RATE
    for number, concept in enumerate(name for names in SLOTS.values() for name in names):
        for layer, lens, heard in exits(layers):
            pitch = hertz(concept, layer, lens, heard, layers)
            samples = np.round(9000 * np.sin(2 * np.pi * pitch * time)).astype(np.int16)
            file = f"{number}-{layer}-{lens}-{heard}.wav"
            soundfile.write(folder / file, samples, RATE, subtype="PCM_16")
            yield LensClipRow(
                concept=concept,
                prompt=PROMPT,
                layer=layer,
                lens=lens,
                heard=heard,
                named=named(concept, layer, layers),
                ndcg=0.42,
                file=file,
                sha256=sha256_file(folder / file),
            )
