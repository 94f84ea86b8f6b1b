"""Which of the ranked features an approach takes, and which if one of them changed sides.

A feature is taken if it is chosen (rule 3 of ``leitmotif.claims``), if it is among the ``surest``
of all sites, and among the ``together`` surest of its own. At each of these three there is a last
feature taken and a first one left out, and a conclusion should not hang on which is which.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leitmotif.claims import Claims
from leitmotif.tables.candidates import Ranked

Taken = dict[str, list[Ranked]]
"""By site, first the site with most of the surest features; the surest first."""


@dataclass(frozen=True)
class FeatureSelection:
    """Features of all sites, and how many of them are taken."""

    ranked: Sequence[Ranked]
    """The surest first."""
    claims: Claims
    surest: int
    together: int
    by_effect: bool = False
    """Ranked by the size of the effect alone; if not, by q and among equals by that."""

    @property
    def sure(self) -> list[Ranked]:
        """The surest features of all sites."""
        chosen = [feature for feature in self.ranked if self.claims.is_chosen(feature.q)]
        return chosen[: self.surest]

    def taken(self) -> Taken:
        """What is taken; empty if no feature is sure."""
        return _grouped(self.sure, self.together)

    def lead(self) -> int | None:
        """By how many of the surest features the first site leads the next; None without one."""
        counts = [len(of_site) for of_site in _grouped(self.sure, len(self.ranked)).values()]
        return counts[0] - counts[1] if len(counts) > 1 else None

    def otherwise(self, site: str) -> tuple[float, Taken]:
        """What would be taken if the feature changed sides that is nearest to doing so.

        Looked at are the features at the border of the surest, and of those taken of ``site``.
        Returns also how near it is: the share by which the number would have to change that decides
        (q against the level or another q, an effect against another effect); infinite where no
        feature is left out and none can leave.
        """
        changes = [*self._of_all(), *self._of_site(site)]
        distance, sure = min(
            changes, key=lambda change: change[0], default=(float("inf"), self.sure)
        )
        return distance, _grouped(sure, self.together)

    def _of_all(self) -> Iterator[tuple[float, list[Ranked]]]:
        sure, following = self.sure, self.ranked[len(self.sure) :]
        if following and self.claims.is_chosen(following[0].q):
            yield self._apart(sure[-1], following[0]), [*sure[:-1], following[0]]
            return
        if sure:
            yield self.claims.distance_of_choice(sure[-1].q), sure[:-1]
        if following and len(sure) < self.surest:
            yield self.claims.distance_of_choice(following[0].q), [*sure, following[0]]

    def _of_site(self, site: str) -> Iterator[tuple[float, list[Ranked]]]:
        sure = self.sure
        mine = [rank for rank, feature in enumerate(sure) if feature.site == site]
        if len(mine) > self.together:
            last, following = mine[self.together - 1 : self.together + 1]
            distance = self._apart(sure[last], sure[following])
            sure[last], sure[following] = sure[following], sure[last]
            yield distance, sure

    def _apart(self, surer: Ranked, other: Ranked) -> float:
        """Share by which the surer of two features is ahead."""
        if surer.q == other.q or self.by_effect:
            return 1 - abs(other.effect) / abs(surer.effect) if surer.effect else 0.0
        return 1 - surer.q / other.q


def _grouped(sure: Sequence[Ranked], together: int) -> Taken:
    by_site: Taken = {}
    for feature in sure:
        by_site.setdefault(feature.site, []).append(feature)
    order = sorted(by_site.items(), key=lambda item: -len(item[1]))
    return {site: of_site[:together] for site, of_site in order}
