"""What is read for a status, and what could not be read."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from leitmotif.causal.experiment.outlook import OpeningCounts
from leitmotif.config import PARAMS_FILE, RECORDINGS, FolderCorpus, Params, load_params
from leitmotif.corpus.sources.finding import find_recordings
from leitmotif.errors import CorpusError, LeitmotifError
from leitmotif.feasibility.known import Known
from leitmotif.feasibility.settled import settled_folds, settled_lengths
from leitmotif.files import read_json, read_table
from leitmotif.files.yaml_files import read_stages
from leitmotif.pipeline import (
    ACTIVATIONS,
    COVERAGE,
    EFFECTS,
    EXCLUDED,
    FAILURES,
    HORIZONS,
    LABELS,
    MANIFEST,
    METRICS,
    OPENINGS,
    PROPOSALS,
)
from leitmotif.pipeline.watched import PIPELINE
from leitmotif.review.labels import Labels, as_written, from_decisions
from leitmotif.review.log import log_files, read_logs
from leitmotif.review.standing import standing, standing_listenings
from leitmotif.share.lockfile import LOCK, outdated_stages
from leitmotif.status.stages import State, states_of
from leitmotif.store.reading.index import FAILURES as FAILED_THERE
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.corpus import Exclusion, Failure, ListedFile, ManifestTrack
from leitmotif.tables.decisions import Decision, Entry
from leitmotif.tables.effects import EffectRow
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.openings import OpenedRecording
from leitmotif.tables.probes import HorizonRow
from leitmotif.tables.proposals import Proposal, read_proposals
from leitmotif.timing.frames import AS_MUSICGEN, Timing

T = TypeVar("T")
Row = TypeVar("Row", bound=BaseModel)


@dataclass(frozen=True)
class StatusMaterial(Known):
    """What is known of the tracks, and what else a status says.

    A table whose stage last ran with other settings or inputs is not known: it is another
    experiment's.
    """

    has_params: bool = True
    """Whether there is a params.yaml, which may be one that cannot be used."""
    stages: Mapping[str, Any] = field(default_factory=dict)
    """Stages of dvc.yaml, by name."""
    states: Mapping[str, State] = field(default_factory=dict)
    """States by stage."""
    problems: list[str] = field(default_factory=list)
    """What could not be read, each the first line of an error."""
    decisions: list[Decision] = field(default_factory=list)
    """Decisions that stand."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Pairs of the queue by what was decided (``leitmotif.review.labels.OUTCOMES``)."""


def read_material(root: Path = Path()) -> StatusMaterial:
    """Read what there is of the repository at ``root``.

    Nothing that is missing or damaged raises; ``StatusMaterial.problems`` says what could not be
    read. By people's decisions, labels are those that the decisions of this moment give.
    """
    reader = _Reader(root)
    if not os.path.lexists(root / PARAMS_FILE):
        return StatusMaterial(has_params=False, problems=[f"there is no {PARAMS_FILE} here"])
    params = reader.attempt(lambda: load_params(root / PARAMS_FILE))
    reader.read_stages()
    if params is None:
        return StatusMaterial(stages=reader.stages, states=reader.states, problems=reader.problems)
    files = reader.attempt(lambda: _files(params, root))
    listed = reader.table("corpus", RECORDINGS, ListedFile)
    if files is not None and listed is not None and files != [row.path for row in listed]:
        reader.make_outdated("corpus")
    counts = reader.metrics("corpus")
    manifest = reader.table("manifest", MANIFEST, ManifestTrack)
    failures = reader.table("features", FAILURES, Failure)
    queue = reader.known("proposals", PROPOSALS, read_proposals)
    labels = reader.table("labels", LABELS, Label)
    coverage = reader.table("labels", COVERAGE, Coverage)
    entries, outcomes = _entries(root / params.labels.decisions, reader), {}
    decisions = standing(entries)
    if params.labels.source == "decisions" and manifest is not None and queue is not None:
        failed = {row.track_id for row in failures or []}
        tracks = [row for row in manifest if row.track_id not in failed]
        now = _labels_now(params, entries, tracks, queue, labels or [])
        if (labels, coverage) != (now.labels, now.coverage):
            reader.make_outdated("labels")
        labels, coverage, outcomes = now.labels, now.coverage, now.counts
    openings = reader.table("interventions", OPENINGS, OpenedRecording)
    timing = reader.known("activations", ACTIVATIONS, _timing) or AS_MUSICGEN
    return StatusMaterial(
        params=_settled(params, manifest, failures, labels, coverage, timing),
        stages=reader.stages,
        states=reader.states,
        problems=reader.problems,
        files=None if files is None else len(files),
        given=None if counts is None else counts["tracks"] + counts["failures"],
        verified=None if counts is None else counts["tracks"],
        manifest=manifest,
        excluded=reader.table("manifest", EXCLUDED, Exclusion),
        failures=failures,
        unread=reader.table("activations", ACTIVATIONS / FAILED_THERE, Failure),
        proposals=queue,
        decisions=decisions,
        outcomes=outcomes,
        labels=labels,
        coverage=coverage,
        timing=timing,
        horizons=reader.table("probes", HORIZONS, HorizonRow),
        effects=reader.table("interventions", EFFECTS, EffectRow),
        tried=OpeningCounts.by_model(openings or []).get(Path(params.model.name).name),
    )


