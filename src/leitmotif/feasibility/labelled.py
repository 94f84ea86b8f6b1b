"""How many tracks are labelled, how many the probes need, and what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass

from leitmotif.claims import Claims
from leitmotif.config import Params
from leitmotif.config.auto import FOLDS
from leitmotif.config.probes import LEAST_FOLDS
from leitmotif.errors import StageError, counted
from leitmotif.feasibility.lengths import long_enough, rows_of, seconds_needed, usable_tracks
from leitmotif.feasibility.ways import best_way
from leitmotif.probe.panel.panel import TRACKS_PER_FOLD
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Coverage, Label
from leitmotif.timing.frames import Timing
from leitmotif.timing.windows import end_seconds


@dataclass(frozen=True)
class Labelled:
    """What is known of an experiment's tracks, and what its probes need."""

    tracks: int
    """Readable ones of the manifest."""
    long_enough: int
    """Tracks that are long enough for a row."""
    known: int
    """Tracks of which something is known."""
    pending: int
    """Proposals to decide."""
    pending_tracks: int
    unheard: int
    """Tracks without pending proposals to which nobody listened."""
    usable: dict[str, int]
    """Tracks with rows that can tell something, by horizon."""
    needed: int
    """Fewest tracks with rows at every horizon."""

    @property
    def enough(self) -> bool:
        """Whether the probes can be fitted."""
        return min(self.usable.values()) >= self.needed

    @property
    def missing(self) -> str:
        """What people have not said yet: ``47 proposals pending in 14 tracks, …``."""
        return (
            f"{counted(self.pending, 'proposal')} pending in "
            f"{counted(self.pending_tracks, 'track')}, and {counted(self.unheard, 'track')} "
            "that nobody listened to"
        )

    def __str__(self) -> str:
        """One line: what is decided, what is missing, what the probes need."""
        usable = min(self.usable.values())
        return (
            f"{self.known} of {counted(self.tracks, 'track')} known, {usable} usable at every "
            f"horizon, and the probes need {self.needed}; {self.missing}"
        )


def needed_tracks(params: Params) -> int:
    """Fewest tracks with rows: folds of whole tracks."""
    folds = LEAST_FOLDS if FOLDS in params.auto else params.probes.folds
    return folds * TRACKS_PER_FOLD


def labelled(
    params: Params,
    tracks: Sequence[ManifestTrack],
    labels: Sequence[Label],
    coverage: Sequence[Coverage],
    *,
    timing: Timing,
) -> Labelled:
    """Count what is there; ``coverage`` has a row for each of ``tracks``."""
    horizons = Claims.of(params.probes).horizons
    rows = rows_of(params.probes, tracks, labels, coverage, timing=timing)
    return Labelled(
        tracks=len(tracks),
        long_enough=long_enough(
            params.probes, tracks, params.labels.source, timing=timing, horizons=horizons
        ),
        known=sum(bool(row.known) for row in coverage),
        pending=sum(row.pending for row in coverage),
        pending_tracks=sum(bool(row.pending) for row in coverage),
        unheard=sum(unheard(row) for row in coverage),
        usable=usable_tracks(rows, horizons),
        needed=needed_tracks(params),
    )


def unheard(row: Coverage) -> bool:
    """Whether nothing of a track is pending, and nothing is known of it all the same."""
    return not row.known and not row.pending


def refuse_too_few(
    params: Params,
    tracks: Sequence[ManifestTrack],
    labels: Sequence[Label],
    coverage: Sequence[Coverage],
    *,
    timing: Timing,
) -> None:
    """Raise StageError if the probes cannot be fitted; it says whether lengths or labels lack.

    Labels of a score are complete, so there is nothing to wait for.
    """
    if params.labels.source != "decisions":
        return
    there = labelled(params, tracks, labels, coverage, timing=timing)
    if there.enough:
        return
    expected = f"at least {there.needed} ({there.needed // TRACKS_PER_FOLD} folds of 4 tracks)"
    if there.long_enough < there.needed:
        raise _too_short(params, tracks, there, expected, timing)
    if there.pending or there.unheard:
        raise StageError(
            "of too few tracks enough is known for the probes",
            found=str(there),
            expected=f"{expected} usable at every horizon",
            fix="decide and listen with `leitmotif review`, then `dvc repro`; `leitmotif status` "
            "says how much is left",
        )
    usable = ", ".join(f"{count} at {name}" for name, count in there.usable.items())
    raise StageError(
        "everything is decided, and still too few tracks are usable for the probes",
        found=f"{usable}; a horizon needs returns in some tracks and none in others at a time",
        expected=f"{expected} usable at every horizon",
        fix="add recordings, or change probes.horizons",
    )


def _too_short(
    params: Params, tracks: Sequence[ManifestTrack], there: Labelled, expected: str, timing: Timing
) -> StageError:
    ends = sorted(end_seconds(track.windows) for track in tracks)
    least = seconds_needed(params.probes, Claims.of(params.probes).horizons, timing)
    read = f" (they are read for {ends[0]:.1f} to {ends[-1]:.1f} s)" if ends else ""
    way = best_way(params, ends, timing=timing)
    more = f"add recordings of at least {least:.1f} s"
    return StageError(
        "too few tracks are long enough for the probes",
        found=f"{counted(there.tracks, 'track')}{read}, of which {there.long_enough} last the "
        f"{least:.1f} s that a row needs",
        expected=expected,
        fix=more if way is None else f"{more}, or set {way}",
    )
