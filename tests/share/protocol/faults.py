"""Faults that are planted in a sound repository, each with the one line that has to find it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from safetensors import safe_open
from safetensors.numpy import save_file

from leitmotif.files import sha256_file
from leitmotif.pipeline import (
    ACTIVATIONS,
    ALIGNMENT,
    CALIBRATION,
    CLIPS,
    EFFECTS,
    FEATURES,
    HORIZONS,
    INTERVENTIONS,
    LABELS,
    MANIFEST,
    PROBES,
    PROPOSALS,
    SAE,
    VERDICTS,
)
from tests.share.protocol import made

Values = dict[str, Any]


def rows(path: Path, change: Callable[[list[Values]], object]) -> None:
    """Change the rows of a table, as another program could."""
    values = [json.loads(line) for line in path.read_text().splitlines()]
    change(values)
    path.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in values))


def params(change: Callable[[Values], object]) -> None:
    values = YAML(typ="safe").load(Path("params.yaml"))
    change(values)
    made.write_params(values)


def hook(**changed: Any) -> None:
    """Change the first autoencoder, in hooks.yaml and in what the stage kept of it."""
    values = YAML(typ="safe").load(Path("hooks.yaml"))
    values["hooks"][0].update(changed)
    with Path("hooks.yaml").open("w") as file:
        file.write("# yaml-language-server: $schema=schemas/hooks.schema.json\n")
        YAML(typ="safe").dump(values, file)
    rows(SAE / "hooks.jsonl", lambda kept: kept[0].update(changed))


def flipped(path: Path, at: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def first(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def tensor() -> Path:
    return first(ACTIVATIONS, "layers.0.residual/*.safetensors")


def audited(**changed: Any) -> None:
    """Change what the audit of the first autoencoder found."""

    def change(found: list[Values]) -> None:
        next(row for row in found if row["audit"])["audit"].update(changed)

    rows(ALIGNMENT, change)


def headers(changed: dict[str, str], *, every: bool) -> None:
    """Rewrite tensors with other headers, and the index with their hashes."""
    files = sorted(ACTIVATIONS.glob("*/*.safetensors"))
    sizes = {}
    for path in files if every else files[:1]:
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = {**file.metadata(), **changed}
        save_file(tensors, path, metadata)
        sizes[path.relative_to(ACTIVATIONS).as_posix()] = (path.stat().st_size, sha256_file(path))

    def change(index: list[Values]) -> None:
        for row in index:
            if row["file"] in sizes:
                row["bytes"], row["sha256"] = sizes[row["file"]]

    rows(ACTIVATIONS / "index.jsonl", change)


def own_models() -> Path:
    """A copy of the first autoencoder in the place of the link to the repository's models."""
    source = Path("models").resolve()
    Path("models").unlink()
    Path("models/organism").mkdir(parents=True)
    for path in (source / "organism").iterdir():
        if path.name != "sae":
            Path("models/organism", path.name).symlink_to(path)
    shutil.copytree(source / "organism" / "sae", "models/organism/sae")
    return Path("models/organism/sae/layers.0.residual/cfg.json")


def without(name: str) -> None:
    """Leave a control out without a word."""
    values = YAML(typ="safe").load(Path("controls.yaml"))
    del values["controls"][name]
    with Path("controls.yaml").open("w") as file:
        file.write("# yaml-language-server: $schema=schemas/controls.schema.json\n")
        YAML(typ="safe").dump(values, file)


def low(row: Values, key: str) -> None:
    row[key] = {"mean": 1.0, "low": -1.0, "high": 3.0}


