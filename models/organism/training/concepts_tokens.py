"""Concept clips as codes, by looking each note up: their codec codes lines and frames apart."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import EncodecModel

from training.concept_sounds import ConceptSounds
from training.concept_world import ConceptWorld
from training.concepts import Clip
from training.concepts_codec import BOOKS


class ClipTable:
    """The codes of every note that was asked for, from the codec that is shipped."""

    def __init__(self, world: ConceptWorld, codec: EncodecModel) -> None:
        self._world, self._codec, self._sounds = world, codec, ConceptSounds(world)
        self._silence = self._encode(torch.zeros(world.samples_per_frame))
        self._notes: dict[tuple[str, str, int], tuple[Tensor, Tensor]] = {}

    def __call__(self, clips: Sequence[Clip]) -> Tensor:
        """Codes of whole clips: (len(clips), codebooks, frames)."""
        codes = self._silence.repeat(len(clips), 1, self._world.frames)
        for row, clip in zip(codes, clips, strict=True):
            for book, line in enumerate(BOOKS):
                for note in getattr(clip, line):
                    held, last = self._look_up(line, note.voice, note.pitch)
                    end = note.start + note.frames - 1
                    row[book, note.start : end] = held[book, : note.frames - 1]
                    row[book, end] = last[book, note.frames - 1]
        return codes

    def _look_up(self, line: str, voice: str, pitch: int) -> tuple[Tensor, Tensor]:
        """Codes (codebooks, frames) of a note's frames, if it goes on and if it ends there."""
        if (line, voice, pitch) not in self._notes:
            longest, gain = self._world.longest_note, getattr(self._world.gains, line)
            held = self._sounds(voice, pitch, longest)
            size = self._world.samples_per_frame
            ends = [self._sounds(voice, pitch, n)[-size:] for n in range(1, longest + 1)]
            self._notes[line, voice, pitch] = (
                self._encode(gain * torch.from_numpy(held)),
                self._encode(gain * torch.cat([torch.from_numpy(end) for end in ends])),
            )
        return self._notes[line, voice, pitch]

    def _encode(self, samples: Tensor) -> Tensor:
        with torch.no_grad():
            return self._codec.encode(samples[None, None]).audio_codes[0, 0]
