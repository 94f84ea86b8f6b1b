"""Proposals against planted motifs, and the commands' view of files."""

from pathlib import Path

import pytest
import soundfile

from leitmotif.errors import LeitmotifError
from leitmotif.recurrence.listing import (
    Listing,
    ListingSettings,
    audio_files,
    each_listed,
    track_names,
)
from leitmotif.recurrence.proposals.scoring import count, has_distractors, overlap, planted
from leitmotif.tables.base import Span
from leitmotif.tables.proposals import Proposal
from leitmotif.tables.truth import Slot, Truth
from tests.recurrence.melodies import RATE, SEARCH, piece
from tests.tables.made import proposal_row


def span(start: int, samples: int = 100) -> Span:
    return Span(start_sample=start, samples=samples)


def truth(**changes: object) -> Truth:
    slots = [
        Slot(
            start_sample=start,
            samples=100,
            returns=returns,
            variation="exact" if returns else None,
            transposition=0,
            cue=span(100),
        )
        for start, returns in ((1000, True), (1200, False))
    ]
    values = {
        "track_id": "a",
        "seed": 1,
        "index": 0,
        "bars": 13,
        "prompt": "",
        "ostinato": False,
        "drums": False,
        "motif": span(0),
        "statements": [span(200)],
        "cue": span(100),
        "slots": slots,
    }
    return Truth.model_validate(values | changes)


def proposal(motif: int, recurrence: int) -> Proposal:
    return proposal_row(
        proposal_id="0" * 64,
        track_id="a",
        motif=span(motif),
        recurrence=span(recurrence),
        score=1.0,
        p=0.1,
    )


def test_the_motif_sounds_where_it_is_stated_and_where_it_returns() -> None:
    assert planted(truth()) == [span(0), span(200), span(1000)]


def test_precision_and_recall_count_planted_windows() -> None:
    proposals = [
        proposal(0, 205),  # right
        proposal(10, 1000),  # right
        proposal(210, 1005),  # right, the same recurrence again
        proposal(0, 1200),  # the slot without a return
        proposal(0, 60),  # the cue
    ]
    counts = count([truth()], {"a": proposals})
    assert (counts.precision, counts.recall) == (3 / 5, 1.0)


def test_a_track_without_proposals_counts() -> None:
    counts = count([truth()], {})
    assert (counts.precision, counts.recall, counts.recurrences) == (None, 0.0, 2)


def test_what_a_distractor_is() -> None:
    assert not has_distractors(truth())
    assert has_distractors(truth(ostinato=True))
    assert has_distractors(truth(drums=True))


def test_overlap_is_intersection_over_union() -> None:
    assert overlap(span(0), span(50)) == pytest.approx(1 / 3)
    assert overlap(span(0), span(500)) == 0


def test_a_file_is_listed_with_what_was_accepted(tmp_path: Path) -> None:
    path = tmp_path / "piece.wav"
    soundfile.write(path, piece(), RATE)
    (file,) = audio_files([path])
    (listing,) = each_listed([file], ListingSettings(SEARCH, everything=True))
    assert isinstance(listing, Listing)
    rows = listing.rows
    good = [row for row in rows if row.accepted]
    assert 0 < len(good) < len(rows)
    assert good[0].motif_start == pytest.approx(4, abs=0.3)


def test_a_file_without_room_for_two_windows_is_named(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, piece()[: 3 * RATE], RATE)
    (listing,) = each_listed(audio_files([path]), ListingSettings(SEARCH, everything=True))
    said = "short has 3.0 s, too little for a motif and its recurrence: 4.0 s"
    assert listing == Listing([], [said])


def test_folders_are_searched_for_audio_and_names_stay_apart(tmp_path: Path) -> None:
    for name in ("a/x.wav", "b/x.flac", "b/y.mp3", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = audio_files([tmp_path])
    paths = [file.path for file in files]
    assert [path.name for path in paths] == ["x.wav", "x.flac", "y.mp3"]
    assert track_names(paths) == [paths[0].as_posix(), paths[1].as_posix(), "y"]


def test_a_file_named_twice_is_searched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").mkdir()
    Path("a/x.wav").touch()
    Path("link.wav").symlink_to("a/x.wav")
    named = [Path("a/../a/x.wav"), tmp_path / "a/x.wav", Path("link.wav"), Path("a")]
    (file,) = audio_files(named)
    assert file.path == named[0]


def test_paths_without_audio_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LeitmotifError, match="no audio"):
        audio_files([tmp_path])
    with pytest.raises(LeitmotifError, match="does not exist"):
        audio_files([tmp_path / "none"])
