"""Formats of annotations: what JAMS, BPS-motif and damaged files give, and what is refused."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.errors import LeitmotifError, ReviewError
from leitmotif.review.importing import run
from leitmotif.review.importing.annotations import Occurrence, pairs_of
from leitmotif.review.importing.bps import performed, read_bps, steady
from leitmotif.review.log import log_files
from tests.review.annotated import EXAMPLES, HEADER, NOTES, TRACKS, imported, jams, note

BPS = "LEITMOTIF_BPS_MOTIF"
"""Names the folder of the data set BPS-motif, where somebody has it."""


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["csv", "bps", "jams"]), st.data())
def test_damaged_files_are_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(EXAMPLES[kind].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    root = tmp_path_factory.mktemp("damaged")
    options = {} if kind == "csv" else {"track": "track_0"}
    if kind == "bps":
        options["clock"] = steady(0.5, 1.0)
    refusal = None
    try:
        imported(root, bytes(content), kind, **options)
    except LeitmotifError as error:
        refusal = str(error)
    assert refusal is None or f"annotations.{kind}" in refusal
    assert refusal is None or not log_files(root / "decisions")


def test_patterns_of_jams_are_their_notes_from_the_first_to_the_last(tmp_path: Path) -> None:
    prepared = imported(tmp_path, jams(NOTES), "jams", track="track_0")
    spans = [
        (row.motif.start_sample, row.recurrence.start_sample, row.recurrence.samples)
        for row in prepared.decisions
    ]
    assert spans == [(32_000, 320_000, 48_000), (32_000, 640_000, 48_000)]
    assert prepared.remarks == ["1 pattern without a later occurrence left out"]


@pytest.mark.fault(
    "leitmotif import-labels",
    "numbers of patterns that differ in their last digits alone",
    outcome="each is a pattern of its own",
)
@pytest.mark.parametrize("first", [1_000_001, 2**53, 10**20, "1000001", 0.12345671])
def test_patterns_are_told_apart_by_all_digits(tmp_path: Path, first: Any) -> None:
    second = first + 1e-8 if isinstance(first, float) else type(first)(int(first) + 1)
    notes = [note(1.0, first, 1), note(10.0, first, 2), note(20.0, second, 1)]
    prepared = imported(tmp_path, jams(notes), "jams", track="track_0")
    assert [row.recurrence.start_sample for row in prepared.decisions] == [320_000]
    assert prepared.remarks == ["1 pattern without a later occurrence left out"]


@pytest.mark.fault("leitmotif import-labels", "a column of BPS-motif twice", outcome="refused")
def test_a_column_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("start,end,type,start\n0,4,a,1\n8,12,a,9\n")
    with pytest.raises(ReviewError, match="twice start"):
        read_bps(path, track="track_0", clock=steady(0.5, 0.0))


@pytest.mark.fault(
    "leitmotif import-labels",
    "a pair twice with two transpositions, a name longer than a note, an end before its start, "
    "a duration that is none, a file with column names alone",
    outcome="refused by its place, the logs untouched",
)
@pytest.mark.parametrize(
    ("kind", "content", "problem"),
    [
        ("csv", f"{HEADER}\n", "no line after the first"),
        (
            "csv",
            f"{HEADER},transposition\ntrack_0,1,3,10,12,0\nSong 0,1,3,10,12,5\n",
            "line 3: transposition 5, where line 2 says 0",
        ),
        ("csv", f"{HEADER},note\ntrack_0,1,3,10,12,{'x' * 2001}\n", "line 2: a note of 2001"),
        ("bps", f"start,end,type\n0,4,{'x' * 3000}\n20,24,{'x' * 3000}\n", "line 3: a note of"),
        ("bps", "start,end,type\n0,4,a\n20,24,a\n7,4,b\n", "line 4: it ends at 4, before"),
        *(
            ("jams", jams(NOTES).replace("45.5", text), "file_metadata.duration: ")
            for text in ("9" * 400, "true", '"long"', "[45.5]", "{}")
        ),
    ],
)
def test_what_would_be_dropped_or_fail_later_is_refused(
    tmp_path: Path, kind: str, content: str, problem: str
) -> None:
    options = {} if kind == "csv" else {"track": "track_0"}
    if kind == "bps":
        options["clock"] = steady(0.5, 1.0)
    with pytest.raises(ReviewError, match=rf"annotations\.{kind}") as error:
        imported(tmp_path, content, kind, exhaustive=True, **options)
    assert problem in str(error.value)
    assert not log_files(tmp_path / "decisions")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (jams(NOTES, "segment_open"), "the namespaces segment_open"),
        (jams(NOTES, duration=200.0), "another length"),
        (jams([{"time": 1.0, "duration": 1.0, "value": "A"}]), "note 1: None is not a number"),
        (jams([note(1.0, 1, 1, duration=-1)]), "note 1: duration -1"),
        ('{"annotations": 3}', "is no JAMS"),
        ("[]", "is no JAMS"),
        ("{", "is not JSON"),
        ('{"annotations": [{"namespace": "pattern_jku", "data": {"time": [1]}}]}', "no list"),
    ],
)
def test_other_jams_are_refused_by_name(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(ReviewError, match=r"annotations\.jams") as error:
        imported(tmp_path, content, "jams", track="track_0")
    assert problem in str(error.value)


def test_motifs_of_bps_sound_when_the_performance_plays_them(tmp_path: Path) -> None:
    table = tmp_path / "tempo.csv"
    table.write_text("crotchet,seconds\n-1,0.5\n9,5.5\n33,29.5\n")
    prepared = imported(tmp_path, EXAMPLES["bps"], "bps", track="track_0", clock=performed(table))
    first, second = prepared.decisions
    assert (first.motif.start_sample, first.recurrence.start_sample) == (16_000, 16.5 * 32_000)
    assert second.note == "pattern b"
    with pytest.raises(ReviewError, match="line 5: crotchet 40 lies outside"):
        imported(
            tmp_path,
            EXAMPLES["bps"].replace("30,33", "40,43"),
            "bps",
            track="track_0",
            clock=performed(table),
        )
    with pytest.raises(ReviewError, match="counts in crotchets"):
        imported(tmp_path, EXAMPLES["bps"], "bps", track="track_0")
    notes = "onset,midi_number\n0,60\n"
    with pytest.raises(ReviewError, match="import its"):
        imported(tmp_path, notes, "bps", track="track_0", clock=steady(1, 0))


@pytest.mark.parametrize(
    "content", ["", "beat,time\n", "crotchet,seconds\n0,0\n0,1\n", "crotchet,seconds\n0\n"]
)
def test_a_tempo_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    table = tmp_path / "tempo.csv"
    table.write_text(content)
    with pytest.raises(ReviewError, match=r"tempo\.csv"):
        performed(table)
    with pytest.raises(ReviewError, match="no tempo"):
        steady(0.0, 0.0)
    with pytest.raises(ReviewError, match="said twice"):
        run.clock_of(1.0, 0.0, table)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.integers(1, 8)), max_size=12)
)
def test_the_first_occurrence_is_the_motif_and_what_sounds_with_it_no_return(
    rows: list[tuple[str, int, int]],
) -> None:
    occurrences = [
        Occurrence(f"line {number}", pattern, (start, start + length))
        for number, (pattern, start, length) in enumerate(rows)
    ]
    pairs, _ = pairs_of("track_0", occurrences)
    for pair in pairs:
        own = [row.span for row in occurrences if f"pattern {row.pattern}" == pair.note]
        assert pair.motif[0] == min(start for start, _ in own)
        assert pair.recurrence[0] >= pair.motif[1]
    starts = [(pair.note, pair.recurrence[0]) for pair in pairs]
    assert len(set(starts)) == len(starts)


def test_all_movements_of_bps_motif_can_be_read() -> None:
    if BPS not in os.environ:
        pytest.skip(f"{BPS} does not name a folder with the data set BPS-motif")
    files = sorted(Path(os.environ[BPS]).glob("*.motifs.csv"))
    assert files
    for path in files:
        file = run.read_annotations(path, "bps", TRACKS, track="track_0", clock=steady(0.5, 2.0))
        assert len(file.annotations.pairs) > 20
        assert all(pair.recurrence[0] >= pair.motif[1] for pair in file.annotations.pairs)


def test_a_format_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match="no format of annotations"):
        run.read_annotations(tmp_path / "x.mid", "midi", TRACKS)
    with pytest.raises(ReviewError, match="does not say of which track"):
        run.read_annotations(tmp_path / "x.jams", "jams", TRACKS)
