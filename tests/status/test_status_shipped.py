"""The status of the shipped experiment, and of what is left of it when files go or are damaged."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from leitmotif.cli.columns import WIDTH
from leitmotif.cli.status import LINES, as_lines
from leitmotif.files import read_table
from leitmotif.files.yaml_files import read_stages
from leitmotif.pipeline import HORIZONS
from leitmotif.pipeline.watched import stage_outs
from leitmotif.status.overview import Status, read_status
from leitmotif.tables.probes import HorizonRow

SMALL = (
    "alignment", "coverage", "effects", "excluded", "failures", "horizons", "labels", "manifest",
    "proposals",
)  # fmt: skip
FILES = [
    "params.yaml",
    "dvc.yaml",
    "dvc.lock",
    "metrics/corpus.json",
    *(f"data/{name}.jsonl" for name in SMALL),
]


@pytest.fixture
def shipped(tmp_path: Path, repo_root: Path) -> Path:
    """The small files of the repository, and empty ones for all other outputs."""
    for file in FILES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(repo_root / file, tmp_path / file)
    store = tmp_path / "data/activations"
    store.mkdir()
    (store / "index.jsonl").write_text("\n", encoding="utf-8")
    for path in outs(tmp_path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def outs(root: Path) -> Iterator[Path]:
    for stage in read_stages(root / "dvc.yaml").values():
        yield from (root / out for out in stage_outs(stage) if not (root / out).exists())


def tracks(status: Status) -> dict[str, int | None]:
    return {step.name: step.tracks for step in status.steps}


def test_everything_is_done(shipped: Path) -> None:
    status = read_status(shipped)
    assert set(status.material.states.values()) == {"done"}
    assert status.next.command == "leitmotif results"
    assert status.material.problems == []
    assert not status.rehearsal


def test_the_funnel_is_that_of_the_tables(shipped: Path) -> None:
    status = read_status(shipped)
    given, manifest = tracks(status)["given"], tracks(status)["in the manifest"]
    assert (given, manifest) == (128, 100)
    assert tracks(status)["pieces continued"] == 32
    notes = {step.name: step.note for step in status.steps}
    assert "6 excluded_tag" in notes["in the manifest"]
    assert "7 beyond manifest.tracks 100" in notes["in the manifest"]


def test_usable_tracks_are_found_by_the_probes_own_rules(shipped: Path) -> None:
    """Before the probes ran, the status says of each horizon what they will find."""
    rows = read_table(shipped / HORIZONS, HorizonRow)
    (shipped / HORIZONS).unlink()
    found = tracks(read_status(shipped))
    assert {row.horizon: found[f"usable at {row.horizon}"] for row in rows} == {
        row.horizon: row.tracks for row in rows
    }


def test_other_settings_hide_what_others_found(shipped: Path) -> None:
    params = shipped / "params.yaml"
    text = params.read_text(encoding="utf-8").replace("  min_seconds: 8.0", "  min_seconds: 9.0")
    params.write_text(text, encoding="utf-8")
    status = read_status(shipped)
    assert tracks(status)["decoded and verified"] == 128
    assert tracks(status)["in the manifest"] is None
    assert tracks(status)["usable at 1-3s"] is None
    assert status.material.states["corpus"] == "done"
    assert status.material.states["report"] == "outdated"
    assert status.next.command == "dvc repro"


def test_outputs_that_are_not_here_come_from_the_remote(shipped: Path) -> None:
    (shipped / "data/clips").unlink()
    assert read_status(shipped).material.states["interventions"] == "not here"
    assert read_status(shipped).next.command == "dvc repro"
    (shipped / ".dvc").mkdir()
    (shipped / ".dvc/config").write_text("[core]\n    remote = bucket\n", encoding="utf-8")
    assert read_status(shipped).next.command == "dvc pull"


@pytest.mark.parametrize("damage", ["folder", "bytes", "object", "lacking"])
@pytest.mark.parametrize("file", FILES)
def test_no_damage_stops_it(shipped: Path, file: str, damage: str) -> None:
    path = shipped / file
    path.unlink()
    match damage:
        case "folder":
            path.mkdir()
        case "bytes":
            path.write_bytes(b"\xff\x00 [")
        case "object":
            path.write_text('{"stages": {"corpus": 1}}\n', encoding="utf-8")
    lines = as_lines(read_status(shipped))
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH
    assert "Next" in lines
