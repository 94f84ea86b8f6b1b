"""The funnel: how many tracks are left after each step from the recordings to continued pieces."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.claims import Claims, Horizon
from leitmotif.config import Params
from leitmotif.errors import LeitmotifError, counted
from leitmotif.feasibility.known import Known
from leitmotif.feasibility.labelled import needed_tracks
from leitmotif.feasibility.lengths import (
    known_throughout,
    long_enough,
    rows_of,
    seconds_needed,
    usable_tracks,
)
from leitmotif.feasibility.pieces import continuable
from leitmotif.probe.inputs.rows import Rows
from leitmotif.probe.panel.panel import TRACKS_PER_FOLD
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Coverage


@dataclass(frozen=True)
class Step:
    """A step of the funnel."""

    name: str
    tracks: int | None
    """How many are left; None: not known yet."""
    note: str = ""
    """Why others are not, or what this step asks for."""
    told_by: str = ""
    """The stage that will tell, where that is not known yet."""


@dataclass(frozen=True)
class Folds:
    """Whether the tracks suffice for the folds of the probes."""

    needed: int
    """Fewest tracks with rows: ``probes.folds`` folds of whole tracks."""
    folds: int
    long_enough: int | None
    """Tracks that are long enough to have rows."""
    possible: int | None
    """Tracks that would have rows if all of them were listened to."""
    usable: int | None
    """Tracks that have rows; at the horizon with the fewest."""
    seconds: float
    """Shortest track that has a row."""


def folds_of(material: Known) -> Folds | None:
    """What the folds of these settings need and have; None without settings that can be used."""
    params = material.params
    if params is None or (claims := _claims(params)) is None:
        return None
    usable = _usable(material, params, claims)
    return Folds(
        needed=needed_tracks(params),
        folds=params.probes.folds,
        long_enough=_long_enough(material, params, claims),
        possible=_possible(material, params),
        usable=None if usable is None else min(usable.values()),
        seconds=seconds_needed(params.probes, claims.horizons, material.timing),
    )


def funnel(material: Known) -> list[Step]:
    """The steps, from the tracks given to the pieces that were continued."""
    params = material.params
    if params is None:
        return []
    claims = _claims(params)
    steps = [*_recordings(material), *_manifest(material, params)]
    if claims is None:
        return steps
    return [
        *steps,
        _long_step(material, params, claims),
        _of_labels(material),
        *_horizons(material, params, claims),
        *_pieces(material, params, claims),
    ]


def probed_tracks(material: Known) -> list[str]:
    """Names of the tracks that have rows at the horizon of the claim; empty where not known."""
    params = material.params
    if params is None or material.labels is None or material.coverage is None:
        return []
    claims = _claims(params)
    rows = None if claims is None else _rows(material, params, material.coverage)
    if claims is None or rows is None:
        return []
    return sorted({str(name) for name in rows.groups})


def readable(material: Known) -> list[ManifestTrack] | None:
    """Tracks of the manifest that no stage so far has failed to read."""
    if material.manifest is None:
        return None
    failed = {row.track_id for row in [*(material.failures or []), *(material.unread or [])]}
    return [row for row in material.manifest if row.track_id not in failed]


def _claims(params: Params) -> Claims | None:
    try:
        return Claims.of(params.probes)
    except LeitmotifError:
        return None


def _recordings(material: Known) -> list[Step]:
    given, verified = material.given, material.verified
    note = ""
    if given is None:
        given = material.files
    elif verified is not None and given > verified:
        note = f"{counted(given - verified, 'file')} could not be used (data/corpus/failures.jsonl)"
    return [
        Step("given", given, told_by="corpus"),
        Step("decoded and verified", verified, note, told_by="corpus"),
    ]


def _manifest(material: Known, params: Params) -> list[Step]:
    rows, left_out = material.manifest, material.excluded or []
    reasons = [f"{n} {reason}" for reason, n in Counter(r.reason for r in left_out).most_common()]
    if rows is not None and material.verified is not None:
        beyond = material.verified - len(rows) - len(left_out)
        if beyond > 0:
            reasons.append(f"{beyond} beyond manifest.tracks {params.manifest.tracks}")
    kept = readable(material)
    failed = len(rows) - len(kept) if rows is not None and kept is not None else 0
    return [
        Step("in the manifest", _count(rows), ", ".join(reasons), told_by="manifest"),
        Step(
            "usable audio",
            _count(kept) if material.failures is not None else None,
            f"{counted(failed, 'track')} failed (data/failures.jsonl)" if failed else "",
            told_by="features",
        ),
    ]


def _long_step(material: Known, params: Params, claims: Claims) -> Step:
    """All horizons of a row have to be known, so the furthest one decides."""
    needed = seconds_needed(params.probes, claims.horizons, material.timing)
    tracks = readable(material)
    note = ""
    if params.labels.source == "decisions":
        note = f"at least {needed:.2f} s"
        if tracks is not None and len(claims.horizons) > 1:
            each = [
                f"{horizon.name} alone {_long(material, params, tracks, [horizon])}"
                for horizon in claims.horizons
            ]
            note += f"; {', '.join(each)}"
    return Step(
        "long enough for every horizon",
        _long_enough(material, params, claims),
        note,
        told_by="manifest",
    )


def _long_enough(material: Known, params: Params, claims: Claims) -> int | None:
    tracks = readable(material)
    return None if tracks is None else _long(material, params, tracks, claims.horizons)


def _long(
    material: Known, params: Params, tracks: Sequence[ManifestTrack], horizons: Sequence[Horizon]
) -> int:
    return long_enough(
        params.probes, tracks, params.labels.source, timing=material.timing, horizons=horizons
    )


def _possible(material: Known, params: Params) -> int | None:
    if material.coverage is None:
        return None
    covered = {row.track_id for row in material.coverage}
    known = [
        known_throughout(track, params.labels.source)
        for track in readable(material) or []
        if track.track_id in covered
    ]
    rows = _rows(material, params, known)
    return 0 if rows is None else len({*rows.groups.tolist()})


def _rows(material: Known, params: Params, coverage: Sequence[Coverage]) -> Rows | None:
    tracks, covered = readable(material), {row.track_id for row in coverage}
    return rows_of(
        params.probes,
        [track for track in tracks or [] if track.track_id in covered],
        material.labels or [],
        coverage,
        timing=material.timing,
    )


def _of_labels(material: Known) -> Step:
    rows = material.coverage
    notes = []
    if rows is not None:
        partly = sum(bool(row.known) and not row.complete for row in rows)
        silent = sum(not row.known for row in rows)
        open_ = sum(bool(row.pending) for row in rows)
        if partly:
            notes.append(f"{partly} of them in part")
        if open_:
            notes.append(f"{counted(open_, 'track')} with pending pairs")
        if silent:
            notes.append(f"{silent} unknown, as nobody has listened to them or a pair is open")
    known = None if rows is None else sum(bool(row.known) for row in rows)
    waits = "labels" if material.proposals is not None else "proposals"
    return Step("known", known, ", ".join(notes), told_by=waits)


def _usable(material: Known, params: Params, claims: Claims) -> dict[str, int] | None:
    if material.horizons is not None:
        return {row.horizon: row.tracks for row in material.horizons} or None
    if material.manifest is None or material.labels is None or material.coverage is None:
        return None
    return usable_tracks(_rows(material, params, material.coverage), claims.horizons)


def _horizons(material: Known, params: Params, claims: Claims) -> list[Step]:
    usable = _usable(material, params, claims)
    needed = needed_tracks(params)
    steps = []
    for horizon in claims.horizons:
        tracks = None if usable is None else usable.get(horizon.name)
        claim = "; claims are made of this horizon" if horizon == claims.claimed else ""
        note = f"{needed // TRACKS_PER_FOLD} folds need {needed}{claim}"
        steps.append(Step(f"usable at {horizon.name}", tracks, note, told_by="labels"))
    return steps


def _pieces(material: Known, params: Params, claims: Claims) -> list[Step]:
    tracks, labels = readable(material), material.labels
    can = None
    if tracks is not None and labels is not None:
        can = continuable(params, tracks, labels)
    needed = claims.pieces_needed(tried=len(params.activations.sites))
    composed = params.corpus.source == "organism"
    prefix = params.interventions.prefix_seconds
    note = "" if composed else f"a verified motif within {prefix:g} s (prefix_seconds)"
    continued = f"no effect can count below {needed}"
    if material.tried is not None:
        continued += f"; {material.tried}"
    return [
        Step("pieces that can be continued", can, note, told_by="labels"),
        Step(
            "pieces continued",
            _continued(material, params),
            continued,
            told_by="interventions",
        ),
    ]


def _continued(material: Known, params: Params) -> int | None:
    own = Path(params.model.name).name
    for row in material.effects or []:
        if (row.model, row.condition, row.candidate) == (own, "baseline", ""):
            measured = row.delta_recurrence
            if measured is not None and measured.n is not None:
                return measured.n
            return row.clips // params.interventions.seeds
    return None


def _count(rows: Sequence[object] | None) -> int | None:
    return None if rows is None else len(rows)
