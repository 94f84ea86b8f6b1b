"""Clips of 4 s for experiments on concepts: an instrument's melody, accompanied as in a genre.

The prompts are those of Vélez Vásquez et al. (ISMIR 2024), with their four instruments and six
genres; mood and tempo are drawn, as there, so that each concept has a hundred prompts or more.
Instrument, genre, mood, tempo and melody are independent of each other.
"""

from dataclasses import dataclass
from itertools import count, pairwise, product

import numpy as np
from numpy.typing import NDArray

from leitmotif.errors import CorpusError
from training.concept_sounds import LENGTHS, ConceptSounds, Note
from training.concept_world import (
    DEGREES,
    STEPS_PER_BAR,
    ConceptWorld,
    Figure,
    Genre,
    Mood,
)

TEMPLATE = "Compose a {mood} {genre} piece with a {instrument} melody. Use a {tempo} tempo."
"""Prompt of the ISMIR 2024 experiments, in which all pieces are asked for."""
LINES = ("melody", "bass", "cymbals")
"""The lines of a clip, each a series of notes that do not overlap."""
_STEPS_PER_BEAT = 4
_EIGHTH = 2
_SWUNG = (0, 3, 8, 10)
"""Where the sixteenths of a swung beat lie, in thirds of a sixteenth."""


@dataclass(frozen=True)
class Concepts:
    """What a prompt asks for."""

    instrument: str
    genre: str
    mood: str
    tempo: str

    @property
    def prompt(self) -> str:
        """The paper's template, filled in."""
        return TEMPLATE.format(**vars(self))


@dataclass(frozen=True)
class Clip:
    """One clip, note by note."""

    concepts: Concepts
    melody: tuple[Note, ...]
    bass: tuple[Note, ...]
    """The low drums are in this line too."""
    cymbals: tuple[Note, ...]


def every_concepts(world: ConceptWorld) -> list[Concepts]:
    """All that can be asked for, in a fixed order: each has one prompt, and each prompt is one."""
    choices = product(world.instruments, world.genres, world.moods, world.tempos)
    return [Concepts(*choice) for choice in choices]


def compose_clip(
    world: ConceptWorld, seed: int, index: int, concepts: Concepts | None = None
) -> Clip:
    """Compose clip ``index`` of the series ``seed``.

    Concepts not given are drawn uniformly. The same arguments give the same notes. Raises
    CorpusError for a concept that the world does not have.
    """
    random = np.random.default_rng([seed, index])
    drawn = Concepts(
        *(
            names[random.integers(len(names))]
            for names in (world.instruments, [*world.genres], [*world.moods], [*world.tempos])
        )
    )
    concepts = concepts or drawn
    _check(world, concepts)
    genre, mood = world.genres[concepts.genre], world.moods[concepts.mood]
    figure = genre.figures[random.integers(len(genre.figures))]
    progression = mood.progressions[random.integers(len(mood.progressions))]
    grid = _Grid(world.frames, world.tempos[concepts.tempo], swing=genre.swing)
    return Clip(
        concepts,
        melody=_melody(world, concepts.instrument, mood, progression, grid, random),
        bass=_bass(world, genre, mood, figure, progression, grid),
        cymbals=_cymbals(world, genre, figure, grid),
    )


def single_line(clip: Clip, line: str) -> Clip:
    """The clip with all other lines silent."""
    melody, bass, cymbals = (getattr(clip, name) if name == line else () for name in LINES)
    return Clip(clip.concepts, melody, bass, cymbals)


def render_clip(sounds: ConceptSounds, clip: Clip) -> NDArray[np.float32]:
    """Samples of a clip, mono in [-1, 1]: shape (world.samples,)."""
    world = sounds.world
    samples = np.zeros(world.samples, dtype=np.float32)
    for line in LINES:
        gain = np.float32(getattr(world.gains, line))
        for note in getattr(clip, line):
            start = note.start * world.samples_per_frame
            wave = sounds(note.voice, note.pitch, note.frames)
            samples[start : start + len(wave)] += gain * wave
    return samples


