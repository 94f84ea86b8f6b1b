"""How few coordinates of a site carry an event: faithfulness, completeness, minimality.

Coordinates are ranked on the events of one half of the tracks and exchanged in those of the other.
The first k of them are *faithful* if they do what the whole site does, *complete* if the rest of
the site does nothing without them, *minimal* if each of them is needed (Wang et al. 2022; Marks et
al. 2024, "Sparse feature circuits"; Mueller et al. 2025, "MIB"). Kinds of coordinates are compared
at equal k, and by the area under the curve of faithfulness over the logarithm of k.

The whole site is the measure of all, not the whole event: what the site does not carry, no
coordinates of it can. A model in which the site carries nothing has no shares; there it counts that
trained directions move the event no more than others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from leitmotif.causal.experiment.effects import ByTrack, effect_of, mean_by_track
from leitmotif.causal.interchange.coordinates import (
    EventSample,
    ExchangedCoordinates,
    aligned_directions,
    along,
    features_of,
    principal_components,
    ranked,
)
from leitmotif.claims import is_above_zero
from leitmotif.errors import ProbeError
from leitmotif.intervals import bounded_mean, interval_of, track_weights
from leitmotif.sae.autoencoder.model import SparseAutoencoder
from leitmotif.tables.coordinates import AreaRow, CoordinateRow, Featuriser
from leitmotif.tables.interval import IntervalRow

ENOUGH = 0.9
"""Share of the whole site's effect that makes a set faithful."""
FirstCoordinates = Callable[[int], ExchangedCoordinates]
"""The first k coordinates of one kind."""


def halves(tracks: Sequence[str]) -> tuple[list[int], list[int]]:
    """Numbers of the events of every other track, and of the others.

    Raises ProbeError for fewer than four tracks.
    """
    names = sorted(set(tracks))
    if len(names) < 4:
        raise ProbeError(
            "too few tracks to choose on some of them and to measure on the others",
            found=f"{len(names)}",
            expected="4 or more",
        )
    first = set(names[::2])
    return (
        [n for n, track in enumerate(tracks) if track in first],
        [n for n, track in enumerate(tracks) if track not in first],
    )


def kinds_ranked_on(
    sample: EventSample, autoencoders: Mapping[Featuriser, SparseAutoencoder]
) -> dict[Featuriser, FirstCoordinates]:
    """All kinds of coordinates, ranked on a sample: by kind, what gives the first k."""
    own = sample.own
    width = own.shape[-1]
    random = torch.Generator().manual_seed(0)
    rotation = torch.linalg.qr(torch.randn(width, width, generator=random)).Q
    bases: dict[Featuriser, Tensor] = {
        "neurons": torch.eye(width).to(own),
        "components": principal_components(sample, width),
        "rotation": rotation.to(own),
    }
    kinds: dict[Featuriser, FirstCoordinates] = {}
    for kind, basis in bases.items():
        kinds[kind] = partial(_directions, basis, ranked(along(basis), sample))
    for kind, autoencoder in autoencoders.items():
        every = features_of(autoencoder, range(autoencoder.config.d_sae))
        kinds[kind] = partial(_features, autoencoder, ranked(every, sample))
    kinds["das"] = partial(_aligned, sample)
    return kinds


