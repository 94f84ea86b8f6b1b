"""Scores and what is true of them: where the motif is, where it returns, and what decided it."""

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, product
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from leitmotif.corpus.organism.synthesis import Sound, SoundBank
from leitmotif.corpus.organism.world import World
from leitmotif.corpus.tables import Table, TrackId

Motif = tuple[int, ...]
Part = Literal["training", "held_out"]
LARGEST_STEP = 3
"""Scale degrees between two neighbouring notes of a motif, at most; a motif never stands still."""


@dataclass(frozen=True)
class Score:
    """One piece. ``cue`` is what the bells say and ``returns`` what the slots do."""

    instrument: str
    genre: str
    mood: str
    motif: Motif
    filler: tuple[int, ...]
    """Which of the world's filler bars each bar holds where nothing else does, slots included."""
    cue: tuple[bool, ...]
    returns: tuple[bool, ...]

    def twin(self, slot: int) -> "Score":
        """The same piece, had the cue said the opposite of this slot."""
        return replace(self, cue=_flipped(self.cue, slot), returns=_flipped(self.returns, slot))

    def with_cue_swapped(self, slot: int) -> "Score":
        """The same notes after the opposite cue: a continuation that the cue did not announce."""
        return replace(self, cue=_flipped(self.cue, slot))

    def prompt(self, world: World) -> str:
        """The piece in words, as text-to-music models are asked for it."""
        return (
            f"Compose a {self.mood} {self.genre} piece with a {self.instrument} melody. "
            f"Use a {world.tempo} tempo."
        )


def compose(world: World, seed: int, index: int, *, part: Part) -> Score:
    """Draw piece ``index`` of the series ``seed``; its cue and its slots agree.

    Mood, genre, instrument, motif, filler and cue are independent and uniform, so that nothing
    but the cue tells what the slots will do. ``part`` says which motifs are drawn from.
    """
    random = np.random.default_rng([seed, index])
    motifs = motifs_of(world, part)
    cue = tuple(bool(bit) for bit in random.integers(2, size=len(world.slot_bars)))
    return Score(
        instrument=world.instruments[random.integers(len(world.instruments))],
        genre=list(world.genres)[random.integers(len(world.genres))],
        mood=list(world.scales)[random.integers(len(world.scales))],
        motif=motifs[random.integers(len(motifs))],
        filler=tuple(int(bar) for bar in random.integers(len(world.filler), size=world.bars)),
        cue=cue,
        returns=cue,
    )


def motifs_of(world: World, part: Part) -> tuple[Motif, ...]:
    """Every motif of one part, in lexicographic order.

    A motif is a bar of stepwise degrees that shares its first two notes with no filler bar, so a
    slot's second note at the latest tells a return from filler.
    """
    return _motifs(world.degrees, world.notes_per_bar, world.filler, world.held_out_one_in, part)


@cache
def _motifs(
    degrees: int, notes: int, filler: tuple[Motif, ...], one_in: int, part: Part
) -> tuple[Motif, ...]:
    openings = {bar[:2] for bar in filler}
    walks = (
        walk
        for walk in product(range(degrees), repeat=notes)
        if all(0 < abs(b - a) <= LARGEST_STEP for a, b in pairwise(walk))
        and walk[:2] not in openings
    )
    return tuple(walk for walk in walks if _held_out(walk, one_in) == (part == "held_out"))


def _held_out(motif: Motif, one_in: int) -> bool:
    digest = hashlib.sha256("-".join(map(str, motif)).encode()).digest()
    return int.from_bytes(digest[:4], "big") % one_in == 0


def sounds(world: World, score: Score) -> list[Sound]:
    """The piece note by note: ``bars * notes_per_bar`` sounds."""
    drums = world.genres[score.genre]
    scale = world.scales[score.mood]
    events = []
    for bar in range(world.bars):
        for note in range(world.notes_per_bar):
            drum = drums[note % len(drums)] if drums else None
            if bar == world.cue_bar:
                says_yes = score.cue[note // world.notes_per_slot]
                events.append(Sound("bell", world.cue_pitches[says_yes], drum))
            else:
                degree = _degrees(world, score, bar)[note]
                events.append(Sound(score.instrument, world.tonic + scale[degree], drum))
    return events


def _degrees(world: World, score: Score, bar: int) -> Motif:
    is_return = bar in world.slot_bars and score.returns[world.slot_bars.index(bar)]
    if bar in world.statement_bars or is_return:
        return score.motif
    return world.filler[score.filler[bar]]


def render(bank: SoundBank, events: list[Sound]) -> NDArray[np.float32]:
    """Samples of a piece, mono in [-1, 1]: shape (len(events) * samples_per_note,)."""
    return np.concatenate([bank[event] for event in events])


class Span(Table):
    """A stretch of audio, in samples from the track's start."""

    start_sample: int = Field(ge=0)
    samples: int = Field(ge=1)


class Slot(Span):
    """Where the motif returns or does not, and the part of the cue that decided it."""

    returns: bool
    cue: Span


class Truth(Table):
    """A row of truth.jsonl: what is known of one composed track."""

    track_id: TrackId
    seed: int
    index: int
    """``compose(world, seed, index, part="held_out")`` is the score, and has the twins."""
    prompt: str
    motif: Span
    """Where it is first heard."""
    statements: list[Span]
    """Where it is heard again whatever the cue says."""
    cue: Span
    slots: list[Slot]


def truth(world: World, score: Score, *, track_id: str, seed: int, index: int, bars: int) -> Truth:
    """What is true of the first ``bars`` bars of a piece."""

    def span(bar: int) -> Span:
        return Span(start_sample=bar * world.samples_per_bar, samples=world.samples_per_bar)

    decided_by = world.notes_per_slot * world.samples_per_note
    first, *later = world.statement_bars
    return Truth(
        track_id=track_id,
        seed=seed,
        index=index,
        prompt=score.prompt(world),
        motif=span(first),
        statements=[span(bar) for bar in later if bar < bars],
        cue=span(world.cue_bar),
        slots=[
            Slot(
                **span(bar).model_dump(),
                returns=score.returns[slot],
                cue=Span(
                    start_sample=span(world.cue_bar).start_sample + slot * decided_by,
                    samples=decided_by,
                ),
            )
            for slot, bar in enumerate(world.slot_bars)
            if bar < bars
        ],
    )


def _flipped(bits: tuple[bool, ...], slot: int) -> tuple[bool, ...]:
    return tuple(bit != (number == slot) for number, bit in enumerate(bits))
