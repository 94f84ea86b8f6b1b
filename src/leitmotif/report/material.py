"""Reads and checks the outputs of the pipeline from which a report is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table, sha256_file
from leitmotif.files.restoring import how_to_restore
from leitmotif.pipeline import (
    ALIGNMENT,
    APPROACHES,
    CALIBRATION,
    EFFECTS,
    INTERCHANGE,
    INTERVENTIONS,
    MANIFEST,
    PROBES,
    VERDICTS,
)
from leitmotif.tables.alignment import AlignmentRow, brands
from leitmotif.tables.approaches import ApproachRow
from leitmotif.tables.calibration import CalibrationRow, of_kind
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.effects import EffectRow, Kind, VerdictRow
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.tables.interventions import InterventionRow, read_log
from leitmotif.tables.probes import ProbeRow

TABLES = (
    APPROACHES,
    VERDICTS,
    EFFECTS,
    INTERCHANGE,
    PROBES,
    CALIBRATION,
    ALIGNMENT,
    INTERVENTIONS,
    MANIFEST,
)
"""In the order in which the report lists their hashes."""


@dataclass(frozen=True)
class ReportMaterial:
    """Contents of the outputs."""

    approaches: list[ApproachRow]
    verdicts: list[VerdictRow]
    effects: list[EffectRow]
    probes: list[ProbeRow]
    calibration: list[CalibrationRow]
    interchange: list[InterchangeRow]
    alignment: list[AlignmentRow]
    rows: list[InterventionRow]
    """Rows of the log whose clips were kept as audio."""
    composed: bool
    """Whether the counterfactuals are composed music; of recordings the model itself made them."""
    clips: Path
    """Folder to which ``file`` of the rows is relative."""
    tracks: Mapping[str, ManifestTrack]
    hashes: Mapping[str, str]
    """SHA-256 of each input file."""
    fingerprints: Mapping[str, str]
    """Fingerprint of each model's weights."""

    @property
    def models(self) -> list[str]:
        """Short names of the models with interventions: first the model under study, then the
        others in alphabetical order."""
        own, *others = dict.fromkeys(row.model for row in self.effects)
        return [own, *sorted(others)]

    def verdicts_of(self, model: str) -> list[VerdictRow]:
        """Verdicts on a model's candidates, sorted by name."""
        of_model = [row for row in self.verdicts if row.model == model]
        return sorted(of_model, key=lambda row: row.candidate)

    def effects_of(self, model: str, candidate: str) -> list[EffectRow]:
        """Conditions of a candidate; for "" those of none, such as the baseline."""
        return [row for row in self.effects if (row.model, row.candidate) == (model, candidate)]

    def counterfactual(self, model: str) -> EffectRow | None:
        """Effect of the other cue, or opening; None if it was not measured."""
        return self._of_no_candidate(model, "counterfactual")

    def shifted(self, model: str) -> EffectRow | None:
        """Effect of a mere shift of positions; None if it was not measured."""
        return self._of_no_candidate(model, "position_shift")

    def _of_no_candidate(self, model: str, kind: Kind) -> EffectRow | None:
        untouched = self.effects_of(model, "")
        return next((row for row in untouched if row.condition == kind), None)

    @property
    def continued(self) -> bool:
        """Whether any piece was continued; of recordings none may be able to show an effect."""
        return any(row.clips for row in self.effects)

    @property
    def exploratory(self) -> bool:
        """Whether tracks with undecided proposals were used."""
        stamps = [row.exploratory for row in self.approaches]
        return any(stamps + [row.exploratory for row in self.verdicts])

    @property
    def misaligned(self) -> list[str]:
        """Descriptions of autoencoders that were used at another site than their own."""
        return brands(self.alignment)


def read_material(root: Path = Path()) -> ReportMaterial:
    """Read the outputs below ``root``.

    Raises LeitmotifError if one is missing or damaged, or lacks rows.
    """
    rows = read_log(root / INTERVENTIONS)
    tracks = read_table(root / MANIFEST, ManifestTrack)
    material = ReportMaterial(
        approaches=read_table(root / APPROACHES, ApproachRow),
        verdicts=read_table(root / VERDICTS, VerdictRow),
        effects=read_table(root / EFFECTS, EffectRow),
        probes=read_table(root / PROBES, ProbeRow),
        calibration=read_table(root / CALIBRATION, CalibrationRow),
        interchange=read_table(root / INTERCHANGE, InterchangeRow),
        alignment=read_table(root / ALIGNMENT, AlignmentRow),
        rows=[row for row in rows if row.file is not None],
        # Composed music always has clips; of recordings there may be none.
        composed=bool(rows) and all(row.opening is None for row in rows),
        clips=(root / INTERVENTIONS).parent,
        tracks={track.track_id: track for track in tracks},
        hashes={path.as_posix(): sha256_file(root / path) for path in TABLES},
        fingerprints={Path(row.model).name: row.model_fingerprint for row in rows},
    )
    for path, complete, expected in (
        (APPROACHES, bool(material.approaches), "one row or more"),
        (EFFECTS, bool(material.effects), "one row or more"),
        (PROBES, _one_each(material.probes), "one row for each model, site and horizon"),
        (CALIBRATION, len(of_kind(material.calibration, "all")) == 1, "one row of kind all"),
    ):
        if not complete:
            raise LeitmotifError(
                f"{path} does not have the rows of one run",
                expected=expected,
                fix=how_to_restore(),
            )
    return material


def _one_each(probes: Sequence[ProbeRow]) -> bool:
    """Whether each model has each of its sites at each of its horizons once, and one has any."""
    models: dict[str, list[ProbeRow]] = {}
    for row in probes:
        models.setdefault(row.model, []).append(row)
    return bool(models) and all(
        sorted((row.site, row.horizon) for row in rows)
        == sorted(product({row.site for row in rows}, {row.horizon for row in rows}))
        for rows in models.values()
    )
