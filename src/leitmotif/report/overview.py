"""Texts and rows of the report's first page."""

from collections.abc import Sequence
from typing import Any

from leitmotif.causal.verdict import overall
from leitmotif.claims import CLAIM
from leitmotif.report.figures import (
    calibration_figure,
    effects_figure,
    gap_figure,
    layers_figure,
    leads_figure,
)
from leitmotif.report.material import Material
from leitmotif.report.pairs import Subject
from leitmotif.report.words import FINDING, VERDICTS, interval_words, mean_words, number
from leitmotif.tables.approaches import ApproachRow
from leitmotif.tables.calibration import of_kind
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.effects import identity
from leitmotif.tables.interval import IntervalRow

OF_MODELS = {
    "foresight": "carries information about the return ahead of time, and it causes the return",
    "just in time": "fetches what decides the return shortly before it is due",
    "look-back": "carries nothing in the gap, and looks back at the cue when the return is due",
    "local": "reacts only at the frames of the return, or predicts only the near future",
    "decodable, not causal": "lets the return be decoded ahead of time, but this has no effect",
    "entangled": "reacts only when the music is damaged",
    "unknown": "was continued in too few pieces to show an effect",
    "none": "shows neither prediction nor effect",
}


def overview(material: Material, reported: Sequence[Subject]) -> dict[str, Any]:
    """Context of index.html."""
    (nulls,) = of_kind(material.calibration, "all")
    return {
        "horizon": material.approaches[0].horizon.removesuffix("s").replace("-", " to "),
        "approaches": [_approach(row) for row in material.approaches],
        "rates": [
            ("naive test", interval_words(nulls.naive, 3, sign=False)),
            ("controlled test", interval_words(nulls.controlled, 3, sign=False)),
        ],
        "alpha": f"{100 * nulls.alpha:g}",
        "models": [_model(material, name) for name in material.models],
        "figures": _figures(material),
        "groups": groups(reported),
        "cues": [_entry(subject) for subject in reported if subject.verdict is None],
        "other": "cue" if material.composed else "opening",
        "claim": CLAIM,
        "findings": sum(subject.verdict == FINDING for subject in reported),
        "tracks": material.pieces,
        "audio": bool(material.rows),
        "heard": _heard(material),
        "hashes": material.hashes,
        "fingerprints": material.fingerprints,
    }


def _model(material: Material, name: str) -> dict[str, Any]:
    verdict = overall([row.verdict for row in material.verdicts_of(name)])
    clips, changed = identity([row for row in material.effects if row.model == name])
    return {
        "name": name,
        "own": name == material.models[0],
        "verdict": verdict,
        "words": OF_MODELS[verdict],
        "identity": {"clips": clips, "changed": changed},
    }


def groups(reported: Sequence[Subject]) -> list[dict[str, Any]]:
    """Candidates by verdict: findings first, entangled candidates last."""
    return [
        {
            "verdict": verdict,
            "title": title,
            "words": words,
            "subjects": [_entry(subject) for subject in reported if subject.verdict == verdict],
        }
        for verdict, (title, words) in VERDICTS.items()
        if verdict == FINDING or any(subject.verdict == verdict for subject in reported)
    ]


def _entry(subject: Subject) -> dict[str, Any]:
    judged, first = subject.judged, subject.tried[0].row
    effect = judged.effect if judged else first.towards_source
    likeness = (judged or first).clap_similarity
    return {
        "path": subject.path,
        "model": subject.model,
        "name": subject.name,
        "effect": interval_words(effect),
        "bar": bar_of(effect),
        "clap": mean_words(likeness, 3),
        "pairs": len(subject.pairs),
    }


def _approach(row: ApproachRow) -> dict[str, Any]:
    features, screened = len(row.features), row.screened
    elsewhere = screened if screened is not None and screened.site != row.site else None
    return {
        "name": row.name,
        "what": f"{features} feature{'s' if features != 1 else ''} of {row.hook or row.site}"
        if features
        else "no feature found",
        "r2": number(row.r2),
        "partial": interval_words(row.partial_r2, 2, sign=False),
        "clap": mean_words(row.clap_similarity, 3),
        "effect": interval_words(row.delta_recurrence),
        "bar": bar_of(row.delta_recurrence),
        "screened": interval_words(elsewhere.delta_recurrence) if elsewhere else None,
        "verdict": row.verdict,
    }


def bar_of(effect: IntervalRow | None) -> dict[str, float] | None:
    """An interval in per cent of the width of a scale from −100 to 100 points."""
    if effect is None:
        return None
    low, mean, high = (
        round(50 + max(-100.0, min(100.0, value)) / 2, 2)
        for value in (effect.low, effect.mean, effect.high)
    )
    return {"low": low, "mean": mean, "width": round(high - low, 2)}


def _figures(material: Material) -> list[dict[str, Any]]:
    drawn = [
        (
            layers_figure(material),
            "What can be decoded, and where",
            "Partial R² of the residual stream after each layer: how well it predicts a return at "
            "each horizon beyond the controls (95 % interval, over held-out tracks). Random "
            "weights show what the input alone predicts.",
        ),
        (
            leads_figure(material),
            "How far ahead it is carried",
            "Residuals of each layer are taken from the run under the other cue, at all steps from "
            "which the event is further away than the axis says. The share of the total effect "
            "that this has on what the model expects at the event (95 % interval, over tracks). "
            "Foresight is claimed where it is above 0 far enough ahead.",
        ),
        (
            gap_figure(material),
            "Effect of a patch, by layer and time",
            "Change of the recurrence rate, in points towards the source of the patch, when the "
            "whole residual stream of a layer comes from the run after the other "
            f"{'cue' if material.composed else 'opening'}. Only a patch far enough ahead of the "
            "return counts as foresight.",
        ),
        (
            effects_figure(material),
            "Candidates and their controls",
            f"Effect of changing each candidate of {material.models[0]}, in points, and effect of "
            "the same change on the strongest of its matched random controls.",
        ),
        (
            calibration_figure(material),
            "Error rates of the tests",
            "Top: how often features without foresight are called significant; the dashed line is "
            "the nominal level. Bottom: the share of planted features that the controlled test "
            "detects.",
        ),
    ]
    return [
        {"svg": svg, "title": title, "words": words}
        for svg, title, words in drawn
        if svg is not None
    ]


def _heard(material: Material) -> list[ManifestTrack]:
    """Tracks that can be heard in the report, whose authors must be named."""
    heard = dict.fromkeys(row.track_id for row in material.rows)
    return [material.tracks[name] for name in heard if name in material.tracks]
