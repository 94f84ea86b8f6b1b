"""What a report is made of: the pipeline's outputs, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leitmotif.files import read_table, sha256_file
from leitmotif.tables.alignment import AlignmentRow, brands
from leitmotif.tables.approaches import ApproachRow
from leitmotif.tables.calibration import CalibrationRow
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.effects import EffectRow, VerdictRow
from leitmotif.tables.interventions import InterventionRow, read_log
from leitmotif.tables.probes import ProbeRow


@dataclass(frozen=True)
class ReportFiles:
    """Where the outputs lie."""

    log: Path
    """data/interventions.jsonl; its clips are relative to it."""
    manifest: Path
    alignment: Path
    probes: Path
    calibration: Path
    effects: Path
    verdicts: Path
    approaches: Path

    @property
    def tables(self) -> dict[str, Path]:
        """Every file but the clips, by the name under which a report states its hash."""
        results = (self.approaches, self.verdicts, self.effects, self.probes, self.calibration)
        every = (*results, self.alignment, self.log, self.manifest)
        return {f"data/{path.name}": path for path in every}


@dataclass(frozen=True)
class Material:
    """All of it."""

    approaches: list[ApproachRow]
    verdicts: list[VerdictRow]
    effects: list[EffectRow]
    probes: list[ProbeRow]
    calibration: list[CalibrationRow]
    alignment: list[AlignmentRow]
    rows: list[InterventionRow]
    """Of the log, those whose clips were kept as audio."""
    pieces: int
    """That were continued."""
    clips: Path
    """What their ``file`` is relative to."""
    tracks: Mapping[str, ManifestTrack]
    hashes: Mapping[str, str]
    """SHA-256 of each input file."""
    fingerprints: Mapping[str, str]
    """Of each model's weights."""

    @property
    def models(self) -> list[str]:
        """Short names of the models that were changed: the one under study, the others sorted."""
        own, *others = dict.fromkeys(row.model for row in self.effects)
        return [own, *sorted(others)]

    def verdicts_of(self, model: str) -> list[VerdictRow]:
        """A model's candidates, by name."""
        of_model = [row for row in self.verdicts if row.model == model]
        return sorted(of_model, key=lambda row: row.candidate)

    def effects_of(self, model: str, candidate: str) -> list[EffectRow]:
        """The conditions of a candidate; of none ("") baseline and counterfactual."""
        return [row for row in self.effects if (row.model, row.candidate) == (model, candidate)]

    def counterfactual(self, model: str) -> EffectRow | None:
        """What the other cue does; None where no truth is known."""
        untouched = self.effects_of(model, "")
        return next((row for row in untouched if row.condition == "counterfactual"), None)

    @property
    def exploratory(self) -> bool:
        """Whether tracks with undecided proposals were admitted."""
        stamps = [row.exploratory for row in self.approaches]
        return any(stamps + [row.exploratory for row in self.verdicts])

    @property
    def misaligned(self) -> list[str]:
        """What is said of autoencoders that were used on another site than their own."""
        return brands(self.alignment)


def read_material(files: ReportFiles) -> Material:
    """Read the outputs; raises LeitmotifError for one that is missing or torn."""
    rows = read_log(files.log)
    tracks = read_table(files.manifest, ManifestTrack)
    return Material(
        approaches=read_table(files.approaches, ApproachRow),
        verdicts=read_table(files.verdicts, VerdictRow),
        effects=read_table(files.effects, EffectRow),
        probes=read_table(files.probes, ProbeRow),
        calibration=read_table(files.calibration, CalibrationRow),
        alignment=read_table(files.alignment, AlignmentRow),
        rows=[row for row in rows if row.file is not None],
        pieces=len({row.track_id for row in rows}),
        clips=files.log.parent,
        tracks={track.track_id: track for track in tracks},
        hashes={name: sha256_file(path) for name, path in files.tables.items()},
        fingerprints={Path(row.model).name: row.model_fingerprint for row in rows},
    )
