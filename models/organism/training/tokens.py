"""Pieces as codes, by looking each note up: the codec codes every frame by itself.

``tests/corpus/organism/test_codec.py`` holds this table to the codec's own reading of whole pieces.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import EncodecModel

from leitmotif.corpus.organism.composer import Score, sounds
from leitmotif.corpus.organism.synthesis import NoteSound, SoundBank
from leitmotif.corpus.organism.world import World
from training.codec import every_sound


class NoteTable:
    """The codes of every sound of a world, from the codec that is shipped."""

    def __init__(self, world: World, codec: EncodecModel) -> None:
        self.world = world
        bank = SoundBank(world)
        known = every_sound(world)
        waves = torch.stack([torch.from_numpy(bank[sound]) for sound in known])
        with torch.no_grad():
            self.codes = codec.encode(waves[:, None]).audio_codes[0]
        self._row = {sound: row for row, sound in enumerate(known)}

    def __call__(self, scores: Sequence[Score]) -> Tensor:
        """Codes of whole pieces: (len(scores), codebooks, frames)."""
        rows = [[self._row[sound] for sound in sounds(self.world, score)] for score in scores]
        notes = self.codes[torch.tensor(rows)]  # (pieces, notes, codebooks, frames per note)
        return notes.permute(0, 2, 1, 3).flatten(2)

    def transcribe(self, codes: Tensor) -> list[list[NoteSound]]:
        """The sounds, drums left out, whose codes are nearest to ``codes`` (B, K, frames).

        Distance is the number of a note's codes that differ.
        """
        B, K, _ = codes.shape
        notes = codes.view(B, K, -1, self.world.frames_per_note).transpose(1, 2)
        differing = (notes[:, :, None] != self.codes).flatten(3).sum(-1)  # (B, notes, sounds)
        known = [sound._replace(drum=None) for sound in self._row]
        return [[known[i] for i in row] for row in differing.argmin(-1).tolist()]
