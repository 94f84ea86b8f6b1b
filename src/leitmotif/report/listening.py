"""Converts pairs into plain data for the listening desk, with all texts and times ready to show."""

from collections.abc import Mapping
from typing import Any

from leitmotif.report.clips import ReportClip
from leitmotif.report.numbers import placed
from leitmotif.report.pairs import ClipPair, Subject, TriedCondition
from leitmotif.report.words import number
from leitmotif.tables.base import Span
from leitmotif.tables.interventions import InterventionRow

LOG = "data/interventions.jsonl"
STATES = {None: "not measured", True: "the motif returns", False: "the motif does not return"}


def pair_data(
    subject: Subject, tried: TriedCondition, pair: ClipPair, clips: Mapping[str, ReportClip]
) -> dict[str, Any]:
    """Data of one pair, with times in seconds of the clip.

    Parameters
    ----------
    subject, tried, pair
        The pair, its condition, and what was changed.
    clips
        Clips by SHA-256 of their audio.
    """
    before, after = pair.before, pair.after
    rate = clips[before.audio_sha256].sample_rate
    seconds = clips[before.audio_sha256].seconds
    boundary = _seconds(before.prefix_frames, before, clips[before.audio_sha256])
    due = None if before.heard is None else before.heard.start_sample / rate
    return {
        "id": pair.id,
        "model": subject.model,
        "candidate": subject.name,
        "condition": tried.name,
        "title": f"{tried.words[0].upper()}{tried.words[1:]}",
        "track": after.track_id,
        "seed": after.seed,
        "measured": pair.measured,
        "alike": pair.begins_alike,
        "boundary": boundary,
        "due": due,
        "marks": [
            *(_slot(before.heard, rate, seconds)),
            {"kind": "line", "from": boundary, "to": boundary, "label": ""},
            *(
                {"kind": "motif", **_span(motif_return.motif, rate), "label": "motif"}
                for motif_return in before.returns
            ),
        ],
        "facts": _facts(pair),
        "sources": [placed("", row, "metrics", file=LOG).link for row in (before, after)],
        "before": _side(before, clips, "before", "untreated", []),
        "after": _side(
            after, clips, "after", tried.words, _changed(after, clips[after.audio_sha256], seconds)
        ),
    }


def _side(
    row: InterventionRow,
    clips: Mapping[str, ReportClip],
    which: str,
    words: str,
    marks: list[dict[str, Any]],
) -> dict[str, Any]:
    clip = clips[row.audio_sha256]
    returned = [
        motif_return
        for motif_return in row.returns
        if motif_return.recurs and motif_return.start_sample is not None
    ]
    known = None if not row.returns else bool(returned)
    state = STATES[known]
    if returned:
        places = ", ".join(
            f"{(motif_return.start_sample or 0) / clip.sample_rate:.2f} s"
            for motif_return in returned
        )
        state += f" at {places}"
    if row.excluded is not None:
        state = f"not measured: {row.excluded.replace('_', ' ')}"
    return {
        "clip": clip.id,
        "sha256": row.audio_sha256,
        "name": f"{which}: {words}",
        "state": state,
        "marks": [
            *marks,
            *(
                {
                    "kind": "return",
                    "from": (motif_return.start_sample or 0) / clip.sample_rate,
                    "to": ((motif_return.start_sample or 0) + motif_return.motif.samples)
                    / clip.sample_rate,
                    "label": "returns",
                }
                for motif_return in returned
            ),
        ],
    }


def _facts(pair: ClipPair) -> list[tuple[str, str]]:
    """Measurements of the treated clip relative to the untreated clip."""
    metrics = pair.after.metrics
    if pair.before.audio_sha256 == pair.after.audio_sha256:
        return [("difference", "none: the clips are equal, sample by sample")]
    scores = [
        max(
            (motif_return.score for motif_return in row.returns if motif_return.score is not None),
            default=None,
        )
        for row in (pair.before, pair.after)
    ]
    return [
        ("score of the return", f"{number(scores[0])} → {number(scores[1])}"),
        ("CLAP similarity", number(metrics.clap_similarity, 3)),
        ("loudness", f"{number(metrics.loudness_db)} dB"),
        ("spectral distance", f"{number(metrics.spectral_db, 1)} dB"),
    ]


def _slot(heard: Span | None, rate: int, seconds: float) -> list[dict[str, Any]]:
    if heard is None:
        return []
    end = min(seconds, (heard.start_sample + heard.samples) / rate)
    return [{"kind": "slot", "from": heard.start_sample / rate, "to": end, "label": ""}]


def _seconds(frames: int, row: InterventionRow, clip: ReportClip) -> float:
    """Seconds of some of a clip's frames, all of which are its samples."""
    samples = clip.samples // (row.prefix_frames + row.frames)
    return frames * samples / clip.sample_rate


def _changed(row: InterventionRow, clip: ReportClip, seconds: float) -> list[dict[str, Any]]:
    """Frames whose prediction was changed. A step predicts the frame of its own number first."""
    if row.condition in ("counterfactual", "position_shift"):
        return []
    start, stop = row.steps or (row.prefix_frames, row.prefix_frames + row.frames)
    return [
        {
            "kind": "changed",
            "from": _seconds(start, row, clip),
            "to": min(seconds, _seconds(stop, row, clip)),
            "label": "",
        }
    ]


def _span(span: Span, rate: int) -> dict[str, float]:
    return {"from": span.start_sample / rate, "to": (span.start_sample + span.samples) / rate}
