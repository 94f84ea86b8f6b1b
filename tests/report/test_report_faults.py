"""Tables and clips that are not those of one run are refused before a page is written."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.errors import LeitmotifError, StageError
from leitmotif.report import material, tracks
from leitmotif.report.build import Reported, build_report
from leitmotif.report.features import sources as of_features
from leitmotif.report.lens import sources as of_lens
from leitmotif.report.material import read_material
from leitmotif.report.swaps import sources as of_swaps
from tests.report.conftest import ALL
from tests.report.made import RATE, Made
from tests.report.made_all import write_all

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    made = Made(tmp_path_factory.mktemp("study"))
    write_all(made, repo_root)
    return made.root


def damaged(path: Path, change: Callable[[Rows], Rows]) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = change([json.loads(line) for line in lines if line])
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows) or "\n", encoding="utf-8")


def none(rows: Rows) -> Rows:
    return []


def one(rows: Rows) -> Rows:
    return rows[:1]


def twice(rows: Rows) -> Rows:
    return [*rows, rows[0]]


def nearly_twice(rows: Rows) -> Rows:
    """A row of another run, with the same key."""
    return [*rows, {**rows[0], "after": 3.9} if "after" in rows[0] else {**rows[0], "alpha": 0.2}]


def elsewhere(rows: Rows) -> Rows:
    return [{**rows[0], "site": "nowhere"}, *rows[1:]]


def of_none(rows: Rows) -> Rows:
    """The first row that is of a candidate, of none."""
    first = next(row for row in rows if row["candidate"])
    return [{**first, "candidate": ""}, *(row for row in rows if row is not first)]


def counterfactual(rows: Rows) -> Rows:
    """A candidate's condition of a kind that is of no candidate."""
    return [{**row, "condition": "counterfactual"} if row["candidate"] else row for row in rows]


def baselines(rows: Rows) -> Rows:
    return [row for row in rows if not row["candidate"]]


def renamed(rows: Rows) -> Rows:
    """A row of a track that no other table knows."""
    return [{**rows[0], "track_id": "stranger"}, *rows[1:]]


def of_no_feature(rows: Rows) -> Rows:
    return [{**rows[0], "feature": 10**9}, *rows[1:]]


def another_horizon(rows: Rows) -> Rows:
    return [{**rows[0], "horizon": "9-11s"}, *rows[1:]]


def swapped_alone(rows: Rows) -> Rows:
    return [row for row in rows if row["desired"]]


def no_whole_slot(rows: Rows) -> Rows:
    return [row for row in rows if row["concept"] is not None]


CASES = [
    ("manifest", none, "coverage.jsonl and data/manifest.jsonl are not of one run"),
    ("manifest", one, "coverage.jsonl and data/manifest.jsonl are not of one run"),
    ("manifest", renamed, "manifest.jsonl and data/corpus/tracks.jsonl are not of one run"),
    ("coverage", one, "manifest.jsonl and data/coverage.jsonl are not of one run"),
    ("coverage", renamed, "data/coverage.jsonl are not of one run"),
    ("labels", renamed, "labels.jsonl and data/manifest.jsonl are not of one run"),
    ("openings", renamed, "openings.jsonl and data/manifest.jsonl are not of one run"),
    ("proposals", renamed, "proposals.jsonl and data/manifest.jsonl are not of one run"),
    ("corpus/tracks", one, "manifest.jsonl and data/corpus/tracks.jsonl are not of one run"),
    ("candidates", of_no_feature, "do not fit the encoded features"),
    ("verdicts", of_none, "verdicts.jsonl:1 is not a VerdictRow"),
    ("effects", counterfactual, "effects.jsonl does not fit data/verdicts.jsonl"),
    ("effects", baselines, "is of no condition that data/effects.jsonl has"),
    ("probes", none, "probes.jsonl does not have the rows of one run"),
    ("probes", nearly_twice, "probes.jsonl:13 is not a ProbeRow"),
    ("probes", another_horizon, "probes.jsonl does not have the rows of one run"),
    ("probes", elsewhere, "'nowhere' is not a site"),
    ("calibration", none, "calibration.jsonl does not have the rows of one run"),
    ("calibration", nearly_twice, "calibration.jsonl:6 is not a CalibrationRow"),
    ("effects", none, "effects.jsonl does not have the rows of one run"),
    ("approaches", none, "approaches.jsonl does not have the rows of one run"),
    ("interchange", elsewhere, "'nowhere' is not a site"),
    ("decoderlens", no_whole_slot, "as a whole"),
    ("swap_clips/clips", swapped_alone, "a swapped clip without the untouched one"),
]


