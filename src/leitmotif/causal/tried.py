"""Which candidates are tried in a model, where they are decodable, and what comes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.causal.experiment.candidates import (
    Candidate,
    FeatureCandidates,
    by_site,
    site_candidate,
)
from leitmotif.causal.experiment.findings import Finding
from leitmotif.causal.experiment.pieces import Pieces
from leitmotif.causal.experiment.study import Study, StudyClips
from leitmotif.claims import Claims
from leitmotif.config import InterventionsParams
from leitmotif.errors import StageError
from leitmotif.tables.candidates import CandidateRow, Ranked
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.tables.probes import ProbeRow


def sites_tried(sites: Sequence[str], width: int, pieces: Pieces) -> list[Candidate]:
    """Every site as a whole; ``width`` is that of the residual stream."""
    return [site_candidate(site, width, pieces) for site in sites]


@dataclass(frozen=True)
class FeaturesTried:
    """The surest features that the probes chose, one by one, and those of one site together."""

    makes: FeatureCandidates
    settings: InterventionsParams
    claims: Claims

    def __call__(self, ranked: Sequence[CandidateRow], pieces: Pieces) -> list[Candidate]:
        """Candidates of the features chosen at the claimed horizon.

        Their local control is the surest feature of the nearest horizon that was not chosen at the
        claimed one. Raises ModelError where too few features are alike.
        """
        near, far = self.claims.nearest.name, self.claims.claimed.name
        chosen = [row for row in ranked if row.horizon == far]
        known = {(row.site, row.feature) for row in chosen}
        others = [
            row
            for row in ranked
            if row.horizon == near != far and (row.site, row.feature) not in known
        ]
        groups: list[Sequence[Ranked]] = [[row] for row in chosen[: self.settings.candidates]]
        if self.settings.together and chosen:
            groups.append(by_site(chosen)[: self.settings.together])
        return [
            self.makes.candidate(
                group,
                pieces,
                doses=self.settings.doses,
                random=self.settings.random,
                avoid=[feature for site, feature in known if site == group[0].site],
                local=others[0] if others else None,
            )
            for group in groups
        ]


def decodable_at(
    candidate: Candidate, probed: Sequence[ProbeRow], *, model: str, claims: Claims
) -> list[float]:
    """Seconds ahead at which the horizons begin at which a candidate is decodable.

    ``probed`` are the rows of all models. Raises StageError if ``model`` is none of them.
    """
    if candidate.features:
        return [claims.claimed.after] if claims.is_decodable(candidate.chosen) else []
    of_model = [row for row in probed if row.model == model]
    if not of_model:
        raise StageError(
            f"{model} was not probed",
            found=", ".join(dict.fromkeys(row.model for row in probed)) or "no model",
            expected=f"{model} in data/probes.jsonl",
            fix="run `dvc repro probes`: the tables are of different runs",
        )
    return [row.after for row in claims.decodable(of_model) if row.site == candidate.site]


def judged(
    study: Study,
    tried: Sequence[Candidate],
    probed: Sequence[ProbeRow],
    exchanged: Sequence[InterchangeRow],
) -> tuple[StudyClips, list[Finding]]:
    """Continue all pieces of a study under each candidate's conditions, and give the verdicts.

    ``probed`` and ``exchanged`` are the rows of all models; without any of the study's model among
    the latter, nothing is known of leads. Raises StageError if the study's model was not probed.
    """
    claims, model = study.claims, Path(study.name).name
    # Before anything long runs, as it may be refused.
    decodable = {
        candidate.name: decodable_at(candidate, probed, model=model, claims=claims)
        for candidate in tried
    }
    heard = study.run(tried, tried=len(tried))
    leads = leads_of(exchanged, model=model, claims=claims)
    recalled = None if leads is None else claims.recalls(exchanged, model=model)
    return heard, heard.judged(tried, decodable, leads, recalled)


def leads_of(
    exchanged: Sequence[InterchangeRow], *, model: str, claims: Claims
) -> dict[str, float] | None:
    """The lead of each site of a model that carries the event; None: none of its were exchanged.

    ``exchanged`` are the rows of all models.
    """
    if all(row.model != model for row in exchanged):
        return None
    return claims.leads(exchanged, model=model)
