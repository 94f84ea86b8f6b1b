import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile

from leitmotif.config import Params, load_params
from leitmotif.corpus.organism.composer import compose, truth
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.errors import ReviewError, StageError
from leitmotif.files import read_table, write_table
from leitmotif.pipeline import CORPUS, COVERAGE, FAILURES, LABELS, MANIFEST, METRICS, PROPOSALS
from leitmotif.review.log import append
from leitmotif.stages import missing
from leitmotif.stages.labels import labels
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import Failure, ManifestTrack, Window
from leitmotif.tables.decisions import JudgedSpan, pair_id
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.proposals import write_proposals
from leitmotif.tables.truth import TRUTH, Truth
from tests.review.conftest import proposal
from tests.review.made import decision, listening, undo
from tests.tables.made import manifest_track

AUDIO = "a" * 64


@pytest.fixture(autouse=True)
def _nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stage says of three short tracks is tested in test_missing."""
    monkeypatch.setattr(missing, "refuse_too_few", lambda *_, **__: None)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tracks = [
        manifest_track(
            track_id=f"track_{number}", path=f"audio/{number}.mp3", sha256=AUDIO, seconds=8.32
        )
        for number in range(3)
    ]
    write_table(MANIFEST, tracks)
    write_table(FAILURES, [])
    write_proposals(PROPOSALS, [proposal("track_0", place, place + 1) for place in range(3)])
    (tmp_path / "data/decisions").mkdir()
    return tmp_path


def params(repo_root: Path, source: Literal["score", "decisions"]) -> Params:
    loaded = load_params(repo_root / "presets" / "organism.yaml")
    return loaded.model_copy(update={"labels": loaded.labels.model_copy(update={"source": source})})


def metrics() -> Any:
    return json.loads((METRICS / "labels.json").read_text())


def truths(world: World) -> list[Truth]:
    return [
        truth(
            world,
            compose(world, 7, number, part="held_out"),
            track_id=f"track_{number}",
            seed=7,
            index=number,
            bars=world.bars,
        )
        for number in range(3)
    ]


def test_the_score_labels_every_statement_and_return(workspace: Path, repo_root: Path) -> None:
    rows = truths(load_world(repo_root / "models/organism/world.json"))
    write_table(CORPUS / TRUTH, rows)
    labels(params(repo_root, "score"))
    written = read_table(LABELS, Label)
    for row in rows:
        own = [label for label in written if label.track_id == row.track_id]
        returning = [slot for slot in row.slots if slot.returns]
        starts = [span.start_sample for span in [*row.statements, *returning]]
        assert [label.recurrence.start_sample for label in own] == starts
        assert all(label.motif == row.motif for label in own)
        shifts = [label.transposition for label in own][len(row.statements) :]
        assert shifts == [slot.transposition for slot in returning]
    assert {label.source for label in written} == {"score"}
    assert metrics() == {
        "labels": len(written),
        "tracks_complete": 3,
        "decisions": 0,
        "recall": None,  # the stage proposals measures it
    }
    assert all(row.complete for row in read_table(COVERAGE, Coverage))


def test_decisions_become_labels(
    workspace: Path, repo_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = [proposal("track_0", place, place + 1) for place in range(3)]
    logs = workspace / "data/decisions"
    for place, verdict in enumerate(["positive", "negative"]):
        pair = pair_id(AUDIO, 32000, queue[place].motif, queue[place].recurrence)
        fields = {"pair": pair, "track_id": "track_0", "audio_sha256": AUDIO}
        append(logs / "ana.jsonl", decision("ana", verdict=verdict, **fields))
        append(logs / "ben.jsonl", decision("ben", verdict=verdict, **fields))
    taken_back = decision("ana", pair="f" * 16)
    append(logs / "ana.jsonl", taken_back)
    append(logs / "ana.jsonl", undo(taken_back))
    labels(params(repo_root, "decisions"))
    (label,) = read_table(LABELS, Label)
    assert label.reviewers == ["ana", "ben"]
    assert label.source == "decisions"
    assert "pairs by outcome: 1 positive, 1 negative, 1 pending\n" in capsys.readouterr().out
    assert metrics() == {
        "labels": 1,
        "tracks_complete": 0,
        "decisions": 4,
        "recall": None,
    }


def test_decisions_alone_leave_every_track_unknown(
    workspace: Path, repo_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A track in which nothing was proposed is not one in which nothing returns."""
    write_proposals(PROPOSALS, [])
    labels(params(repo_root, "decisions"))
    assert [row.known for row in read_table(COVERAGE, Coverage)] == [[], [], []]
    assert "of 3 tracks, 0 known throughout, 0 in part, 3 not" in capsys.readouterr().out


