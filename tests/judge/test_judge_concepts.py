"""The concepts of the ISMIR 2024 experiments in AudioSet's words."""

import pytest

from leitmotif.errors import ModelError
from leitmotif.judge.concepts import CONCEPTS, GENRES, INSTRUMENTS, own_label, relevant_labels


def test_there_are_ninety_ordered_pairs() -> None:
    assert len(INSTRUMENTS) == 4
    assert len(GENRES) == 6
    assert len(CONCEPTS) * (len(CONCEPTS) - 1) == 90


def test_no_label_stands_for_two_concepts() -> None:
    labels = [label for group in CONCEPTS.values() for label in group]
    assert len(set(labels)) == len(labels) == 28


def test_a_small_tagger_has_some_of_the_labels_but_the_concepts_own() -> None:
    known = ("Plucked string instrument", "Guitar", "Jazz")
    assert relevant_labels("guitar", known) == ("Guitar", "Plucked string instrument")
    assert relevant_labels("jazz", known) == (own_label("jazz"),)
    with pytest.raises(ModelError, match="'violin'"):
        relevant_labels("violin", known)
    with pytest.raises(ModelError, match="unknown concept"):
        relevant_labels("kazoo", known)
