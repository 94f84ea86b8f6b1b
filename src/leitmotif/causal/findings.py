"""From measured clips to effects by condition, and to a verdict for each candidate."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from leitmotif.causal.candidates import Candidate
from leitmotif.causal.conditions import Condition
from leitmotif.causal.effects import (
    ByTrack,
    Effect,
    Values,
    contrast,
    differences,
    dose_response,
    effect_of,
    specificity,
    steepest,
)
from leitmotif.causal.measures import Measured, Metrics
from leitmotif.causal.pieces import Pieces
from leitmotif.causal.verdict import Evidence, Thresholds, Verdict, verdict
from leitmotif.probe.intervals import Interval

POINTS = 100.0
"""Rates are reported in percentage points."""
MOST = (-POINTS, POINTS)
"""No rate changes by more; nor do two changes from one baseline differ by more, as it cancels."""


Limits = tuple[float, float] | None


@dataclass(frozen=True)
class Finding:
    """A candidate, judged."""

    candidate: Candidate
    evidence: Evidence
    verdict: Verdict
    metric: dict[str, Any]
    towards: ByTrack
    """What the condition that is judged does, in points towards the source."""
    over_random: ByTrack
    """By how much that exceeds random features; empty where none were tried."""


class Measures:
    """The measures of all clips of one model, by condition."""

    def __init__(self, pieces: Pieces, measured: Iterable[Measured]) -> None:
        self.pieces = pieces
        self._by_condition: dict[Condition, list[Measured]] = defaultdict(list)
        for one in measured:
            self._by_condition[one.clip.condition].append(one)
        self.baseline = next(c for c in self._by_condition if c.kind == "baseline")

    def values(self, condition: Condition, measure: Callable[[Metrics], float | None]) -> Values:
        """A measure of a condition's clips by track and seed."""
        return {
            (one.clip.prefix.track_id, one.clip.seed): measure(one.metrics)
            for one in self._by_condition[condition]
        }

    def excluded(self, condition: Condition) -> dict[str, int]:
        """Clips that were not measured, by reason."""
        counts: dict[str, int] = {}
        for one in self._by_condition[condition]:
            if one.excluded is not None:
                counts[one.excluded] = counts.get(one.excluded, 0) + 1
        return counts

    def identity(self) -> dict[str, int]:
        """How many clips were read and written back, and how many of them came out differently."""
        baseline = {
            (one.clip.prefix.track_id, one.clip.seed): one.tokens_sha256
            for one in self._by_condition[self.baseline]
        }
        written_back = [
            one.tokens_sha256 != baseline[one.clip.prefix.track_id, one.clip.seed]
            for condition, clips in self._by_condition.items()
            for one in clips
            if condition.kind == "zero_effect"
        ]
        return {"clips": len(written_back), "changed": sum(written_back)}

    def moved(self, condition: Condition) -> ByTrack:
        """Change of the recurrence rate in points, by track, towards what the source would do."""
        return self._difference(condition, towards=self.pieces.towards)

    def plain(self, condition: Condition) -> ByTrack:
        """Change of the recurrence rate in points, by track, as it is."""
        return self._difference(condition, towards=None)

    def similarity(self, condition: Condition) -> ByTrack:
        """CLAP similarity to the baseline by track, seeds averaged."""
        values = self.values(condition, lambda metrics: metrics.clap_similarity)
        return differences(values, dict.fromkeys(values, 0.0))

    def metric(self, condition: Condition) -> dict[str, Any]:
        """The entry of a condition in metrics/interventions.json."""
        towards, plain = self.moved(condition), self.plain(condition)
        others: dict[str, Callable[[Metrics], float | None]] = {
            "loudness_db": lambda metrics: metrics.loudness_db,
            "spectral_db": lambda metrics: metrics.spectral_db,
            "log_likelihood": lambda metrics: metrics.log_likelihood,
        }
        found = {
            "condition": condition.kind,
            "site": None if condition.target is None else condition.target.site,
            "strength": None if condition.target is None else condition.strength,
            "source": condition.source,
            "steps": None if condition.steps is None else [*_ends(condition.steps)],
            "delta_recurrence": effect_metric(plain, limits=MOST),
            "towards_source": effect_metric(towards, limits=MOST),
            "clap_similarity": effect_metric(self.similarity(condition), 4),
            "excluded": self.excluded(condition),
        }
        for name, measure in others.items():
            values = self.values(condition, measure)
            found[name] = effect_metric(differences(values, dict.fromkeys(values, 0.0)), 3)
        return found

    def _difference(self, condition: Condition, towards: Mapping[str, int] | None) -> ByTrack:
        def recurrence(metrics: Metrics) -> float | None:
            return metrics.recurrence

        return differences(
            self.values(condition, recurrence),
            self.values(self.baseline, recurrence),
            scale=POINTS,
            towards=towards,
        )