def _labels_now(
    params: Params,
    entries: Sequence[Entry],
    tracks: Sequence[ManifestTrack],
    queue: Sequence[Proposal],
    labels: Sequence[Label],
) -> Labels:
    """What the decisions of this moment say; strengths are those of the labels as written."""
    return from_decisions(
        standing(entries),
        standing_listenings(entries),
        tracks,
        queue,
        min_reviewers=params.labels.min_reviewers,
        strengths=as_written(labels),
    )


class _Reader:
    """Reads tables of the present settings at ``root``, and keeps what was wrong."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[str] = []
        self.stages: dict[str, Any] = {}
        self.states: dict[str, State] = {}
        self._locked: dict[str, Any] = {}
        self._outdated: set[str] = set()

    def attempt(self, read: Callable[[], T]) -> T | None:
        """What ``read`` gives; None, and a problem more, if it cannot."""
        try:
            return read()
        except (LeitmotifError, OSError) as error:
            parts = [getattr(error, "what", str(error)), getattr(error, "found", None)]
            problem = ": ".join(" ".join(str(part).split()) for part in parts if part is not None)
            if problem not in self.problems:
                self.problems.append(problem)
            return None

    def read_stages(self) -> None:
        """Read dvc.yaml and dvc.lock, as far as they are there."""
        if os.path.lexists(self.root / PIPELINE):
            self.stages = self.attempt(lambda: read_stages(self.root / PIPELINE)) or {}
        if os.path.lexists(self.root / LOCK):
            self._locked = locked = self.attempt(lambda: read_stages(self.root / LOCK)) or {}
            outdated = self.attempt(lambda: outdated_stages(self.root, locked=locked))
            self._outdated = outdated or set()
        self._judge()

    def make_outdated(self, stage: str) -> None:
        """Count a stage as run on other inputs, and what follows it."""
        self._outdated.add(stage)
        self._judge()

    def _judge(self) -> None:
        try:
            self.states = states_of(self.stages, self._locked, self._outdated, self.root)
        except (AttributeError, KeyError, TypeError, StopIteration):
            self.problems.append(f"{PIPELINE} does not have the form that DVC needs")
            self.stages = {}

    def known(self, stage: str, path: Path, read: Callable[[Path], T]) -> T | None:
        """What ``read`` makes of an output; None where it is not there or another experiment's."""
        if self.states.get(stage) == "outdated" or not os.path.lexists(self.root / path):
            return None
        return self.attempt(lambda: read(self.root / path))

    def table(self, stage: str, path: Path, row: type[Row]) -> list[Row] | None:
        """The rows of a stage's table."""
        return self.known(stage, path, lambda there: read_table(there, row))

    def metrics(self, stage: str) -> dict[str, int] | None:
        """The counts ``tracks`` and ``failures`` in a stage's metrics."""
        match self.known(stage, METRICS / f"{stage}.json", read_json):
            case {"tracks": int() as tracks, "failures": int() as failures}:
                return {"tracks": tracks, "failures": failures}
        return None


def _settled(
    params: Params,
    manifest: list[ManifestTrack] | None,
    failures: list[Failure] | None,
    labels: list[Label] | None,
    coverage: list[Coverage] | None,
    timing: Timing,
) -> Params:
    """With what is ``auto`` settled, as far as tracks and labels are known."""
    if manifest is None or labels is None or coverage is None:
        return params
    covered = {row.track_id for row in coverage} - {row.track_id for row in failures or []}
    tracks = [track for track in manifest if track.track_id in covered]
    rows = [row for row in coverage if row.track_id in covered]
    params = settled_folds(params, tracks, labels, rows, timing=timing)
    return settled_lengths(params, tracks, labels)


def _files(params: Params, root: Path) -> list[str] | None:
    if not isinstance(params.corpus, FolderCorpus):
        return None
    folder = root / params.corpus.path
    if not folder.is_dir():
        raise CorpusError(f"corpus.path {params.corpus.path} is not a folder")
    return [file.shown for file in find_recordings(folder)]


def _entries(folder: Path, reader: _Reader) -> list[Entry]:
    return reader.attempt(lambda: read_logs(log_files(folder))) or []


def _timing(folder: Path) -> Timing:
    try:
        return ActivationStore(folder).timing
    except IndexError:  # a store without tensors
        return AS_MUSICGEN