@dataclass(frozen=True, eq=False)
class Curve:
    """What the first k coordinates of one kind do, for several k."""

    model: str
    featuriser: Featuriser
    sample: EventSample
    """Events on which coordinates are measured."""
    first: FirstCoordinates
    counts: Sequence[int]
    """All k, ascending."""

    @torch.no_grad()
    def rows(self) -> tuple[list[CoordinateRow], AreaRow | None]:
        """Rows by k, and the area; None for one k, and where the whole site does nothing.

        Raises ProbeError for events of fewer than two tracks.
        """
        sample = self.sample
        difference = sample.donor - sample.own
        whole = self._by_track(sample.moved(difference))
        known = is_above_zero(effect_of(whole).interval)
        rows: list[CoordinateRow] = []
        shares: list[np.ndarray] = []
        for count in self.counts:
            members = self._members(count)
            change = torch.stack(members).sum(0)
            odds = sample.odds(change)
            alone = self._by_track(self._towards(odds))
            row = CoordinateRow(
                model=self.model,
                site=sample.site,
                after=sample.window.after or 0.0,
                featuriser=self.featuriser,
                k=count,
                nats=effect_of(alone).row(3),
                share=None,
                left=None,
                accuracy=self._accuracy(odds),
                least_drop=None,
            )
            if known:
                left = self._by_track(sample.moved(difference - change))
                share = _ratio(alone, whole)
                is_first = share[0] >= ENOUGH and all(less[0] < ENOUGH for less in shares)
                shares.append(share)
                row = row.model_copy(
                    update={
                        "share": _share_row(share, len(whole)),
                        "left": _share_row(_ratio(left, whole), len(whole)),
                        "least_drop": self._least_drop(members, whole) if is_first else None,
                    }
                )
            rows.append(row)
        has_area = known and len(self.counts) > 1
        return rows, self._area(shares, len(whole)) if has_area else None

    def _least_drop(self, members: Sequence[Tensor], whole: ByTrack) -> float:
        """What the share of a set loses without the member that it needs least."""
        change = torch.stack(list(members)).sum(0)
        shares = [
            _ratio(self._by_track(self.sample.moved(less)), whole)[0]
            for less in (change, *(change - member for member in members))
        ]
        return round(float(shares[0] - max(shares[1:])), 4)

    def _members(self, count: int) -> list[Tensor]:
        """What each of the first coordinates changes, [rows, S, d]."""
        sample = self.sample
        with torch.enable_grad():
            coordinates = self.first(count)
        return coordinates.changes(sample.own, sample.donor)

    def _towards(self, odds: Tensor) -> Tensor:
        return self.sample.signs * (odds - self.sample.reader.own.odds[self.sample.rows])

    def _accuracy(self, odds: Tensor) -> IntervalRow:
        own = self.sample.reader.own.odds[self.sample.rows]
        # The model expects what the piece has, and with the exchange the opposite.
        turned = (self.sample.signs * own < 0) & (self.sample.signs * odds > 0)
        by_track = self._by_track(turned.cpu().double())
        interval = bounded_mean(np.array([*by_track.values()]), (0.0, 1.0))
        return IntervalRow.of(interval, 4, n=len(by_track))

    def _by_track(self, values: Tensor) -> ByTrack:
        tracks = [self.sample.reader.events[row].track_id for row in self.sample.rows]
        return mean_by_track(zip(tracks, values.tolist(), strict=True))

    def _area(self, shares: Sequence[np.ndarray], tracks: int) -> AreaRow:
        """Trapezoids between the logarithms of k."""
        at = np.log2(self.counts)
        areas = np.trapezoid(np.stack(shares), at, axis=0) / (at[-1] - at[0])
        return AreaRow(
            model=self.model,
            site=self.sample.site,
            featuriser=self.featuriser,
            most=self.counts[-1],
            area=_share_row(areas, tracks),
        )


def _ratio(above: ByTrack, below: ByTrack) -> np.ndarray:
    """A ratio of means over tracks, of all and in each resample: [1 + resamples]."""
    x, y = np.array([*above.values()]), np.array([*below.values()])
    weights = np.vstack([np.ones(len(x)), track_weights(len(x))])
    return (weights @ x) / (weights @ y)


def _share_row(values: np.ndarray, tracks: int) -> IntervalRow:
    return IntervalRow.of(interval_of(float(values[0]), values[1:], tracks=tracks), 4, n=tracks)


def _directions(basis: Tensor, order: Sequence[int], count: int) -> ExchangedCoordinates:
    return along(basis[list(order[:count])])


def _features(
    autoencoder: SparseAutoencoder, order: Sequence[int], count: int
) -> ExchangedCoordinates:
    return features_of(autoencoder, order[:count])


def _aligned(sample: EventSample, count: int) -> ExchangedCoordinates:
    return along(aligned_directions(sample, count))
