"""Which features get a page: the surest candidates, and those that were intervened on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leitmotif.tables.candidates import CandidateRow


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
class Tested:
    """An intervention on a feature, alone or together with others of its site."""

    name: str
    """Entry of metrics/interventions.json."""
    together: int
    """Features that were moved at once."""
    verdict: str
    metric: Mapping[str, Any]
    """``effect``, ``over_random``, ``clap_similarity``, ``dose_response``: intervals or null."""


@dataclass(frozen=True)
class Shown:
    """A feature that gets a page, and what the stages before say of it."""

    ref: Ref
    site: str
    claimed: CandidateRow | None
    """Its row at the horizon of which claims are made."""
    others: Sequence[CandidateRow]
    """Its rows at other horizons."""
    tested: Sequence[Tested]


def choose(
    candidates: Iterable[CandidateRow],
    interventions: Mapping[str, Mapping[str, Any]],
    *,
    horizon: str,
    limit: int,
) -> list[Shown]:
    """Choose the first ``limit`` candidates of a horizon by rank, then all intervened on.

    ``interventions`` are the entries of one model in metrics/interventions.json, by name.
    Coordinates of the residual stream are left out: they are no features of an autoencoder, and
    neither density nor neighbours mean anything of them. A feature intervened on that no candidate
    row names has no ``claimed`` row.
    """
    rows: dict[Ref, list[CandidateRow]] = {}
    for row in candidates:
        if row.hook is not None:
            rows.setdefault(Ref(row.hook, row.feature), []).append(row)
    claimed = {ref: row for ref, of_ref in rows.items() for row in of_ref if row.horizon == horizon}
    tested: dict[Ref, list[Tested]] = {}
    sites = {ref: of_ref[0].site for ref, of_ref in rows.items()}
    for name, metric in sorted(interventions.items()):
        if metric["hook"] is None:
            continue
        for feature in metric["features"]:
            ref = Ref(metric["hook"], feature)
            sites.setdefault(ref, metric["site"])
            tested.setdefault(ref, []).append(
                Tested(name, len(metric["features"]), metric["verdict"], metric)
            )
    ranked = sorted(claimed, key=lambda ref: claimed[ref].rank)
    return [
        Shown(
            ref,
            sites[ref],
            claimed.get(ref),
            [row for row in rows.get(ref, []) if row.horizon != horizon],
            sorted(tested.get(ref, []), key=lambda one: (one.together, one.name)),
        )
        for ref in dict.fromkeys([*ranked[:limit], *tested])
    ]
