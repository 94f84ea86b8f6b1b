"""How well concepts are recognised: known rankings, and what a small tagger lacks."""

from pathlib import Path

import numpy as np
import pytest

from leitmotif.errors import ModelError
from leitmotif.judge.measures import ndcg_of_chance
from leitmotif.lens.concepts import Concept, load_concepts
from leitmotif.lens.recognition import known_labels, recognised

LABELS = ("Music", "Guitar", "Acoustic guitar", "Piano", "Bell")


@pytest.fixture(scope="module")
def concepts() -> list[Concept]:
    table = load_concepts(Path(__file__).parents[2] / "concepts.yaml")
    return [table["guitar"], table["piano"]]


def test_a_tagger_may_lack_labels_but_not_the_name(concepts: list[Concept]) -> None:
    assert known_labels(concepts[0], LABELS) == [1, 2]
    with pytest.raises(ModelError, match="does not know the concept 'guitar'"):
        known_labels(concepts[0], ("Acoustic guitar", "Bell"))


def test_labels_that_are_true_of_everything_count_among_all_and_not_within(
    concepts: list[Concept],
) -> None:
    # Music comes first, then the concept's own labels.
    logits = {
        "guitar": np.array([[5.0, 4.0, 3.0, 2.0, 1.0]] * 2),
        "piano": np.array([[5.0, 2.0, 3.0, 4.0, 1.0]] * 2),
    }
    among_all = recognised(logits, concepts, LABELS)
    within = recognised(logits, concepts, LABELS, within=True)
    second, third = 1 / np.log2(3), 1 / np.log2(4)
    assert among_all.of("guitar")[0].mean == pytest.approx(
        (second + third) / (1 + second), abs=1e-4
    )
    assert among_all.of("piano")[0].mean == pytest.approx(second, abs=1e-4)
    assert within.of("guitar")[0].mean == within.of("piano")[0].mean == 1.0
    assert within.of(None)[0].n == 4
    assert among_all.of("piano")[1] == pytest.approx(ndcg_of_chance(5, 1), abs=1e-4)
    assert within.of("piano")[1] == pytest.approx(ndcg_of_chance(3, 1), abs=1e-4)


def test_all_concepts_count_alike(concepts: list[Concept]) -> None:
    uneven = {"guitar": np.zeros((2, 5)), "piano": np.zeros((3, 5))}
    found = recognised(uneven, concepts, LABELS)
    assert found.of("piano")[0].n == 3
    with pytest.raises(ModelError, match="different numbers of prompts"):
        found.of(None)
