"""``leitmotif plan``."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leitmotif.cli.program import app
from leitmotif.errors import TargetError

ROOT = Path(__file__).resolve().parents[2]


def test_the_command_prints_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    target = tmp_path / "plan.json"
    asked = ["plan", "--no-measure", "--device", "cpu", "--json", str(target)]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    assert "models/organism/planner on cpu" in result.output
    written = json.loads(target.read_text())
    assert written["format"] == "leitmotif-plan/1"
    assert written["decisions"] is None
    again = CliRunner().invoke(app, asked)
    assert isinstance(again.exception, TargetError)
    assert CliRunner().invoke(app, [*asked, "--replace"]).exit_code == 0
    target.write_text('{"mine": 1}')
    assert isinstance(CliRunner().invoke(app, [*asked, "--replace"]).exception, TargetError)


def test_a_preset_is_planned_without_being_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    before = Path("params.yaml").read_bytes()
    asked = ["plan", "--no-measure", "--preset", "musicgen-medium", "--device", "cpu"]
    result = CliRunner().invoke(app, asked)
    assert "facebook/musicgen-medium on cpu" in result.output
    assert Path("params.yaml").read_bytes() == before
