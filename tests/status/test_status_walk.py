"""The way of a folder of recordings: what is known at each halt, and what comes next."""

from pathlib import Path

import pytest

from leitmotif.cli import presets
from leitmotif.cli.columns import WIDTH
from leitmotif.cli.status import LINES, as_lines
from leitmotif.config import load_params
from leitmotif.files import write_table
from leitmotif.files.yaml_files import read_stages
from leitmotif.pipeline import COVERAGE, LABELS, OPENINGS
from leitmotif.pipeline.durations import Durations
from leitmotif.status.material import read_material
from leitmotif.status.needs import as_words
from leitmotif.status.next_step import UNKNOWN_TIME
from leitmotif.status.overview import Status, read_status
from leitmotif.tables.corpus import Exclusion
from leitmotif.tables.decisions import Imported
from leitmotif.tables.openings import OpenedRecording
from tests.status.half_made import (
    decided,
    folder_experiment,
    heard,
    heard_all,
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


def test_too_few_recordings_are_said_before_any_is_read(root: Path) -> None:
    recordings(root, 6)
    assert read_status(root).next.why.endswith("; the probes need 20 tracks, and 6 are given")
    recordings(root, 20)
    assert "given" not in read_status(root).next.why


def test_what_a_stage_took_is_how_long_it_takes(root: Path) -> None:
    recordings(root, 1)
    params = load_params(root / "params.yaml")
    durations = Durations(params, root)
    for stage in ("corpus", "manifest", "features", "proposals"):
        durations.record(stage, 60.0)
    assert read_status(root).next.time == "about 4 min, as last time"
    (root / ".leitmotif/runs/features.json").unlink()
    assert read_status(root).next.time == "more than 3 min, as last time"


def test_runs_of_two_kinds_are_said_in_words_that_can_be_understood(root: Path) -> None:
    recordings(root, 1)
    params = load_params(root / "params.yaml")
    longer = params.features.model_copy(update={"min_seconds": 2.0})
    Durations(params, root).record("corpus", 60.0)
    Durations(params.model_copy(update={"features": longer}), root).record("features", 60.0)
    partly = "more than 2 min, as last time, partly with other settings"
    assert read_status(root).next.time == partly
    (root / ".leitmotif/runs/corpus.json").unlink()
    assert read_status(root).next.time == "more than 60 s, as last time with other settings"


def test_what_a_program_decided_is_nobodys_pace(root: Path) -> None:
    rows = [track(number) for number in range(NEEDED)]
    queue = [proposal(number, number + 1) for number in range(NEEDED)]
    proposed(root, rows, queue)
    imported = Imported(file="a.csv", sha256="0" * 64, format="csv")
    said = [verdict(row).model_copy(update={"imported": imported}) for row in queue[:7]]
    decided(root, said)
    assert "13 proposals to decide" in read_status(root).next.why
    assert read_status(root).next.time == UNKNOWN_TIME


def test_settings_that_cannot_be_used(root: Path) -> None:
    (root / "params.yaml").write_text("corpus: 3\n", encoding="utf-8")
    status = read_status(root)
    assert status.next.command == "mend params.yaml"
    assert status.material.problems != []


def test_no_recordings_yet(root: Path) -> None:
    assert read_status(root).next.command == "leitmotif use PRESET --set corpus.path=FOLDER"
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
    way = "probes.folds=3 (needs 12 tracks of at least 17.0 s; 13 are here)"
    assert f"or set {way}" in status.next.advice
    assert any(line.split() == ["would", "do", *way.split()] for line in as_lines(status))


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
    assert any("the probes need 20" in line for line in status.next.advice)
    assert "Decisions: 13 of 20 proposals pending (by ana)" in as_lines(status)


def test_reviewers_who_disagree_have_not_decided(root: Path) -> None:
    rows = [track(number) for number in range(NEEDED)]
    queue = [proposal(number, number + 1) for number in range(NEEDED)]
    proposed(root, rows, queue)
    decided(root, [verdict(row) for row in queue])
    decided(root, [verdict(queue[0], "negative", "ben")])
    assert "1 proposal to decide" in read_status(root).next.why


def all_decided(root: Path, positive: int = NEEDED // 2) -> None:
    """So many of the pieces return 14 s in, and the others do not."""
    rows = [track(number) for number in range(NEEDED)]
    queue = [proposal(number, number + 1) for number in range(NEEDED)]
    proposed(root, rows, queue)
    said = ["positive"] * positive + ["negative"] * (NEEDED - positive)
    decided(root, [verdict(row, word) for row, word in zip(queue, said, strict=True)])
    decided(root, [heard(row) for row in rows])


def test_after_the_last_decision(root: Path) -> None:
    all_decided(root)
    status = read_status(root)
    assert status.next.command == "dvc repro"
    assert tracks(status)["known"] == NEEDED
    assert tracks(status)["usable at 5-15s"] == NEEDED
    assert tracks(status)["pieces that can be continued"] == NEEDED // 2


def test_what_the_model_has_to_do_with_recordings_is_said_before_it_is_asked(root: Path) -> None:
    all_decided(root)
    (said,) = read_status(root).next.advice
    assert said.startswith("of 10 recordings to continue, one counts only if the model returns its")
    assert (
        "8 of 10 can be expected to if each motif returns after 19 to 81 % of its openings" in said
    )
    assert said.endswith("after 3 the stage interventions says what to expect")


def test_too_few_recordings_to_continue_are_said_before_the_long_stages(root: Path) -> None:
    all_decided(root, positive=5)
    (said,) = read_status(root).next.advice
    assert said == "no effect can count: 5 recordings can be continued, and 8 are needed"


def test_what_openings_said_stays_in_the_funnel(root: Path) -> None:
    all_decided(root)
    material = read_material(root)
    write_table(root / LABELS, material.labels or [])
    write_table(root / COVERAGE, material.coverage or [])
    ran(root, *read_stages(root / "dvc.yaml"))
    opened = [
        OpenedRecording(model=model, track_id=f"t{n}", openings=8, returning=0, towards=None)
        for model in ("reader", "planner")
        for n in range(10)
    ]
    write_table(root / OPENINGS, opened)
    assert notes(read_status(root))["pieces continued"] == (
        "no effect can count below 8; the motif returns after 0 of 80 openings of 10 recordings, "
        "0 of which can show an effect"
    )
    write_table(root / OPENINGS, opened[:10])
    assert notes(read_status(root))["pieces continued"] == "no effect can count below 8"
    (root / OPENINGS).write_text('{"model": 1}', encoding="utf-8")
    damaged = read_status(root)
    assert notes(damaged)["pieces continued"] == "no effect can count below 8"
    assert any("openings.jsonl" in problem for problem in damaged.material.problems)


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
    decided(root, [verdict(queue[-1], "positive")])
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
    assert len(status.next_line) <= 2 * WIDTH


def needs(status: Status) -> dict[str, str]:
    """The block ``Needs`` of the screen, a line each."""
    assert status.needs is not None
    assert status.material.params is not None
    return dict(as_words(status.needs, status.material.params))


def test_what_is_needed_stands_there_before_anybody_labels(root: Path) -> None:
    rows = [track(number) for number in range(24)]
    early = [proposal(number, number + 1) for number in range(5)]
    late = [proposal(number, number + 6, start=6.0, after=14.0) for number in range(24)]
    proposed(root, rows, [*early, *late])
    said = needs(read_status(root))
    assert said["probes"] == (
        "20 tracks of at least 17.0 s; 24 are here, which find a partial correlation of 0.55 with "
        "80 % power if all are labelled"
    )
    # 19 of the 20 tracks have one pair to decide, and one has two.
    assert said["people"].startswith("21 decisions or more, and 10 min of audio to listen to")
    assert said["effects"] == (
        "8 pieces, 4 with a return and 4 without; 5 tracks at most, by proposals within 6 s, "
        "24 with prefix_seconds=9 and seconds=16.5"
    )
    assert "would do" not in said


def test_nothing_would_do_says_how_much_more(root: Path) -> None:
    proposed(root, [track(number) for number in range(4)], [proposal(0, 1)])
    assert needs(read_status(root))["probes"] == (
        "20 tracks of at least 17.0 s, which find a partial correlation of 0.59 with 80 % power if "
        "all are labelled; 4 are here"
    ), "fewer tracks than the probes need find nothing"
    said = needs(read_status(root))
    assert said["would do"] == (
        "nothing with these recordings; 16 recordings more of at least 17.0 s would"
    )


def test_needs_end_with_enough_labels(root: Path) -> None:
    all_decided(root)
    assert read_status(root).needs is None


def test_what_is_not_searched_is_said(root: Path) -> None:
    proposed(root, [track(0, 70.0), track(1, 20.0)], [proposal(0, 1)])
    line = "Tracks: 50 of 90 s are searched (manifest.windows: first)"
    assert line in as_lines(read_status(root))


def test_settings_that_are_auto_are_settled_by_labels(tmp_path: Path, repo_root: Path) -> None:
    root = tmp_path / "repository"
    auto = ("probes.folds=auto", "interventions.prefix_seconds=auto")
    folder_experiment(root, repo_root, *auto)
    rows = [track(number) for number in range(17)]
    queue = [proposal(number, number + 1) for number in range(17)]
    proposed(root, rows, queue)
    status = read_status(root)
    assert status.folds is not None
    assert status.folds.needed == 12  # three folds
    decided(root, [verdict(row, "negative" if number % 2 else "positive")
                   for number, row in enumerate(queue)])  # fmt: skip
    heard_all(root, rows)
    lines = as_lines(read_status(root))
    assert "  auto      probes.folds 4, interventions.prefix_seconds 4" in lines
