"""What a stage says at its start: how long it and what follows it may take, and by which run."""

import json
import re
from pathlib import Path

import pytest

from leitmotif.config import Params, load_params
from leitmotif.files import write_json
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.pipeline.durations import Durations, announced, following

ROOT = Path(__file__).parents[2]
STAGES = parse_yaml((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
PIPELINE = """
stages:
  corpus: {params: [corpus, manifest], outs: [data/corpus]}
  labels: {params: [labels], deps: [data/corpus], outs: [{data/labels.jsonl: {cache: false}}]}
  interventions: {params: [model], deps: [data/labels.jsonl], outs: [data/clips]}
  summary: {params: [corpus], deps: [data/clips], metrics: [metrics/summary.json]}
  report: {params: [manifest], deps: [metrics/summary.json]}
"""
BENCHMARK = {
    "machine": {"cpu": "Example", "cores": 2},
    "rows": [
        {"case": "interventions", "unit": "s", "ours": 180.0},
        {"case": "interventions", "unit": "MB", "ours": 1254.0},
        {"case": "summary", "unit": "s", "ours": 95.0},
        {"case": "report", "unit": "s", "ours": 25.0},
    ],
}


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The shipped settings in a folder that has been benchmarked and has run nothing."""
    (tmp_path / "presets").symlink_to(ROOT / "presets")
    (tmp_path / "models").symlink_to(ROOT / "models")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    write_json(tmp_path / "benchmarks/results/pipeline.json", BENCHMARK)
    monkeypatch.chdir(tmp_path)
    return load_params(Path(__file__).parents[2] / "presets" / "organism.yaml")


def line(stage: str, params: Params) -> str:
    return Durations(params).announcement(stage)


def test_the_benchmark_says_how_long_the_shipped_experiment_takes(params: Params) -> None:
    assert line("interventions", params) == (
        "interventions: about 3 min, then summary and report: about 2 min "
        "(as on Example with 2 cores)"
    )
    assert line("report", params) == "report: about 25 s (as on Example with 2 cores)"
    assert "then the 4 stages after it: more than 5 min" in line("corpus", params)
    other = params.model_copy(update={"manifest": params.manifest.model_copy(update={"tracks": 3})})
    assert line("report", other) == "report: how long it takes is not known here yet"


def test_a_run_here_counts_for_more_and_says_if_its_settings_were_others(params: Params) -> None:
    Durations(params).record("summary", 7.04)
    assert line("summary", params) == (
        "summary: about 7 s, then report: about 25 s (as last time; as on Example with 2 cores)"
    )
    # What another stage is set to does not count; what this one is set to does.
    corpus = params.corpus.model_copy(update={"seed": 8})
    elsewhere = params.model_copy(update={"corpus": corpus})
    assert Durations(elsewhere).of("labels") is None
    Durations(params).record("labels", 2.0)
    assert "(as last time" in line("labels", elsewhere)
    assert "as last time with other settings" in line("summary", elsewhere)


def test_only_what_ends_well_is_kept(
    params: Params, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(ZeroDivisionError), announced("report", params):
        raise ZeroDivisionError
    assert not (tmp_path / ".leitmotif").exists()
    with announced("report", params):
        pass
    said = capsys.readouterr().err
    assert said.count("report: about 25 s (as on Example with 2 cores)\n") == 2
    assert re.search(r"^report: took 1 s, at most \d+\.\d GB of memory$", said, re.MULTILINE)
    kept = json.loads((tmp_path / ".leitmotif/runs/report.json").read_text())
    assert kept["seconds"] >= 0
    assert kept["peak_mb"] > 10
    assert Durations(params).of("report").bytes == kept["peak_mb"] * 10**6  # type: ignore[union-attr]


def test_the_benchmark_says_how_much_memory_too(params: Params) -> None:
    durations = Durations(params)
    measured, unmeasured = (durations.of(stage) for stage in ("interventions", "summary"))
    assert measured is not None
    assert unmeasured is not None
    assert (measured.bytes, unmeasured.bytes) == (1_254_000_000, None)


@pytest.mark.fault("record of durations", "damaged bytes", outcome="as if there were none")
@pytest.mark.parametrize("torn", ["", "{", "[1]", '{"seconds": "x", "settings": ""}'])
def test_a_damaged_record_is_as_none(params: Params, tmp_path: Path, torn: str) -> None:
    (tmp_path / ".leitmotif/runs").mkdir(parents=True)
    (tmp_path / ".leitmotif/runs/report.json").write_text(torn)
    (tmp_path / "benchmarks/results/pipeline.json").write_text(torn)
    assert line("report", params) == "report: how long it takes is not known here yet"


def test_hours_are_said_as_hours(params: Params) -> None:
    Durations(params).record("report", 3 * 3600)
    assert line("report", params) == "report: about 3.0 h (as last time)"


def test_what_follows_is_what_depends_on_it() -> None:
    alone = {"corpus", "decoderlens", "swaps"}  # these two need no recording
    assert following("corpus", STAGES) == [name for name in STAGES if name not in alone]
    assert following("swaps", STAGES) == ["report"]
    assert following("summary", STAGES) == ["report"]
    assert following("report", STAGES) == []
    assert "sae" not in following("labels", STAGES)
    assert "report" in following("labels", STAGES)
