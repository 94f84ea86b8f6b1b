"""Whatever a file holds, its line fails by name, and the others still run."""

import shutil
from pathlib import Path

import pytest

from leitmotif.share.protocol.inputs import Inputs
from leitmotif.share.protocol.run import all_checks, run_checks

FILES = (
    "params.yaml",
    "dvc.yaml",
    "dvc.lock",
    "hooks.yaml",
    "controls.yaml",
    "concepts.yaml",
    "artifacts.yaml",
    "schemas/check.schema.json",
    "data/corpus/tracks.jsonl",
    "data/corpus/failures.jsonl",
    "data/corpus/truth.jsonl",
    "data/manifest.jsonl",
    "data/excluded.jsonl",
    "data/failures.jsonl",
    "data/activations/index.jsonl",
    "data/activations/failures.jsonl",
    "data/proposals.jsonl",
    "data/labels.jsonl",
    "data/coverage.jsonl",
    "data/alignment.jsonl",
    "data/sae/hooks.jsonl",
    "data/horizons.jsonl",
    "data/probes.jsonl",
    "data/calibration.jsonl",
    "data/interventions.jsonl",
    "data/effects.jsonl",
    "data/verdicts.jsonl",
    "data/report/index.html",
)
FOREIGN = b"\x93NUMPY\x01\x00 \xff\xfe not what was looked for \x00"


def damaged(path: Path, how: str) -> None:
    content = path.read_bytes()
    path.unlink()
    match how:
        case "truncated":
            path.write_bytes(content[: max(1, len(content) // 2)])
        case "foreign":
            path.write_bytes(FOREIGN)
        case "other JSON":
            path.write_text('{"format": "other", "stages": [1], "rows": null}\n')
        case "a folder":
            path.mkdir()
        case "a broken link":
            path.symlink_to("nowhere")


@pytest.mark.fault(
    "leitmotif check",
    "each input missing, cut, foreign, other JSON, a folder, a broken link",
    outcome="its lines fail by its name, the others run",
)
@pytest.mark.parametrize(
    "how", ["missing", "truncated", "foreign", "other JSON", "a folder", "a broken link"]
)
def test_a_damaged_file_stops_no_other_line(repository: Path, how: str) -> None:
    silent, sound = {}, {line.id: line for line in run_checks(Inputs()).lines}
    assert not [line for line in sound.values() if line.status == "fail"]
    for name in FILES:
        path, kept = Path(name), Path("../kept")
        shutil.copy(path, kept)
        if how == "truncated" and path.stat().st_size < 40:
            continue  # half of a table without rows is one
        if how == "missing" and name == "data/activations/failures.jsonl":
            continue  # stores of tracks that all could be read may lack it
        damaged(path, how)
        found = {line.id: line for line in run_checks(Inputs()).lines}
        assert found.keys() == all_checks().keys()
        failed = [line for line in found.values() if line.status == "fail"]
        places = (path.name, path.parent.name) if how == "truncated" else (path.name,)
        named = [
            line
            for line in failed
            if line.id != "git" and any(place in line.evidence for place in places)
        ]
        if not named:
            silent[name] = [f"{line.id}: {line.evidence}" for line in failed]
        assert all(line.fix for line in failed)
        assert not [line for line in failed if "cannot be checked" in line.evidence], failed
        if name != "params.yaml":
            assert len(failed) < len(found) / 2
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        shutil.copy(kept, path)
    assert silent == {}