def judge(
    candidate: Candidate,
    measures: Measures,
    decodable: Sequence[tuple[float, Interval]],
    counterfactual: Condition | None,
    thresholds: Thresholds,
) -> Finding:
    """Bring a candidate's conditions together; see ``verdict`` for the rules."""
    pieces = measures.pieces
    patches = {pieces.named(c.steps): c for c in candidate.conditions if c.kind == "patch"}
    slot = patches.get("slot")
    ablated = [one for one in candidate.conditions if one.kind == "ablate"]
    # Another track's activation predicts nothing of this one; taking the feature away does.
    tested = patches["gap"] if pieces.known or not ablated else ablated[0]
    random = [one for one in candidate.conditions if one.kind == "random_feature"]
    towards = measures.moved(tested)
    over = contrast(towards, [measures.moved(one) for one in random]) if random else {}
    likeness = measures.similarity(tested)
    evidence = Evidence(
        decodable=tuple(decodable),
        gap=interval_by_track(towards, MOST),
        over_random=interval_by_track(over, MOST),
        cue=None
        if counterfactual is None
        else interval_by_track(measures.moved(counterfactual), MOST),
        onset=None if slot is None else interval_by_track(measures.moved(slot), MOST),
        similarity=interval_by_track(likeness),
        p=largest_p(towards, over),
    )
    doses = {
        one.strength: measures.plain(one)
        for one in candidate.conditions
        if one.kind in ("scale", "ablate")
    }
    special = specificity(towards, likeness) if towards and likeness else None
    metric = {
        "site": candidate.site,
        "hook": candidate.hook,
        "features": list(candidate.features),
        "verdict": verdict(evidence, thresholds),
        "match_distance": _rounded(candidate.match_distance),
        "effect": effect_metric(towards, limits=MOST),
        "over_random": effect_metric(over, limits=MOST),
        "clap_similarity": effect_metric(likeness, 4),
        "effect_per_fidelity_lost": None if special is None else _to_three_digits(special),
        "dose_response": _slope(doses) if len(doses) > 1 else None,
        "conditions": {
            _name(one, candidate.conditions, pieces): measures.metric(one)
            for one in candidate.conditions
        },
    }
    return Finding(candidate, evidence, verdict(evidence, thresholds), metric, towards, over)


def _name(condition: Condition, among: Sequence[Condition], pieces: Pieces) -> str:
    """Such as ``patch_gap``, ``scale_gap_-2`` or ``random_feature_gap_1``."""
    name = f"{condition.kind}_{pieces.named(condition.steps)}"
    if condition.kind == "scale":
        return f"{name}_{condition.strength:g}"
    alike = [one for one in among if (one.kind, one.steps) == (condition.kind, condition.steps)]
    return f"{name}_{alike.index(condition) + 1}" if len(alike) > 1 else name


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _to_three_digits(ratio: Interval) -> dict[str, float]:
    """Where little is lost the ratio is large, and its further digits are those of rounding."""
    return {key: float(f"{value:.3g}") for key, value in asdict(ratio).items()}


def _slope(doses: Mapping[float, ByTrack]) -> dict[str, Any] | None:
    most = steepest(doses, POINTS)
    return effect_metric(dose_response(doses), limits=(-most, most))


def interval_by_track(by_track: ByTrack, limits: Limits = None) -> Interval | None:
    """Mean difference with its interval; None for fewer than two tracks."""
    return effect_of(by_track, limits=limits).interval if len(by_track) > 1 else None


def largest_p(*effects: ByTrack) -> float | None:
    """The largest of the effects' p-values; None if one of them has fewer than two tracks."""
    if any(len(by_track) < 2 for by_track in effects):
        return None
    return max(effect_of(by_track).p for by_track in effects)


def effect_metric(
    by_track: ByTrack, digits: int = 2, *, limits: Limits = None
) -> dict[str, Any] | None:
    """Summary of differences by track as metrics files hold it; None for fewer than two tracks."""
    effect: Effect | None = effect_of(by_track, limits=limits) if len(by_track) > 1 else None
    return None if effect is None else effect.as_metric(digits)


def _ends(steps: range) -> tuple[int, int]:
    return steps.start, steps.stop
