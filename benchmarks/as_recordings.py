"""Are the verdicts on the organisms the same when they are run as recordings?

    python -m benchmarks.as_recordings

Music is composed as for the organism's preset. Its audio alone is copied into a folder, and the
pipeline reads it as it would read anybody's recordings: without score, cue or twins. A listener who
knows the score decides every proposal, adds what the engine missed, and says of every track that
nothing else returns, so labels come from a log alone. Verdicts on the shipped organisms, their
carriers, leads and numbers of pieces go into benchmarks/results/as_recordings.json, what exchanges
ahead of the events do into as_recordings.jsonl beside it, and the verdicts into
metrics/validity.json. It takes about an hour on two cores, most of it to make and to
hear trials.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks._listener import Heard, decide
from benchmarks._report import RESULTS, record
from leitmotif.causal.verdict import overall
from leitmotif.files import read_table, write_json, write_table, write_text
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.effects import EffectRow, VerdictRow, whole_sites
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.tables.truth import TRUTH, Truth

ROOT = Path(__file__).resolve().parents[1]
RESULT = RESULTS / "as_recordings.json"
EXCHANGED = RESULT.with_suffix(".jsonl")
READ = ("models", "controls.yaml", "hooks.yaml", "concepts.yaml", "presets")
COMPOSED = ("corpus", "manifest")
HEARD = ("recordings", "corpus", "manifest", "features", "activations", "proposals")
JUDGED = ("labels", "sae", "probes", "interchange", "interventions")


def main() -> int:
    """Run the organisms as recordings and write what they are called; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--folder", type=Path, help="kept, and gone on with (a temporary one)")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="leitmotif-recordings-") as temporary:
        root = (arguments.folder or Path(temporary)).resolve()
        run_in(root, arguments.set)
        by_model = verdicts_in(root)
        write_table(EXCHANGED, exchanged_in(root))
    write_json(RESULT, by_model)
    record("as_recordings", {name: model["verdict"] for name, model in by_model.items()})
    print(by_model)
    return 0


def run_in(root: Path, settings: Sequence[str]) -> None:
    """Compose, hide the score, decide, and run the stages below ``root``."""
    composed, recorded = root / "composed", root / "recorded"
    lay(composed, "organism", settings)
    run_stages(composed, COMPOSED)
    lay(recorded, as_recordings(), settings)
    tracks = read_table(composed / "data/manifest.jsonl", ManifestTrack)
    hidden = {row.track_id: row for row in read_table(composed / "data/corpus" / TRUTH, Truth)}
    by_hash = {track.sha256: hidden[track.track_id] for track in tracks}
    for track in tracks:
        target = recorded / "recordings" / Path(track.path).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(composed / "data/corpus" / track.path, target)
    run_stages(recorded, HEARD)
    decide_by(recorded, by_hash)
    run_stages(recorded, JUDGED)


def as_recordings() -> dict[str, Any]:
    """The organism's preset with the source, the labels and the manifest of a folder."""
    given = parse_yaml((ROOT / "presets/organism.yaml").read_text(encoding="utf-8"))
    folder = parse_yaml((ROOT / "presets/folder.yaml").read_text(encoding="utf-8"))
    given["corpus"] = {**folder["corpus"], "path": "recordings"}
    given["labels"] = {**given["labels"], **folder["labels"]}
    # By decisions nothing is known past a recording's end, and in these short pieces no event is
    # nearer than 4 s to a step from which 6 s are left.
    given["probes"]["horizons"] = [[4.0, 6.0]]
    kept = ("required_tag_prefixes", "excluded_tag_words", "require_licence")
    given["manifest"] = {**given["manifest"], **{key: folder["manifest"][key] for key in kept}}
    return dict(given)


def lay(root: Path, preset: str | dict[str, Any], settings: Sequence[str]) -> None:
    """Make a folder in which stages can run, unless it is there."""
    if (root / "params.yaml").exists():
        return
    (root / "data/decisions").mkdir(parents=True, exist_ok=True)
    for name in READ:
        if not (root / name).exists():
            (root / name).symlink_to(ROOT / name)
    if isinstance(preset, str):
        given = parse_yaml((ROOT / f"presets/{preset}.yaml").read_text(encoding="utf-8"))
    else:
        given = preset
    for setting in settings:
        key, _, value = setting.partition("=")
        section, _, name = key.partition(".")
        given[section][name] = parse_yaml(value)
    write_text(root / "params.yaml", json.dumps(given, indent=2) + "\n")  # JSON is YAML


def run_stages(root: Path, stages: Sequence[str]) -> None:
    """Run stages in ``root``, but for those that have run there."""
    for name in stages:
        done = root / f".{name}.done"
        if done.exists():
            continue
        started = time.monotonic()
        command = [sys.executable, "-m", "leitmotif.stages", name]
        subprocess.run(command, cwd=root, check=True)
        done.touch()
        print(f"{root.name}: {name} in {time.monotonic() - started:.0f} s", file=sys.stderr)


def decide_by(root: Path, hidden: dict[str, Truth]) -> None:
    """Let a listener who knows the scores, by the SHA-256 of the audio, decide and listen."""
    tracks = read_table(root / "data/manifest.jsonl", ManifestTrack)
    decide(root, {track.track_id: Heard.of_score(hidden[track.sha256]) for track in tracks})


def verdicts_in(root: Path) -> dict[str, Any]:
    """By model: its verdict, the whole sites that carry the event, leads, and how many pieces.

    Leads are the seconds ahead from which on residuals of sites carry it, by teacher-forced
    exchange; none where that reads too few recordings.
    """
    verdicts = read_table(root / "recorded/data/verdicts.jsonl", VerdictRow)
    effects = read_table(root / "recorded/data/effects.jsonl", EffectRow)
    return {
        name: {
            "verdict": overall([row.verdict for row in verdicts if row.model == name]),
            "carriers": {
                row.site: row.effect.mean
                for row in verdicts
                if row.model == name and row.verdict == "foresight" and not row.features
                if row.effect is not None
            },
            "leads": {
                row.site: row.lead for row in whole_sites(verdicts, name) if row.lead is not None
            }
            if any(row.exchanged for row in whole_sites(verdicts, name))
            else None,
            "pieces": next(
                row.clips for row in effects if row.model == name and row.name == "baseline"
            ),
        }
        for name in dict.fromkeys(row.model for row in verdicts)
    }


def exchanged_in(root: Path) -> list[InterchangeRow]:
    """What the whole opening does, and the residuals of each site ahead of the events."""
    rows = read_table(root / "recorded/data/interchange.jsonl", InterchangeRow)
    return [row for row in rows if row.site is None or row.window == "ahead"]


if __name__ == "__main__":
    sys.exit(main())
