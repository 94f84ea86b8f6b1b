"""What a study says before it makes any clip."""

import re

import pytest

from leitmotif.causal.experiment.study import too_few_pieces
from leitmotif.claims import Claims

CLAIMS = Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=0.05)


def made_pieces(gaining: int, losing: int) -> dict[str, int]:
    return {str(n): 1 if n < gaining else -1 for n in range(gaining + losing)}


@pytest.mark.parametrize(
    ("gaining", "losing", "tried", "words"),
    [
        (1, 0, 1, r"1 piece, 0 .* and 1 .* cannot .* 8 are needed for 1 candidate at probes.*"),
        (4, 4, 9, r"8 pieces, 4 .* cannot .* 9 are needed for 9 candidates at .* 0\.05, and 4 .*"),
        (13, 3, 9, r"16 pieces, 3 in which the motif returns and 13 in which it does not, .*"),
    ],
)
def test_too_few_pieces_are_named_with_the_number_needed(
    gaining: int, losing: int, tried: int, words: str
) -> None:
    notice = too_few_pieces(made_pieces(gaining, losing), tried=tried, claims=CLAIMS)
    assert re.fullmatch(words, str(notice))


@pytest.mark.parametrize(("gaining", "losing", "tried"), [(4, 4, 1), (4, 5, 9), (12, 4, 9)])
def test_nothing_is_said_of_enough_pieces(gaining: int, losing: int, tried: int) -> None:
    assert too_few_pieces(made_pieces(gaining, losing), tried=tried, claims=CLAIMS) is None
