"""Texts and rows of the report's first page."""

from collections.abc import Sequence
from typing import Any

from leitmotif.causal.verdict import overall
from leitmotif.claims import CLAIM, Claims
from leitmotif.errors import counted
from leitmotif.report.figures import (
    RANDOM_WEIGHTS,
    calibration_figure,
    effects_figure,
    gap_figure,
    layers_figure,
    leads_figure,
)
from leitmotif.report.material import ReportMaterial
from leitmotif.report.numbers import Number, Said, counted_from, number_of, placed
from leitmotif.report.pairs import CUE, OPENING, SHIFT, Subject
from leitmotif.report.sentences import (
    FINDING,
    TITLES,
    headline,
    in_short,
    of_candidate,
    of_model,
    of_probes,
)
from leitmotif.report.tracks import TrackSources, tracks_section
from leitmotif.report.words import mean_words, number
from leitmotif.tables.approaches import ApproachRow
from leitmotif.tables.calibration import of_kind
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.effects import EffectRow, Verdict, VerdictRow, identity
from leitmotif.tables.interval import IntervalRow
from leitmotif.tables.probes import ProbeRow, largest

APPROACHES, CALIBRATION = "data/approaches.jsonl", "data/calibration.jsonl"
EFFECTS, PROBES, VERDICTS = "data/effects.jsonl", "data/probes.jsonl", "data/verdicts.jsonl"
INTERCHANGE = "data/interchange.jsonl"


def overview(
    material: ReportMaterial, reported: Sequence[Subject], tracks: TrackSources | None
) -> dict[str, Any]:
    """Context of index.html; without ``tracks`` nothing is said of them."""
    (nulls,) = of_kind(material.calibration, "all")
    return {
        "horizon": material.approaches[0].horizon.removesuffix("s").replace("-", " to "),
        "approaches": [_approach(row) for row in material.approaches],
        "rates": [
            (
                f"{test} test",
                number_of(nulls, test, file=CALIBRATION, digits=3, of="draw", sign=False),
            )
            for test in ("naive", "controlled")
        ],
        "alpha": placed(f"{100 * nulls.alpha:g}", nulls, "alpha", file=CALIBRATION),
        "models": [
            _model(material, name, _decodable(material, name, tracks)) for name in material.models
        ],
        "figures": _figures(material),
        "groups": groups(reported),
        "cues": [_entry(subject) for subject in reported if subject.name in (CUE, OPENING)],
        "shifts": [_entry(subject) for subject in reported if subject.name == SHIFT],
        "other": "cue" if material.composed else "opening",
        "claim": CLAIM,
        "headline": headline(material.verdicts),
        "tracks": None if tracks is None else tracks_section(tracks),
        "audio": bool(material.rows),
        "made": material.continued,
        "heard": _heard(material),
        "fingerprints": material.fingerprints,
    }


def _decodable(
    material: ReportMaterial, name: str, tracks: TrackSources | None
) -> list[ProbeRow] | None:
    """Where claims are made, the rows of a model's decodable sites; None without the settings."""
    params = None if tracks is None else tracks.known.params
    if params is None:
        return None
    claims = Claims.of(params.probes)
    rows = claims.decodable(row for row in material.probes if row.model == name)
    return [row for row in rows if row.horizon == claims.claimed.name]


def _model(
    material: ReportMaterial, name: str, decodable: Sequence[ProbeRow] | None
) -> dict[str, Any]:
    judged = material.verdicts_of(name)
    verdict = overall([row.verdict for row in judged])
    clips, changed = identity([row for row in material.effects if row.model == name])
    shifted = material.shifted(name)
    strongest = max(
        (row for row in judged if row.effect is not None and not row.features),
        key=lambda row: row.effect.mean if row.effect else 0.0,
        default=None,
    )
    return {
        "name": name,
        "own": name == material.models[0],
        "verdict": verdict,
        "words": _of_model(verdict, judged),
        "probes": None if decodable is None else _probes(material, name, decodable),
        "strongest": None
        if strongest is None
        else (_short(strongest), number_of(strongest, "effect", file=VERDICTS)),
        "identity": {
            "clips": _written_back(name, clips, "clips"),
            "changed": _written_back(name, changed, "changed"),
        }
        if clips
        else None,
        "shifted": None if shifted is None else _shifted(shifted),
    }


def _of_model(verdict: Verdict, judged: Sequence[VerdictRow]) -> Said:
    """The sentences on a model; what could have been found leads to the row that says it."""
    words, possible, row = of_model(verdict, judged)
    if not possible or row is None:
        return words
    return [f"{words} ", placed(possible, row, "possible", file=VERDICTS)]


def _shifted(row: EffectRow) -> dict[str, Any]:
    return {
        "steps": placed(f"{row.strength or 0:g}", row, "strength", file=EFFECTS),
        "effect": number_of(row, "towards_source", file=EFFECTS),
        "clips": placed(str(row.clips), row, "clips", file=EFFECTS),
        "changed": placed(str(row.changed), row, "changed", file=EFFECTS),
    }


def _written_back(model: str, count: int, field: str) -> Number:
    return Number(str(count), EFFECTS, {"model": model, "condition": "zero_effect"}, field)


def _short(judged: VerdictRow) -> str:
    return f"all of {judged.site}" if not judged.features else judged.candidate


