"""What the judges learn from: composed clips as they are and as a codec gives them back, and noise.

Every batch is drawn from a seed and its numbers alone; which codes are wrong depends on the longest
clip of the batch too. Generated audio comes out of a codec, with codes that are sometimes wrong, so
half of the examples do too.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from leitmotif.corpus.organism.composer import Part, compose, render, sounds
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World, load_world
from training import CODEC, CONCEPT_WORLD, FOLDER
from training.codec import load_codec
from training.concept_sounds import ConceptSounds
from training.concept_world import ConceptWorld, load_concept_world
from training.concepts import (
    LINES,
    TEMPLATE,
    Concepts,
    compose_clip,
    every_concepts,
    render_clip,
)
from training.concepts_codec import load_concept_codec
from training.frame_codec import FrameCodec
from training.judge_labels import labels_of

Wave = NDArray[np.float32]
Random = np.random.Generator
Coding = Literal["plain", "coded", "any"]
"""Clips of 4 s as composed; the same as the codec gives them back; or, as in training, either, cut
short, with wrong codes, at any level, with noise."""
Origin = Literal["concepts", "world", "nothing"]

RATE = 32_000
FRAME = 640
CLIP_SECONDS, SHORTEST_SECONDS = 4.0, 1.0
SHARES: dict[Origin, float] = {"concepts": 0.6, "world": 0.3, "nothing": 0.1}
"""How often an example is a concept clip, a crop of one of the planner's pieces, or no music."""
WHOLE = 0.6
"""Share of crops that are as long as the judges' context."""
CODED, SPOILT, MOST_SPOILT = 0.5, 0.5, 0.05
"""Share of clips that pass the codec; share of those with wrong codes; at most so many of them."""
GAIN_DB = (-15.0, 4.0)
NOISY, NOISE_DB = 0.3, (-60.0, -25.0)
"""Share of clips with white noise added, and its level below full scale."""
LEAST_SECONDS = 0.25
"""How long a voice must sound in a crop to count as heard; in between it counts as neither."""
HELD_OUT_ONE_IN = 8
"""One concept prompt in so many is kept from training, with all clips that it asks for."""


class Words(NamedTuple):
    """The words of a prompt that are not the template's."""

    mood: str
    genre: str
    instrument: str
    tempo: str

    @property
    def prompt(self) -> str:
        """The template, filled in."""
        return TEMPLATE.format(**self._asdict())


@dataclass(frozen=True)
class Heard:
    """A clip and what is true of it."""

    samples: Wave
    """[n] at 32 kHz."""
    labels: frozenset[str]
    unclear: frozenset[str]
    """Labels of sounds too short to be sure of."""
    words: Words | None
    """None for what is no music."""
    origin: Origin


class Draft(NamedTuple):
    """A clip that may have to pass a codec, or that the codec makes of codes at random."""

    heard: Heard
    codes: NDArray[np.int64] | None
    """[codebooks, frames]."""
    codec: FrameCodec


class Composer(Protocol):
    """A series of clips."""

    codec: FrameCodec

    def __call__(self, random: Random, seed: int, index: int, part: Part, *, cut: bool) -> Heard:
        """Clip ``index`` of the series ``seed``, 4 s or, if ``cut``, perhaps less."""

    def words(self, part: Part) -> list[Words]:
        """Those of every prompt of a part."""


