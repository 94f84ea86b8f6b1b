"""What is known of a composed track: its motif, its slots, and its beginning under another cue."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
import soxr
from torch import Tensor

from leitmotif.audio.reading.samples import Samples
from leitmotif.checkpoints.folders import files_of
from leitmotif.corpus.organism.composer import render, score_of, sounds
from leitmotif.corpus.organism.shard import encode_mp3
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.errors import CorpusError, ProbeError
from leitmotif.files import read_table, sha256_json
from leitmotif.files.provenance import code_version, library_versions
from leitmotif.musicgen.protocol import AudioEncoder, MusicModel, decoder_steps
from leitmotif.store.cache.entries import WorkCache
from leitmotif.tables.base import Span
from leitmotif.tables.truth import TRUTH, Truth
from leitmotif.tensors import read_tensors, serialise

_TWIN = "twin.slot"
_FILE = "mp3"
"""Name of the one tensor that is kept of a twin: the bytes of its file."""


@dataclass(frozen=True)
class Planted:
    """The truth of one track, in samples and decoder steps of a model."""

    truth: Truth
    """What is true of the piece, in samples of the composed audio."""
    model: MusicModel
    sample_rate: int
    """Sample rate of the composed audio, in Hz."""
    prefix_samples: int
    """Up to the end of the cue."""
    motifs: list[Span]
    """Motifs of the prefix."""
    slots: list[Span]
    """Where the motif returns or does not, from the continuation's start."""

    @property
    def returns(self) -> list[bool]:
        """What the track's own cue says of each slot; the twin of a slot says the opposite."""
        return [slot.returns for slot in self.truth.slots]

    def onset_step(self, slot: int) -> int:
        """Step that predicts the slot's first frame: leads are counted from it."""
        return self.slot_steps(slot).start

    @property
    def cue_steps(self) -> range:
        """Decoder steps from the first that has read a token of the cue to the last."""
        cue = self.truth.cue
        start, stop = self._frame(cue.start_sample), self._frame(cue.start_sample + cue.samples)
        return range(start + 1, decoder_steps(self.model, stop) + 1)

    def gap_steps(self, slot: int) -> range:
        """Steps after the cue has been read and before the slot's first frame is predicted."""
        return range(self.cue_steps.stop, self._frame(self.truth.slots[slot].start_sample))

    def slot_steps(self, slot: int) -> range:
        """Steps at which the slot's frames are predicted."""
        start = self.truth.slots[slot].start_sample
        return range(self._frame(start), self._frame(start + self.truth.slots[slot].samples))

    def _frame(self, sample: int) -> int:
        """The model's frame that a sample of the composed audio lies in."""
        return sample * self.model.sample_rate // (self.sample_rate * self.model.samples_per_frame)


def source_name(slot: int) -> str:
    """What the twin of a slot is called among the sources of a prefix."""
    return f"{_TWIN}{slot}"


def slot_of(source: str) -> int | None:
    """The slot whose twin a source is; None if it is none."""
    number = source.removeprefix(_TWIN)
    return int(number) if number != source and number.isdecimal() else None


