"""From what an approach chose to its row in the table: features patched, heard, and judged.

No row should hang on a coin. So beside the features that an approach took at each site, those are
patched that it would have taken if the nearest feature had changed sides (``selection``), and the
row says whether it would then be another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from leitmotif.causal.approaches.kinds import FeatureChoice, screen
from leitmotif.causal.experiment.candidates import Candidate, FeatureCandidates
from leitmotif.causal.experiment.effects import ByTrack
from leitmotif.causal.experiment.findings import (
    Finding,
    both_ways,
    effect_row,
    interval_by_track,
    judge_candidate,
    largest_p,
)
from leitmotif.causal.experiment.pieces import Pieces
from leitmotif.causal.experiment.study import Study, StudyClips
from leitmotif.causal.possible import MOST, possible
from leitmotif.causal.verdict import VerdictRules, untested, verdict
from leitmotif.claims import is_above_zero
from leitmotif.tables.approaches import ApproachRow, AtSiteRow, OtherwiseRow, ScreenedRow
from leitmotif.tables.effects import PossibleRow, Verdict

BySite = Mapping[str, Candidate]


@dataclass(frozen=True)
class Conclusion:
    """What an approach comes to with some features at each site."""

    site: str
    towards: ByTrack
    """Each piece's effect in points towards the source."""
    over_controls: ByTrack
    verdict: Verdict
    possible: PossibleRow


class Comparison:
    """An approach's features at each site, under the one condition that is judged.

    Those that may become the approach's choice have controls; the others show what the approach
    would have found, had it looked there. Raises ModelError where too few features are
    alike.
    """

    def __init__(
        self, choice: FeatureChoice, makes: FeatureCandidates, pieces: Pieces, *, random: int
    ) -> None:
        self.choice = choice
        eligible = {choice.site, choice.site_otherwise}
        self.taken: dict[str, Candidate] = {}
        self.otherwise: dict[str, Candidate] = {}
        for site, at in choice.sites.items():
            controlled = choice.approach.screened or site in eligible
            count = random if controlled else 0
            taken = makes.candidate(at.chosen, pieces, doses=[], random=count)
            self.taken[site] = _judged_alone(taken, taken, controlled=controlled)
            same = {feature.feature for feature in at.otherwise} == {
                feature.feature for feature in at.chosen
            }
            if at.otherwise and not same:
                other = makes.candidate(at.otherwise, pieces, doses=[], random=0)
                self.otherwise[site] = _judged_alone(other, taken, controlled=controlled)
            elif at.otherwise:
                self.otherwise[site] = self.taken[site]

    @property
    def candidates(self) -> list[Candidate]:
        """All that is intervened on."""
        return [*self.taken.values(), *self.otherwise.values()]

    def row(self, heard: StudyClips, named: Mapping[str, object]) -> ApproachRow:
        """The row of the table; ``named`` says of which experiment."""
        choice, judged = self.choice, self._judged(self.taken, heard)
        mine = self._concluded(choice.site, judged, heard)
        screened, at = screen(judged), choice.sites[mine.site]
        return ApproachRow.model_validate(
            {
                **named,
                "site": mine.site,
                "hook": at.chosen[0].hook,
                "features": [feature.feature for feature in at.chosen],
                "r2": _rounded(at.r2),
                "partial_r2": at.partial_r2,
                "clap_similarity": judged[mine.site].clap_similarity,
                "delta_recurrence": effect_row(mine.towards, limits=MOST),
                "over_controls": effect_row(mine.over_controls, limits=MOST),
                "verdict": mine.verdict,
                "possible": mine.possible,
                "screened": ScreenedRow(
                    site=screened.site, delta_recurrence=effect_row(screened.towards, limits=MOST)
                ),
                "by_site": [
                    AtSiteRow(
                        site=site,
                        features=len(choice.sites[site].chosen),
                        r2=_rounded(choice.sites[site].r2),
                        delta_recurrence=judged[site].effect,
                    )
                    for site in sorted(judged)
                ],
                "lead": choice.lead,
                "otherwise": self._otherwise(mine, heard),
            }
        )

    def _otherwise(self, mine: Conclusion, heard: StudyClips) -> OtherwiseRow:
        near = _rounded(min(self.choice.sites[mine.site].near, 1.0))
        site = self.choice.site_otherwise
        judged = self._judged(self.otherwise, heard)
        if not judged or (site not in judged and not self.choice.approach.screened):
            return OtherwiseRow(
                near=near,
                site=None,
                delta_recurrence=None,
                verdict=verdict_without_features(heard.study),
                stable=False,
            )
        other = self._concluded(site or self.choice.site, judged, heard)
        return OtherwiseRow(
            near=near,
            site=other.site,
            delta_recurrence=effect_row(other.towards, limits=MOST),
            verdict=other.verdict,
            stable=(other.site, other.verdict) == (mine.site, mine.verdict),
        )

    def _judged(self, tried: BySite, heard: StudyClips) -> dict[str, Finding]:
        judged, study, measures = {}, heard.study, heard.measures
        for site, candidate in tried.items():
            partial = self.choice.sites[site].partial_r2
            decodable = [study.claims.claimed.after] if is_above_zero(partial) else []
            judged[site] = judge_candidate(
                candidate, measures, decodable, study.counterfactual, _lines(study)
            )
        return judged

    def _concluded(self, site: str, judged: Mapping[str, Finding], heard: StudyClips) -> Conclusion:
        """At ``site``, or where interventions choose it, at the site that they choose."""
        if self.choice.approach.screened:
            chosen = screen(judged)
            site, towards, over = chosen.site, chosen.towards, chosen.over_controls
        else:
            towards, over = judged[site].towards, judged[site].over_controls
        gained, lost = both_ways(towards, heard.study.pieces)
        evidence = replace(
            judged[site].evidence,
            ahead=interval_by_track(towards, MOST),
            over_controls=interval_by_track(over, MOST),
            p=largest_p(towards, over),
            gained=interval_by_track(gained, MOST),
            lost=interval_by_track(lost, MOST),
            gaining=len(gained),
            losing=len(lost),
        )
        lines = _lines(heard.study)
        concluded = verdict(evidence, lines)
        return Conclusion(site, towards, over, concluded, possible(len(gained), len(lost), lines))


def _judged_alone(candidate: Candidate, beside: Candidate, *, controlled: bool) -> Candidate:
    """The patch alone; if ``controlled``, its control, and random features of ``beside``."""
    kinds = ("patch", "control") if controlled else ("patch",)
    kept = [condition for condition in candidate.conditions if condition.kind in kinds]
    kept += [other for other in beside.conditions if other.kind == "random_feature"]
    return replace(candidate, conditions=kept)


def verdict_without_features(study: Study) -> Verdict:
    """The verdict on an approach that has no feature to change."""
    ways = list(study.pieces.towards.values())
    return untested(sum(way > 0 for way in ways), sum(way < 0 for way in ways), _lines(study))


def _lines(study: Study) -> VerdictRules:
    """An approach comes to one conclusion: no other candidate is of its family."""
    return study.thresholds(tried=1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
