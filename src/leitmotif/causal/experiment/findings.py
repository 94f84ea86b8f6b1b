"""From measured clips to effects by condition, and to a verdict for each candidate."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from leitmotif.causal.experiment.candidates import Candidate
from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.effects import (
    ByTrack,
    Values,
    contrast,
    differences,
    dose_response,
    effect_of,
    specificity,
    steepest,
)
from leitmotif.causal.experiment.measures import MeasuredClip
from leitmotif.causal.experiment.pieces import AHEAD, SLOT, Pieces
from leitmotif.causal.possible import MOST, POINTS, possible
from leitmotif.causal.verdict import Evidence, VerdictRules, verdict
from leitmotif.intervals import Interval
from leitmotif.tables.effects import EffectRow, PossibleRow, Verdict, VerdictRow
from leitmotif.tables.interval import IntervalRow, three_digits
from leitmotif.tables.interventions import ClipMetrics

Limits = tuple[float, float] | None


@dataclass(frozen=True)
class Finding:
    """A candidate, judged."""

    candidate: Candidate
    tested: Condition
    """The condition on which the verdict rests."""
    evidence: Evidence
    rules: VerdictRules
    """Those by which it is judged."""
    towards: ByTrack
    """What that condition does, in points towards the source."""
    over_controls: ByTrack
    """Excess of that over its controls; empty where there are none."""
    gained: ByTrack
    """``towards`` of the pieces that lack the event."""
    lost: ByTrack
    """The same of pieces that have it."""
    likeness: ByTrack
    """CLAP similarity of its clips to the baseline."""
    likelihood: ByTrack
    """Log-likelihood of a token of its clips beside the baseline's, in nats."""
    doses: Mapping[float, ByTrack]
    """Change of the recurrence rate in points, by strength."""

    @property
    def verdict(self) -> Verdict:
        """What it is by these rules."""
        return verdict(self.evidence, self.rules)

    @property
    def possible(self) -> PossibleRow:
        """What could have been found."""
        return possible(self.evidence.gaining, self.evidence.losing, self.rules)

    @property
    def effect(self) -> IntervalRow | None:
        """Summary of ``towards``."""
        return effect_row(self.towards, limits=MOST)

    @property
    def clap_similarity(self) -> IntervalRow | None:
        """Summary of ``likeness``."""
        return effect_row(self.likeness, 4)

    def row(self, *, model: str, exploratory: bool) -> VerdictRow:
        """The row of data/verdicts.jsonl."""
        distance = self.candidate.match_distance
        return VerdictRow(
            model=model,
            candidate=self.candidate.name,
            site=self.candidate.site,
            hook=self.candidate.hook,
            features=list(self.candidate.features),
            verdict=self.verdict,
            possible=self.possible,
            effect=self.effect,
            over_controls=effect_row(self.over_controls, limits=MOST),
            gained=effect_row(self.gained, limits=MOST),
            lost=effect_row(self.lost, limits=MOST),
            lead=self.evidence.lead,
            exchanged=self.evidence.exchanged,
            clap_similarity=self.clap_similarity,
            log_likelihood=effect_row(self.likelihood, 3),
            effect_per_fidelity_lost=self._specificity(),
            dose_response=self._slope(),
            match_distance=None if distance is None else round(distance, 3),
            exploratory=exploratory,
        )

    def _specificity(self) -> IntervalRow | None:
        """Where little is lost the ratio is large, and further digits are those of rounding."""
        if not self.towards or not self.likeness:
            return None
        ratio = specificity(self.towards, self.likeness)
        if ratio is None:
            return None
        return IntervalRow(
            mean=three_digits(ratio.interval.mean),
            low=three_digits(ratio.interval.low),
            high=three_digits(ratio.interval.high),
            p=three_digits(ratio.p),
            n=ratio.tracks,
        )

    def _slope(self) -> IntervalRow | None:
        if len(self.doses) < 2:
            return None
        most = steepest(self.doses, POINTS)
        return effect_row(dose_response(self.doses), limits=(-most, most))