@dataclass(frozen=True)
class _Grid:
    """Where the sixteenths of a clip lie."""

    frames: int
    frames_per_step: int
    swing: bool

    @property
    def steps(self) -> range:
        """Sixteenths that begin within the clip."""
        return range(next(step for step in count() if self.frame(step) >= self.frames))

    def frame(self, step: int) -> int:
        beat, within = divmod(step, _STEPS_PER_BEAT)
        thirds = _SWUNG[within] if self.swing else 3 * within
        return beat * _STEPS_PER_BEAT * self.frames_per_step + round(
            thirds * self.frames_per_step / 3
        )


_Played = tuple[str, int]
"""Voice and pitch."""


def _line(onsets: dict[int, _Played], world: ConceptWorld) -> tuple[Note, ...]:
    """A line in which each note lasts until the next one or for as long as it can."""
    starts = sorted(onsets)
    return tuple(
        Note(
            start,
            min(end - start, LENGTHS.get(onsets[start][0], world.longest_note)),
            *onsets[start],
        )
        for start, end in pairwise([*starts, world.frames])
    )


def _melody(
    world: ConceptWorld,
    instrument: str,
    mood: Mood,
    progression: tuple[int, ...],
    grid: _Grid,
    random: np.random.Generator,
) -> tuple[Note, ...]:
    onsets: dict[int, _Played] = {}
    degree = int(random.integers(DEGREES + 1))
    for step in grid.steps[::_EIGHTH]:
        bar, within = divmod(step, STEPS_PER_BAR)
        if within and random.random() >= mood.density:
            continue
        degree = _next_degree(degree, mood.largest_step, random)
        if not within:
            degree = _nearest_chord_tone(degree, progression[bar % len(progression)])
        onsets[grid.frame(step)] = instrument, world.tonic + _semitones(mood, degree)
    return _line(onsets, world)


def _next_degree(degree: int, largest: int, random: np.random.Generator) -> int:
    steps = [
        step for step in range(-largest, largest + 1) if step and 0 <= degree + step <= DEGREES
    ]
    return degree + steps[random.integers(len(steps))]


def _nearest_chord_tone(degree: int, root: int) -> int:
    chord = {(root + third) % DEGREES for third in (0, 2, 4)}
    tones = [tone for tone in range(DEGREES + 1) if tone % DEGREES in chord]
    return min(tones, key=lambda tone: abs(tone - degree))


def _bass(
    world: ConceptWorld,
    genre: Genre,
    mood: Mood,
    figure: Figure,
    progression: tuple[int, ...],
    grid: _Grid,
) -> tuple[Note, ...]:
    onsets: dict[int, _Played] = {}
    for step in grid.steps:
        frame, drum = grid.frame(step), _drum(genre, figure.drums, step)
        if drum:
            onsets[frame] = drum
            frame += LENGTHS[drum[0]]
        above = figure.bass[step % STEPS_PER_BAR]
        if above != "." and frame < world.frames:
            root = progression[step // STEPS_PER_BAR % len(progression)]
            # Roots from the fifth degree on lie below the tonic, as bass lines have them.
            degree = (root if root < DEGREES // 2 + 1 else root - DEGREES) + int(above) - 1
            onsets[frame] = genre.bass.voice, genre.bass.tonic + _semitones(mood, degree)
    return _line(onsets, world)


def _cymbals(world: ConceptWorld, genre: Genre, figure: Figure, grid: _Grid) -> tuple[Note, ...]:
    hits = {grid.frame(step): _drum(genre, figure.cymbals, step) for step in grid.steps}
    return _line({frame: hit for frame, hit in hits.items() if hit}, world)


def _drum(genre: Genre, bar: str, step: int) -> _Played | None:
    letter = bar[step % STEPS_PER_BAR]
    return None if letter == "." else (genre.drums[letter], 0)


def _semitones(mood: Mood, degree: int) -> int:
    octave, place = divmod(degree, DEGREES)
    return 12 * octave + mood.scale[place]


def _check(world: ConceptWorld, concepts: Concepts) -> None:
    for kind, name, known in (
        ("instrument", concepts.instrument, world.instruments),
        ("genre", concepts.genre, world.genres),
        ("mood", concepts.mood, world.moods),
        ("tempo", concepts.tempo, world.tempos),
    ):
        if name not in known:
            raise CorpusError(
                f"these clips know no such {kind}", found=repr(name), expected=", ".join(known)
            )
