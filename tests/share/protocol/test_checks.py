"""Every check: what it finds in a sound repository, and one planted fault that it alone finds."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from leitmotif.causal.experiment import pieces
from leitmotif.config import load_params
from leitmotif.errors import StageError
from leitmotif.files import read_table, write_table
from leitmotif.pipeline import CALIBRATION, INTERVENTIONS, MANIFEST, PROPOSALS, REPORT
from leitmotif.review.log import append
from leitmotif.share.protocol.inputs import Inputs
from leitmotif.share.protocol.lines import ProtocolLine
from leitmotif.share.protocol.run import all_checks, run_checks
from leitmotif.stages.labels import labels
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import pair_id
from leitmotif.tables.interventions import InterventionRow
from leitmotif.tables.proposals import Proposal
from tests.review.made import decision
from tests.share.protocol import faults, made


def lines(**options: Any) -> dict[str, ProtocolLine]:
    return {line.id: line for line in run_checks(Inputs(**options)).lines}


def failing(**options: Any) -> dict[str, ProtocolLine]:
    return {name: line for name, line in lines(**options).items() if line.status == "fail"}


def test_a_sound_repository_passes(repository: Path) -> None:
    found = lines()
    assert {name: line.evidence for name, line in failing().items()} == {}
    assert [*found] == [*all_checks()]
    skipped = {name for name, line in found.items() if line.status == "not applicable"}
    assert skipped == {"replay"}
    assert all(
        line.evidence and line.title and line.item and not line.fix for line in found.values()
    )


@pytest.mark.fault("leitmotif check", "one fault of each kind", outcome="its line alone fails")
@pytest.mark.parametrize("fault", faults.FAULTS)
def test_a_planted_fault_fails_its_line_alone(repository: Path, fault: str) -> None:
    name, plant, words = faults.FAULTS[fault]
    plant()
    made.settle()
    found = failing()
    assert [*found] == [name], {one: line.evidence for one, line in found.items()}
    assert words in found[name].evidence
    assert found[name].fix


def test_every_check_has_a_planted_fault() -> None:
    elsewhere = {"settings", "outputs", "git", "report", "replay"}
    assert {name for name, _, _ in faults.FAULTS.values()} | elsewhere == all_checks().keys()


def test_activations_are_written_back_in_few_pieces(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "WRITTEN_BACK", 1)
    assert "zero_effect_ahead: 2 of 1 clips" in failing()["log"].evidence
    rows = read_table(INTERVENTIONS, InterventionRow)
    again = [row for row in rows if row.condition == "zero_effect" and row.file is None]
    write_table(INTERVENTIONS, [row for row in rows if row not in again])
    made.settle()
    assert "log" not in failing()


@pytest.mark.fault("leitmotif check", "one fault of each kind", outcome="its line alone fails")
def test_outputs_that_are_not_those_of_the_lock(repository: Path) -> None:
    path = Path("metrics/probes.json")
    path.write_text('{"changed": true}\n')
    made.commit()
    (line,) = failing().values()
    assert (line.id, line.fix) == ("outputs", "dvc repro probes")
    assert "metrics/probes.json" in line.evidence


def test_settings_that_are_not_those_of_the_lock(repository: Path) -> None:
    faults.params(lambda it: it["judge"].update(device="auto"))
    found = failing()
    assert found.keys() == {"settings", "git"}
    assert "interventions" in found["settings"].evidence


@pytest.mark.fault("leitmotif check", "one fault of each kind", outcome="its line alone fails")
def test_a_file_that_is_not_committed(repository: Path) -> None:
    Path("notes.txt").write_text("mine")
    (line,) = failing().values()
    assert line.id == "git"
    assert "notes.txt" in line.evidence


@pytest.mark.fault("leitmotif check", "one fault of each kind", outcome="its line alone fails")
def test_a_report_of_other_tables(repository: Path) -> None:
    faults.rows(
        CALIBRATION, lambda it: it[1].update(controlled={"mean": 0.04, "low": 0.03, "high": 0.05})
    )
    page = REPORT / "index.html"
    old = page.read_text()
    made.settle()
    page.write_text(old)
    made.commit()
    (line,) = failing().values()
    assert (line.id, line.fix) == ("report", "dvc repro report")
    assert "data/calibration.jsonl" in line.evidence


def test_an_autoencoder_of_the_hub_is_not_downloaded(repository: Path) -> None:
    hashes = {"sha256": "a" * 64, "config_sha256": "b" * 64}
    place = {"source": "hub", "repository": "nobody/nothing", "revision": "c" * 40, "path": "x"}
    faults.hook(checkpoint={**place, **hashes})
    made.settle()
    found = failing()
    assert [*found] == ["pinned", "mapping"]
    assert all("planner-0 is not on this machine" in line.evidence for line in found.values())
    assert found["pinned"].fix == "dvc repro sae"


def test_an_autoencoder_at_a_site_that_is_not_stored(repository: Path) -> None:
    faults.params(lambda it: it["sae"].update(hooks=["planner-0@layers.1.residual", "planner-3"]))
    made.settle()
    line = failing()["mapping"]
    assert "layers.1.residual is not among the stored sites" in line.evidence
    assert str(line.fix).startswith("add layers.1.residual to activations.sites")


def test_without_autoencoders_their_lines_do_not_apply(repository: Path) -> None:
    faults.params(lambda it: it["sae"].update(hooks=[]))
    made.settle()
    found = lines()
    skipped = {name for name, line in found.items() if line.status == "not applicable"}
    assert skipped == {"pinned", "mapping", "contexts", "audits", "encoded", "replay"}
    assert not failing()


def test_labels_by_people_follow_from_their_decisions(repository: Path) -> None:
    track = read_table(MANIFEST, ManifestTrack)[0]
    (proposal,) = read_table(PROPOSALS, Proposal)
    windows = {"motif": proposal.motif, "recurrence": proposal.recurrence}
    judged = {name: {**dict(span), "sha256": "b" * 64} for name, span in windows.items()}
    pair = pair_id(track.sha256, proposal.sample_rate, proposal.motif, proposal.recurrence)
    of_pair = {"pair": pair, "track_id": track.track_id, "audio_sha256": track.sha256}
    log = Path("data/decisions/ana.jsonl")
    append(log, decision("ana", **of_pair, **judged))
    faults.params(lambda it: it["labels"].update(source="decisions"))
    with pytest.raises(StageError, match="too few tracks"):
        labels(load_params())  # which writes its tables first
    made.settle()
    found = lines()
    assert set(failing()) == {"decided"}  # nobody listened to what lies between the pairs
    assert found["labels"].evidence == "1 label by 1 decision of ana (1)"
    assert found["decided"].evidence.startswith("of no track it is known where nothing returns")
    log.unlink()
    made.settle()
    line = failing()["labels"]
    assert f"such as {track.track_id}" in line.evidence


def test_a_control_may_be_left_out_with_a_reason(repository: Path) -> None:
    values = YAML(typ="safe").load(Path("controls.yaml"))
    del values["controls"]["track_length"]
    values["left_out"] = {"track_length": "all tracks are as long"}
    with Path("controls.yaml").open("w") as file:
        YAML(typ="safe").dump(values, file)
    line = lines()["controls"]
    assert line.status == "pass"
    assert "track_length left out: all tracks are as long" in line.evidence


def test_a_sample_says_how_much_was_hashed(repository: Path) -> None:
    found = lines(sample=2)
    assert found["corpus"].evidence.startswith("8 recordings, ")
    assert found["corpus"].evidence.endswith(", 2 of them hashed")
    assert found["tensors"].evidence.endswith("2 of them hashed")


def test_a_new_clone_says_which_stages_to_run(
    repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "dvc.yaml", "hooks.yaml", "controls.yaml"):
        shutil.copy(repo_root / name, tmp_path)
    Path("models").symlink_to(repo_root / "models")
    found = lines()
    assert found["corpus"].fix == "dvc repro corpus"
    assert found["tensors"].fix == "dvc repro features"  # the first that it needs
    assert found["calibration"].fix == "dvc repro calibration"
    assert found["log"].fix == "dvc repro interventions"
    assert found["pinned"].status == "pass"
