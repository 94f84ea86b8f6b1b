"""Composed pieces in memory, with what is true of them, for notebooks and examples."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leitmotif.arguments import as_path, is_integer
from leitmotif.audio.writing import described, player
from leitmotif.corpus.organism.composer import Score, render, sounds, truth
from leitmotif.corpus.organism.composer import compose as compose_score
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.errors import CorpusError, LeitmotifError
from leitmotif.notebook.arguments import whole_number
from leitmotif.tables.truth import Truth
from leitmotif.work.machine import memory_here


@dataclass(frozen=True, eq=False)
class ComposedPiece:
    """A piece of the model organisms' music."""

    samples: NDArray[np.float32]
    """[n], mono, in [-1, 1]."""
    sample_rate: int
    """Hz."""
    truth: Truth
    """Where the motif, its cue and its slots are, in samples, and in which slots it returns."""
    score: Score
    world: World

    def __repr__(self) -> str:
        """Say length, rate, and in which slots the motif returns."""
        slots = ", ".join(
            f"slot {n} at {slot.start_sample / self.sample_rate:.3g} s "
            f"{'returns' if slot.returns else 'does not return'}"
            for n, slot in enumerate(self.truth.slots)
        )
        heard = described(self.samples, self.sample_rate)
        return f"ComposedPiece({self.truth.track_id}, {heard}; {slots})"

    def _repr_html_(self) -> str:
        return player(self.samples, self.sample_rate, repr(self))

    def twin(self, slot: int) -> "ComposedPiece":
        """Return the same piece, had the cue said the opposite of ``slot`` (counted from 0).

        Raises CorpusError for a slot that the piece lacks.
        """
        if not is_integer(slot) or not 0 <= slot < len(self.truth.slots):
            raise CorpusError(
                f"{self.truth.track_id} has no slot {slot!r}",
                found=f"{len(self.truth.slots)} slots",
                expected="a number from 0",
            )
        bank = SoundBank(self.world)
        return _piece(self.world, bank, self.score.twin(slot), self.truth.seed, self.truth.index)


def compose(
    pieces: int, *, seed: int = 7, world: Path | str = "models/organism/world.json"
) -> list[ComposedPiece]:
    """Compose pieces on which the model organisms can be tried.

    Parameters
    ----------
    pieces: how many.
    seed: names a series of pieces; the same seed gives the same bytes. The motifs are not among
        those that the organisms were trained on.
    world: file that describes the music; relative to the working directory.

    Returns
    -------
    The pieces, with their samples, score, and what is true of them.

    Raises CorpusError for a world that cannot be used, and LeitmotifError for other numbers.

    Example
    -------
    >>> import leitmotif
    >>> [piece] = leitmotif.compose(1, seed=3)
    >>> piece.samples.shape, piece.sample_rate, [slot.returns for slot in piece.truth.slots]
    ((266240,), 32000, [True, False])
    """
    pieces = whole_number(pieces, "pieces", least=1)
    seed = whole_number(seed, "seed", least=0)
    described = load_world(as_path(world, "the world"))
    _check_room(described, pieces)
    bank = SoundBank(described)
    return [
        _piece(described, bank, compose_score(described, seed, n, part="held_out"), seed, n)
        for n in range(pieces)
    ]


def _check_room(world: World, pieces: int) -> None:
    """Raise LeitmotifError where the samples of so many pieces cannot lie in memory."""
    frames = world.bars * world.notes_per_bar * world.frames_per_note
    needed = pieces * frames * world.samples_per_frame * np.dtype(np.float32).itemsize
    there = memory_here()
    if there is not None and needed > there:
        raise LeitmotifError(
            "there is no room for so many pieces",
            found=f"{pieces:,} pieces" if pieces < 10**12 else "more than 10^12 pieces",
            expected=f"at most {there * pieces // needed:,}, in {there / 1e9:.3g} GB of memory",
            fix="compose fewer at once",
        )


def _piece(world: World, bank: SoundBank, score: Score, seed: int, index: int) -> ComposedPiece:
    known = truth(
        world, score, track_id=f"piece_{index:04d}", seed=seed, index=index, bars=world.bars
    )
    samples = render(bank, sounds(world, score))
    return ComposedPiece(samples, world.sample_rate, known, score, world)