Fault = Callable[[], object]
FAULTS: dict[str, tuple[str, Fault, str]] = {
    "corpus: a changed byte": (
        "corpus",
        lambda: flipped(made.corpus_file()),
        "another SHA-256",
    ),
    "corpus: a lost recording": (
        "corpus",
        lambda: made.corpus_file().unlink(),
        "is missing",
    ),
    "corpus: a foreign file": (
        "corpus",
        lambda: made.corpus_file().with_name("other.wav").write_bytes(b"x"),
        "in no table",
    ),
    "manifest: other tags": (
        "manifest",
        lambda: rows(MANIFEST, lambda it: it[0].update(tags=[])),
        "rules decide otherwise",
    ),
    "manifest: an exclusion without a rule": (
        "manifest",
        lambda: rows(
            Path("data/excluded.jsonl"),
            lambda it: it.append({"track_id": "x", "reason": "dull", "detail": ""}),
        ),
        "dull",
    ),
    "features: a lost file": (
        "features",
        lambda: first(FEATURES, "*.safetensors").unlink(),
        "is missing",
    ),
    "features: a cut file": (
        "features",
        lambda: first(FEATURES, "*.safetensors").write_bytes(b"x" * 50),
        "cannot be read",
    ),
    "tensors: a lost file": ("tensors", lambda: tensor().unlink(), "missing"),
    "tensors: a changed byte": ("tensors", lambda: flipped(tensor()), "another SHA-256"),
    "headers: another device": (
        "headers",
        lambda: headers({"device": "NVIDIA"}, every=False),
        "device (NVIDIA, cpu)",
    ),
    "headers: another precision than the settings'": (
        "headers",
        lambda: params(lambda it: it["activations"].update(dtype="float32")),
        "params.yaml 'float32'",
    ),
    "code: of another version": (
        "code",
        lambda: headers({"code_version": "0" * 64}, every=True),
        "000000000000",
    ),
    "pinned: another configuration": (
        "pinned",
        lambda: (path := own_models()).write_text(path.read_text() + "\n"),
        "is not the file",
    ),
    "mapping: another model": ("mapping", lambda: hook(model="models/other"), "models/other"),
    "contexts: longer than in training": (
        "contexts",
        lambda: hook(context_frames=100),
        "at most 100",
    ),
    "contexts: another prompt": (
        "contexts",
        lambda: hook(audio={"sample_rate": 32000, "channels": "mono", "prompt": "tags"}),
        "tags",
    ),
    "audits: one that failed": (
        "audits",
        lambda: audited(passed=False, best="layers.3.residual"),
        "best at layers.3.residual",
    ),
    "audits: a misplaced one that was not caught": (
        "audits",
        lambda: rows(
            ALIGNMENT,
            lambda it: next(row for row in it if row["trials"])["trials"][0].update(caught=False),
        ),
        "was not caught",
    ),
    "encoded: a lost file": (
        "encoded",
        lambda: first(SAE, "*/*.safetensors").unlink(),
        "missing or empty",
    ),
    "proposals: one that the null explains": (
        "proposals",
        lambda: rows(PROPOSALS, lambda it: it[0].update(p=0.9)),
        "p at best 0.9",
    ),
    "labels: one that nobody decided": (
        "labels",
        lambda: rows(LABELS, lambda it: it[0]["recurrence"].update(start_sample=7)),
        "labels not as decided",
    ),
    "decided: exploratory settings": (
        "decided",
        lambda: params(lambda it: it["probes"].update(exploratory=True)),
        "exploratory",
    ),
    "controls: one left out without a reason": (
        "controls",
        lambda: without("local_energy"),
        "local_energy",
    ),
    "controls: one that was not used": (
        "controls",
        lambda: rows(HORIZONS, lambda it: it[0]["controls"].pop()),
        "continuity",
    ),
    "horizon: too near": (
        "horizon",
        lambda: params(lambda it: it["probes"].update(minimum_seconds=1.5)),
        "minimum_seconds is 1.5",
    ),
    "horizon: features that hear the event": (
        "horizon",
        lambda: rows(HORIZONS, lambda it: it[1].update(heard_ahead=5.0)),
        "hear 5 s ahead",
    ),
    "horizon: foresight from too near": (
        "horizon",
        lambda: rows(VERDICTS, lambda it: it[0].update(lead=2.0)),
        "less than 4 s",
    ),
    "nulls: a lost probe": ("nulls", lambda: rows(PROBES, lambda it: it.pop()), "random_weights"),
    "nulls: no control task": (
        "nulls",
        lambda: rows(PROBES, lambda it: [row.update(selectivity=None) for row in it]),
        "no control task",
    ),
    "calibration: too many false positives": (
        "calibration",
        lambda: rows(
            CALIBRATION, lambda it: it[0].update(controlled={"mean": 0.2, "low": 0.1, "high": 0.3})
        ),
        "more false positives than 0.05",
    ),
    "log: a lost line": (
        "log",
        lambda: rows(INTERVENTIONS, lambda it: it.pop(3)),
        "1 of 2 clips",
    ),
    "log: a lost condition": (
        "log",
        lambda: (
            rows(EFFECTS, lambda it: it.pop(2)),
            rows(INTERVENTIONS, lambda it: (it.pop(4), it.pop(4))),
        ),
        "0 of 1 conditions of kind patch",
    ),
    "log: no shift of positions": (
        "log",
        lambda: params(lambda it: it["interventions"].update(position_shift_seconds=0.5)),
        "0 of 1 conditions of kind position_shift",
    ),
    "clips: other audio": (
        "clips",
        lambda: flipped(next(CLIPS.glob("*.wav"))),
        "not the audio of its line",
    ),
    "clips: a lost file": ("clips", lambda: next(CLIPS.glob("*.wav")).unlink(), "is missing"),
    "identity: a patch that changed a clip": (
        "identity",
        lambda: rows(
            EFFECTS,
            lambda it: next(row for row in it if row["condition"] == "zero_effect").update(
                changed=1
            ),
        ),
        "1 of",
    ),
    "causal: foresight that nothing moved": (
        "causal",
        lambda: rows(VERDICTS, lambda it: low(it[0], "gained")),
        "without a sound effect",
    ),
    "causal: foresight that damaged the music": (
        "causal",
        lambda: rows(
            VERDICTS,
            lambda it: it[0].update(clap_similarity={"mean": 0.2, "low": 0.1, "high": 0.3}),
        ),
        "without a sound effect",
    ),
    "causal: foresight in clips that the model finds unlikely": (
        "causal",
        lambda: rows(
            VERDICTS,
            lambda it: it[0].update(log_likelihood={"mean": -3.0, "low": -4.0, "high": -2.0}),
        ),
        "without a sound effect",
    ),
    "routing: an output that nobody routes": (
        "routing",
        lambda: Path("artifacts.yaml").write_text(
            Path("artifacts.yaml").read_text().replace("data/calibration.jsonl", "data/other.jsonl")
        ),
        "data/calibration.jsonl",
    ),
    "templates: an old schema": (
        "templates",
        lambda: Path("schemas/hooks.schema.json").write_text("{}"),
        "hooks.schema.json",
    ),
    "templates: a key that no schema has": (
        "templates",
        lambda: Path("concepts.yaml").write_text(Path("concepts.yaml").read_text() + "more: 1\n"),
        "concepts.yaml",
    ),
}
"""What it is; the line that fails, what is done, and words of the evidence."""
