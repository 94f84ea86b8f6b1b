"""Annotations that exist already: what enters the log, and what is refused by name."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.errors import ReviewError
from leitmotif.review.index import Index
from leitmotif.review.labels import from_decisions
from leitmotif.review.standing import standing, standing_listenings
from tests.review.annotated import (
    HEADER,
    TRACKS,
    imported,
    lines,
)
from tests.review.made import undo


def test_pairs_become_decisions_that_hold_all_that_a_label_needs(tmp_path: Path) -> None:
    rows = f"{HEADER},verdict,transposition,note\n"
    rows += "track_0,1.0,3,10.5,12.5,,,\nSong 1.flac,0,2,8,10,positive,-2,cadence\n"
    rows += "Song 2,0,2,8,10,negative,,\n"
    imported(tmp_path, rows)
    first, second, third = standing(lines(tmp_path))
    assert (first.motif.start_sample, first.motif.samples) == (32_000, 64_000)
    assert (first.recurrence.start_sample, first.recurrence.samples) == (336_000, 64_000)
    assert (first.transposition, first.score, first.proposal_id) == (3, None, None)
    assert first.imported is not None
    assert (first.imported.file, first.imported.format) == ("annotations.csv", "csv")
    assert (second.track_id, second.transposition, second.note) == ("track_1", -2, "cadence")
    assert (third.verdict, third.transposition) == ("negative", 0)
    labelled = from_decisions(
        standing(lines(tmp_path)),
        [],
        TRACKS,
        [],
        min_reviewers=1,
        strengths=lambda of: [0.5] * len(of),
    )
    assert [(label.track_id, label.strength) for label in labelled.labels] == [
        ("track_0", 0.5),
        ("track_1", 0.5),
    ]
    assert not any(row.known for row in labelled.coverage)  # nobody says that this is all


def test_an_exhaustive_annotation_makes_absence_known(tmp_path: Path) -> None:
    imported(tmp_path, f"{HEADER}\ntrack_0,1,3,10,12\ntrack_1,,,,\n", exhaustive=True)
    entries = lines(tmp_path)
    labelled = from_decisions(
        standing(entries),
        standing_listenings(entries),
        TRACKS,
        [],
        min_reviewers=1,
        strengths=lambda of: [0.5] * len(of),
    )
    assert [row.complete for row in labelled.coverage] == [True, True, False]
    assert [row.labels for row in labelled.coverage] == [1, 0, 0]
    with pytest.raises(ReviewError, match="1 mistake") as error:
        imported(tmp_path / "..", f"{HEADER}\ntrack_1,,,,\n")
    assert "line 2: track_1 has no pair" in str(error.value)


def test_what_returns_where_nothing_is_searched_is_left_out_and_said(tmp_path: Path) -> None:
    """But not what begins in time and ends later: its onset would be a verified absence."""
    prepared = imported(tmp_path, f"{HEADER}\ntrack_0,1,3,29,31\ntrack_0,1,3,40,42\n")
    assert [row.recurrence.start_sample for row in prepared.decisions] == [29 * 32_000]
    assert prepared.remarks == ["pairs that return where nothing is searched, left out: 1"]


def test_importing_twice_adds_nothing(tmp_path: Path) -> None:
    rows = f"{HEADER}\ntrack_0,1,3,10,12\ntrack_1,1,3,10,12\n"
    imported(tmp_path, rows, exhaustive=True)
    before = (tmp_path / "decisions/ana.jsonl").read_bytes()
    again = imported(tmp_path, rows, exhaustive=True)
    assert (again.decisions, again.listenings, again.known) == ([], [], 4)
    # Nor does a file with more in it add what is there.
    more = imported(tmp_path, rows + "track_2,1,3,10,12\n", exhaustive=True)
    assert (len(more.decisions), len(more.listenings), more.known) == (1, 1, 4)
    assert (tmp_path / "decisions/ana.jsonl").read_bytes().startswith(before)


def test_what_was_taken_back_is_not_imported_again(tmp_path: Path) -> None:
    rows = f"{HEADER}\ntrack_0,1,3,10,12\n"
    (made,) = imported(tmp_path, rows).decisions
    index = Index(tmp_path / "work/index.sqlite", tmp_path / "decisions")
    index.record(undo(made))
    index.close()
    assert imported(tmp_path, rows).decisions == []
    assert standing(lines(tmp_path)) == []


def test_another_verdict_of_the_same_reviewer_is_refused(tmp_path: Path) -> None:
    imported(tmp_path, f"{HEADER}\ntrack_0,1,3,10,12\n")
    changed = f"{HEADER},verdict\ntrack_0,1,3,10,12,negative\n"
    with pytest.raises(ReviewError, match="line 2: negative, where ana has said positive"):
        imported(tmp_path, changed)
    imported(tmp_path, changed, reviewer="ben")
    assert {entry.reviewer for entry in lines(tmp_path)} == {"ana", "ben"}


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("track_9,1,3,10,12", "the manifest has no track 'track_9'"),
        ("track_0,1,3,44,46", "recurrence from 44 to 46 s does not lie in track_0, 0 to 45.50 s"),
        ("track_0,-1,3,10,12", "motif from -1 to 3 s does not lie"),
        ("track_0,3,3,10,12", "motif from 3 to 3 s does not lie"),
        ("track_0,1,3,2,4", "recurrence begins before the motif has ended"),
        ("track_0,10,12,1,3", "recurrence begins before the motif has ended"),
        ("track_0,1,1.05,10,10.05", "motif is too short"),
        ("track_0,1,3,ten,12", "recurrence_start 'ten' is not a number"),
        ('track_0,"1,5",3,10,12', "motif_start '1,5' is not a number, whose decimal point"),
        ("track_0,1,3,nan,12", "recurrence_start 'nan' is not a number"),
        ("track_0,1,3,1e999,12", "is not a finite number"),
        ("track_0,1,3,10,١٢", "recurrence_end '١٢' is not a number"),
        ("track_0,1,3,10", "4 columns, where the first line has 5"),
        (",1,3,10,12", "no track"),
        ('track_0,1,3,10,"12', "unexpected end of data"),
        ("track_0,1,3,,", "recurrence_start '' is not a number"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_nothing_is_written(
    tmp_path: Path, rows: str, problem: str
) -> None:
    content = f"{HEADER}\ntrack_1,1,3,10,12\n\n{rows}\n"
    with pytest.raises(ReviewError) as error:
        imported(tmp_path, content)
    assert "annotations.csv cannot be imported: 1 mistake" in str(error.value)
    assert "line 4" in str(error.value)
    assert problem in str(error.value)
    assert "nothing was imported" in str(error.value)
    assert not (tmp_path / "decisions").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no track, motif_start"),
        ("track;motif_start;motif_end\n", "not separated by commas"),
        (f"{HEADER},motive\n", "unknown motive"),
        (f"{HEADER},track\n", "twice track"),
        (f"{HEADER}\n".encode("utf-16"), "UTF-16"),
        (f"{HEADER}\n".encode() + b"caf\xe9,1,3,10,12\n", "is not UTF-8"),
        ("track,motif_start\0", "NUL"),
    ],
)
def test_what_is_no_file_of_pairs_is_refused_by_name(
    tmp_path: Path, content: str | bytes, problem: str
) -> None:
    with pytest.raises(ReviewError, match=r"annotations\.csv") as error:
        imported(tmp_path, content)
    assert problem in str(error.value)


def test_a_byte_order_mark_and_lines_of_windows_are_read(tmp_path: Path) -> None:
    rows = f"{HEADER}\r\ntrack_0,1,3,10,12\r\n"
    assert len(imported(tmp_path, b"\xef\xbb\xbf" + rows.encode()).decisions) == 1


def test_one_track_may_be_named_for_the_whole_file(tmp_path: Path) -> None:
    rows = f"{HEADER.removeprefix('track,')}\n1,3,10,12\n"
    (made,) = imported(tmp_path, rows, track="track_2").decisions
    assert made.track_id == "track_2"
    with pytest.raises(ReviewError, match="--track names the track of the whole file"):
        imported(tmp_path, f"{HEADER}\n", track="track_2")


times = st.tuples(
    st.integers(0, 1000), st.integers(20, 400), st.integers(0, 500), st.integers(20, 400)
)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(TRACKS),
            times,
            st.sampled_from(["", "positive", "negative", "ambiguous", "rejected"]),
            st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda row: (row[0].track_id, row[1]),
    ),
    st.booleans(),
)
def test_any_pairs_survive_the_way_into_the_log(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], exhaustive: bool
) -> None:
    """Every pair that fits is one line with its windows, whatever its note; twice is once."""
    root = tmp_path_factory.mktemp("import")
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([*HEADER.split(","), "verdict", "note"])
    expected = set()
    for track, (start, length, gap, later), verdict, words in rows:
        edges = [start, start + length, start + length + gap, start + length + gap + later]
        writer.writerow([track.track_id, *(edge / 100 for edge in edges), verdict, words])
        samples = [edge * 320 for edge in edges]
        expected.add((track.track_id, *samples, verdict or "positive", words.strip()))
    for _ in range(2):
        imported(root, file.getvalue(), exhaustive=exhaustive)
    stands = standing(lines(root))
    assert len(stands) == len(lines(root)) - len(standing_listenings(lines(root)))
    assert {
        (
            row.track_id,
            row.motif.start_sample,
            row.motif.start_sample + row.motif.samples,
            row.recurrence.start_sample,
            row.recurrence.start_sample + row.recurrence.samples,
            row.verdict,
            row.note,
        )
        for row in stands
    } == expected
    named = {track.track_id for track, *_ in rows}
    assert {row.track_id for row in standing_listenings(lines(root))} == (
        named if exhaustive else set()
    )