class Twins:
    """The truths of a corpus; of one that was not composed, none.

    ``cache`` keeps twins that were rendered, for other processes; None: nothing is kept.
    """

    def __init__(
        self, world: World | None, truths: Mapping[str, Truth], cache: WorkCache | None = None
    ) -> None:
        self._world, self._truths, self._cache = world, truths, cache
        self._bank = None if world is None else SoundBank(world)
        self._heard_before: dict[tuple[str, int, int], Samples] = {}

    @classmethod
    def of_corpus(cls, corpus: Path, world: Path | None, cache: WorkCache | None = None) -> Self:
        """Read a corpus folder; ``world`` describes its music, None for any other corpus.

        Raises LeitmotifError if the truth is missing, and CorpusError if the world is not usable.
        """
        if world is None:
            return cls(None, {})
        rows = read_table(corpus / TRUTH, Truth)
        return cls(load_world(world), {row.track_id: row for row in rows}, cache)

    @property
    def decisions(self) -> dict[str, list[bool]]:
        """Whether the motif returns, slot by slot, of every track whose truth is known."""
        return {
            track: [slot.returns for slot in truth.slots] for track, truth in self._truths.items()
        }

    def planted(self, track_id: str, model: MusicModel) -> Planted | None:
        """What is known of a track, at the model's sample rate; None where nothing is."""
        truth = self._truths.get(track_id)
        if truth is None or self._world is None:
            return None
        rates = self._world.sample_rate, model.sample_rate
        end = truth.cue.start_sample + truth.cue.samples
        motifs = [truth.motif, *truth.statements]
        return Planted(
            truth=truth,
            model=model,
            sample_rate=self._world.sample_rate,
            prefix_samples=_at_rate(end, *rates),
            motifs=[
                _span_at_rate(motif.start_sample, motif.samples, *rates)
                for motif in motifs
                if motif.start_sample + motif.samples <= end
            ],
            slots=[
                _span_at_rate(slot.start_sample - end, slot.samples, *rates) for slot in truth.slots
            ],
        )

    def known(self, track_id: str, model: MusicModel) -> Planted:
        """As ``planted``; raises ProbeError for a track of which nothing is known."""
        planted = self.planted(track_id, model)
        if planted is None:
            raise ProbeError(f"nothing is known of {track_id}", expected="a composed track")
        return planted

    def counterfactual(self, codec: AudioEncoder, track_id: str, slot: int) -> Tensor | None:
        """Codes [K, P] of the track's prefix, had its cue said the opposite of ``slot``.

        The twin is rendered and passes the same MP3 encoder as the track did, so that the cue is
        all that differs. None where no truth is known. Raises CorpusError for a slot that the
        track lacks, or a truth of another world.
        """
        truth = self._truths.get(track_id)
        if truth is None or self._world is None or self._bank is None:
            return None
        end = truth.cue.start_sample + truth.cue.samples
        return self._codes(codec, truth, slot, end)

    def counterfactual_piece(self, codec: AudioEncoder, track_id: str, slot: int) -> Tensor | None:
        """Codes [K, T] of the whole twin: what the piece would be if its cue said the opposite.

        As ``counterfactual`` otherwise.
        """
        truth = self._truths.get(track_id)
        if truth is None or self._world is None or self._bank is None:
            return None
        return self._codes(codec, truth, slot, None)

    def _codes(self, codec: AudioEncoder, truth: Truth, slot: int, end: int | None) -> Tensor:
        """Codes of a twin up to sample ``end`` of the composed audio; None: the whole of it."""
        assert self._world is not None
        key = truth.track_id, slot, codec.sample_rate
        if key not in self._heard_before:
            self._heard_before[key] = self._heard(truth, slot, codec.sample_rate)
        rate = self._world.sample_rate
        stop = None if end is None else _at_rate(end, rate, codec.sample_rate)
        return codec.encode_audio(self._heard_before[key][:stop])[0]

    def _heard(self, truth: Truth, slot: int, rate: int) -> Samples:
        """Samples of a track under the cue that says the opposite of ``slot``."""
        if not 0 <= slot < len(truth.slots):
            raise CorpusError(
                f"{truth.track_id} has no slot {slot}",
                found=f"{len(truth.slots)} slots",
                expected="a number from 0",
            )
        mp3 = io.BytesIO(self._mp3(truth, slot))
        samples, composed_rate = soundfile.read(mp3, dtype="float32")
        if rate != composed_rate:
            samples = soxr.resample(samples, composed_rate, rate)
        return np.array(samples, np.float32)

    def _mp3(self, truth: Truth, slot: int) -> bytes:
        """The file of a twin, rendered or kept; to render and encode one takes half a second."""
        assert self._world is not None
        assert self._bank is not None
        address = self._address(truth, slot)
        if self._cache and (entry := self._cache.find(address)):
            return bytes(read_tensors(entry.path)[0][_FILE])
        twin = score_of(self._world, truth).twin(slot)
        notes = sounds(self._world, twin)[: truth.bars * self._world.notes_per_bar]
        mp3 = encode_mp3(render(self._bank, notes), self._world.sample_rate)
        if self._cache:
            self._cache.put(address, serialise({_FILE: np.frombuffer(mp3, np.uint8)}, {}))
        return mp3

    def _address(self, truth: Truth, slot: int) -> str:
        """Hash of all that decides the file of a twin."""
        assert self._world is not None
        return sha256_json(
            {
                "format": "leitmotif-twin/1",
                "world": self._world.model_dump(mode="json"),
                "truth": truth.model_dump(mode="json"),
                "slot": slot,
                "versions": f"{library_versions()}, libsndfile {soundfile.__libsndfile_version__}",
                "code_version": self._code_version,
            }
        )

    @cached_property
    def _code_version(self) -> str:
        return code_version(__name__)


def _at_rate(samples: int, rate: int, other: int) -> int:
    return round(samples * other / rate)


def _span_at_rate(start: int, samples: int, rate: int, other: int) -> Span:
    first = _at_rate(start, rate, other)
    return Span(start_sample=first, samples=_at_rate(start + samples, rate, other) - first)


def shared_twins(corpus: Path, world: Path | None, cache: Path | None = None) -> Twins:
    """Read a corpus once in this process, which keeps the last and the twins that were heard.

    ``cache`` is the folder of the work cache, which keeps the twins for other processes; None:
    nothing is kept. Raises as ``Twins.of_corpus`` does.
    """
    files = [files_of(str(folder)) for folder in (corpus, *([world.parent] if world else []))]
    return _shared(corpus, world, cache, tuple(files))


@lru_cache(maxsize=1)
def _shared(corpus: Path, world: Path | None, cache: Path | None, files: object) -> Twins:
    return Twins.of_corpus(corpus, world, None if cache is None else WorkCache(cache / "twins"))
