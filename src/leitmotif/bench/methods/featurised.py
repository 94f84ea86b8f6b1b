"""One feature of a site exchanged, found on half of the pieces and measured on the other half.

A direction that is trained to move the events (DAS), a principal component, and a feature of a
sparse autoencoder are held to the rule by which whole residuals are judged, at equal size: one
dimension.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from leitmotif.bench.method import CLAIMS, MINIMUM_SECONDS, MethodFinding
from leitmotif.bench.methods.exchanged import bin_windows, far_windows, strengths_of
from leitmotif.bench.methods.features import (
    aligned_direction,
    principal_component,
    sparse_feature,
)
from leitmotif.bench.methods.readings import readings_of
from leitmotif.causal.experiment.effects import effect_of
from leitmotif.causal.experiment.events import Event
from leitmotif.causal.interchange.coordinates import EventSample, ExchangedCoordinates
from leitmotif.causal.interchange.exchange import ExchangedOdds
from leitmotif.causal.interchange.reader import EventReader, Exchange, StepWindow
from leitmotif.claims import is_above_zero
from leitmotif.musicgen.protocol import MusicModel

_MODEL = "model"


def das(model: MusicModel, pieces: Sequence[Event]) -> MethodFinding:
    """A trained direction; it has to do better than one trained for decisions that are shuffled."""
    return _found(model, pieces, aligned_direction, _shuffled)


def pca(model: MusicModel, pieces: Sequence[Event]) -> MethodFinding:
    """The principal component that tells the decision best."""
    return _found(model, pieces, principal_component)


def sae(model: MusicModel, pieces: Sequence[Event]) -> MethodFinding:
    """The feature that tells the decision best, of a sparse autoencoder trained on the spot."""
    return _found(model, pieces, sparse_feature)


def _shuffled(sample: EventSample) -> ExchangedCoordinates:
    """A direction for decisions that half of the events contradict."""
    order = torch.randperm(len(sample.rows), generator=torch.Generator().manual_seed(0))
    return aligned_direction(sample, sample.signs[order])


def _found(
    model: MusicModel,
    pieces: Sequence[Event],
    feature: Callable[[EventSample], ExchangedCoordinates],
    rival: Callable[[EventSample], ExchangedCoordinates] | None = None,
) -> MethodFinding:
    readings = readings_of(model, pieces)
    fitted, measured = _halves(pieces)
    far = StepWindow("ahead", MINIMUM_SECONDS)
    fits = [EventSample(readings, site, far, fitted) for site in readings.sites]
    measure = partial(_Measure, readings, measured)
    ours = [measure(fit.site, feature(fit)) for fit in fits]
    exchanges = [exchange for site in ours for exchange in site.exchanges()]
    exchanged = ExchangedOdds([pieces[row] for row in measured], _joined(ours))
    rows = exchanged.rows(_MODEL, [*_totals(), *exchanges])
    leads = CLAIMS.leads(rows, model=_MODEL)
    if rival is not None and leads:
        rivals = [measure(fit.site, rival(fit)) for fit in fits if fit.site in leads]
        theirs = ExchangedOdds(exchanged.events, _joined(rivals))
        leads = {
            site: lead
            for site, lead in leads.items()
            if _exceeds(
                exchanged, theirs, Exchange(site, StepWindow("ahead", lead), "counterfactual")
            )
        }
    return MethodFinding(bool(leads), max(leads.values(), default=None), strengths_of(rows))


def _halves(pieces: Sequence[Event]) -> tuple[list[int], list[int]]:
    """Numbers of pieces, every other one of those with the event and of those without."""
    groups = [[n for n, piece in enumerate(pieces) if piece.returns == r] for r in (True, False)]
    return (
        sorted(n for group in groups for n in group[::2]),
        sorted(n for group in groups for n in group[1::2]),
    )


@dataclass(frozen=True, eq=False)
class _Measure:
    """A feature of a site, exchanged in some pieces."""

    readings: EventReader
    rows: Sequence[int]
    site: str
    feature: ExchangedCoordinates

    def exchanges(self) -> list[Exchange]:
        """What is done: each bin, and each stretch that is far ahead with both donors."""
        pieces, rate = self.readings.events, self.readings.model.frame_rate
        far = far_windows(pieces, rate)
        return [
            *(Exchange(self.site, w, "counterfactual") for w in bin_windows(pieces, rate)),
            *(Exchange(self.site, w, "counterfactual") for w in far),
            *(Exchange(self.site, w, "control") for w in far),
        ]

    @torch.no_grad()
    def odds(self) -> list[dict[Exchange | None, float]]:
        """Log-odds by exchange, of each row."""
        by_row: list[dict[Exchange | None, float]] = [{} for _ in self.rows]
        rows = list(self.rows)
        own = self.readings.own.at[self.site][rows]
        change = {
            donor: self.feature.change(own, read.at[self.site][rows])
            for donor, read in self.readings.donors.items()
        }
        for exchange in self.exchanges():
            mixed, there = own.clone(), []
            for number, row in enumerate(rows):
                rate = self.readings.model.frame_rate
                steps = exchange.window.steps(self.readings.events[row], rate)
                if steps:
                    inside = slice(steps.start, steps.stop)
                    mixed[number, inside] += change[exchange.donor][number, inside]
                    there.append(number)
            if not there:
                continue
            odds = self.readings.odds_from(self.site, mixed[there], [rows[n] for n in there])
            for number, value in zip(there, odds.tolist(), strict=True):
                by_row[number][exchange] = value
        return by_row


def _totals() -> list[Exchange]:
    return [
        Exchange(None, StepWindow("deciding"), donor) for donor in ("counterfactual", "control")
    ]


def _joined(measures: Sequence[_Measure]) -> list[dict[Exchange | None, float]]:
    """Log-odds of each row as it is, in its donors, and under every exchange."""
    readings, rows = measures[0].readings, measures[0].rows
    joined: list[dict[Exchange | None, float]] = []
    for row in rows:
        of_row: dict[Exchange | None, float] = {None: float(readings.own.odds[row])}
        for total in _totals():
            of_row[total] = float(readings.donors[total.donor].odds[row])
        joined.append(of_row)
    for measure in measures:
        for of_row, of_measure in zip(joined, measure.odds(), strict=True):
            of_row.update(of_measure)
    return joined


def _exceeds(ours: ExchangedOdds, theirs: ExchangedOdds, exchange: Exchange) -> bool:
    """Whether an effect is larger than that of the rival's feature, with its interval."""
    moved, rival = ours.moved(exchange), theirs.moved(exchange)
    excess = {ours.events[n].track_id: moved[n] - rival[n] for n in moved}
    return is_above_zero(effect_of(excess).interval)
