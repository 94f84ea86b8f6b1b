"""What a report is made of: the pipeline's outputs, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitmotif.causal.log import InterventionRow, read_log
from leitmotif.corpus.tables import ManifestTrack
from leitmotif.files import read_json, read_table, sha256_file

Metric = Mapping[str, Any]


@dataclass(frozen=True)
class Files:
    """Where the outputs lie."""

    log: Path
    """data/interventions.jsonl; its clips are relative to it."""
    manifest: Path
    metrics: Path
    """Folder with summary, interventions, probes and calibration .json."""

    @property
    def tables(self) -> dict[str, Path]:
        """Every file but the clips, by the name under which a report states its hash."""
        names = ("summary", "interventions", "probes", "calibration")
        found = {f"metrics/{name}.json": self.metrics / f"{name}.json" for name in names}
        return {**found, f"data/{self.log.name}": self.log, "data/manifest.jsonl": self.manifest}


@dataclass(frozen=True)
class Material:
    """All of it."""

    summary: Metric
    interventions: Metric
    probes: Metric
    calibration: Metric
    rows: list[InterventionRow]
    """Of the log, those whose clips were kept as audio."""
    clips: Path
    """What their ``file`` is relative to."""
    tracks: Mapping[str, ManifestTrack]
    hashes: Mapping[str, str]
    """SHA-256 of each input file."""
    fingerprints: Mapping[str, str]
    """Of each model's weights."""

    @property
    def models(self) -> list[str]:
        """Short names; the model under study first."""
        own = Path(self.summary["model"]).name
        return [own, *(name for name in self.interventions["models"] if name != own)]

    @property
    def misaligned(self) -> list[str]:
        """What is said of autoencoders that were used on another site than their own."""
        return list(self.probes["misaligned"])


def read_material(files: Files) -> Material:
    """Read the outputs; raises LeitmotifError for one that is missing or torn."""
    metrics = {name: read_json(files.metrics / f"{name}.json") for name in _METRICS}
    rows = read_log(files.log)
    tracks = read_table(files.manifest, ManifestTrack)
    return Material(
        **metrics,
        rows=[row for row in rows if row.file is not None],
        clips=files.log.parent,
        tracks={track.track_id: track for track in tracks},
        hashes={name: sha256_file(path) for name, path in files.tables.items()},
        fingerprints={Path(row.model).name: row.model_fingerprint for row in rows},
    )


_METRICS = ("summary", "interventions", "probes", "calibration")
