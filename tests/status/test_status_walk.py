"""The way of a folder of recordings: what is known at each halt, and what comes next."""

from pathlib import Path

import pytest

from leitmotif.cli import presets
from leitmotif.cli.columns import WIDTH
from leitmotif.cli.status import LINES, as_lines, next_line
from leitmotif.config import load_params
from leitmotif.files import write_table
from leitmotif.pipeline import COVERAGE, LABELS
from leitmotif.pipeline.durations import Durations
from leitmotif.status.material import read_material
from leitmotif.status.overview import Status, read_status
from leitmotif.tables.corpus import Exclusion
from tests.status.half_made import (
    decided,
    folder_experiment,
    heard,
    proposal,
    proposed,
    ran,
    recordings,
    track,
    verdict,
)

NEEDED = 20
"""Tracks that the five folds of the preset need."""


@pytest.fixture
def root(tmp_path: Path, repo_root: Path) -> Path:
    """A repository after ``leitmotif use folder``."""
    folder_experiment(tmp_path / "repository", repo_root)
    return tmp_path / "repository"


def tracks(status: Status) -> dict[str, int | None]:
    return {step.name: step.tracks for step in status.steps}


def notes(status: Status) -> dict[str, str]:
    return {step.name: step.note for step in status.steps}


def test_an_empty_folder(tmp_path: Path) -> None:
    status = read_status(tmp_path)
    assert status.next.command == "cd REPOSITORY"
    assert as_lines(status)[0] == "Settings"
    assert status.steps == []


def test_no_settings_yet(root: Path) -> None:
    (root / "params.yaml").unlink()
    assert read_status(root).next.command == "leitmotif use"


def test_a_damaged_preset_hides_how_long_it_takes(root: Path) -> None:
    recordings(root, 1)
    (root / "presets/organism.yaml").write_text("corpus: 3\n", encoding="utf-8")
    assert read_status(root).next.command == "dvc repro proposals"


def test_what_a_stage_took_is_how_long_it_takes(root: Path) -> None:
    recordings(root, 1)
    params = load_params(root / "params.yaml")
    durations = Durations(params, root)
    for stage in ("corpus", "manifest", "features", "proposals"):
        durations.record(stage, 60.0)
    assert read_status(root).next.time == "about 4 min, as last time"
    (root / ".leitmotif/runs/features.json").unlink()
    assert read_status(root).next.time == "more than 3 min, as last time"


def test_settings_that_cannot_be_used(root: Path) -> None:
    (root / "params.yaml").write_text("corpus: 3\n", encoding="utf-8")
    status = read_status(root)
    assert status.next.command == "mend params.yaml"
    assert status.material.problems != []


def test_no_recordings_yet(root: Path) -> None:
    assert read_status(root).next.command == "leitmotif use folder --set corpus.path=FOLDER"
    (root / "music").rmdir()
    assert "is no folder" in str(read_status(root).next)


def test_after_use(root: Path) -> None:
    recordings(root, 3)
    status = read_status(root)
    assert status.next.command == "dvc repro proposals"
    assert "how long is not known here yet" in status.next.time
    assert tracks(status)["given"] == 3
    assert {n for name, n in tracks(status).items() if name != "given"} == {None}
    assert status.rehearsal
    assert any("a rehearsal" in line for line in as_lines(status))


def test_too_few_recordings_are_told_before_anybody_labels(root: Path) -> None:
    long = [track(number) for number in range(13)]
    short = [track(number, seconds=16.9) for number in range(13, 30)]
    rows = [*long, *short]
    queue = [proposal(number, number + 1) for number in range(len(rows))]
    proposed(root, rows, queue)
    status = read_status(root)
    assert tracks(status)["long enough for every horizon"] == 13
    assert status.next.command.startswith("add 7 recordings or more of at least 17.0 s")
    assert "or set probes.folds to 3 in params.yaml, which needs 12: enough here" in (
        status.next.advice
    )


def test_deciding_what_was_proposed_makes_no_track_known(root: Path) -> None:
    """Nor one in which nothing was proposed; only listening does."""
    rows = [track(number) for number in range(NEEDED)]
    queue = [proposal(number, number + 1) for number in range(5)]
    proposed(root, rows, queue)
    decided(root, [verdict(row) for row in queue])
    status = read_status(root)
    assert tracks(status)["known"] == 0
    assert "20 unknown, as nobody has listened to them" in notes(status)["known"]
    assert status.next.command == "leitmotif review"
    assert "20 tracks to listen to" in status.next.why
    decided(root, [heard(row) for row in rows])
    status = read_status(root)
    assert (tracks(status)["known"], status.next.command) == (NEEDED, "dvc repro")


