"""Scores and what is true of them: where the motif is, where it returns, and what decided it."""

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leitmotif.corpus.organism.synthesis import NoteSound, SoundBank
from leitmotif.corpus.organism.world import World
from leitmotif.errors import CorpusError
from leitmotif.tables.base import Span
from leitmotif.tables.truth import Slot, Truth, Variation

Motif = tuple[int, ...]
Part = Literal["training", "held_out"]


@dataclass(frozen=True)
class Score:
    """One piece, as its composer decided it."""

    instrument: str
    genre: str
    mood: str
    """A key of the world's ``scales``."""
    motif: Motif
    """Scale degrees [notes_per_bar], the tonic is 0."""
    filler: tuple[int, ...]
    """Which of the world's filler each bar holds where nothing else does, slots included."""
    cue: tuple[bool, ...]
    """What the bells say of each slot: whether the motif will return there."""
    returns: tuple[bool, ...]
    """Whether it does."""
    variations: tuple[Variation, ...]
    """How the motif sounds in each slot in which it returns."""

    @property
    def ostinato(self) -> bool:
        """Whether the filler is one bar over and over; if not, no two bars of it are alike."""
        return len(set(self.filler)) == 1

    def twin(self, slot: int) -> "Score":
        """The same piece, had the cue said the opposite of this slot, counted from 0."""
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

    Mood, genre, instrument, motif, filler, cue and variations are independent and uniform but for
    the shares that the world states, so that nothing but the cue tells what the slots will do.

    Parameters
    ----------
    world : what may be drawn from.
    seed, index : series, and number of the piece in it; the same two give the same piece.
    part : which motifs are drawn from; those held out are in no training.
    """
    random = np.random.default_rng([seed, index])
    motifs = motifs_of(world, part)
    slots = len(world.slot_bars)
    cue = tuple(bool(bit) for bit in random.integers(2, size=slots))
    filler = [int(bar) for bar in random.permutation(len(world.filler))[: world.bars]]
    if random.random() < world.ostinato:
        filler = filler[:1] * world.bars
    kinds = list(world.variations)
    drawn = random.choice(len(kinds), size=slots, p=list(world.variations.values()))
    return Score(
        instrument=world.instruments[random.integers(len(world.instruments))],
        genre=list(world.genres)[random.integers(len(world.genres))],
        mood=list(world.scales)[random.integers(len(world.scales))],
        motif=motifs[random.integers(len(motifs))],
        filler=tuple(filler),
        cue=cue,
        returns=cue,
        variations=tuple(kinds[kind] for kind in drawn),
    )


def motifs_of(world: World, part: Part) -> tuple[Motif, ...]:
    """Every motif [notes_per_bar] of one part, in lexicographic order of its degrees."""
    return _motifs(world.motifs, world.held_out_one_in, part)


@cache
def _motifs(motifs: tuple[Motif, ...], one_in: int, part: Part) -> tuple[Motif, ...]:
    return tuple(motif for motif in motifs if _held_out(motif, one_in) == (part == "held_out"))


def _held_out(motif: Motif, one_in: int) -> bool:
    digest = hashlib.sha256("-".join(map(str, motif)).encode()).digest()
    return int.from_bytes(digest[:4], "big") % one_in == 0


def sounds(world: World, score: Score) -> list[NoteSound]:
    """The piece note by note: ``bars * notes_per_bar`` sounds."""
    return [sound for bar in range(world.bars) for sound in _bar(world, score, bar)]


def _bar(world: World, score: Score, bar: int) -> list[NoteSound]:
    if bar == world.cue_bar:
        bits = [score.cue[n // world.notes_per_slot] for n in range(world.notes_per_bar)]
        notes = [NoteSound("bell", world.cue_pitches[bit], None) for bit in bits]
    elif bar in world.statement_bars:
        notes = motif_notes(world, score, "exact")
    elif bar in world.slot_bars and score.returns[slot := world.slot_bars.index(bar)]:
        notes = motif_notes(world, score, score.variations[slot])
    else:
        pitches = _pitches(world, score, world.filler[score.filler[bar]])
        notes = [NoteSound(score.instrument, pitch, None) for pitch in pitches]
    drums = world.genres[score.genre]
    if not drums:
        return notes
    return [note._replace(drum=drums[n % len(drums)]) for n, note in enumerate(notes)]


def motif_notes(world: World, score: Score, variation: Variation) -> list[NoteSound]:
    """The piece's motif as it sounds in a variation, without drums: [notes_per_bar].

    Raises ValueError or IndexError if the score's instrument or degrees are not of this world.
    """
    pitches = _pitches(world, score, score.motif)
    instrument, raised = score.instrument, 0
    graces: list[int | None] = [None] * len(pitches)
    if variation == "instrument":
        others = world.instruments
        instrument = others[(others.index(instrument) + 1) % len(others)]
    elif variation == "transposed":
        raised = world.transposition
    elif variation == "ornamented":
        # Every other note is approached from the degree above it.
        for n in range(1, len(pitches), 2):
            graces[n] = world.tonic + upper_neighbour(world.scales[score.mood], score.motif[n])
    return [
        NoteSound(instrument, pitch + raised, None, grace)
        for pitch, grace in zip(pitches, graces, strict=True)
    ]


def upper_neighbour(scale: tuple[int, ...], degree: int) -> int:
    """Semitones above the tonic of the next degree; the scales end on the octave."""
    return (*scale, scale[-1] + scale[1])[degree + 1]


def _pitches(world: World, score: Score, degrees: Motif) -> list[int]:
    return [world.tonic + world.scales[score.mood][degree] for degree in degrees]


def render(bank: SoundBank, events: list[NoteSound]) -> NDArray[np.float32]:
    """Samples of notes in turn, mono in [-1, 1]: [len(events) * samples_per_note], float32."""
    return np.concatenate([bank[event] for event in events])


def truth(world: World, score: Score, *, track_id: str, seed: int, index: int, bars: int) -> Truth:
    """What is true of the first bars of a piece.

    Parameters
    ----------
    world, score : of the piece; all places are in samples at the world's rate.
    track_id : name of the track that holds the piece.
    seed, index : those that ``compose`` drew the score with.
    bars : length of the track; statements and slots beyond it are left out.
    """

    def span(bar: int) -> Span:
        return Span(start_sample=bar * world.samples_per_bar, samples=world.samples_per_bar)

    decided_by = world.notes_per_slot * world.samples_per_note
    first, *later = world.statement_bars
    return Truth(
        track_id=track_id,
        seed=seed,
        index=index,
        bars=bars,
        prompt=score.prompt(world),
        ostinato=score.ostinato,
        drums=bool(world.genres[score.genre]),
        motif=span(first),
        statements=[span(bar) for bar in later if bar < bars],
        cue=span(world.cue_bar),
        slots=[
            Slot(
                **span(bar).model_dump(),
                returns=returns,
                variation=variation if returns else None,
                transposition=world.transposition if returns and variation == "transposed" else 0,
                cue=Span(
                    start_sample=span(world.cue_bar).start_sample + slot * decided_by,
                    samples=decided_by,
                ),
            )
            for slot, (bar, returns, variation) in enumerate(
                zip(world.slot_bars, score.returns, score.variations, strict=True)
            )
            if bar < bars
        ],
    )


def score_of(world: World, row: Truth) -> Score:
    """The score that a row of truth.jsonl was written from; its ``twin`` is the counterfactual.

    Raises CorpusError if the row is of another world or of another version of the composer.
    """
    score = compose(world, row.seed, row.index, part="held_out")
    bars = row.bars
    redrawn = truth(world, score, track_id=row.track_id, seed=row.seed, index=row.index, bars=bars)
    if redrawn != row:
        raise CorpusError(
            f"the truth of {row.track_id} is not what this world's composer says of it",
            found=row.model_dump_json(),
            expected=redrawn.model_dump_json(),
            fix="compose the shard again, or use the world that it was composed from",
        )
    return score


def _flipped(bits: tuple[bool, ...], slot: int) -> tuple[bool, ...]:
    return tuple(bit != (number == slot) for number, bit in enumerate(bits))
