"""A method is run without name and truth, and what the command says is what it found."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leitmotif.bench.method import BIN_SECONDS, lead_bins
from leitmotif.bench.pieces import composed_pieces
from leitmotif.bench.study import Bench
from leitmotif.bench.zoo import TRUTH, Zoo
from leitmotif.cli import app
from leitmotif.corpus.organism.world import World
from leitmotif.errors import ConfigError, ProbeError
from leitmotif.files import read_table
from leitmotif.musicgen import HookedMusicGen
from leitmotif.tables.bench import BenchVerdict
from leitmotif.work.parallel import WORKERS

METHOD = """
from leitmotif.bench.method import MethodFinding
seen = []
def yes(model, pieces):
    seen.append((model, pieces))
    return MethodFinding(True, 5.5, {("layers.1.residual", 5.5): 2.0})
def wrong(model, pieces):
    return MethodFinding(True, 1.0, {})
"""


@pytest.fixture
def here(
    tmp_path: Path, repo_root: Path, zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder with a zoo, the organisms and a user's module ``mine``."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "organism").symlink_to(repo_root / "models" / "organism")
    shutil.copytree(zoo.root, tmp_path / "models" / "zoo")
    (tmp_path / "mine.py").write_text(METHOD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(WORKERS, "1")
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("mine", None)


def test_verdicts_need_no_truth(here: Path, world: World) -> None:
    (here / "models" / "zoo" / TRUTH).unlink()
    bench = Bench(Zoo(), world, here / "cache", pieces=4)
    rows = list(bench.verdicts("mine:yes", ["looker.0", "carrier.0"]))
    assert {row.model for row in rows} == {"looker.0", "carrier.0"}
    assert [row.weights for row in rows] == sorted(row.weights for row in rows)
    for row in rows:
        assert (row.foresight, row.lead_seconds) == (True, 5.5)
        assert len(row.strengths) == 2 * 13
        assert [cell.after for cell in row.strengths if cell.strength] == [5.5]
    given = sys.modules["mine"].seen
    assert len(given) == 2
    assert given[0][1] is given[1][1]
    assert len(given[0][1]) == 4


def test_the_command_writes_verdicts_and_prints_the_score(here: Path) -> None:
    run = CliRunner().invoke(app, ["bench", "mine:yes", "--pieces", "4"])
    assert run.exit_code == 0, run.output
    lines = run.stdout.splitlines()
    assert "carrier.0       foresight     5.5" in lines
    assert "looker.0        foresight     5.5       wrong" in lines
    assert any(line.startswith("sensitivity  1.00 (") for line in lines)
    assert any(line.startswith("specificity  0.00 (") for line in lines)
    target = here / "bench" / "mine.yes.jsonl"
    assert len(read_table(target, BenchVerdict)) == 2
    again = CliRunner().invoke(app, ["bench", "mine:yes", "--pieces", "4"])
    assert "--replace" in str(again.exception)
    only = ["bench", "mine:yes", "--pieces", "4", "--replace", "--models", "looker"]
    assert CliRunner().invoke(app, only).exit_code == 0
    assert [row.model for row in read_table(target, BenchVerdict)] == ["looker.0"]


def test_what_cannot_be_scored_writes_nothing(here: Path) -> None:
    run = CliRunner().invoke(app, ["bench", "mine:wrong", "--pieces", "4"])
    assert isinstance(run.exception, ProbeError)
    assert not (here / "bench").exists()
    unbalanced = CliRunner().invoke(app, ["bench", "mine:yes", "--pieces", "6"])
    assert isinstance(unbalanced.exception, ConfigError)
    assert "found:    6 pieces" in str(unbalanced.exception)


def test_pieces_are_balanced_and_always_the_same(zoo: Zoo, world: World, tmp_path: Path) -> None:
    model = HookedMusicGen.from_pretrained(str(zoo.assembled("looker.0", tmp_path)), device="cpu")
    pieces = composed_pieces(model, world, pieces=8)
    again = composed_pieces(model, world, pieces=8)
    assert len({piece.track_id for piece in pieces}) == len(pieces) == 8
    assert sum(piece.returns for piece in pieces) == 4
    for first, second in zip(pieces, again, strict=True):
        assert first.codes.equal(second.codes)
        assert first.counterfactual.equal(second.counterfactual)
    # One event each: the last slot; bins part its gap.
    assert {piece.slot for piece in pieces} == {1}
    bins = lead_bins(pieces, model.frame_rate)
    for piece in pieces:
        parts = [piece.steps(model.frame_rate, a, a + BIN_SECONDS) for a in reversed(bins)]
        assert [step for part in parts for step in part] == list(piece.gap)


def test_the_table_of_truth_holds_no_more_than_its_rows(zoo: Zoo) -> None:
    lines = (zoo.root / TRUTH).read_text().splitlines()
    assert [json.loads(line)["model"] for line in lines] == zoo.names
    assert [truth.foresight for truth in zoo.truths()] == [True, False]
