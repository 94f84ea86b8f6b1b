"""Ctrl-C in the middle of a stage."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from leitmotif import pipeline
from leitmotif.config import Params


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def importing() -> Callable[[Params], None]:
    raise KeyboardInterrupt


@pytest.mark.fault("any stage", "Ctrl-C while it runs", outcome="said in a line, and run again")
@pytest.mark.parametrize("load", [importing, lambda: interrupted])
def test_ctrl_c_ends_a_stage_in_a_line(
    load: Callable[[], Callable[[Params], None]],
    tmp_path: Path,
    repo_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(repo_root / "params.yaml", "params.yaml")
    for check in ("check_code", "check_watched", "check_inputs"):
        monkeypatch.setattr(pipeline, check, lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        pipeline.run("features", load)
    assert ended.value.code == 130
    announcement, said = capsys.readouterr().err.splitlines()
    assert announcement.startswith("features: ")
    assert (
        said == "features: interrupted, and none of its outputs counts; `dvc repro` runs it again"
    )
