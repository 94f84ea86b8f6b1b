"""A small repository in which every line of the protocol passes.

The stages up to the labels and the autoencoders have run in it; the tables of what follows, which
take minutes to compute, are made here.
"""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from leitmotif.audio.writing import write_wav
from leitmotif.config import Params, load_params
from leitmotif.files import read_table, sha256_file, write_table, write_text
from leitmotif.pipeline import (
    CALIBRATION,
    CLIPS,
    CORPUS,
    EFFECTS,
    HORIZONS,
    INTERVENTIONS,
    MANIFEST,
    PROBES,
    PROPOSALS,
    REPORT,
    VERDICTS,
)
from leitmotif.share.outs import revision_outs
from leitmotif.share.revisions import working_tree
from leitmotif.stages.activations import activations
from leitmotif.stages.corpus import corpus
from leitmotif.stages.features import features
from leitmotif.stages.labels import labels
from leitmotif.stages.manifest import manifest
from leitmotif.stages.sae import sae
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.effects import EffectRow, Kind
from leitmotif.tables.interventions import InterventionRow
from leitmotif.tables.probes import LeftOutRow, NaiveRow, SelectivityRow
from leitmotif.tables.proposals import Proposal, write_proposals
from tests.tables.examples import row_example
from tests.tables.made import calibrated, effect, horizon, interval, probe, proposal_row, verdict

SITES = ("layers.0.residual", "layers.3.residual")
MODELS = ("models/organism/planner", "models/organism/reader")
CONTROLS = (
    "position", "track_length", "track_identity", "local_chroma", "local_energy",
    "onset_density", "source_artifacts", "continuity",
)  # fmt: skip
HORIZON_NAMES = {"1-3s": 1.0, "4-6s": 4.0}
FEATURE = "planner-0:7"
IN_GIT = ("controls.yaml", "hooks.yaml", "concepts.yaml", "dvc.yaml", "schemas", "artifacts.yaml")


def settings(root: Path) -> dict[str, Any]:
    """The organism's preset, made small."""
    whole = load_params(root / "presets" / "organism.yaml").model_dump()
    whole["corpus"]["pieces"] = 8
    whole["manifest"]["tracks"] = 4
    whole["activations"]["sites"] = [*SITES]
    whole["sae"] |= {"hooks": ["planner-0", "planner-3"], "spliced_tracks": 2}
    whole["probes"]["comparisons"] = ["models/organism/reader"]
    whole["calibration"]["strengths"] = [0.2, 0.4]
    whole["interventions"] |= {"tracks": 2, "doses": [2.0], "random": 1, "kept_tracks": 1}
    return whole


def build(folder: Path, root: Path) -> None:
    """Fill ``folder``, which is the working directory; ``root`` is this repository."""
    for name in IN_GIT:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name)
        elif (root / name).exists():
            shutil.copy(root / name, folder)
    _route()
    (folder / "models").symlink_to(root / "models")
    write_params(settings(root))
    params = load_params()
    write_text(Path("data/decisions/.gitkeep"), "")
    for stage in (corpus, manifest, features, activations):
        stage(params)
    write_proposals(PROPOSALS, [_proposal(read_table(MANIFEST, ManifestTrack)[0])])
    for stage in (labels, sae):
        stage(params)
    _write_probes()
    _write_interventions(params)
    for out in revision_outs(working_tree()):
        if not Path(out.path).exists():
            write_text(Path(out.path), "{}\n")
    subprocess.run(["git", "init", "--quiet"], check=True)
    cached = [out.path for out in revision_outs(working_tree()) if out.cached]
    write_text(Path(".gitignore"), "\n".join(["models", ".leitmotif", *cached, ""]))
    settle()


def _route() -> None:
    """Leave out of artifacts.yaml what is not in this repository: weights and lists of files."""
    path = Path("artifacts.yaml")
    head = "# yaml-language-server: $schema=schemas/artifacts.schema.json\n"
    values = YAML(typ="safe").load(path)
    there = [Path(out.path) for out in revision_outs(working_tree())] + [Path("data/decisions")]
    for entry in values["artifacts"]:
        entry["paths"] = [
            name for name in entry["paths"] if any(path.is_relative_to(name) for path in there)
        ]
    values["artifacts"] = [entry for entry in values["artifacts"] if entry["paths"]]
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        YAML(typ="safe").dump(values, file)


def write_params(values: dict[str, Any]) -> None:
    """Write params.yaml."""
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(values, file)