def refused(study: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Ask for a report, which has to be refused before anything is written; what is said."""
    monkeypatch.chdir(study)
    done = CliRunner().invoke(app, ["report", "--out", "../out"])
    assert isinstance(done.exception, LeitmotifError), done.output
    assert not (study.parent / "out").exists()
    return str(done.exception)


@pytest.mark.fault(
    "leitmotif report", "tables that lack rows of a run, or hold those of two", outcome="refused"
)
@pytest.mark.parametrize(("name", "change", "said"), CASES)
def test_tables_of_no_single_run_are_refused(
    study: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    change: Callable[[Rows], Rows],
    said: str,
) -> None:
    path = study / "data" / f"{name}.jsonl"
    whole = path.read_bytes()
    try:
        damaged(path, change)
        assert said in refused(study, monkeypatch)
    finally:
        path.write_bytes(whole)


@pytest.mark.fault(
    "leitmotif report",
    "each table gone, cut, a folder, with a row twice or a line that is none",
    outcome="refused by name",
)
def test_each_damaged_table_is_refused_by_name(
    study: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.chdir(study)
    read = [room.TABLES for room in (material, tracks, of_features, of_lens, of_swaps)]
    tables = dict.fromkeys(path for tables in read for path in tables if path.suffix == ".jsonl")
    assert len(tables) > 20
    tried = 0
    for path in tables:
        whole = path.read_bytes()
        contents: list[bytes | None] = [None, b"null\n", b"\0" * 9, whole.decode().encode("utf-16")]
        if whole.strip():
            contents += [whole[:-3], whole + whole.splitlines(keepends=True)[0]]
        for content in contents:
            path.unlink()
            if content is not None:
                path.write_bytes(content)
            assert path.name in refused(study, monkeypatch).split("\n")[0], content
            path.write_bytes(whole)
        path.unlink()
        path.mkdir()
        assert path.name in refused(study, monkeypatch).split("\n")[0], "a folder"
        path.rmdir()
        path.write_bytes(whole)
        tried += len(contents) + 1
    record_property("inputs", tried)


def other_rate(path: Path) -> None:
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(path, samples, rate + 100, subtype="PCM_16")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CLIPS: list[Callable[[Path], object]] = [
    Path.unlink,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"RIFF" + bytes(99)),
    lambda path: path.write_bytes(path.read_bytes()[:-2000]),
    lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x55"),
    lambda path: soundfile.write(path, np.zeros(RATE, np.int16), RATE, subtype="PCM_16"),
    other_rate,
    pipe,
]


@pytest.mark.fault(
    "leitmotif report",
    "a clip that is gone, cut, a pipe, of another rate, or not that of its line",
    outcome="refused by name",
)
@pytest.mark.parametrize("change", CLIPS)
def test_a_clip_that_is_not_that_of_its_line_is_refused(
    made: Made, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    material = read_material(made.write())
    path = material.clips / str(material.rows[0].file)
    change(path)
    (tmp_path / "out").mkdir()
    with pytest.raises(StageError, match=rf"clips/{path.name} [\s\S]*to do: .*dvc repro interv"):
        build_report(tmp_path / "out", Reported(material), ALL)
