"""Ctrl-C in the middle of a stage."""

from pathlib import Path

import pytest

from leitmotif import pipeline
from leitmotif.config import Params


@pytest.mark.fault("any stage", "Ctrl-C while it runs", outcome="said in a line, and run again")
def test_ctrl_c_ends_a_stage_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    def features(params: Params) -> None:
        raise AssertionError(params)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "check_code", interrupted)
    with pytest.raises(SystemExit) as ended:
        pipeline.run(features)
    assert ended.value.code == 130
    assert capsys.readouterr().err == (
        "features: interrupted, and none of its outputs counts; `dvc repro` runs it again\n"
    )
