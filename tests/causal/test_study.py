"""What a study says before it makes any clip."""

import re

import pytest

from leitmotif.causal.experiment.study import too_few_pieces
from leitmotif.claims import Claims

CLAIMS = Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=0.05)


@pytest.mark.parametrize(
    ("pieces", "tried", "words"),
    [
        (1, 1, r"1 piece cannot .* 6 are needed for 1 candidate at probes\.alpha 0\.05"),
        (8, 9, r"8 pieces cannot .* 9 are needed for 9 candidates at probes\.alpha 0\.05"),
    ],
)
def test_too_few_pieces_are_named_with_the_number_needed(
    pieces: int, tried: int, words: str
) -> None:
    assert re.fullmatch(words, str(too_few_pieces(pieces, tried=tried, claims=CLAIMS)))


@pytest.mark.parametrize(("pieces", "tried"), [(6, 1), (9, 9)])
def test_nothing_is_said_of_enough_pieces(pieces: int, tried: int) -> None:
    assert too_few_pieces(pieces, tried=tried, claims=CLAIMS) is None
