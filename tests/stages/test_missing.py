"""What the stages say while labels are missing, before anything long runs."""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from leitmotif.config import Params, load_params
from leitmotif.errors import StageError
from leitmotif.files import write_table
from leitmotif.files.yaml_files import read_stages
from leitmotif.pipeline import COVERAGE, LABELS
from leitmotif.stages import calibration, probes, settled
from leitmotif.stages.__main__ import main
from leitmotif.stages.labels import labels
from leitmotif.status.material import read_material
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.proposals import Proposal
from leitmotif.timing.frames import Timing
from tests.status.half_made import (
    decided,
    folder_experiment,
    heard_all,
    proposal,
    proposed,
    track,
    verdict,
)

NEEDED = 20


@pytest.fixture
def root(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a repository after ``leitmotif use folder``."""
    folder_experiment(tmp_path / "repository", repo_root, "probes.folds=5")
    monkeypatch.chdir(tmp_path / "repository")
    return tmp_path / "repository"


def made(root: Path, tracks: list[ManifestTrack], proposals: list[Proposal]) -> Params:
    proposed(root, tracks, proposals)
    (root / "data/decisions").mkdir(parents=True, exist_ok=True)
    return load_params()


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The last line of the stage as dvc.yaml runs it."""
    with contextlib.suppress(SystemExit):
        main(["labels"])
    return capsys.readouterr().out.splitlines()[-1]


def refused(params: Params) -> str:
    with pytest.raises(StageError) as error:
        labels(params)
    return str(error.value)


def test_pending_decisions_stop_the_labels_and_say_what_is_next(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [track(number) for number in range(NEEDED + 2)]
    params = made(root, rows, [proposal(number, number + 1) for number in range(NEEDED)])
    text = refused(params)
    assert "0 of 22 tracks known" in text
    assert "the probes need 20" in text
    assert "20 proposals pending in 20 tracks, and 2 tracks that nobody listened to" in text
    assert "leitmotif review" in text
    assert "horizons" not in text
    assert "windows" not in text
    assert last_line(capsys).startswith("labels: next: leitmotif review (20 proposals to decide")


def test_tracks_that_are_too_short_are_not_for_people_to_label(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [track(number, seconds=12.0) for number in range(NEEDED)]
    text = refused(made(root, rows, [proposal(0, 1)]))
    assert "20 tracks (they are read for 12.0 to 12.0 s), of which 0 last the 17.0 s" in text
    assert "probes.horizons=[[1, 2], [2, 5], [5, 10]] (needs 20 tracks of at least 12.0 s" in text
    assert "leitmotif review" not in text
    assert last_line(capsys).startswith("labels: next: add 20 recordings or more of at least")


def test_all_negative_is_said(root: Path) -> None:
    rows = [track(number) for number in range(NEEDED)]
    queue = [proposal(number, number + 1) for number in range(NEEDED)]
    params = made(root, rows, queue)
    decided(root, [verdict(row, "negative") for row in queue])
    heard_all(root, rows)
    text = refused(params)
    assert "everything is decided" in text
    assert "0 at 5-15s; a horizon needs returns in some tracks and none in others" in text


def labelled_enough(root: Path, positives: float = 14.0) -> Params:
    """Half of the tracks return a motif, and half do not."""
    rows = [track(number) for number in range(NEEDED)]
    queue = [proposal(number, number + 1, after=positives) for number in range(NEEDED)]
    params = made(root, rows, queue)
    said = ["positive" if number % 2 else "negative" for number in range(NEEDED)]
    decided(root, [verdict(row, word) for row, word in zip(queue, said, strict=True)])
    heard_all(root, rows)
    return params


def test_enough_labels_stop_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels(labelled_enough(root))
    said = capsys.readouterr()
    assert "20 of 20 tracks known, 20 usable at every horizon" in said.out
    assert "of 20 tracks, 20 known throughout, 0 in part, 0 not\n" in said.out
    assert "can be continued" not in said.err
    assert "verified motif" not in said.err
    assert last_line(capsys).startswith("labels: next: dvc repro (")


def test_motifs_outside_the_prefix_are_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = labelled_enough(root)
    short = params.interventions.model_copy(update={"prefix_seconds": 2.0})
    labels(params.model_copy(update={"interventions": short}))
    assert "no window begins with a verified motif so far" in capsys.readouterr().err


def test_too_few_pieces_to_continue_are_said(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = labelled_enough(root)
    few = params.interventions.model_copy(update={"tracks": 6})
    labels(params.model_copy(update={"interventions": few}))
    said = capsys.readouterr().err
    assert "6 recordings can be continued so far, and no effect can count below 8" in said


@pytest.mark.parametrize("stage", [probes, calibration])
def test_the_probes_refuse_at_their_start(
    stage: object, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read but small tables, so a stage whose material is missing says the same."""
    rows = [track(number) for number in range(NEEDED)]
    params = made(root, rows, [proposal(number, number + 1) for number in range(NEEDED)])
    now = read_material(root)
    write_table(LABELS, now.labels or [])
    write_table(COVERAGE, now.coverage or [])
    monkeypatch.setattr(
        settled, "ActivationStore", lambda _: SimpleNamespace(timing=Timing(50.0, 0.074))
    )
    monkeypatch.setattr(stage, "load_controls", lambda _: None)
    run = getattr(stage, str(stage.__name__).rpartition(".")[2])  # type: ignore[attr-defined]
    with pytest.raises(StageError) as error:
        run(params)
    assert "20 proposals pending in 20 tracks" in str(error.value)
    assert "leitmotif review" in str(error.value)


def test_labels_run_before_anything_long(repo_root: Path) -> None:
    """DVC runs stages in the order of dvc.yaml where their dependencies allow it."""
    order = list(read_stages(repo_root / "dvc.yaml"))
    assert order[: order.index("labels")] == ["corpus", "manifest", "features", "proposals"]


@pytest.mark.parametrize("page", ["README.md", "docs/own-recordings.md"])
def test_the_pages_name_the_stage_that_stops(page: str, repo_root: Path) -> None:
    """It is the one that the tests above see stop."""
    text = " ".join((repo_root / page).read_text(encoding="utf-8").split())
    assert "stops in the stage `labels`" in text
    assert "stops in the stage `probes`" not in text
