"""The description of the composed world: its grid, its scales, its form and its sounds."""

import math
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from leitmotif.config import Settings
from leitmotif.errors import CorpusError
from leitmotif.files import parse_json, read_text
from leitmotif.tables.truth import Variation

Description = TypeVar("Description", bound=Settings)
Melodic = Literal["guitar", "violin"]
Drum = Literal["kick", "hat"]
Count = Annotated[int, Field(ge=1)]
Bar = Annotated[int, Field(ge=0)]
Degree = Annotated[int, Field(ge=0)]
Pitch = Annotated[int, Field(ge=21, le=108)]
Gain = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]

SHORTEST_GAP_SECONDS = 5.0
"""Least time from the cue's end to a slot: what makes a return long-horizon structure."""


class Gains(Settings):
    """Peak amplitude of each part; together they stay below full scale."""

    melody: Gain
    cue: Gain
    drums: Gain

    @model_validator(mode="after")
    def _no_clipping(self) -> Self:
        loudest = max(self.melody, self.cue) + self.drums
        if loudest >= 1:
            raise ValueError(f"a note and a drum add up to {loudest}, which clips at 1")
        return self


class World(Settings):
    """Everything the composer may draw from; pitches are MIDI numbers, bars count from 0."""

    sample_rate: Count
    samples_per_frame: Count
    """Length of a codec frame; no note crosses a frame's border by less than a whole one."""
    frames_per_note: Count
    notes_per_bar: Count
    bars: Count
    statement_bars: tuple[Bar, ...]
    """Where the motif always sounds; the first of them introduces it."""
    cue_bar: Bar
    """Bells; its notes are shared out evenly among the slots, in their order."""
    slot_bars: tuple[Bar, ...]
    """Where the motif returns if the cue says so, and filler sounds if not."""
    cue_pitches: tuple[Pitch, Pitch]
    """The bell that says no, and the bell that says yes."""
    tonic: Pitch
    scales: dict[str, tuple[Degree, ...]]
    """Semitones above the tonic of each degree, by mood."""
    largest_step: Count
    """Scale degrees between two neighbouring notes, at most; a melody never stands still."""
    filler_openings: tuple[tuple[Degree, Degree], ...]
    """How every bar of filler begins and no motif does."""
    ostinato: Share
    """Share of pieces whose filler is one bar over and over: repetition that is no motif."""
    variations: dict[Variation, Share]
    """How often a return is of each kind; they add up to 1."""
    transposition: Annotated[int, Field(ge=-12, le=12)]
    """Semitones by which a transposed return lies higher."""
    instruments: tuple[Melodic, ...]
    genres: dict[str, tuple[Drum, ...]]
    """The drums of each genre, taken in turn on the notes of a bar; none at all is allowed."""
    tempo: str
    """What prompts call the speed."""
    gains: Gains
    held_out_one_in: Annotated[int, Field(ge=2)]
    """One motif in so many is kept from training; shards are composed from these."""

    @model_validator(mode="after")
    def _form(self) -> Self:
        named = [*self.statement_bars, self.cue_bar, *self.slot_bars]
        if not self.statement_bars or not self.slot_bars:
            raise ValueError("a piece needs at least one statement bar and one slot bar")
        if len(set(named)) < len(named) or max(named) >= self.bars:
            raise ValueError(f"statement, cue and slot bars overlap or exceed {self.bars}: {named}")
        if (
            sorted(self.slot_bars) != list(self.slot_bars)
            or min(self.statement_bars) > self.cue_bar
        ):
            raise ValueError("expected the motif first, then the cue, then the slots in order")
        if self.notes_per_bar % len(self.slot_bars):
            raise ValueError(
                f"{self.notes_per_bar} cue notes cannot be shared by {len(self.slot_bars)} slots"
            )
        gap = (self.slot_bars[0] - self.cue_bar - 1) * self.samples_per_bar / self.sample_rate
        if gap < SHORTEST_GAP_SECONDS:
            raise ValueError(f"the first slot comes {gap:.2f} s after the cue; at least 5 s needed")
        return self

    @model_validator(mode="after")
    def _pitches(self) -> Self:
        degrees = {len(scale) for scale in self.scales.values()}
        if len(degrees) != 1:
            raise ValueError(f"the scales need one length in common, found {sorted(degrees)}")
        for opening in self.filler_openings:
            if max(opening) >= self.degrees or not self.may_follow(*opening):
                raise ValueError(f"no melody of these scales opens with {opening}")
        if not (self.filler_openings and self.instruments and self.genres):
            raise ValueError("filler_openings, instruments and genres may not be empty")
        if len(self.filler) < self.bars:
            raise ValueError(f"{len(self.filler)} bars of filler cannot fill {self.bars} bars")
        return self

    @model_validator(mode="after")
    def _variations(self) -> Self:
        total = math.fsum(self.variations.values())
        if not math.isclose(total, 1):
            raise ValueError(f"the shares of the variations add up to {total}, not to 1")
        if self.variations.get("instrument") and len(self.instruments) < 2:
            raise ValueError("no other instrument for a return to be heard on")
        for mood, scale in self.scales.items():
            filler = {(scale[a], scale[b]) for a, b in self.filler_openings}
            raised = {tuple(scale[d] + self.transposition for d in m[:2]) for m in self.motifs}
            if self.variations.get("transposed") and filler & raised:
                raise ValueError(f"a {mood} motif that returns transposed may open like filler")
        return self

    def may_follow(self, degree: int, following: int) -> bool:
        """Whether a melody of this world goes from the one degree to the other."""
        return 0 < abs(following - degree) <= self.largest_step

    @cached_property
    def melodies(self) -> tuple[tuple[int, ...], ...]:
        """Every bar of scale degrees that can be sung, in lexicographic order."""
        return tuple(
            walk
            for walk in product(range(self.degrees), repeat=self.notes_per_bar)
            if all(self.may_follow(a, b) for a, b in pairwise(walk))
        )

    @cached_property
    def motifs(self) -> tuple[tuple[int, ...], ...]:
        """Every melody that shares its first two notes with no filler.

        A slot's second note at the latest then tells a return from filler.
        """
        return tuple(walk for walk in self.melodies if walk[:2] not in self.filler_openings)

    @cached_property
    def filler(self) -> tuple[tuple[int, ...], ...]:
        """Every melody that may stand where no motif does."""
        return tuple(walk for walk in self.melodies if walk[:2] in self.filler_openings)

    @property
    def degrees(self) -> int:
        """Notes in each scale."""
        return len(next(iter(self.scales.values())))

    @property
    def samples_per_note(self) -> int:
        """Length of one note in samples."""
        return self.frames_per_note * self.samples_per_frame

    @property
    def samples_per_bar(self) -> int:
        """Length of one bar in samples."""
        return self.notes_per_bar * self.samples_per_note

    @property
    def frames_per_bar(self) -> int:
        """Length of one bar in codec frames."""
        return self.notes_per_bar * self.frames_per_note

    @property
    def notes_per_slot(self) -> int:
        """Notes of the cue bar that speak of one slot."""
        return self.notes_per_bar // len(self.slot_bars)


def load_world(path: Path) -> World:
    """Read a world's description; raises CorpusError naming each field that cannot be used."""
    return load_description(
        path,
        World,
        example="models/organism/world.json",
        missing="set corpus.path to models/organism/world.json",
    )


def load_description(
    path: Path, kind: type[Description], *, example: str, missing: str
) -> Description:
    """Read what a composer may draw from.

    Parameters
    ----------
    path : JSON file.
    kind : class of the description.
    example : a file that is complete, for the error.
    missing : what to do where there is no such file, for the error.

    Raises CorpusError, which names each field that cannot be used.
    """
    text = read_text(path, fix=missing, error=CorpusError)
    try:
        parse_json(text)
        return kind.model_validate_json(text)
    except ValueError as error:
        problems = str(error)
        if isinstance(error, ValidationError):
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg']}"
                for problem in error.errors()
            )
        raise CorpusError(
            f"{path} does not describe a world that can be composed",
            found=problems,
            fix=f"mend the fields named; {example} is a complete example",
        ) from error
