"""Where the positions of a pass begin.

A MusicGen reads absolute positions: sinusoids of the number of a step. It was trained on clips that
begin at position 0, and `transformers` and audiocraft count every sequence from there.
`transformers` counts padding too; audiocraft counts from 0 again where it goes on from the end of a
clip that has become too long. So the same music has other positions, depending on what is given as
its beginning.
"""

import math
from collections.abc import Sequence
from typing import Any

from leitmotif.arguments import is_integer
from leitmotif.errors import ModelError, counted

Offset = int | Sequence[int]
"""Decoder steps by which the positions of all rows are moved, or of each row."""

DISTINCT = math.floor(2 * math.pi * 10_000)
"""Positions of which no two are alike: a period of the slowest sinusoid, in steps."""


def first_positions(offset: Offset, *, rows: int, begin: int, steps: int) -> list[int]:
    """The position of the first step of each row: ``begin``, the model's own, and ``offset`` more.

    Raises ModelError for an offset that is no integer of 0 or more, for another number of them than
    rows, and where a pass of ``steps`` steps leaves the positions that are distinct.
    """
    each: list[Any] = list(offset) if isinstance(offset, list | tuple) else [offset] * rows
    if not all(is_integer(number) and number >= 0 for number in each):
        raise ModelError(
            "position_offset cannot be used",
            found=f"{offset!r:.200}",
            expected="decoder steps, 0 or more: an integer, or a list with one for each row",
            fix="round(seconds * model.frame_rate) gives the steps of some seconds",
        )
    if len(each) != rows:
        raise ModelError(
            "position_offset and rows do not match",
            found=f"{counted(len(each), 'offset')} for {counted(rows, 'row')}",
            expected="an integer for all rows, or a list with one for each",
        )
    first = [begin + int(number) for number in each]
    if max(first) + steps > DISTINCT:
        raise ModelError(
            "the positions repeat",
            found=f"{steps} steps from position {max(first)} on",
            expected=f"positions below {DISTINCT}, a period of the slowest sinusoid",
            fix="shorten the pass or its offset; MusicGen was trained on about 1500 positions",
        )
    return first
