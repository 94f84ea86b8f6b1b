"""What notebooks give to the functions of ``import leitmotif`` is checked, and named."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import leitmotif
from leitmotif.errors import LeitmotifError

SOUND = np.sin(np.arange(32_000) / 20).astype(np.float32)
VALUES = np.random.default_rng(0).normal(size=(20, 4))
PATTERN = np.abs(np.random.default_rng(0).normal(size=(2, 6, 6)))
NUMBERS: list[Any] = [0, -1, np.nan, np.inf, None, "50", True]


CALLS = [
    *(lambda n=n: leitmotif.compose(n) for n in (*NUMBERS, 1.5)),
    *(lambda n=n: leitmotif.compose(1, seed=n) for n in (-1, 1.5, None, "1", True)),
    lambda: leitmotif.compose(1, world=None),
    *(lambda n=n: leitmotif.compose(1)[0].twin(n) for n in (-1, 2, 0.0, True, "0", None)),
    *(lambda n=n: leitmotif.plot_activations(VALUES, n) for n in NUMBERS),
    *(lambda n=n: leitmotif.plot_attention(PATTERN, n) for n in NUMBERS),
    *(
        lambda n=n: leitmotif.plot_activations(VALUES, 50, units=n)
        for n in ([], [1.0], [-1], [4], ["a"], 1, [True], slice(2), "01")
    ),
    *(
        lambda n=n: leitmotif.plot_activations(n, 50)
        for n in (VALUES + 1j, "abc", [[1], [1, 2]], np.where(VALUES > 1, np.nan, VALUES), None)
    ),
    *(lambda n=n: leitmotif.plot_attention(PATTERN, 50, head=n) for n in (2, 1.0, True, "0")),
    lambda: leitmotif.plot_attention(np.where(PATTERN > 1, np.inf, PATTERN), 50),
    lambda: leitmotif.plot_attention(PATTERN[:0], 50),
    *(
        lambda n=n: leitmotif.plot_waveform(SOUND, 32_000, spans=n)
        for n in (
            [("a", (0, 1))],
            *({"a": x} for x in (None, (1,), ("0", "1"), (0, np.inf), (2, 1))),
        )
    ),
    *(
        lambda n=n: leitmotif.plot_similarity(SOUND, 32_000, transposition=n)
        for n in (0.5, "1", None, 13, True)
    ),
    lambda: leitmotif.listen(SOUND[:0], 32_000),
    lambda: leitmotif.listen(np.ma.masked_greater(SOUND, 0.5), 32_000),
]


@pytest.mark.fault(
    "functions for notebooks",
    "numbers, lists, spans and arrays that are none, NaN, empty or masked",
    outcome="LeitmotifError that says what was expected",
)
@pytest.mark.parametrize("call", CALLS)
def test_what_cannot_be_used_is_named(call: Callable[[], Any]) -> None:
    with pytest.raises(LeitmotifError, match="expected"):
        call()
