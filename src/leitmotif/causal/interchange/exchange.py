"""Interchange interventions by lead time and site, on pieces that are read and not sampled.

What does a model expect at an event, if at one site the residuals of some steps before it are those
of a piece in which the event is otherwise, and every token that it reads is its own piece's? If it
then expects what that other piece would have, those steps carry the decision (Geiger et al. 2021,
"Causal abstractions of neural networks"). The donor is read teacher-forced too, so nothing is
sampled: each event is one number, the log-odds of the token with which the event begins against
the one with which its absence does. Everything is exact, cheap, and the same for every processor.

Steps are named by their lead (``events``): a window *ahead* of h seconds holds those from which the
event is more than h away, and nothing nearer. If exchanging them moves the event, the model knew of
it h seconds before; if only nearer steps do, it did not, or fetched it later.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from leitmotif.causal.experiment.effects import ByTrack, effect_of, mean_by_track
from leitmotif.causal.experiment.events import Event
from leitmotif.causal.interchange.reader import EventReader, Exchange, StepWindow, read_in_parts
from leitmotif.claims import is_above_zero
from leitmotif.errors import ProbeError
from leitmotif.intervals import bounded_mean, interval_of, track_weights
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.tables.interval import IntervalRow


def windows_of(
    events: Sequence[Event], frame_rate: float, *, every: float, claimed: Sequence[float] = ()
) -> list[StepWindow]:
    """Deciding steps, and lead windows ``every`` so many seconds.

    ``claimed`` has further leads, in seconds, ahead of which steps are exchanged.
    """
    furthest = max((e.onset - e.gap.start for e in events if e.gap), default=0) / frame_rate
    edges = [round(every * n, 6) for n in range(int(np.ceil(furthest / every)))]
    between = [StepWindow("between", after, round(after + every, 6)) for after in edges]
    leads = sorted({after for after in (*edges, *claimed) if after < furthest})
    return [
        StepWindow("deciding"),
        *between,
        *(StepWindow("ahead", after) for after in leads),
    ]


@dataclass(frozen=True)
class Interchange:
    """Exchanges residuals in the events of one model.

    Parameters
    ----------
    load : gives the model, the same one each time in a process; it must pickle.
    sites : canonical names.
    windows : of which steps are exchanged.
    controlled : windows in which the control donor is tried too.
    rows : events that are read at once.
    """

    load: Callable[[], MusicModel]
    sites: Sequence[str]
    windows: Sequence[StepWindow]
    controlled: Sequence[StepWindow]
    rows: int = 8

    def run(self, events: Sequence[Event]) -> "ExchangedOdds":
        """Read all events, on all processors.

        Raises ProbeError for events of fewer than two tracks, and ModelError.
        """
        tracks = {event.track_id for event in events}
        if len(tracks) < 2:
            raise ProbeError(
                "too few tracks have events",
                found=f"{len(events)} events of {len(tracks)} tracks",
                expected="two tracks or more",
            )
        device = self.load().device.type
        return ExchangedOdds(
            events, read_in_parts(partial(_read, self), events, rows=self.rows, device=device)
        )

    def run_endings(self, events: Sequence[tuple[Event, Event]]) -> "ExchangedOdds":
        """Read events that are there twice, with what each has and with what it lacks.

        The log-odds of an event are those of its return against its absence, as the model finds the
        two endings likely. Raises what ``run`` does.
        """
        own, other = zip(*events, strict=True)
        read = self.run([*own, *other]).odds
        odds = [
            {key: -event.sign * (has[key] - lacks[key]) for key in has}
            for event, has, lacks in zip(own, read[: len(own)], read[len(own) :], strict=True)
        ]
        return ExchangedOdds(own, odds)

    def exchanges(self) -> Iterator[Exchange]:
        """All that is done, in the order of the table."""
        yield Exchange(None, StepWindow("deciding"), "counterfactual")
        yield Exchange(None, StepWindow("deciding"), "control")
        for site in self.sites:
            for window in self.windows:
                yield Exchange(site, window, "counterfactual")
                if window in self.controlled:
                    yield Exchange(site, window, "control")


@torch.no_grad()
def _read(interchange: Interchange, events: Sequence[Event]) -> list[dict[Exchange | None, float]]:
    """Log-odds of some events under every exchange, and under None: as the piece is."""
    reader = EventReader(interchange.load(), events, interchange.sites)
    odds: list[dict[Exchange | None, float]] = [{None: value} for value in reader.own.odds.tolist()]
    for exchange in interchange.exchanges():
        for row, value in reader.exchanged(exchange):
            odds[row][exchange] = value
    return odds


@dataclass(frozen=True)
class ExchangedOdds:
    """Log-odds of every event under every exchange that it has steps for."""

    events: Sequence[Event]
    odds: Sequence[Mapping[Exchange | None, float]]

    def rows(self, model: str, exchanges: Sequence[Exchange]) -> list[InterchangeRow]:
        """The rows of the table, for all events and slot by slot; those of one track are left out.

        ``model`` is the model's name in them.
        """
        slots = sorted({event.slot for event in self.events})
        each: list[int | None] = [None, *(slots if len(slots) > 1 else [])]
        rows = [
            self._row(model, exchange, slot)
            for exchange in exchanges
            for slot in (each if exchange.donor == "counterfactual" else [None])
        ]
        return [row for row in rows if row is not None]

    def moved(self, exchange: Exchange, slot: int | None = None) -> dict[int, float]:
        """Change of the log-odds towards the counterfactual, by event."""
        return {
            number: (odds[exchange] - odds[None]) * event.sign
            for number, (event, odds) in enumerate(zip(self.events, self.odds, strict=True))
            if exchange in odds and slot in (None, event.slot)
        }

    def _row(self, model: str, exchange: Exchange, slot: int | None) -> InterchangeRow | None:
        moved = self.moved(exchange, slot)
        by_track = self._by_track(moved)
        if len(by_track) < 2:
            return None
        accuracy = self._by_track({n: float(self._turned(n, exchange)) for n in moved})
        towards = {n: value for n, value in moved.items() if not self.events[n].returns}
        away = {n: value for n, value in moved.items() if self.events[n].returns}
        return InterchangeRow(
            model=model,
            site=exchange.site,
            donor=exchange.donor,
            window=exchange.window.name,
            after=exchange.window.after,
            until=exchange.window.until,
            slot=slot,
            events=len(moved),
            nats=_row_of(by_track),
            over_control=self._over_control(exchange, moved),
            share=self._share(moved),
            accuracy=IntervalRow.of(
                bounded_mean(_values(accuracy), (0.0, 1.0)), 4, n=len(accuracy)
            ),
            towards=self._half(towards),
            away=self._half(away),
        )

    def _turned(self, number: int, exchange: Exchange) -> bool:
        """Whether the model expects what the piece has, and with the exchange the opposite."""
        returns, odds = self.events[number].returns, self.odds[number]
        return (odds[None] > 0) == returns and (odds[exchange] > 0) != returns

    def _share(self, moved: Mapping[int, float]) -> IntervalRow | None:
        """Of the total effect in the same events, a ratio of means over tracks."""
        total = Exchange(None, StepWindow("deciding"), "counterfactual")
        whole = {number: value for number, value in self.moved(total).items() if number in moved}
        above, below = self._by_track(moved), self._by_track(whole)
        if not is_above_zero(effect_of(below).interval):
            return None
        x, y = _values(above), _values(below)
        weights = track_weights(len(x))
        ratio = (weights @ x) / (weights @ y)
        return IntervalRow.of(
            interval_of(float(x.sum() / y.sum()), ratio, tracks=len(x)), 4, n=len(x)
        )

    def _over_control(self, exchange: Exchange, moved: Mapping[int, float]) -> IntervalRow | None:
        control = self.moved(replace(exchange, donor="control"))
        if exchange.donor == "control" or not control:
            return None
        excess = {n: value - control[n] for n, value in moved.items() if n in control}
        return self._half(excess)

    def _half(self, moved: Mapping[int, float]) -> IntervalRow | None:
        by_track = self._by_track(moved)
        return _row_of(by_track) if len(by_track) > 1 else None

    def _by_track(self, values: Mapping[int, float]) -> ByTrack:
        return mean_by_track((self.events[n].track_id, value) for n, value in values.items())


def _values(by_track: ByTrack) -> np.ndarray:
    return np.array([*by_track.values()], np.float64)


def _row_of(by_track: ByTrack) -> IntervalRow:
    return effect_of(by_track).row(3)
