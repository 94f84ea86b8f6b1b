"""Seeded mutations of what is read: the right value, or an error that names the file.

A table, tensor, setting or log that was damaged is read as what its rules allow, or refused by
name; other exceptions, and files that were changed by being read, are faults.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from leitmotif.config import load_params
from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table, write_table
from leitmotif.files.yaml_files import read_yaml
from leitmotif.probe.inputs.registry import load_controls
from leitmotif.review.log import append, read_log
from leitmotif.sae.autoencoder.encode import FeatureHeader, read_codes, write_codes
from leitmotif.sae.autoencoder.formats import load_sae, save_sae
from leitmotif.sae.autoencoder.registry import load_registry
from leitmotif.store.reading import ActivationStore
from leitmotif.store.reading.index import INDEX
from leitmotif.tables.decisions import Decision, Undo
from tests.mutations import bytes_changed, tensors_changed, value_changed
from tests.review.made import decision
from tests.sae.making import random_sae, write_track
from tests.tables.examples import row_classes, row_example

ROOT = Path(__file__).parents[1]
Record = Callable[[str, object], None]


def tried(path: Path, content: bytes, read: Callable[[], object], name: str | None = None) -> str:
    """Write a mutation and read it: "read" or "refused"; AssertionError for anything else."""
    path.write_bytes(content)
    around = sorted(path.parent.iterdir())
    refusal = None
    try:
        read()
    except LeitmotifError as error:
        refusal = str(error)
    assert path.read_bytes() == content
    assert sorted(path.parent.iterdir()) == around
    assert refusal is None or (name or path.name) in refusal.split("\n")[0]
    return "read" if refusal is None else "refused"


ROWS = row_classes()
TABLES = {
    "AlignmentRow": "alignment",
    "ApproachRow": "approaches",
    "CalibrationRow": "calibration",
    "CandidateRow": "candidates",
    "Coverage": "coverage",
    "EffectRow": "effects",
    "Exclusion": "excluded",
    "HorizonRow": "horizons",
    "Label": "labels",
    "ManifestTrack": "manifest",
    "ProbeRow": "probes",
    "Proposal": "proposals",
    "VerdictRow": "verdicts",
}
"""Names of the tables of data/, by the class of their rows."""
EACH = 20


def rows_of(name: str) -> list[str]:
    """An example of a row, and a line of data/ where there is one that the class still reads."""
    rows = [json.dumps(row_example(ROWS[name]))]
    path = ROOT / "data" / f"{TABLES.get(name, name)}.jsonl"
    line = path.read_text(encoding="utf-8").split("\n")[0] if path.exists() else ""
    try:
        ROWS[name].model_validate_json(line, strict=True)
    except ValidationError:
        return rows
    return [*rows, line]


@pytest.mark.fault(
    "table",
    "bytes and values changed",
    outcome="rows that can be written again, or refused by name",
)
@pytest.mark.parametrize("name", ROWS)
def test_a_damaged_table(name: str, tmp_path: Path, record_property: Record) -> None:
    model, chance = ROWS[name], random.Random(f"table {name}")
    lines = rows_of(name)
    path, again = tmp_path / f"{name}.jsonl", tmp_path / "again" / "again.jsonl"
    again.parent.mkdir()

    def read() -> None:
        rows = read_table(path, model)
        write_table(again, rows)
        assert read_table(again, model) == rows

    assert tried(path, "".join(f"{line}\n" for line in lines).encode(), read) == "read"
    outcomes = []
    for number in range(EACH):
        if number % 2:
            content = bytes_changed("\n".join([*lines, ""]).encode(), chance)
        else:
            *others, last = map(json.loads, lines)
            changed = [*others, value_changed(last, chance)]
            content = "".join(json.dumps(row) + "\n" for row in changed).encode()
        outcomes.append(tried(path, content, read))
    record_property("inputs", EACH)
    assert "refused" in outcomes


SITE = "layers.1.residual"


def activations(folder: Path) -> tuple[Path, Callable[[], object]]:
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).numpy()
    row = write_track(folder, SITE, "t1", rows)
    write_table(folder / INDEX, [row])
    return folder / row.file, lambda: ActivationStore(folder).load(SITE, "t1")


def encoded(folder: Path) -> tuple[Path, Callable[[], object]]:
    sae = random_sae(width=4, features=16, k=3)
    path = folder / "t1.safetensors"
    header = FeatureHeader(
        hook="one",
        site=SITE,
        track_id="t1",
        frames=6,
        frame_rate=50,
        hearing_seconds=0,
        d_sae=16,
        weights_sha256="a" * 64,
        activations_address="b" * 64,
        misaligned="",
    )
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    write_codes(path, sae.encode(rows), header)

    def read() -> None:
        codes, header = read_codes(path)
        assert codes.dense(header.d_sae).isfinite().all()

    return path, read


def autoencoder(folder: Path) -> tuple[Path, Callable[[], object]]:
    made = folder / "sae"
    save_sae(random_sae(width=4, features=16, k=3), made)

    def read() -> None:
        sae = load_sae(made)
        assert sae.encode(torch.ones(2, 4)).dense(16).shape == (2, 16)

    return made / "sae_weights.safetensors", read


@pytest.mark.fault(
    "activations, encoded features, autoencoders",
    "bytes of the header and its entries changed",
    outcome="tensors that fit, or refused by name",
)
@pytest.mark.parametrize("make", [activations, encoded, autoencoder])
def test_damaged_tensors(
    make: Callable[[Path], tuple[Path, Callable[[], object]]],
    tmp_path: Path,
    record_property: Record,
) -> None:
    path, read = make(tmp_path)
    content, chance = path.read_bytes(), random.Random(f"tensors {make.__name__}")
    read()
    inputs = [tensors_changed(content, chance) for _ in range(50)]
    name = path.parent.name if make is autoencoder else None
    outcomes = [tried(path, content, read, name) for content in inputs]
    record_property("inputs", len(inputs))
    assert "refused" in outcomes


YAML_FILES: dict[str, Callable[[Path], object]] = {
    "params.yaml": load_params,
    "controls.yaml": load_controls,
    "hooks.yaml": load_registry,
}


@pytest.mark.fault(
    "params.yaml, controls.yaml, hooks.yaml",
    "bytes and values changed",
    outcome="settings in their range, or refused by name",
)
@pytest.mark.parametrize("name", YAML_FILES)
def test_damaged_settings(name: str, tmp_path: Path, record_property: Record) -> None:
    chance = random.Random(f"settings {name}")
    path = tmp_path / name
    content = (ROOT / name).read_bytes()
    values: Any = read_yaml(ROOT / name)
    outcomes = []
    for number in range(30):
        # JSON is YAML; ruamel needs 0.1 s for a whole file, so that bytes are changed in few.
        whole = json.dumps(value_changed(values, chance)).encode()
        changed = bytes_changed(content, chance) if number % 3 == 0 else whole
        outcomes.append(tried(path, changed, lambda: YAML_FILES[name](path)))
    record_property("inputs", len(outcomes))
    assert "refused" in outcomes


@pytest.mark.fault(
    "decision log", "bytes and values changed", outcome="whole decisions, or refused by line"
)
def test_damaged_decision_logs(tmp_path: Path, record_property: Record) -> None:
    chance = random.Random("log")
    path = tmp_path / "ana.jsonl"
    for number in range(3):
        append(path, decision(number=number))
    content = path.read_bytes()
    rows = [json.loads(line) for line in content.splitlines()]
    outcomes = []

    def read() -> None:
        entries = read_log(path).entries
        assert all(isinstance(entry, Decision | Undo) for entry in entries)

    for number in range(60):
        changed = bytes_changed(content, chance)
        if number % 2:
            some = [*rows[:2], value_changed(rows[2], chance)]
            changed = "".join(json.dumps(row) + "\n" for row in some).encode()
        outcomes.append(tried(path, changed, read))
    record_property("inputs", len(outcomes))
    assert {"read", "refused"} == set(outcomes)
