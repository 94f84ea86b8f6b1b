"""Composed pieces in memory."""

from pathlib import Path

import numpy as np
import pytest

import leitmotif
from leitmotif.errors import CorpusError


def test_pieces_are_those_of_their_truth(organism: Path) -> None:
    pieces = leitmotif.compose(6, seed=5, world=organism / "world.json")
    assert len({piece.truth.track_id for piece in pieces}) == 6
    for piece in pieces:
        motif = piece.truth.motif
        heard = piece.samples[motif.start_sample :][: motif.samples]
        for slot in piece.truth.slots:
            sounds = piece.samples[slot.start_sample :][: slot.samples]
            assert np.array_equal(sounds, heard) == slot.returns
    again = leitmotif.compose(6, seed=5, world=str(organism / "world.json"))
    assert all(
        np.array_equal(first.samples, two.samples) for first, two in zip(pieces, again, strict=True)
    )


def test_a_twin_differs_in_its_part_of_the_cue_and_in_its_slot(organism: Path) -> None:
    [piece] = leitmotif.compose(1, seed=5, world=organism / "world.json")
    for number, slot in enumerate(piece.truth.slots):
        twin = piece.twin(number)
        assert twin.truth.slots[number].returns is not slot.returns
        differs = np.flatnonzero(piece.samples != twin.samples)
        spans = [slot.cue, slot]
        inside = np.concatenate(
            [np.arange(span.start_sample, span.start_sample + span.samples) for span in spans]
        )
        assert np.isin(differs, inside).all()
        for span in spans:
            within = (differs >= span.start_sample) & (differs < span.start_sample + span.samples)
            assert within.any()
        assert np.array_equal(twin.twin(number).samples, piece.samples)
    with pytest.raises(CorpusError, match="has no slot 2"):
        piece.twin(2)
