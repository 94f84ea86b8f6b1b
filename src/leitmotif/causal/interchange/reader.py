"""Events as a model reads them: the piece itself and both donors, and what an exchange changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from leitmotif.causal.experiment.events import Event
from leitmotif.musicgen import Intervention
from leitmotif.musicgen.activation_cache import ActivationCache
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.sites import split_site
from leitmotif.tables.interchange import Donor


@dataclass(frozen=True)
class Window:
    """Which steps before an event are exchanged."""

    name: str
    """deciding, between or ahead; see ``tables.interchange``."""
    after: float | None = None
    until: float | None = None

    def steps(self, event: Event, frame_rate: float) -> range:
        """Of one event; empty where it has no such steps."""
        match self.name:
            case "deciding":
                return event.deciding
            case _:
                return event.steps(frame_rate, self.after or 0.0, self.until)


@dataclass(frozen=True)
class Exchange:
    """One thing that is done: a site, a window and a donor. No site: the donor's beginning."""

    site: str | None
    window: Window
    donor: Donor


class EventReader:
    """Some events, read by a model: the piece itself and both donors, at all ``sites``.

    Rows are the events, in their order.
    """

    def __init__(self, model: MusicModel, events: Sequence[Event], sites: Sequence[str]) -> None:
        self.model, self.events = model, events
        self._book = model.delays.index(0)
        self._length = max(event.codes.shape[1] for event in events)
        self._codes = self._stacked([event.codes for event in events])
        self.own, self.residuals = self._pass(self._codes, sites)
        """Log-odds of each event in the piece as it is; activations [rows, S, d] by site."""
        self._donors: dict[Donor, tuple[list[float], Mapping[str, Tensor], list[bool]]] = {}
        there = [True] * len(events)
        given = [event.counterfactual for event in events]
        self._donors["counterfactual"] = (*self._pass(self._stacked(given), sites), there)
        there = [event.control is not None for event in events]
        given = [event.codes if event.control is None else event.control for event in events]
        self._donors["control"] = (*self._pass(self._stacked(given), sites), there)

    @property
    def total(self) -> list[float]:
        """Log-odds of each event where the whole of what decides it is the counterfactual's."""
        return self._donors["counterfactual"][0]

    def exchanged(self, exchange: Exchange) -> Iterator[tuple[int, float]]:
        """Rows that have such steps and such a donor, with their log-odds."""
        odds, _, there = self._donors[exchange.donor]
        if exchange.site is None:
            yield from ((row, odds[row]) for row, given in enumerate(there) if given)
            return
        steps = [
            exchange.window.steps(event, self.model.frame_rate) if given else range(0)
            for event, given in zip(self.events, there, strict=True)
        ]
        rows = [row for row, of_row in enumerate(steps) if of_row]
        if rows:
            mixed = self.mixed(exchange.site, steps, donor=exchange.donor)[rows]
            yield from zip(
                rows, self._odds(self._logits(exchange.site, mixed, rows), rows), strict=True
            )

    def mixed(self, site: str, steps: Sequence[range], donor: Donor = "counterfactual") -> Tensor:
        """Activations [rows, S, d] of the pieces, those of each row's ``steps`` the donor's."""
        mixed, given = self.residuals[site].clone(), self._donors[donor][1][site]
        for row, at in enumerate(steps):
            mixed[row, at.start : at.stop] = given[row, at.start : at.stop]
        return mixed

    def shifted(self, added: Mapping[str, Tensor]) -> list[float]:
        """Log-odds of all rows where something is added at some sites, [rows, S, d]."""
        edits = [
            Intervention(site, "add", x, rows=range(len(x)), steps=range(x.shape[1]))
            for site, x in added.items()
        ]
        logits = self.model(self._codes, interventions=edits)
        frames = [event.frame for event in self.events]
        return self._odds(logits[range(len(frames)), self._book, frames], range(len(frames)))

    def activations(self, sites: Sequence[str], given: Mapping[str, Tensor]) -> ActivationCache:
        """Activations [rows, S, d] at some sites where those at earlier ones are ``given``."""
        last = max(split_site(site)[0] for site in sites)
        edits = [
            Intervention(site, "replace", x, rows=range(len(x)), steps=range(x.shape[1]))
            for site, x in given.items()
        ]
        _, cache = self.model.run_with_cache(
            self._codes, sites=list(sites), stop_at_layer=last + 1, interventions=edits
        )
        return cache

    def _pass(
        self, codes: Tensor, sites: Sequence[str]
    ) -> tuple[list[float], Mapping[str, Tensor]]:
        logits, cache = self.model.run_with_cache(codes, sites=list(sites))
        assert logits is not None
        frames = [event.frame for event in self.events]
        at = logits[range(len(codes)), self._book, frames]
        return self._odds(at, range(len(codes))), {site: cache[site] for site in sites}

    def _stacked(self, pieces: Sequence[Tensor]) -> Tensor:
        """Codes to the common length; what stands after an event changes nothing before it."""
        return torch.stack(
            [
                torch.cat([codes, codes[:, -1:].expand(-1, self._length - codes.shape[1])], dim=1)
                for codes in pieces
            ]
        )

    def _logits(self, site: str, mixed: Tensor, rows: Sequence[int]) -> Tensor:
        """Logits [rows, V] of the first codebook at each row's event."""
        frames = [self.events[row].frame for row in rows]
        every = range(len(rows))
        block, kind = split_site(site)
        if kind == "residual":
            # Of the first codebook, which lags behind by nothing, steps are frames.
            steps = sorted(set(frames))
            logits = self.model.logits_from(mixed, block + 1, steps=steps)
            return logits[every, [steps.index(frame) for frame in frames], self._book]
        edit = Intervention(site, "replace", mixed, rows=every, steps=range(mixed.shape[1]))
        return self.model(self._codes[rows], interventions=[edit])[every, self._book, frames]

    def _odds(self, logits: Tensor, rows: Sequence[int]) -> list[float]:
        """Log-odds of each event's token against its absence's: logits [rows, V]."""
        tokens = [self.events[row].tokens for row in rows]
        return [
            float(at[has] - at[lacks])
            for at, (has, lacks) in zip(logits.double(), tokens, strict=True)
        ]
