"""Where windows may lie, at the edges of what is allowed."""

import pytest

from leitmotif.review.failures import RefusedError
from leitmotif.review.limits import check_added, check_stretch, nearest
from leitmotif.review.queue import QueueItem
from leitmotif.review.stretches import stretches
from leitmotif.tables.base import Span
from tests.review.paged import span
from tests.review.test_stretches import RATE, track

TRACK = track("a", (0, 30), (40, 30))


def window(start: float, seconds: float) -> Span:
    return Span(**span(start, seconds))


def item(motif: Span, recurrence: Span) -> QueueItem:
    return QueueItem("0" * 16, "a", TRACK, RATE, motif, recurrence, 0, None)


@pytest.mark.parametrize(
    ("motif", "recurrence"),
    [
        (window(0, 5), window(5, 5)),  # at once
        (window(0, 0.1), window(29.9, 0.1)),
        (window(0, 5), window(65, 5)),  # in another window
        (window(31, 5), window(40, 5)),  # a motif where nothing is searched
    ],
)
def test_what_can_be_a_pair(motif: Span, recurrence: Span) -> None:
    check_added(TRACK, motif, recurrence, RATE)


@pytest.mark.parametrize(
    ("motif", "recurrence"),
    [
        (window(0, 5), window(4.99, 5)),
        (window(0, 0.09), window(20, 5)),
        (window(0, 5), window(27, 5)),  # ends outside
        (window(0, 5), window(32, 5)),
        (window(0, 5), window(3599, 2)),
    ],
)
def test_what_cannot_be_one(motif: Span, recurrence: Span) -> None:
    with pytest.raises(RefusedError):
        check_added(TRACK, motif, recurrence, RATE)


def test_a_stretch_shorter_than_the_shortest_part_can_be_answered() -> None:
    (short,) = stretches(
        [track("a", (0, 30)).model_copy(update={"windows": TRACK.windows[:1]})]
    ).values()
    check_stretch(short, short.span)
    check_stretch(short, window(29, 1))
    with pytest.raises(RefusedError, match="beyond"):
        check_stretch(short, window(29, 1.1))


@pytest.mark.parametrize(
    ("shift", "same"),
    [((0, 0), True), ((0.2, 0.3), True), ((0, 1.5), False), ((1.5, 0), False), ((8, 8), False)],
)
def test_nearly_equal_windows_are_one_pair(shift: tuple[float, float], same: bool) -> None:
    there = [item(window(1, 3), window(11, 3)), item(window(1, 3), window(21, 3))]
    found = nearest(window(1 + shift[0], 3), window(11 + shift[1], 3), there)
    assert found is (there[0] if same else None)


def test_nothing_is_near_in_an_empty_queue() -> None:
    assert nearest(window(1, 3), window(11, 3), []) is None