class Pieces:
    """Crops of the planner's pieces; parts differ in their motifs."""

    def __init__(self, world: World, codec: FrameCodec) -> None:
        self._world, self.codec, self._bank = world, codec, SoundBank(world)

    def __call__(self, random: Random, seed: int, index: int, part: Part, *, cut: bool) -> Heard:
        """A crop of piece ``index`` of the series ``seed``."""
        world = self._world
        score = compose(world, seed, index, part=part)
        notes = sounds(world, score)
        wave = render(self._bank, notes)
        start, end = _crop(random, len(wave), cut=cut)
        n = world.samples_per_note
        seconds: Counter[str] = Counter()
        for note in notes[-(-start // n) : end // n]:
            seconds.update({note.voice: n / RATE})
            if note.drum is not None:
                seconds[note.drum] = 1
        return Heard(
            wave[start:end],
            *_labels(seconds, score.genre),
            Words(score.mood, score.genre, score.instrument, world.tempo),
            "world",
        )

    def words(self, part: Part) -> list[Words]:
        """Every prompt; the parts have the same."""
        world = self._world
        return [
            Words(*words)
            for words in product(world.scales, world.genres, world.instruments, [world.tempo])
        ]


class ConceptClips:
    """Crops of concept clips; parts differ in their prompts."""

    def __init__(self, world: ConceptWorld, codec: FrameCodec) -> None:
        self._world, self.codec, self._sounds = world, codec, ConceptSounds(world)
        self._concepts: dict[Part, list[Concepts]] = {"training": [], "held_out": []}
        for concepts in every_concepts(world):
            held_out = zlib.crc32(concepts.prompt.encode()) % HELD_OUT_ONE_IN == 0
            self._concepts["held_out" if held_out else "training"].append(concepts)

    def __call__(self, random: Random, seed: int, index: int, part: Part, *, cut: bool) -> Heard:
        """A crop of clip ``index`` of the series ``seed``."""
        choices = self._concepts[part]
        concepts = choices[int(random.integers(len(choices)))]
        clip = compose_clip(self._world, seed, index, concepts)
        wave = render_clip(self._sounds, clip)
        start, end = _crop(random, len(wave), cut=cut)
        seconds: Counter[str] = Counter()
        for note in (note for line in LINES for note in getattr(clip, line)):
            first, last = note.start * FRAME, (note.start + note.frames) * FRAME
            is_drum = note.pitch == 0 and start <= first < end
            inside = max(0, min(last, end) - max(first, start)) / RATE
            seconds.update({note.voice: 1 if is_drum else inside})
        return Heard(
            wave[start:end],
            *_labels(seconds, concepts.genre),
            _words(concepts),
            "concepts",
        )

    def words(self, part: Part) -> list[Words]:
        """Every prompt of a part."""
        return [_words(concepts) for concepts in self._concepts[part]]


def _words(concepts: Concepts) -> Words:
    return Words(concepts.mood, concepts.genre, concepts.instrument, concepts.tempo)


def _labels(seconds: Counter[str], genre: str) -> tuple[frozenset[str], frozenset[str]]:
    """What is heard for sure and what is not, from how long each voice sounds."""
    sure = labels_of({voice for voice, total in seconds.items() if total >= LEAST_SECONDS}, genre)
    return sure, labels_of({voice for voice, total in seconds.items() if total > 0}, genre) - sure


def _crop(random: Random, samples: int, *, cut: bool) -> tuple[int, int]:
    """Where a crop starts and ends, in samples; they are whole frames."""
    longest = min(samples, round(CLIP_SECONDS * RATE)) // FRAME
    shortest = round(SHORTEST_SECONDS * RATE) // FRAME
    whole = random.random() < WHOLE or not cut
    frames = longest if whole else int(random.integers(shortest, longest + 1))
    start = int(random.integers(samples // FRAME - frames + 1))
    return start * FRAME, (start + frames) * FRAME


def _nothing(random: Random, codecs: Sequence[FrameCodec]) -> Draft:
    """No music: near silence, coloured noise, or what a codec makes of codes at random."""
    frames = round(CLIP_SECONDS * RATE) // FRAME
    codec = codecs[int(random.integers(len(codecs)))]
    kind = int(random.integers(4))
    if kind == 0:
        level = 10 ** (random.uniform(-100, -75) / 20) * float(random.random() < 0.7)
        wave = level * random.standard_normal(frames * FRAME)
        return Draft(_no_music(wave, "Silence"), None, codec)
    if kind == 1:
        spectrum = np.fft.rfft(random.standard_normal(frames * FRAME))
        spectrum *= np.arange(1, len(spectrum) + 1) ** -random.uniform(0, 1)
        wave = np.fft.irfft(spectrum, frames * FRAME)
        wave *= 10 ** (random.uniform(-40, -10) / 20) / wave.std()
        return Draft(_no_music(wave, "Noise"), None, codec)
    # Held for a while, as a decoder's early layers repeat themselves.
    held = 1 if kind == 2 else int(random.integers(2, 100))
    shape = (codec.codebooks, -(-frames // held))
    codes = random.integers(codec.entries, size=shape).repeat(held, axis=1)
    return Draft(_no_music(np.zeros(frames * FRAME), "Noise"), codes[:, :frames], codec)


def _no_music(wave: NDArray[np.float64], label: str) -> Heard:
    return Heard(wave.astype(np.float32), frozenset([label]), frozenset(), None, "nothing")


class Source:
    """All examples: ``source(seed, numbers, ...)`` gives one for each number."""

    def __init__(self, composers: dict[Origin, Composer]) -> None:
        self._composers = composers
        self._codecs = [composer.codec for composer in composers.values()]

    @classmethod
    def shipped(cls) -> "Source":
        """From the worlds and codecs in models/organism; ``varied.json`` has every sound."""
        concepts = FrameCodec(load_concept_codec())
        return cls(
            {
                "concepts": ConceptClips(load_concept_world(CONCEPT_WORLD), concepts),
                "world": Pieces(load_world(FOLDER / "varied.json"), FrameCodec(load_codec(CODEC))),
            }
        )

    def __call__(
        self,
        seed: int,
        numbers: Iterable[int],
        *,
        part: Part,
        coding: Coding,
        origin: Origin | None = None,
    ) -> list[Heard]:
        """Examples of the series ``seed``, of one ``origin`` or of all by their ``SHARES``."""
        randoms = [np.random.default_rng([seed, number]) for number in numbers]
        drafts = []
        for random, number in zip(randoms, numbers, strict=True):
            drawn = random.choice(list(SHARES), p=list(SHARES.values()))
            kind = drawn if origin is None else origin
            if kind == "nothing":
                drafts.append(_nothing(random, self._codecs))
            else:
                composer = self._composers[kind]
                heard = composer(random, seed, number, part, cut=coding == "any")
                drafts.append(Draft(heard, None, composer.codec))
        coded = _through_codecs(drafts, randoms, coding)
        if coding != "any":
            return coded
        return [_varied(*clip) for clip in zip(coded, randoms, strict=True)]

    def words(self, part: Part) -> list[Words]:
        """Those of every prompt that occurs in a part."""
        return [words for composer in self._composers.values() for words in composer.words(part)]


@torch.inference_mode()
def _through_codecs(
    drafts: Sequence[Draft], randoms: Sequence[Random], coding: Coding
) -> list[Heard]:
    """What the codecs make of the drafts that have to pass them, all of a codec's at once."""
    made = [draft.heard for draft in drafts]
    passing: dict[int, list[int]] = {}
    for row, (draft, random) in enumerate(zip(drafts, randoms, strict=True)):
        chosen = random.random() < CODED
        plain = coding == "plain" or (coding == "any" and not chosen)
        if draft.codes is not None or not (plain or draft.heard.origin == "nothing"):
            passing.setdefault(id(draft.codec), []).append(row)
    for rows in passing.values():
        codec = drafts[rows[0]].codec
        codes = _encode(codec, [drafts[row] for row in rows])
        if coding == "any":
            for codes_of_clip, row in zip(codes, rows, strict=True):
                _spoil(codes_of_clip, randoms[row], codec.entries)
        waves = codec.decode(codes).numpy()
        for wave, row in zip(waves, rows, strict=True):
            made[row] = replace(made[row], samples=wave[: len(made[row].samples)].copy())
    return made


def _encode(codec: FrameCodec, drafts: Sequence[Draft]) -> torch.Tensor:
    """Codes [B, K, frames]; clips are filled up with zeros, which no frame before them hears."""
    longest = max(len(draft.heard.samples) for draft in drafts)
    padded = np.zeros((len(drafts), longest), dtype=np.float32)
    for row, draft in enumerate(drafts):
        padded[row, : len(draft.heard.samples)] = draft.heard.samples
    codes = codec.encode(torch.from_numpy(padded))
    for row, draft in enumerate(drafts):
        if draft.codes is not None:
            codes[row, :, : draft.codes.shape[1]] = torch.from_numpy(draft.codes)
    return codes


def _spoil(codes: torch.Tensor, random: Random, entries: int) -> None:
    if random.random() < SPOILT:
        shape = tuple(codes.shape)
        hit = torch.from_numpy(random.random(shape) < random.uniform(0, MOST_SPOILT))
        wrong = torch.from_numpy(random.integers(entries, size=shape))
        codes[hit] = wrong[hit]


def _varied(heard: Heard, random: Random) -> Heard:
    """The same example at another level, off the frame grid, and perhaps with noise."""
    wave = heard.samples[int(random.integers(FRAME)) :]
    wave = wave * np.float32(10 ** (random.uniform(*GAIN_DB) / 20))
    if random.random() < NOISY and heard.words is not None:
        level = 10 ** (random.uniform(*NOISE_DB) / 20)
        wave = wave + level * random.standard_normal(len(wave)).astype(np.float32)
    return replace(heard, samples=np.clip(wave, -1, 1).astype(np.float32))
