"""Selects the features that get a page: the highest-ranked candidates, and those with
interventions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leitmotif.tables.candidates import CandidateRow
from leitmotif.tables.effects import VerdictRow


@dataclass(frozen=True, order=True)
class Ref:
    """A feature of an autoencoder."""

    hook: str
    """Entry of hooks.yaml."""
    feature: int

    @property
    def name(self) -> str:
        """Name such as ``planner-1:515``, as in the interventions."""
        return f"{self.hook}:{self.feature}"

    @property
    def path(self) -> str:
        """Path of the page from the report's root."""
        return f"features/{self.hook}-{self.feature}.html"


@dataclass(frozen=True)
class Shown:
    """A feature that gets a page, with the results of earlier stages."""

    ref: Ref
    site: str
    claimed: CandidateRow | None
    """Its row at the horizon for which claims are made."""
    others: Sequence[CandidateRow]
    """Its rows at other horizons."""
    tested: Sequence[VerdictRow]
    """Interventions on it, alone or together with other features of its site; smallest group
    first."""


def choose(
    candidates: Iterable[CandidateRow],
    verdicts: Iterable[VerdictRow],
    *,
    horizon: str,
    limit: int,
) -> list[Shown]:
    """Select the highest-ranked candidates of a horizon, then all features with interventions.

    Coordinates of the residual stream are left out: they are not features of an autoencoder, and
    their density and neighbours have no meaning. A feature with interventions that is not a
    candidate has no ``claimed`` row.

    Parameters
    ----------
    candidates
        Rows of data/candidates.jsonl.
    verdicts
        Rows of data/verdicts.jsonl for one model.
    horizon
        Name of the horizon for which claims are made.
    limit
        Maximum number of candidates to select.
    """
    rows: dict[Ref, list[CandidateRow]] = {}
    for row in candidates:
        if row.hook is not None:
            rows.setdefault(Ref(row.hook, row.feature), []).append(row)
    claimed = {ref: row for ref, of_ref in rows.items() for row in of_ref if row.horizon == horizon}
    tested: dict[Ref, list[VerdictRow]] = {}
    sites = {ref: of_ref[0].site for ref, of_ref in rows.items()}
    for judged in sorted(verdicts, key=lambda row: row.candidate):
        if judged.hook is None:
            continue
        for feature in judged.features:
            ref = Ref(judged.hook, feature)
            sites.setdefault(ref, judged.site)
            tested.setdefault(ref, []).append(judged)
    ranked = sorted(claimed, key=lambda ref: claimed[ref].rank)
    return [
        Shown(
            ref,
            sites[ref],
            claimed.get(ref),
            [row for row in rows.get(ref, []) if row.horizon != horizon],
            sorted(tested.get(ref, []), key=lambda row: (len(row.features), row.candidate)),
        )
        for ref in dict.fromkeys([*ranked[:limit], *tested])
    ]
