"""Tables that say which tracks of the tiny study are left, and what was searched of them."""

from pathlib import Path

from leitmotif.cli.preset_texts import preset
from leitmotif.config import load_params
from leitmotif.files import read_table, write_json, write_table
from leitmotif.report.tracks import TrackFiles, TrackSources, read_tracks
from leitmotif.tables.corpus import ManifestTrack
from tests.report.made import TRACKS, Made
from tests.report.made_features import coverage
from tests.tables.made import horizon

ROOT = Path(__file__).resolve().parents[2]
RECALL = {"mean": 0.75, "low": 0.4, "high": 0.93, "n": 8}

OPENINGS = {"planner": {"recordings": 2, "differing": 1, "openings": 16, "returning": 5}}


def write_tracks(made: Made) -> None:
    """Write what other fixtures of the study do not."""
    data, metrics = made.root / "data", made.root / "metrics"
    metrics.mkdir(exist_ok=True)
    write_json(metrics / "corpus.json", {"tracks": 2, "failures": 1})
    write_json(metrics / "labels.json", {"labels": 0, "recall": RECALL})
    write_json(metrics / "interventions.json", {"openings": OPENINGS})
    for name in ("excluded", "failures", "proposals", "labels"):
        path = data / f"{name}.jsonl"
        if not path.exists():
            write_table(path, [])
    if not (data / "coverage.jsonl").exists():
        write_table(data / "coverage.jsonl", [coverage(name) for name in TRACKS])
    write_table(data / "horizons.jsonl", [horizon(horizon="4-6s", tracks=1)])


def add_tracks(made: Made, name: str = "organism") -> TrackSources:
    """Write the study with recordings of which half was searched, and read what is left."""
    made.write()
    write_tracks(made)
    manifest = made.files.manifest
    rows = [row.model_copy(update={"seconds": 6.0}) for row in read_table(manifest, ManifestTrack)]
    write_table(manifest, rows)
    data, metrics = made.root / "data", made.root / "metrics"
    settings = made.root / "params.yaml"
    settings.write_text(preset(name, root=ROOT), encoding="utf-8")
    names = ("manifest", "excluded", "failures", "proposals", "labels", "coverage", "horizons")
    return read_tracks(
        TrackFiles(
            corpus=metrics / "corpus.json",
            proposed=metrics / "labels.json",
            opened=metrics / "interventions.json",
            effects=made.files.effects,
            **{table: data / f"{table}.jsonl" for table in names},
        ),
        load_params(settings),
    )
