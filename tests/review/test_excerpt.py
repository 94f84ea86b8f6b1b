"""Annotations of a whole recording in an excerpt of it: what is heard, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.errors import ReviewError
from leitmotif.review.importing import run
from leitmotif.review.importing.annotations import AnnotatedPair, Annotations
from leitmotif.review.importing.bps import steady
from leitmotif.review.importing.excerpt import Alignment, alignment_of, excerpt
from leitmotif.review.labels import from_decisions
from leitmotif.review.standing import standing, standing_listenings
from leitmotif.tables.decisions import Decision
from tests.review.annotated import HEADER, TRACKS, imported, jams, lines, note

RATE = 32_000
COLUMNS = HEADER.removeprefix("track,")
"""Of a file for one track, which lasts 45.5 s and is searched up to 30 s."""


def windows(decisions: list[Decision]) -> list[tuple[float, float]]:
    starts = [(row.motif.start_sample, row.recurrence.start_sample) for row in decisions]
    return [(motif / RATE, recurrence / RATE) for motif, recurrence in starts]


def aligned(
    root: Path, content: str, *points: str, kind: str = "csv", **options: Any
) -> run.Import:
    alignment = alignment_of(points)
    return imported(root, content, kind, track="track_0", alignment=alignment, **options)


def test_pairs_of_the_excerpt_are_imported_in_its_own_time_and_the_others_counted(
    tmp_path: Path,
) -> None:
    rows = "61,63,70,72\n2,4,8,10\n64,66,120,122\n40,42,70,72\n"
    prepared = aligned(tmp_path, f"{COLUMNS}\n{rows}", "60=0")
    assert windows(prepared.decisions) == [(1.0, 10.0)]
    assert prepared.remarks == [
        "3 of 4 pairs left out: a window lies outside the excerpt, 60.00 to 105.50 s of the "
        "annotations"
    ]
    (line,) = lines(tmp_path)
    assert line.imported.aligned == "60=0"
    assert imported(tmp_path / "..", f"{HEADER}\ntrack_1,1,3,10,12\n").decisions


def test_two_points_stretch_time(tmp_path: Path) -> None:
    prepared = aligned(tmp_path, f"{COLUMNS}\n60,62,70,72\n", "60=0", "80=22")
    assert windows(prepared.decisions) == [(0.0, 11.0)]
    assert prepared.decisions[0].motif.samples == 2.2 * RATE


def test_a_file_with_a_column_of_tracks_may_name_the_excerpt(tmp_path: Path) -> None:
    content = f"{HEADER}\nSong 1,61,63,70,72\n"
    assert windows(imported(tmp_path, content, alignment=alignment_of(["60=0"])).decisions) == [
        (1.0, 10.0)
    ]
    with pytest.raises(ReviewError, match="of one track"):
        imported(tmp_path, f"{content}track_0,,,,\n", alignment=alignment_of(["60=0"]))
    with pytest.raises(ReviewError, match="no track 'other'"):
        imported(tmp_path, f"{HEADER}\nother,1,2,3,4\n", alignment=alignment_of(["60=0"]))


def test_a_motif_that_sounds_before_the_excerpt_is_replaced_by_its_first_return_in_it(
    tmp_path: Path,
) -> None:
    rows = "2,4,70,72,1\n2,4,65,67,3\n2,4,80,82,\n2,4,64,66,3\n"
    prepared = aligned(tmp_path, f"{COLUMNS},transposition\n{rows}", "60=0")
    # The return at 65 s begins before the one at 64 s has ended.
    assert windows(prepared.decisions) == [(4.0, 10.0), (4.0, 20.0)]
    assert [row.transposition for row in prepared.decisions] == [-2, 3]  # the engine says 3
    assert (
        "2 pairs with the motif's first return in the excerpt as the motif" in prepared.remarks[1]
    )


def test_all_formats_have_excerpts(tmp_path: Path) -> None:
    notes = [note(time, 1, number) for number, time in enumerate((5.0, 65.0, 70.0, 140.0))]
    prepared = aligned(tmp_path, jams(notes, duration=200.0), "60=0", kind="jams")
    assert windows(prepared.decisions) == [(5.0, 10.0)]
    movement = "start,end,type\n0,4,a\n130,134,a\n150,154,a\n400,404,a\n"
    prepared = aligned(tmp_path, movement, "60=0", kind="bps", clock=steady(0.5, 0.0))
    assert windows(prepared.decisions) == [(5.0, 15.0)]


def test_no_absence_is_known_where_a_return_is_cut_off(tmp_path: Path) -> None:
    prepared = aligned(tmp_path, f"{COLUMNS}\n61,63,70,72\n61,63,80,110\n", "60=0", exhaustive=True)
    assert prepared.remarks[1] == (
        "returns that begin in the excerpt and end after it, left out: 1; from 20.00 s on it stays "
        "unknown what returns"
    )
    entries = lines(tmp_path)
    coverage = from_decisions(
        standing(entries),
        standing_listenings(entries),
        TRACKS[:1],
        [],
        min_reviewers=1,
        strengths=lambda of: [0.5] * len(of),
    ).coverage
    assert not coverage[0].complete
    assert max(span.start_sample + span.samples for span in coverage[0].known) == 20 * RATE


def test_importing_twice_adds_nothing_and_another_excerpt_is_another(tmp_path: Path) -> None:
    rows = f"{COLUMNS}\n61,63,70,72\n"
    aligned(tmp_path, rows, "60=0", exhaustive=True)
    again = aligned(tmp_path, rows, "60=0", exhaustive=True)
    assert (again.decisions, again.listenings, again.known) == ([], [], 2)
    assert len(aligned(tmp_path, rows, "55=0").decisions) == 1


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        (["60"], "'60' has no ="),
        (["60=x"], "'x' is not a number"),
        (["=0"], "'' is not a number"),
        (["60=nan"], "'nan' is not a number"),
        (["60=0", "60=1"], "both points are of one second"),
        (["60=0", "61=10"], "one second of the annotations is 10 s"),
        (["60=0", "61=-1"], "one second of the annotations is -1 s"),
        (["0=0", "1=1", "2=2"], "3 points, where two say all"),
    ],
)
def test_what_is_no_alignment_is_refused_by_name(points: list[str], problem: str) -> None:
    with pytest.raises(ReviewError, match="no alignment") as error:
        alignment_of(points)
    assert problem in str(error.value)


def test_an_offset_that_is_wrong_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match="nothing that was annotated lies in the track") as error:
        aligned(tmp_path, f"{COLUMNS}\n61,63,70,72\n", "600=0")
    assert "windows from -539.00 to -528.00 s" in str(error.value)
    with pytest.raises(ReviewError, match="no excerpt of what was annotated") as error:
        aligned(tmp_path, jams([note(1.0, 1, 1)], duration=80.0), "60=0", kind="jams")
    assert "60.00 to 105.50 s" in str(error.value)
    with pytest.raises(ReviewError, match=r"another length(.|\n)*--align"):
        aligned(tmp_path, jams([note(1.0, 1, 1)], duration=80.0), kind="jams")
    assert not (tmp_path / "decisions").exists()


def test_mistakes_of_a_file_are_none_of_its_excerpt(tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match=r"line 2: the motif from 3 to 1 s"):
        aligned(tmp_path, f"{COLUMNS}\n63,61,70,72\n", "60=0")


times = st.integers(0, 600).map(lambda tenths: tenths / 10)


@given(
    rows=st.lists(st.tuples(times, times, st.integers(0, 3)), max_size=12),
    shift=st.integers(0, 50),
)
def test_all_that_is_left_lies_in_the_excerpt(
    rows: list[tuple[float, float, int]], shift: int
) -> None:
    pairs = [
        AnnotatedPair(
            f"line {number}", "t", (start, start + 1), (later, later + 1), transposition=semitones
        )
        for number, (start, later, semitones) in enumerate(rows)
        if later >= start + 1
    ]
    alignment = Alignment(1.0, -float(shift), f"{shift}=0")
    try:
        made = excerpt(Annotations(pairs, {"t": "--track"}), alignment, 20.0)
    except ReviewError:
        ends = [end - shift for pair in pairs for end in (*pair.motif, *pair.recurrence)]
        assert max(ends) <= 0 or min(ends) >= 20
        return
    returns = {pair.recurrence for pair in pairs}
    for pair in made.pairs:
        assert pair.motif[0] >= -0.011
        assert pair.recurrence[1] <= 20.011
        assert pair.recurrence[0] >= pair.motif[1] - 1e-9
        assert (pair.recurrence[0] + shift) in [pytest.approx(start) for start, _ in returns]
