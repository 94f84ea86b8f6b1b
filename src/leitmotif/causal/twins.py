"""What is known of a composed track: its motif, its slots, and its beginning under another cue."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
from torch import Tensor

from leitmotif.audio.decode import Samples
from leitmotif.checkpoints import files_of
from leitmotif.corpus.organism.composer import render, score_of, sounds
from leitmotif.corpus.organism.shard import encode_mp3
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.corpus.tables import Span
from leitmotif.errors import CorpusError
from leitmotif.files import read_table
from leitmotif.store.codes import AudioEncoder
from leitmotif.tables.truth import TRUTH, Truth

CODEBOOKS = 4
SAMPLES_PER_FRAME = 640
"""At the composed music's 32 kHz; both are MusicGen's."""
_TWIN = "twin.slot"


@dataclass(frozen=True)
class Planted:
    """The truth of one track, in samples of its prefix and of what follows it."""

    truth: Truth
    prefix_samples: int
    """Up to the end of the cue."""
    motifs: list[Span]
    """Of the prefix."""
    slots: list[Span]
    """Where the motif returns or does not, from the continuation's start."""

    @property
    def returns(self) -> list[bool]:
        """What the track's own cue says of each slot; the twin of a slot says the opposite."""
        return [slot.returns for slot in self.truth.slots]

    @property
    def cue_steps(self) -> range:
        """Decoder steps from the first that has read a token of the cue to the last."""
        cue = self.truth.cue
        start, stop = _frame(cue.start_sample), _frame(cue.start_sample + cue.samples)
        return range(start + 1, stop + CODEBOOKS)

    def gap_steps(self, slot: int) -> range:
        """Steps after the cue has been read and before the slot's first frame is predicted."""
        return range(self.cue_steps.stop, _frame(self.truth.slots[slot].start_sample))

    def slot_steps(self, slot: int) -> range:
        """Steps at which the slot's frames are predicted."""
        start = self.truth.slots[slot].start_sample
        return range(_frame(start), _frame(start + self.truth.slots[slot].samples))


def source_name(slot: int) -> str:
    """What the twin of a slot is called among the sources of a prefix."""
    return f"{_TWIN}{slot}"


def slot_of(source: str) -> int | None:
    """The slot whose twin a source is; None if it is another track."""
    number = source.removeprefix(_TWIN)
    return int(number) if number != source else None


def _frame(sample: int) -> int:
    return sample // SAMPLES_PER_FRAME


class Twins:
    """The truths of a corpus; of one that was not composed, none."""

    def __init__(self, world: World | None, truths: Mapping[str, Truth]) -> None:
        self._world, self._truths = world, truths
        self._bank = None if world is None else SoundBank(world)
        self._prefixes: dict[tuple[str, int], Samples] = {}

    @classmethod
    def of_corpus(cls, corpus: Path, world: Path | None) -> Self:
        """Read a corpus folder; ``world`` describes its music, None for any other corpus.

        Raises LeitmotifError if the truth is missing, and CorpusError if the world is not usable.
        """
        if world is None:
            return cls(None, {})
        rows = read_table(corpus / TRUTH, Truth)
        return cls(load_world(world), {row.track_id: row for row in rows})

    def planted(self, track_id: str) -> Planted | None:
        """What is known of a track; None where nothing is."""
        truth = self._truths.get(track_id)
        if truth is None:
            return None
        end = truth.cue.start_sample + truth.cue.samples
        motifs = [truth.motif, *truth.statements]
        return Planted(
            truth=truth,
            prefix_samples=end,
            motifs=[motif for motif in motifs if motif.start_sample + motif.samples <= end],
            slots=[
                Span(start_sample=slot.start_sample - end, samples=slot.samples)
                for slot in truth.slots
            ],
        )

    def counterfactual(self, codec: AudioEncoder, track_id: str, slot: int) -> Tensor | None:
        """Codes [K, P] of the track's prefix, had its cue said the opposite of ``slot``.

        The twin is rendered and passes the same MP3 encoder as the track did, so that the cue is
        all that differs. None where no truth is known. Raises CorpusError for a slot that the
        track lacks, or a truth of another world.
        """
        known = self.planted(track_id)
        if known is None or self._world is None or self._bank is None:
            return None
        key = track_id, slot
        if key not in self._prefixes:
            self._prefixes[key] = _prefix(self._world, self._bank, known, slot)
        return codec.encode_audio(self._prefixes[key])[0]


def shared_twins(corpus: Path, world: Path | None) -> Twins:
    """Read a corpus once in this process, which keeps the last and the twins that were heard.

    Raises as ``Twins.of_corpus`` does.
    """
    files = [files_of(str(folder)) for folder in (corpus, *([world.parent] if world else []))]
    return _shared(corpus, world, tuple(files))


@lru_cache(maxsize=1)
def _shared(corpus: Path, world: Path | None, files: object) -> Twins:
    return Twins.of_corpus(corpus, world)


def _prefix(world: World, bank: SoundBank, known: Planted, slot: int) -> Samples:
    """Samples of a track's prefix under the cue that says the opposite of ``slot``."""
    if not 0 <= slot < len(known.slots):
        raise CorpusError(
            f"{known.truth.track_id} has no slot {slot}",
            found=f"{len(known.slots)} slots",
            expected="a number from 0",
        )
    twin = score_of(world, known.truth).twin(slot)
    notes = sounds(world, twin)[: known.truth.bars * world.notes_per_bar]
    mp3 = encode_mp3(render(bank, notes), world.sample_rate)
    samples, _ = soundfile.read(io.BytesIO(mp3), dtype="float32")
    return np.array(samples[: known.prefix_samples], np.float32)