def test_a_listener_adds_what_the_machine_missed(workspace: Path, repo_root: Path) -> None:
    """The added pair has a strength of its own, and counts against the recall of the proposals."""
    random = np.random.default_rng(0)
    melody, between = random.normal(0, 0.1, 2 * 32000), random.normal(0, 0.1, 4 * 32000)
    path = CORPUS / "audio/0.mp3"
    path.parent.mkdir(parents=True)
    sound = np.concatenate([melody, between, melody])
    soundfile.write(path.with_suffix(".wav"), sound, 32000)
    track = read_table(MANIFEST, ManifestTrack)[0]
    rest = {"path": "audio/0.wav", "sha256": "f" * 64, "seconds": 8.0}
    windows = [Window(start_frame=0, frames=400)]
    write_table(MANIFEST, [track.model_copy(update={**rest, "windows": windows})])
    write_proposals(PROPOSALS, [])
    motif, recurrence, stretch = (
        Span(start_sample=round(start * 32000), samples=round(seconds * 32000))
        for start, seconds in ((0, 2), (6, 2), (0, 8))
    )
    log = workspace / "data/decisions/ana.jsonl"
    place = {"track_id": "track_0", "audio_sha256": "f" * 64}
    scores = dict.fromkeys(("proposal_id", "score", "p", "texture"))
    windows_of = {
        "motif": JudgedSpan(**dict(motif), sha256=None),
        "recurrence": JudgedSpan(**dict(recurrence), sha256=None),
        "proposed_motif": motif,
        "proposed_recurrence": recurrence,
    }
    pair = pair_id("f" * 64, 32000, motif, recurrence)
    append(log, decision("ana", pair=pair, **place, **scores, **windows_of))
    heard = JudgedSpan(**dict(stretch), sha256=None)
    append(log, listening("ana", stretch=heard, **place))
    labels(params(repo_root, "decisions"))
    (label,) = read_table(LABELS, Label)
    assert 0.5 < label.strength <= 1
    (row,) = read_table(COVERAGE, Coverage)
    assert (row.known, row.complete) == ([stretch], True)
    assert metrics()["tracks_complete"] == 1
    found = metrics()["recall"]
    assert (found["mean"], found["low"], found["n"]) == (0.0, 0.0, 1)
    assert found["high"] > 0.6  # one recurrence tells next to nothing


def test_no_decisions_yet_is_no_error(
    workspace: Path, repo_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels(params(repo_root, "decisions"))
    assert read_table(LABELS, Label) == []
    assert "pairs by outcome: 3 pending\n" in capsys.readouterr().out
    assert sum(row.pending for row in read_table(COVERAGE, Coverage)) == 3


def test_nothing_is_claimed_of_a_track_that_failed(workspace: Path, repo_root: Path) -> None:
    failure = Failure(track_id="track_1", path="audio/1.mp3", reason="silent", detail="")
    write_table(FAILURES, [failure])
    labels(params(repo_root, "decisions"))
    assert [row.track_id for row in read_table(COVERAGE, Coverage)] == ["track_0", "track_2"]


def test_a_score_that_is_not_there_is_said(workspace: Path, repo_root: Path) -> None:
    with pytest.raises(StageError, match="this corpus has none") as error:
        labels(params(repo_root, "score"))
    assert "leitmotif review" in str(error.value.fix)
    write_table(CORPUS / TRUTH, truths(load_world(repo_root / "models/organism/world.json"))[:2])
    with pytest.raises(StageError, match="says nothing of some tracks") as error:
        labels(params(repo_root, "score"))
    assert "track_2" in str(error.value.found)


def test_half_a_line_is_left_out_and_said(
    workspace: Path, repo_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = workspace / "data/decisions/ana.jsonl"
    append(path, decision("ana"))
    with path.open("ab") as file:
        file.write(b'{"action": "dec')
    labels(params(repo_root, "decisions"))
    assert metrics()["decisions"] == 1
    assert "half a line" in capsys.readouterr().err


def test_a_merge_conflict_stops_the_stage(workspace: Path, repo_root: Path) -> None:
    (workspace / "data/decisions/ana.jsonl").write_text("<<<<<<< HEAD\n")
    with pytest.raises(ReviewError, match=r"ana\.jsonl:1"):
        labels(params(repo_root, "decisions"))


def test_two_runs_give_the_same_bytes(workspace: Path, repo_root: Path) -> None:
    append(workspace / "data/decisions/ana.jsonl", decision("ana", motif=judged(5), number=1))
    files = (LABELS, COVERAGE, METRICS / "labels.json")
    labels(params(repo_root, "decisions"))
    first = [path.read_bytes() for path in files]
    labels(params(repo_root, "decisions"))
    assert [path.read_bytes() for path in files] == first


def judged(start: int) -> dict[str, object]:
    return {**dict(Span(start_sample=start, samples=32000)), "sha256": "b" * 64}
