"""The description of the concept clips: which instruments, genres, moods and tempos there are."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from leitmotif.config import Settings
from leitmotif.corpus.organism.world import Count, Degree, Gain, Pitch, Share, load_description

STEPS_PER_BAR = 16
DEGREES = 7
Instrument = Literal["guitar", "piano", "trumpet", "violin"]
Bass = Literal["broken chord", "upright bass", "pad", "power chord", "synth bass", "sub bass"]
LowDrum = Literal["soft kick", "hard kick", "club kick", "boom", "snare body"]
HighDrum = Literal["ride", "pedal hat", "clap", "shaker", "snare", "hat", "open hat", "tick"]
Scale = Annotated[tuple[Degree, ...], Field(min_length=DEGREES, max_length=DEGREES)]
Progression = Annotated[tuple[Annotated[int, Field(ge=0, lt=DEGREES)], ...], Field(min_length=1)]
_BAR = {"min_length": STEPS_PER_BAR, "max_length": STEPS_PER_BAR}


class Figure(Settings):
    """One bar of a genre, a character for each sixteenth; a dot adds nothing.

    Bass and drums share one line: a drum silences the bass, and a bass note on the same sixteenth
    sounds when the drum has died away.
    """

    bass: Annotated[str, StringConstraints(pattern=r"^[1-8.]*$", **_BAR)]
    """Scale steps above the chord's root, which is 1; a note is held until the next."""
    drums: Annotated[str, StringConstraints(**_BAR)]
    """Low drums, by the genre's letters."""
    cymbals: Annotated[str, StringConstraints(**_BAR)]
    """High drums and cymbals, by the genre's letters."""


class BassPart(Settings):
    """What a genre's bass is played on, and where its scale begins."""

    voice: Bass
    tonic: Pitch


class Genre(Settings):
    """How a genre is accompanied."""

    swing: bool
    """Whether eighths are long and short, two to one."""
    bass: BassPart
    drums: dict[Annotated[str, StringConstraints(pattern="^[a-z]$")], LowDrum | HighDrum]
    """The letters that the figures use."""
    figures: Annotated[tuple[Figure, ...], Field(min_length=1)]
    """A clip keeps to one of these."""

    @model_validator(mode="after")
    def _letters(self) -> Self:
        for figure in self.figures:
            unknown = set(figure.drums + figure.cymbals) - {".", *self.drums}
            if unknown:
                raise ValueError(f"a figure uses {sorted(unknown)}, which drums does not explain")
        return self


class Mood(Settings):
    """How a mood's melodies and chords are drawn."""

    scale: Scale
    """Semitones above the tonic of each degree."""
    density: Share
    """Probability that the melody has a new note on an eighth."""
    largest_step: Annotated[int, Field(ge=1, lt=DEGREES)]
    """Scale degrees between two neighbouring notes, at most; a melody never stands still."""
    progressions: Annotated[tuple[Progression, ...], Field(min_length=1)]
    """Degrees of the chords, one a bar, over and over."""


class ConceptGains(Settings):
    """Peak amplitude of each line; together they stay below full scale."""

    melody: Gain
    bass: Gain
    """Bass and low drums, which never sound at once."""
    cymbals: Gain

    @model_validator(mode="after")
    def _no_clipping(self) -> Self:
        loudest = self.melody + self.bass + self.cymbals
        if loudest >= 1:
            raise ValueError(f"the lines add up to {loudest}, which clips at 1")
        return self


class ConceptWorld(Settings):
    """Everything that a concept clip is drawn from; pitches are MIDI numbers."""

    sample_rate: Count
    samples_per_frame: Count
    """Length of a codec frame; every note starts with one."""
    frames: Count
    """Length of a clip."""
    longest_note: Count
    """Frames after which a held note stops."""
    tonic: Pitch
    """Lowest note of the melodies, which reach an octave."""
    instruments: Annotated[tuple[Instrument, ...], Field(min_length=1)]
    genres: Annotated[dict[str, Genre], Field(min_length=1)]
    moods: Annotated[dict[str, Mood], Field(min_length=1)]
    tempos: Annotated[dict[str, Count], Field(min_length=1)]
    """Frames in a sixteenth."""
    gains: ConceptGains

    @property
    def samples(self) -> int:
        """Length of a clip."""
        return self.frames * self.samples_per_frame


def load_concept_world(path: Path) -> ConceptWorld:
    """Read the description; raises CorpusError naming each field that cannot be used."""
    example = "models/organism/concepts.json"
    return load_description(path, ConceptWorld, example=example, missing=f"use {example}")
