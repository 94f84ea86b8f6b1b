"""The rehearsal: the real preset over servers of the real layout, with small random weights."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.rehearsal import __main__ as command
from benchmarks.rehearsal.checkpoints import AUTOENCODERS, REVISION
from benchmarks.rehearsal.recordings import MOTIF_NOTES, NOTE, SAMPLE_RATE, SECONDS, compose
from benchmarks.rehearsal.run import PRESET, StageCost, kept_cost, rehearse
from benchmarks.rehearsal.shapes import SITES, SMALL
from leitmotif.cli.preset_texts import preset
from leitmotif.config import load_params
from leitmotif.files import read_json, read_table
from leitmotif.files.yaml_files import parse_yaml, read_stages
from leitmotif.tables.alignment import AlignmentRow
from leitmotif.tables.labels import Label
from tests.hub import Hub

SHORTER = ("decoderlens.seconds=0.4", "swaps.seconds=0.2")
"""Clips of thousands of cells, in which nobody here hears anything."""

NOT_NUMBERS = {
    ("sae", "allow_misaligned"),  # random weights are on no site
    ("interventions", "doses"),  # a list of numbers
    ("swaps", "slots"),  # one of two
}


def leaves(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    for section, settings in values.items():
        for name, value in settings.items():
            yield (section, name), value


def test_the_preset_differs_from_the_real_one_in_numbers(repo_root: Path) -> None:
    real, rehearsed = (
        dict(leaves(parse_yaml(preset(name, root=repo_root))))
        for name in ("musicgen-small", PRESET)
    )
    assert set(real) == set(rehearsed)
    differing = {key for key in real if real[key] != rehearsed[key]}
    assert differing > NOT_NUMBERS
    for key in differing - NOT_NUMBERS:
        assert type(rehearsed[key]) in (int, float), key
        assert rehearsed[key] < real[key], f"{key} is no smaller"
    assert set(rehearsed["interventions", "doses"]) < set(real["interventions", "doses"])
    assert set(rehearsed["swaps", "slots"]) < set(real["swaps", "slots"])


def test_in_every_other_recording_the_motif_returns(tmp_path: Path) -> None:
    import io

    import numpy as np
    import soundfile

    returning, other = compose(2)
    samples, rate = soundfile.read(io.BytesIO(returning.mp3))
    assert rate == SAMPLE_RATE
    assert len(samples) / rate == pytest.approx(SECONDS, abs=0.1)
    length = round(MOTIF_NOTES * NOTE * rate)
    motif, again = (samples[round(place * rate) :][:length] for place in returning.places)
    assert np.corrcoef(motif, again)[0, 1] > 0.9
    assert len(other.places) == 1


@dataclass(frozen=True)
class Rehearsed:
    root: Path
    costs: dict[str, StageCost]
    requests: list[str]


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    folder = tmp_path_factory.mktemp("rehearsal")
    requests: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        made = Hub.__init__

        def remembered(hub: Hub, *arguments: Any, **more: Any) -> None:
            made(hub, *arguments, **more)
            hub.requests = requests

        patch.setattr(Hub, "__init__", remembered)
        costs = dict(rehearse(folder, SMALL, settings=SHORTER))
    return Rehearsed(folder / "repository", costs, requests)


def test_every_stage_runs_to_the_report(rehearsed: Rehearsed) -> None:
    assert list(rehearsed.costs) == list(read_stages(rehearsed.root / "dvc.yaml"))
    assert all(cost.seconds > 0 and cost.megabytes > 0 for cost in rehearsed.costs.values())
    assert (rehearsed.root / "data/report/index.html").is_file()


def test_without_dvc_the_commands_run_where_only_what_they_read_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")  # no git, no dvc
    first = ["corpus", "manifest"]
    costs = dict(rehearse(tmp_path, SMALL, stages=first, with_dvc=False))
    root = tmp_path / "repository"
    assert list(costs) == first
    assert all((root / f"metrics/{name}.json").is_file() for name in first)
    for name in (".git", ".dvc", "dvc.lock", "models"):
        assert not (root / name).exists(), name
    kept = {name: StageCost(**read_json(tmp_path / f"costs/{name}.json")) for name in first}
    assert kept == costs
    said = capsys.readouterr().err
    assert all(f"{name}: {cost.seconds:.1f} s" in said for name, cost in costs.items())


def test_a_result_says_how_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "RESULT", tmp_path / "rehearsal.json")
    costs = {"sae": StageCost(2.04, 3.0, 512.4, gpu_megabytes=2048)}
    command.keep("published", costs, settings=["manifest.tracks=12"], with_dvc=False)
    command.keep("small", costs, settings=[], with_dvc=True)
    result = read_json(tmp_path / "rehearsal.json")
    assert result["published"]["settings"] == ["manifest.tracks=12"]
    assert [result[shapes]["dvc"] for shapes in ("published", "small")] == [False, True]
    assert "gpu" in result["published"]["machine"]
    assert result["published"]["stages"] == {
        "sae": {"seconds": 2.0, "cpu_seconds": 3.0, "megabytes": 512, "gpu_megabytes": 2048}
    }


def test_what_has_run_is_shown_when_a_stage_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: Any, **__: Any) -> Iterator[tuple[str, StageCost]]:
        yield "corpus", StageCost(2.0, 3.0, 512.0, gpu_megabytes=0)
        raise RuntimeError("manifest failed")

    monkeypatch.setattr(command, "RESULT", tmp_path / "rehearsal.json")
    monkeypatch.setattr(command, "rehearse", failing)
    monkeypatch.setattr("sys.argv", ["rehearsal", "--folder", str(tmp_path)])
    with pytest.raises(RuntimeError, match="manifest failed"):
        command.main()
    assert "corpus" in capsys.readouterr().out
    assert not (tmp_path / "rehearsal.json").exists()


def test_what_is_up_to_date_keeps_what_it_took(rehearsed: Rehearsed) -> None:
    environment = {"HF_HUB_OFFLINE": "1"}
    for name in ("manifest", "activations", "report"):
        assert kept_cost(name, rehearsed.root, environment) == rehearsed.costs[name]
    outdated = "features"
    code = rehearsed.root / "src/leitmotif/audio/decode.py"
    text = code.read_text()
    code.write_text(text + "\n")
    try:
        assert kept_cost(outdated, rehearsed.root, environment) is None
    finally:
        code.write_text(text)


def test_what_was_downloaded_is_what_the_preset_pins(rehearsed: Rehearsed) -> None:
    params = load_params(rehearsed.root / "params.yaml")
    pinned = {
        params.model.name: params.model.revision,
        params.judge.clap: params.judge.clap_revision,
        params.judge.tagger: params.judge.tagger_revision,
        AUTOENCODERS: REVISION,
    }
    for name, revision in pinned.items():
        asked = [path for path in rehearsed.requests if path.startswith(f"/{name}/resolve/")]
        assert asked, name
        assert all(f"/resolve/{revision}/" in path for path in asked), name


def test_labels_are_those_that_the_listener_knows(rehearsed: Rehearsed) -> None:
    known = {recording.track_id: recording.places for recording in compose(15)}
    labels = read_table(rehearsed.root / "data/labels.jsonl", Label)
    assert labels
    for label in labels:
        places = known[label.track_id]
        assert len(places) == 2, "a motif that does not return has no label"
        start = label.recurrence.start_sample / label.sample_rate
        assert abs(start - places[1]) < MOTIF_NOTES * NOTE


def test_the_autoencoders_are_measured_at_their_sites(rehearsed: Rehearsed) -> None:
    rows = read_table(rehearsed.root / "data/alignment.jsonl", AlignmentRow)
    declared = {row.site for row in rows if row.audit is not None}
    assert declared == {f"layers.{layer}.residual" for layer in SITES}