class MeasuresByCondition:
    """The measures of all clips of one model, by condition."""

    def __init__(
        self, pieces: Pieces, baseline: Condition, measured: Iterable[MeasuredClip]
    ) -> None:
        self.pieces, self.baseline = pieces, baseline
        self._by_condition: dict[Condition, list[MeasuredClip]] = defaultdict(list)
        for clip in measured:
            self._by_condition[clip.clip.condition].append(clip)

    def values(
        self, condition: Condition, measure: Callable[[ClipMetrics], float | None]
    ) -> Values:
        """A measure of a condition's clips by track and seed."""
        return {
            (measured.clip.prefix.track_id, measured.clip.seed): measure(measured.metrics)
            for measured in self._by_condition[condition]
        }

    def excluded(self, condition: Condition) -> dict[str, int]:
        """Clips that were not measured, by reason."""
        return dict(
            Counter(
                measured.excluded
                for measured in self._by_condition[condition]
                if measured.excluded is not None
            )
        )

    def changed(self, condition: Condition) -> int:
        """How many of a condition's clips have other tokens than their baselines."""
        baseline = {
            (measured.clip.prefix.track_id, measured.clip.seed): measured.tokens_sha256
            for measured in self._by_condition[self.baseline]
        }
        return sum(
            measured.tokens_sha256 != baseline[measured.clip.prefix.track_id, measured.clip.seed]
            for measured in self._by_condition[condition]
        )

    def moved(self, condition: Condition) -> ByTrack:
        """Change of the recurrence rate in points, by track, towards what the source would do."""
        return self._difference(condition, towards=self.pieces.towards)

    def plain(self, condition: Condition) -> ByTrack:
        """Change of the recurrence rate in points, by track, as it is."""
        return self._difference(condition, towards=None)

    def similarity(self, condition: Condition) -> ByTrack:
        """CLAP similarity to the baseline by track, seeds averaged."""
        return self._means(condition, lambda metrics: metrics.clap_similarity)

    def likelihood(self, condition: Condition) -> ByTrack:
        """Log-likelihood of a token beside the baseline's, in nats, by track, seeds averaged."""
        return self._means(condition, lambda metrics: metrics.log_likelihood)

    def row(
        self, condition: Condition, *, model: str, name: str, tested: bool = False
    ) -> EffectRow:
        """The row of data/effects.jsonl."""
        target = condition.target
        return EffectRow(
            model=model,
            candidate=condition.candidate,
            name=name,
            condition=condition.kind,
            tested=tested,
            site=None if target is None else target.site,
            strength=condition.dose,
            source=condition.source,
            window=condition.window,
            delta_recurrence=effect_row(self.plain(condition), limits=MOST),
            towards_source=effect_row(self.moved(condition), limits=MOST),
            clap_similarity=effect_row(self.similarity(condition), 4),
            loudness_db=effect_row(self._means(condition, lambda metrics: metrics.loudness_db), 3),
            spectral_db=effect_row(self._means(condition, lambda metrics: metrics.spectral_db), 3),
            log_likelihood=effect_row(self.likelihood(condition), 3),
            clips=len(self._by_condition[condition]),
            changed=self.changed(condition),
            excluded=self.excluded(condition),
        )

    def _means(
        self, condition: Condition, measure: Callable[[ClipMetrics], float | None]
    ) -> ByTrack:
        values = self.values(condition, measure)
        return differences(values, dict.fromkeys(values, 0.0))

    def _difference(self, condition: Condition, towards: Mapping[str, int] | None) -> ByTrack:
        def recurrence(metrics: ClipMetrics) -> float | None:
            return metrics.recurrence

        return differences(
            self.values(condition, recurrence),
            self.values(self.baseline, recurrence),
            scale=POINTS,
            towards=towards,
        )


def judge_candidate(
    candidate: Candidate,
    measures: MeasuresByCondition,
    decodable: Sequence[float],
    counterfactual: Condition,
    rules: VerdictRules,
    leads: Mapping[str, float] | None = None,
    recalled: bool | None = None,
) -> Finding:
    """Bring a candidate's conditions together; see ``verdict`` for the rules.

    An effect counts as positive towards the counterfactual. ``decodable`` has the seconds ahead at
    which the horizons begin at which it is decodable, and ``leads`` the lead of every site that
    carries the event; ``recalled`` says whether the model's events depend on what decides them
    while all later tokens stay as they were. None: unknown.
    """
    pieces = measures.pieces
    patches = {c.window: c for c in candidate.conditions if c.kind == "patch"}
    slot = patches.get(SLOT)
    tested = patches[AHEAD]
    towards = measures.moved(tested)
    over = _over_controls(candidate, measures, towards)
    likeness, likelihood = measures.similarity(tested), measures.likelihood(tested)
    gained, lost = both_ways(towards, pieces)
    evidence = Evidence(
        decodable=tuple(decodable),
        ahead=interval_by_track(towards, MOST),
        over_controls=interval_by_track(over, MOST),
        gained=interval_by_track(gained, MOST),
        lost=interval_by_track(lost, MOST),
        gaining=len(gained),
        losing=len(lost),
        lead=None if leads is None else leads.get(candidate.site),
        exchanged=leads is not None,
        recalled=recalled,
        cue=interval_by_track(measures.moved(counterfactual), MOST),
        onset=None if slot is None else interval_by_track(measures.moved(slot), MOST),
        similarity=interval_by_track(likeness),
        likelihood=interval_by_track(likelihood),
        p=largest_p(towards, over),
    )
    doses = {
        condition.strength: measures.plain(condition)
        for condition in candidate.conditions
        if condition.kind in ("scale", "ablate")
    }
    return Finding(
        candidate,
        tested,
        evidence,
        rules,
        towards,
        over,
        gained,
        lost,
        likeness,
        likelihood,
        doses,
    )


def _over_controls(
    candidate: Candidate, measures: MeasuresByCondition, towards: ByTrack
) -> ByTrack:
    """The effect's excess over the stronger kind of control; empty for a candidate without any."""
    controls = [
        [measures.moved(condition) for condition in candidate.conditions if condition.kind == kind]
        for kind in ("control", "random_feature")
    ]
    return contrast(towards, controls) if any(controls) else {}


def both_ways(towards: ByTrack, pieces: Pieces) -> tuple[ByTrack, ByTrack]:
    """The effects of the pieces that lack the event, and of those that have it."""
    halves = {1: dict[str, float](), -1: dict[str, float]()}
    for track, value in towards.items():
        halves[pieces.towards[track]][track] = value
    return halves[1], halves[-1]


def interval_by_track(by_track: ByTrack, limits: Limits = None) -> Interval | None:
    """Mean difference with its interval; None for fewer than two tracks."""
    return effect_of(by_track, limits=limits).interval if len(by_track) > 1 else None


def largest_p(*effects: ByTrack) -> float | None:
    """The largest of the effects' p-values; None if one of them has fewer than two tracks."""
    if any(len(by_track) < 2 for by_track in effects):
        return None
    return max(effect_of(by_track).p for by_track in effects)


def effect_row(by_track: ByTrack, digits: int = 2, *, limits: Limits = None) -> IntervalRow | None:
    """Summary of differences by track as tables hold it; None for fewer than two tracks."""
    return effect_of(by_track, limits=limits).row(digits) if len(by_track) > 1 else None
