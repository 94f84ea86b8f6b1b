"""Views of the stage ``interventions``: verdicts, carriers, and what each condition did."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import pandas as pd

from leitmotif.causal.experiment.outlook import OpeningCounts
from leitmotif.causal.verdict import overall
from leitmotif.tables.effects import EffectRow, Verdict, VerdictRow, identity, whole_sites
from leitmotif.tables.interval import as_metric
from leitmotif.tables.interventions import InterventionRow
from leitmotif.tables.openings import OpenedRecording


def metrics_of(
    effects: Sequence[EffectRow], verdicts: Sequence[VerdictRow], rows: Sequence[InterventionRow]
) -> dict[str, object]:
    """The models' verdicts, with the sites that carry the return and those that only tell of it."""
    models = list(dict.fromkeys(row.model for row in verdicts))
    return {
        "verdicts": {
            name: overall([row.verdict for row in verdicts if row.model == name]) for name in models
        },
        "strongest": {name: _strongest(whole_sites(verdicts, name)) for name in models},
        "carriers": _sites_that_are("foresight", verdicts),
        "decodable_not_causal": _sites_that_are("decodable, not causal", verdicts),
        "clips": len({row.clip_id for row in rows}),
        "excluded": len({row.clip_id for row in rows if row.excluded is not None}),
        "identity_changed": identity(effects)[1],
        **_shifted(effects),
    }


def _shifted(rows: Sequence[EffectRow]) -> dict[str, object]:
    """What a mere shift of positions did, by model; nothing where no such control was run."""
    by_model = {
        row.model: as_metric(row.towards_source)
        for row in rows
        if row.condition == "position_shift"
    }
    return {"position_shift": by_model} if by_model else {}


def opened_of(rows: Iterable[OpenedRecording]) -> dict[str, object]:
    """What the openings of recordings say, by model; nothing for composed music."""
    by_model = {model: asdict(counts) for model, counts in OpeningCounts.by_model(rows).items()}
    return {"openings": by_model} if by_model else {}


def _strongest(rows: Sequence[VerdictRow]) -> dict[str, object] | None:
    """The largest effect of a whole site, and what an effect had to be to count."""
    measured = [row for row in rows if row.effect is not None]
    row = max(measured, key=lambda row: row.effect.mean if row.effect else 0.0, default=None)
    effect = None if row is None else as_metric(row.effect)
    if row is None or effect is None:
        return None
    possible = row.possible
    return {**effect, **({} if possible is None else possible.model_dump(exclude={"level"}))}


def _sites_that_are(verdict: Verdict, rows: Sequence[VerdictRow]) -> dict[str, object]:
    """Effects of such sites, by model; models without one are left out."""
    by_model: dict[str, dict[str, object]] = {}
    for row in rows:
        if row.verdict == verdict and not row.features:
            by_model.setdefault(row.model, {})[row.site] = as_metric(row.effect)
    return dict(by_model)


def plot_of(effects: Sequence[EffectRow], verdicts: Sequence[VerdictRow]) -> pd.DataFrame:
    """Effects towards the source, by model, candidate and condition.

    What is written back as it was read is counted (``identity_changed``), and estimates nothing.
    """
    of_candidate = {(row.model, row.candidate): row.verdict for row in verdicts}
    return pd.DataFrame(
        {
            "model": row.model,
            "candidate": row.candidate,
            "condition": row.name,
            "effect": row.towards_source.mean,
            "low": row.towards_source.low,
            "high": row.towards_source.high,
            "clap_similarity": row.clap_similarity.mean,
            "verdict": of_candidate[row.model, row.candidate],
        }
        for row in effects
        if row.candidate and row.condition != "zero_effect"
        if row.towards_source and row.clap_similarity
    )
