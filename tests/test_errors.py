"""How errors and notices word what they found."""

import pytest

from leitmotif.errors import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 tracks"), (1, "1 track"), (2, "2 tracks"), (1000, "1,000 tracks")]
)
def test_a_noun_takes_an_s_unless_there_is_one(number: int, words: str) -> None:
    assert counted(number, "track") == words