def settle() -> None:
    """Let report, dvc.lock and commit follow the files as they are now."""
    tables = ("approaches", "verdicts", "effects", "probes", "calibration", "manifest")
    hashes = {f"data/{name}.jsonl": sha256_file(Path(f"data/{name}.jsonl")) for name in tables}
    listed = "".join(f"<dt>{name}</dt><dd><code>{it}</code></dd>" for name, it in hashes.items())
    if REPORT.is_file():
        REPORT.unlink()
    write_text(REPORT / "index.html", f'<body data-report="0123456789ab">{listed}</html>\n')
    values = YAML(typ="safe").load(Path("params.yaml"))
    locked: dict[str, Any] = {}
    sections = YAML(typ="safe").load(Path("dvc.yaml"))["stages"]
    for out in revision_outs(working_tree()):
        path = Path(out.path)
        md5 = hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else f"{'0' * 32}.dir"
        stage = locked.setdefault(out.stage, {"cmd": "", "params": {}, "outs": []})
        stage["outs"].append({"path": out.path, "md5": md5})
        keys = [key for key in sections[out.stage]["params"] if isinstance(key, str)]
        stage["params"]["params.yaml"] = {key: values[key] for key in keys if key in values}
    with Path("dvc.lock").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump({"schema": "2.0", "stages": locked}, file)
    commit()


def commit() -> None:
    """Commit all files."""
    named = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", "add", "--all"], check=True)
    command = ["commit", "--quiet", "--allow-empty", "--message", "as it is"]
    subprocess.run(["git", *named, *command], check=True)


def _proposal(track: ManifestTrack) -> Proposal:
    return proposal_row(
        proposal_id="a" * 64,
        track_id=track.track_id,
        motif=Span(start_sample=0, samples=20_480),
        recurrence=Span(start_sample=90000, samples=20_480),
        score=0.9,
        texture=0.1,
    )


def _write_probes() -> None:
    beside = {
        "naive": NaiveRow(r2=0.7, r2_place=0.5, significant_share=0.9),
        "selectivity": SelectivityRow(r2=0.6, r2_control_task=0.1, selectivity=0.5),
        "over_random_weights": interval(0.4),
    }
    write_table(
        PROBES,
        [
            probe(
                model=model,
                site=site,
                horizon=name,
                after=after,
                **(beside if (model, name) == ("planner", "4-6s") else {}),
            )
            for model in ("planner", "reader", "random_weights")
            for site in SITES
            for name, after in HORIZON_NAMES.items()
        ],
    )
    left_out = [
        LeftOutRow(left_out=name, r2_controls=0.2, partial_r2=0.3)
        for name in ("none", *CONTROLS)
        if name != "track_length"
    ]
    write_table(
        HORIZONS,
        [
            horizon(
                horizon=name,
                after=after,
                until=after + 2,
                claimed=after == 4,
                site=SITES[0],
                controls=left_out,
                constant_controls=["track_length.seconds"],
            )
            for name, after in HORIZON_NAMES.items()
        ],
    )
    write_table(CALIBRATION, calibrated(["linear", "curved"], [0.2, 0.4]))


def _write_interventions(params: Params) -> None:
    """Two tracks under each condition of the design; the clips of the first one are kept."""
    assert params.interventions.tracks == 2
    effects = [row for model in ("planner", "reader") for row in _effects(model)]
    write_table(EFFECTS, effects)
    both_ways = {"gained": interval(80.0), "lost": interval(80.0), "lead": 4.0}
    verdicts = [
        verdict(model=model, candidate=site, site=site, verdict="none")
        for model in ("planner", "reader")
        for site in SITES
    ]
    verdicts[0] = verdict(candidate=SITES[0], site=SITES[0], **both_ways)
    features = verdict(candidate=FEATURE, site=SITES[0], features=[7], verdict="none")
    write_table(VERDICTS, [*verdicts, features])
    samples = np.arange(640, dtype=np.int16)
    sha256 = hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()
    write_wav(CLIPS / f"{sha256[:16]}.wav", samples, 32_000)
    tracks = read_table(MANIFEST, ManifestTrack)[:2]
    write_table(
        INTERVENTIONS,
        [
            _line(row, track.track_id, sha256, f"clips/{sha256[:16]}.wav" if not number else None)
            for row in effects
            for number, track in enumerate(tracks)
        ],
    )


def _effects(model: str) -> list[EffectRow]:
    def of(candidate: str, *kinds: Kind) -> list[EffectRow]:
        return [
            effect(
                model=model,
                candidate=candidate,
                name=f"{kind}_ahead" if candidate else kind,
                condition=kind,
                tested=kind == "patch",
                clips=2,
            )
            for kind in kinds
        ]

    rows = of("", "baseline", "counterfactual")
    for site in SITES:
        rows += of(site, "patch", "control", "zero_effect")
    if model == "planner":
        rows += of(FEATURE, "patch", "control", "random_feature", "zero_effect", "ablate", "scale")
    return rows


def _line(row: EffectRow, track: str, sha256: str, file: str | None) -> InterventionRow:
    example = row_example(InterventionRow)
    changed = {
        "track_id": track,
        "model": f"models/organism/{row.model}",
        "candidate": row.candidate,
        "name": row.name,
        "condition": row.condition,
        "seed": 0,
        "audio_sha256": sha256,
        "file": file,
    }
    return InterventionRow.model_validate_json(json.dumps({**example, **changed}))


def corpus_file() -> Path:
    """A recording."""
    return next(path for path in sorted(CORPUS.rglob("*")) if path.suffix in (".wav", ".mp3"))
