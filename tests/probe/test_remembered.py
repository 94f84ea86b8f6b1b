"""Results that are kept by what they were made of."""

import numpy as np

from leitmotif.probe.panel.remembered import Remembered


def test_equal_arrays_are_worked_on_once_and_others_anew() -> None:
    calls: list[float] = []

    def total(array: np.ndarray, weight: int) -> float:
        calls.append(float(array.sum()) * weight)
        return calls[-1]

    kept = Remembered(total, most=2)
    array = np.arange(6.0).reshape(2, 3)
    assert kept(array, 1) == kept(array.copy(), 1) == kept(np.asfortranarray(array), 1) == 15
    assert len(calls) == 1
    assert kept(array, 2) == 30
    array[0, 0] = 1
    assert kept(array, 1) == 16
    assert len(calls) == 3
    # Another shape or kind of the same bytes is another array.
    assert kept(array.reshape(3, 2), 1) == 16
    assert len(calls) == 4


def test_the_latest_are_kept() -> None:
    calls: list[int] = []
    kept = Remembered(calls.append, most=2)
    for number in (1, 2, 1, 3, 1, 2):
        kept(number)
    assert calls == [1, 2, 3, 2]


def test_an_empty_array_has_a_content() -> None:
    assert Remembered(len, most=1)(np.empty((3, 0))) == 3
