"""The proposals' stage on composed pieces, and the command on files of one's own."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leitmotif.config import Params, load_params
from leitmotif.errors import StageError
from leitmotif.files import read_table
from leitmotif.pipeline import MANIFEST, METRICS, PROPOSALS
from leitmotif.recurrence.listing import Listed
from leitmotif.recurrence.proposals import queue as proposing
from leitmotif.recurrence.proposals.queue import engine_version
from leitmotif.stages.corpus import corpus
from leitmotif.stages.features import features
from leitmotif.stages.manifest import manifest
from leitmotif.stages.proposals import proposals
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.proposals import read_proposals
from tests.cli.test_cli import run
from tests.recurrence.melodies import RATE, piece


def small(repo_root: Path) -> Params:
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    world = str(repo_root / "models/organism/world.json")
    whole["corpus"] |= {"pieces": 6, "path": world, "watch": world}
    whole["manifest"]["tracks"] = 4
    whole["model"] |= dict.fromkeys(("name", "watch"), str(repo_root / "models/organism/planner"))
    return Params.model_validate(whole)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A folder in which the stages have run; not to be written to."""
    folder = tmp_path_factory.mktemp("proposals")
    params = small(repo_root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in (corpus, manifest, features, proposals):
            stage(params)
    return folder


@pytest.fixture
def workspace(
    finished: Path, tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> Params:
    """A copy of the finished folder is the working directory."""
    monkeypatch.chdir(shutil.copytree(finished, tmp_path / "workspace"))
    return small(repo_root)


def test_the_queue_is_in_order_and_its_counts_are_in_the_metrics(workspace: Params) -> None:
    queue = read_proposals(PROPOSALS)
    values = json.loads((METRICS / "proposals.json").read_text())
    assert values["proposals"] == len(queue) > 0
    scores = [proposal.score for proposal in queue]
    assert scores == sorted(scores, reverse=True)
    assert values["null_any_rate"]["n"] == 4
    assert 0.5 < values["recall"] <= 1


@pytest.mark.fault(
    "proposals stage",
    "no memory, or any exception",
    outcome="the others are searched, then the stage stops and names the recording",
)
@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("of another library")])
def test_a_track_that_cannot_be_searched_is_named_after_the_others(
    error: Exception, workspace: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifested, others = read_table(MANIFEST, ManifestTrack), read_proposals(PROPOSALS)
    bad, tracks = manifested[1], len(manifested)
    load = proposing.load_audio

    def failing(path: Path, **settings: object) -> object:
        if path.name == Path(bad.path).name:
            raise error
        return load(path, **settings)

    monkeypatch.setattr(proposing, "load_audio", failing)
    with pytest.raises(StageError, match=rf"(?s)1 of {tracks} .*{bad.path}: (memory|failed).*none"):
        proposals(workspace)
    left = {proposal.proposal_id for proposal in others if proposal.track_id != bad.track_id}
    assert {proposal.proposal_id for proposal in read_proposals(PROPOSALS)} == left


def test_a_second_run_writes_the_same_bytes(workspace: Params) -> None:
    before = PROPOSALS.read_bytes()
    proposals(workspace)
    assert PROPOSALS.read_bytes() == before


def test_settings_are_part_of_the_engine_and_of_each_address(workspace: Params) -> None:
    other = workspace.proposals.model_copy(update={"min_lag": 1.5})
    assert engine_version(other) != engine_version(workspace.proposals)
    assert len({proposal.proposal_id for proposal in read_proposals(PROPOSALS)}) == len(
        read_proposals(PROPOSALS)
    )


def test_no_track_gives_an_empty_queue(workspace: Params) -> None:
    MANIFEST.write_text("")
    proposals(workspace)
    assert read_proposals(PROPOSALS) == []
    values = json.loads((METRICS / "proposals.json").read_text())
    assert values["null_any_rate"] is None
    assert values["precision"] is None


def test_the_command_lists_the_recurrences_of_any_files(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    motif_comes_back, noise = piece(), np.random.default_rng(0).normal(0, 0.1, 20 * RATE)
    soundfile.write(tmp_path / "own" / "returns.wav", motif_comes_back, RATE)
    soundfile.write(tmp_path / "own" / "noise.flac", noise, RATE)
    (tmp_path / "own" / "broken.mp3").write_bytes(b"no audio")
    done = run("propose", "own", "--out", "found.jsonl", "--all", cwd=tmp_path)
    assert done.returncode == 1
    assert "broken.mp3" in done.stderr
    assert "for 2 files" in done.stdout
    rows = read_table(tmp_path / "found.jsonl", Listed)
    best = {name: [row for row in rows if row.track == name] for name in ("returns", "noise")}
    assert best["returns"][0].recurrence_start - best["returns"][0].motif_start == pytest.approx(
        10.0, abs=0.3
    )
    assert not any(row.accepted for row in best["noise"])
    for track in best.values():
        assert [row.score for row in track] == sorted((row.score for row in track), reverse=True)


def test_the_command_names_a_path_that_does_not_exist(tmp_path: Path) -> None:
    done = run("propose", "nothing.wav", "--out", "found.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing.wav does not exist" in done.stderr
    assert not (tmp_path / "found.jsonl").exists()
