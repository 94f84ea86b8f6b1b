"""Results that are kept: found again whole, shared in parts, made again where they are damaged."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from leitmotif.errors import StoreError
from leitmotif.store.cache.results import KeptResults, ResultFormat, Tensors
from tests.disk import small_disk

DONE: list[int] = []


def squares(numbers: Sequence[int]) -> list[int]:
    DONE.extend(numbers)
    return [number**2 for number in numbers]


def _tensors(_: Sequence[int], made: list[int]) -> list[Tensors]:
    return [{"square": np.array(square)} for square in made]


FORM: ResultFormat[Sequence[int], list[int]] = ResultFormat(
    keys=list,
    tensors=_tensors,
    result=lambda _, parts: [int(part["square"]) for part in parts],
)


def each(root: Path | None, items: Sequence[Sequence[int]], by: str = "a") -> list[list[int]]:
    DONE.clear()
    return [*KeptResults(root, {"by": by}, workers=1).each(squares, items, FORM)]


def test_what_is_kept_is_not_made_again(tmp_path: Path) -> None:
    assert each(tmp_path, [[1, 2], [3]]) == [[1, 4], [9]]
    assert each(tmp_path, [[3], [1, 2], [4]]) == [[9], [1, 4], [16]]
    assert DONE == [4]


def test_an_item_of_which_a_part_is_missing_is_made_and_shares_its_parts(tmp_path: Path) -> None:
    each(tmp_path, [[1, 2]])
    files = {path.name for path in tmp_path.iterdir()}
    assert each(tmp_path, [[2, 3]]) == [[4, 9]]
    assert DONE == [2, 3]
    assert len({path.name for path in tmp_path.iterdir()} - files) == 1
    assert each(tmp_path, [[3, 1]]) == [[9, 1]]
    assert DONE == []


def test_other_things_that_decide_have_other_results(tmp_path: Path) -> None:
    each(tmp_path, [[1]])
    each(tmp_path, [[1]], by="b")
    assert DONE == [1]


def test_without_a_folder_nothing_is_kept() -> None:
    for _ in range(2):
        assert each(None, [[1, 2]]) == [[1, 4]]
        assert DONE == [1, 2]


def test_what_a_run_had_finished_when_it_was_stopped_is_there(tmp_path: Path) -> None:
    DONE.clear()
    results = KeptResults(tmp_path, {"by": "a"}, workers=1).each(squares, [[1], [2], [3]], FORM)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert each(tmp_path, [[1], [2], [3]]) == [[1], [4], [9]]
    assert DONE == [2, 3]


@pytest.mark.fault(
    "results in the work cache", "full disk", outcome="named error, whole results only"
)
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    with small_disk(root, 3 * 4096), pytest.raises(StoreError, match="the disk is full"):
        each(root / "kept", [[number] for number in range(20)])
