"""``leitmotif import-labels``."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from leitmotif.cli.program import app
from leitmotif.errors import ReviewError
from leitmotif.review.log import read_log
from leitmotif.tables.decisions import Decision
from tests.status.half_made import folder_experiment, proposal, proposed, track

HEADER = "track,motif_start,motif_end,recurrence_start,recurrence_end,transposition"


@pytest.fixture
def annotations(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file beside a repository in which all was proposed."""
    root = tmp_path / "repository"
    folder_experiment(root, repo_root)
    proposed(root, [track(number) for number in range(3)], [])
    monkeypatch.chdir(root)
    path = tmp_path / "mine.csv"
    path.write_text(f"{HEADER}\ntrack00,1,4,12,15,0\ntrack01.wav,1,4,12,15,2\ntrack02,,,,,\n")
    return path


def test_a_file_enters_the_log_once_and_says_what_is_next(annotations: Path) -> None:
    asked = ["import-labels", str(annotations), "--reviewer", "ana", "--exhaustive"]
    dry = CliRunner().invoke(app, [*asked, "--dry-run"])
    assert "2 pairs and 3 listenings would be added to data/decisions/ana.jsonl" in dry.output
    assert not Path("data/decisions/ana.jsonl").exists()
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "2 pairs and 3 listenings added" in done.output
    assert "next:" in done.output
    lines = read_log(Path("data/decisions/ana.jsonl")).entries
    assert [line.action for line in lines] == ["decide"] * 2 + ["listen"] * 3
    again = CliRunner().invoke(app, asked)
    assert "0 pairs and 0 listenings added" in again.output
    assert "5 known already" in again.output


def test_proposals_that_annotations_do_not_name_stay_pending_and_that_is_said(
    annotations: Path,
) -> None:
    asked = ["import-labels", str(annotations), "--reviewer", "ana"]
    named, other, elsewhere = proposal(0, 1, after=12.0), proposal(0, 2), proposal(2, 3)
    proposed(Path(), [track(number) for number in range(3)], [named, other, elsewhere])
    done = CliRunner().invoke(app, [*asked, "--exhaustive"])
    assert done.exit_code == 0, done.output
    # The first proposal is a pair of the file, window by window.
    assert "2 proposals in 2 tracks of these annotations stay pending" in done.output
    again = CliRunner().invoke(app, [*asked, "--exhaustive"])
    assert "stay pending" not in again.output


def test_annotations_of_a_whole_recording_are_imported_for_an_excerpt(annotations: Path) -> None:
    annotations.write_text(f"{HEADER.removeprefix('track,')}\n61,64,72,75,0\n1,4,12,15,2\n")
    asked = ["import-labels", str(annotations), "--reviewer", "ana", "--track", "track01"]
    refused = CliRunner().invoke(app, asked)
    assert "the motif from 61 to 64 s does not lie in track01" in str(refused.exception)
    done = CliRunner().invoke(app, [*asked, "--align", "60=0"])
    assert done.exit_code == 0, done.output
    assert "1 of 2 pairs left out: a window lies outside the excerpt, 60.00 to 90.00" in done.output
    assert "1 pair and 0 listenings added" in done.output
    (line,) = read_log(Path("data/decisions/ana.jsonl")).entries
    assert isinstance(line, Decision)
    assert (line.motif.start_sample, line.recurrence.start_sample) == (32_000, 12 * 32_000)


def test_nothing_needs_to_be_proposed_yet(annotations: Path) -> None:
    Path("data/proposals.jsonl").unlink()
    asked = ["import-labels", str(annotations), "--reviewer", "ana", "--exhaustive"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "2 pairs and 3 listenings added" in done.output
    assert "pending" not in done.output


@pytest.mark.fault(
    "annotations", "proposals that cannot be read", outcome="named error, no line is written"
)
def test_a_broken_queue_is_named_before_a_line_is_written(annotations: Path) -> None:
    Path("data/proposals.jsonl").write_text("{}\n")
    asked = ["import-labels", str(annotations), "--reviewer", "ana", "--exhaustive"]
    done = CliRunner().invoke(app, asked)
    assert "data/proposals.jsonl" in str(done.exception)
    assert not Path("data/decisions/ana.jsonl").exists()


def test_what_cannot_be_imported_is_refused(annotations: Path) -> None:
    asked = ["import-labels", str(annotations)]
    nobody = CliRunner().invoke(app, [*asked, "--reviewer", "No Name"])
    assert isinstance(nobody.exception, ReviewError)
    empty = CliRunner().invoke(app, [*asked, "--reviewer", "ana"])
    assert "track02 has no pair" in str(empty.exception)
    midi = CliRunner().invoke(app, [*asked, "--reviewer", "ana", "--format", "midi"])
    assert "one of csv, bps, jams" in str(midi.exception)
    assert not Path("data/decisions/ana.jsonl").exists()