def test_pending_decisions(root: Path) -> None:
    rows = [track(number) for number in range(NEEDED)]
    queue = [proposal(number, number + 1) for number in range(NEEDED)]
    left_out = [Exclusion(track_id="track99", reason="too_short", detail="")]
    proposed(root, rows, queue, left_out)
    status = read_status(root)
    assert status.next.command == "leitmotif review"
    assert "20 proposals to decide" in status.next.why
    assert notes(status)["in the manifest"] == "1 too_short"
    assert tracks(status)["given"] == NEEDED + 1
    assert tracks(status)["pieces continued"] is None

    decided(root, [*(verdict(row) for row in queue[:7]), *map(heard, rows)])
    status = read_status(root)
    assert "13 proposals to decide" in status.next.why
    assert "at the pace so far" in status.next.time
    # Of the others all is known but whether the pairs that are pending return.
    assert tracks(status)["known"] == NEEDED
    assert "13 of them in part, 13 tracks with pending pairs" in notes(status)["known"]
    assert any("which need 20" in line for line in status.next.advice)
    assert "Decisions: 13 of 20 proposals pending (by ana)" in as_lines(status)


def test_reviewers_who_disagree_have_not_decided(root: Path) -> None:
    rows = [track(number) for number in range(NEEDED)]
    queue = [proposal(number, number + 1) for number in range(NEEDED)]
    proposed(root, rows, queue)
    decided(root, [verdict(row) for row in queue])
    decided(root, [verdict(queue[0], "negative", "ben")])
    assert "1 proposal to decide" in read_status(root).next.why


def all_decided(root: Path) -> None:
    """Half of the pieces return 14 s in, and half do not."""
    rows = [track(number) for number in range(NEEDED)]
    queue = [proposal(number, number + 1) for number in range(NEEDED)]
    proposed(root, rows, queue)
    said = ["positive" if number % 2 else "negative" for number in range(NEEDED)]
    decided(root, [verdict(row, word) for row, word in zip(queue, said, strict=True)])
    decided(root, [heard(row) for row in rows])


def test_after_the_last_decision(root: Path) -> None:
    all_decided(root)
    status = read_status(root)
    assert status.next.command == "dvc repro"
    assert tracks(status)["known"] == NEEDED
    assert tracks(status)["usable at 5-15s"] == NEEDED
    assert tracks(status)["pieces that can be continued"] == NEEDED // 2


def test_all_negative_is_nothing_to_learn_from(root: Path) -> None:
    rows = [track(number) for number in range(NEEDED)]
    queue = [proposal(number, number + 1) for number in range(NEEDED)]
    proposed(root, rows, queue)
    decided(root, [*(verdict(row, "negative") for row in queue), *map(heard, rows)])
    status = read_status(root)
    assert tracks(status)["usable at 5-15s"] == 0
    assert "all proposals are decided" in status.next.why


def test_labels_follow_the_decisions_at_once(root: Path) -> None:
    all_decided(root)
    material = read_material(root)
    assert material.labels is not None
    assert material.coverage is not None
    write_table(root / LABELS, material.labels)
    write_table(root / COVERAGE, material.coverage)
    ran(root, "corpus", "manifest", "features", "proposals", "labels")
    assert read_material(root).states["labels"] == "done"
    queue = material.proposals or []
    decided(root, [verdict(queue[0], "positive")])
    changed = read_material(root)
    assert changed.states["labels"] == "outdated"
    assert len(changed.labels or []) == len(material.labels) + 1


def test_a_new_recording_makes_the_corpus_outdated(root: Path) -> None:
    proposed(root, [track(0)], [proposal(0, 1)])
    assert read_material(root).states["corpus"] == "done"
    (root / "music" / "new.wav").touch()
    status = read_status(root)
    assert status.material.states["corpus"] == "outdated"
    assert tracks(status)["given"] == 2
    assert status.next.command == "dvc repro proposals"


def test_exploratory_needs_no_decision(tmp_path: Path, repo_root: Path) -> None:
    root = tmp_path / "repository"
    folder_experiment(root, repo_root, "probes.exploratory=true")
    rows = [track(number) for number in range(NEEDED)]
    queue = [proposal(number, number + 1) for number in range(NEEDED)]
    proposed(root, rows, queue)
    decided(root, [verdict(row) for row in queue[:10]])
    status = read_status(root)
    assert status.next.command == "dvc repro"
    assert "  exploratory: undecided tracks are used, and nothing is a claim" in as_lines(status)


def test_a_model_of_music_is_no_rehearsal(root: Path, repo_root: Path) -> None:
    presets.use("musicgen-folder", ["corpus.path=music"], root=root, force=True)
    assert not read_status(root).rehearsal


def test_it_keeps_within_a_screen_whatever_there_is(tmp_path: Path, repo_root: Path) -> None:
    root = tmp_path / "repository"
    horizons = ", ".join(f"[{after}, {after + 1}]" for after in range(1, 26))
    settings = (f"probes.horizons=[{horizons}]", "probes.permutations=3000")
    folder_experiment(root, repo_root, *settings)
    proposed(root, [track(number) for number in range(3)], [proposal(0, 1)])
    (root / "data/decisions").mkdir(parents=True)
    for reviewer in range(60):
        (root / "data/decisions" / f"reviewer{reviewer}.jsonl").write_text("no line\n")
    status = read_status(root)
    lines = as_lines(status)
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH
    assert lines[lines.index("Next") + 1].startswith("  add 17 recordings")
    assert len(next_line(status)) <= 2 * WIDTH
