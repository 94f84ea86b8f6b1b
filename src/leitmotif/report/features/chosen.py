"""Which features get a page: the surest candidates, and those that were intervened on."""

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
        """Such as ``planner-1:515``, as the interventions name it."""
        return f"{self.hook}:{self.feature}"

    @property
    def path(self) -> str:
        """The page, from the report's root."""
        return f"features/{self.hook}-{self.feature}.html"


@dataclass(frozen=True)
class Shown:
    """A feature that gets a page, and what the stages before say of it."""

    ref: Ref
    site: str
    claimed: CandidateRow | None
    """Its row at the horizon of which claims are made."""
    others: Sequence[CandidateRow]
    """Its rows at other horizons."""
    tested: Sequence[VerdictRow]
    """Interventions on it, alone or together with others of its site; fewest others first."""


def choose(
    candidates: Iterable[CandidateRow],
    verdicts: Iterable[VerdictRow],
    *,
    horizon: str,
    limit: int,
) -> list[Shown]:
    """Choose the first ``limit`` candidates of a horizon by rank, then all intervened on.

    ``verdicts`` are those of one model.
    Coordinates of the residual stream are left out: they are no features of an autoencoder, and
    neither density nor neighbours mean anything of them. A feature intervened on that no candidate
    row names has no ``claimed`` row.
    """
    rows: dict[Ref, list[CandidateRow]] = {}
    for row in candidates:
        if row.hook is not None:
            rows.setdefault(Ref(row.hook, row.feature), []).append(row)
    claimed = {ref: row for ref, of_ref in rows.items() for row in of_ref if row.horizon == horizon}
    tested: dict[Ref, list[VerdictRow]] = {}
    sites = {ref: of_ref[0].site for ref, of_ref in rows.items()}
    for judged in sorted(verdicts, key=lambda one: one.candidate):
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
            sorted(tested.get(ref, []), key=lambda one: (len(one.features), one.candidate)),
        )
        for ref in dict.fromkeys([*ranked[:limit], *tested])
    ]