def _probes(
    material: ReportMaterial, name: str, decodable: Sequence[ProbeRow]
) -> tuple[str, Number, str] | None:
    """What is said of a model's probes where claims are made: before, the number, and after it."""
    claimed = material.approaches[0].horizon
    rows = [row for row in material.probes if (row.model, row.horizon) == (name, claimed)]
    if not rows:
        return None
    row = largest(decodable or rows, model=name, horizon=claimed)
    before, text, after = of_probes(row.partial_r2, row.least, row.site, decodable=bool(decodable))
    return before, placed(text, row, "partial_r2", file=PROBES), after


def groups(reported: Sequence[Subject]) -> list[dict[str, Any]]:
    """Candidates by verdict: findings first, entangled candidates last."""
    return [
        {
            "verdict": verdict,
            "title": title,
            "words": words,
            "subjects": [_entry(subject) for subject in reported if subject.verdict == verdict],
        }
        for verdict, (title, words) in TITLES.items()
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
        "effect": number_of(judged, "effect", file=VERDICTS)
        if judged
        else number_of(first, "towards_source", file=EFFECTS),
        "says": of_candidate(judged) if judged else "",
        "bar": bar_of(effect),
        "clap": placed(
            mean_words(likeness, 3),
            judged or first,
            "clap_similarity",
            file=VERDICTS if judged else EFFECTS,
        ),
        "pairs": len(subject.pairs),
    }


def _approach(row: ApproachRow) -> dict[str, Any]:
    features, screened = len(row.features), row.screened
    elsewhere = screened if screened is not None and screened.site != row.site else None
    return {
        "name": row.name,
        "what": f"{counted(features, 'feature')} of {row.hook or row.site}"
        if features
        else "no feature found",
        "r2": placed(number(row.r2), row, "r2", file=APPROACHES),
        "clap": placed(mean_words(row.clap_similarity, 3), row, "clap_similarity", file=APPROACHES),
        "effect": number_of(row, "delta_recurrence", file=APPROACHES),
        "bar": bar_of(row.delta_recurrence),
        "screened": number_of(row, "screened.delta_recurrence", file=APPROACHES)
        if elsewhere
        else None,
        "verdict": row.verdict,
        "possible": _possible(row)
        if (row.possible or row.verdict == "unknown") and row.verdict != FINDING
        else "",
    }


def _possible(row: ApproachRow) -> Said:
    possible = row.possible
    if possible is None or possible.least is None or possible.likely is None:
        return in_short(None, None)
    return placed(in_short(possible.least, possible.likely), row, "possible.least", file=APPROACHES)


def bar_of(effect: IntervalRow | None) -> dict[str, float] | None:
    """An interval in per cent of the width of a scale from −100 to 100 points."""
    if effect is None:
        return None
    low, mean, high = (
        round(50 + max(-100.0, min(100.0, value)) / 2, 2)
        for value in (effect.low, effect.mean, effect.high)
    )
    return {"low": low, "mean": mean, "width": round(high - low, 2)}


def _figures(material: ReportMaterial) -> list[dict[str, Any]]:
    drawn = [
        (
            layers_figure(material),
            PROBES,
            "What can be decoded, and where",
            "Partial R² of the residual stream after each layer: how well it predicts a return at "
            "each horizon beyond the controls (95 % interval, over held-out tracks)."
            + (
                " Random weights show what the input alone predicts."
                if any(row.model == RANDOM_WEIGHTS for row in material.probes)
                else ""
            ),
        ),
        (
            leads_figure(material),
            INTERCHANGE,
            "How far ahead it is carried",
            "Residuals of each layer are taken from the run under the other cue, at all steps from "
            "which the event is further away than the axis says. The share of the total effect "
            "that this has on what the model expects at the event (95 % interval, over tracks). "
            "Foresight is claimed where it is above 0 far enough ahead.",
        ),
        (
            gap_figure(material),
            EFFECTS,
            "Effect of a patch, by layer and time",
            "Change of the recurrence rate, in points towards the source of the patch, when the "
            "whole residual stream of a layer comes from the run after the other "
            f"{'cue' if material.composed else 'opening'}. Only a patch far enough ahead of the "
            "return counts as foresight.",
        ),
        (
            effects_figure(material),
            EFFECTS,
            "Candidates and their controls",
            f"Effect of changing each candidate of {material.models[0]}, in points, and effect of "
            "the same change in the strongest of its controls: the patch from a "
            + (
                "twin that differs in another slot"
                if material.composed
                else "run after an opening that says the same"
            )
            + ", and of features the patch of as many matched random ones.",
        ),
        (
            calibration_figure(material),
            CALIBRATION,
            "Error rates of the tests",
            "Top: how often features without foresight are called significant; the dashed line is "
            "the nominal level. Bottom: the share of planted features that the controlled test "
            "detects.",
        ),
    ]
    return [
        {"svg": svg, "title": title, "words": words, "source": counted_from(source)}
        for svg, source, title, words in drawn
        if svg is not None
    ]


def _heard(material: ReportMaterial) -> list[ManifestTrack]:
    """Tracks that can be heard in the report, whose authors must be named."""
    heard = dict.fromkeys(row.track_id for row in material.rows)
    return [material.tracks[name] for name in heard if name in material.tracks]
