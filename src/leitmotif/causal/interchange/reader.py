"""Events as a model reads them: the piece itself and both donors, and what an exchange changes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TypeVar

import torch
from torch import Tensor

from leitmotif.causal.experiment.events import Event
from leitmotif.musicgen import Intervention
from leitmotif.musicgen.activation_cache import ActivationCache
from leitmotif.musicgen.key_values import Past
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.sites import split_site
from leitmotif.tables.interchange import Donor
from leitmotif.work.engine import workers_on
from leitmotif.work.parallel import in_processes

Result = TypeVar("Result")


def read_in_parts(
    job: Callable[[Sequence[Event]], Sequence[Result]],
    events: Sequence[Event],
    *,
    rows: int,
    device: str,
) -> list[Result]:
    """What ``job`` makes of each event, ``rows`` of them at once, on all processors."""
    # Pieces of one length are read together.
    order = sorted(range(len(events)), key=lambda number: events[number].codes.shape[1])
    parts = [order[first : first + rows] for first in range(0, len(order), rows)]
    read = in_processes(
        job, [[events[n] for n in part] for part in parts], workers=workers_on(device, None)
    )
    made = dict(zip(order, chain.from_iterable(read), strict=True))
    return [made[number] for number in range(len(events))]


@dataclass(frozen=True)
class StepWindow:
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
    window: StepWindow
    donor: Donor


@dataclass(frozen=True, eq=False)
class Read:
    """What a model holds while it reads one version of every event."""

    odds: Tensor
    """float64 [rows]: log-odds of the event's token against its absence's."""
    at: Mapping[str, Tensor]
    """Activations [rows, S, d] by site."""
    there: Sequence[bool]
    """Rows that have this version; the others are the piece itself."""


@dataclass(frozen=True, eq=False)
class _Begun:
    """An exchange that was made, and what its steps have left."""

    site: str | None
    steps: Mapping[int, range]
    """Exchanged ones, by row."""
    past: Past
    """Of these rows, in their order."""

    def goes_on_as(self, exchange: Exchange, steps: Mapping[int, range]) -> bool:
        """Whether another exchange of the same donor begins as this one did, in all its rows."""
        return self.site == exchange.site and all(
            row in self.steps and self.steps[row].start == at.start for row, at in steps.items()
        )


class EventReader:
    """Some events, read by a model: the piece itself and both donors, at all ``sites``.

    Rows are the events, in their order.
    """

    own: Read
    """The piece as it is."""
    donors: Mapping[Donor, Read]

    def __init__(self, model: MusicModel, events: Sequence[Event], sites: Sequence[str]) -> None:
        self.model, self.events, self.sites = model, events, sites
        self._book = model.delays.index(0)
        self._begun: dict[Donor, _Begun] = {}
        self._length = max(event.codes.shape[1] for event in events)
        self._codes = self._stacked([event.codes for event in events])
        self.own = self._pass(self._codes, [True] * len(events))
        self.donors = {
            "counterfactual": self._donor([event.counterfactual for event in events]),
            "control": self._donor([event.control for event in events]),
        }

    def exchanged(self, exchange: Exchange) -> Iterator[tuple[int, float]]:
        """Rows that have such steps and such a donor, with their log-odds."""
        donor = self.donors[exchange.donor]
        if exchange.site is None:
            yield from ((row, float(donor.odds[row])) for row, it in enumerate(donor.there) if it)
            return
        steps = [
            exchange.window.steps(event, self.model.frame_rate) if there else range(0)
            for event, there in zip(self.events, donor.there, strict=True)
        ]
        rows = [row for row, of_row in enumerate(steps) if of_row]
        if rows:
            mixed = self.mixed(exchange.site, steps, donor=exchange.donor)[rows]
            block, kind = split_site(exchange.site)
            if kind == "residual":
                odds = self._going_on(exchange, block, {row: steps[row] for row in rows}, mixed)
            else:
                odds = self.odds_from(exchange.site, mixed, rows)
            yield from zip(rows, odds.tolist(), strict=True)

    def _going_on(
        self, exchange: Exchange, block: int, steps: Mapping[int, range], mixed: Tensor
    ) -> Tensor:
        """Log-odds of the rows of ``steps``, read from the first step on that was not read yet.

        Before the first exchanged step everything is as in the piece. If an earlier exchange of the
        same donor at the same site began at the same steps, everything is as there up to the first
        step at which one of the two has ended.
        """
        rows = [*steps]
        begun = self._begun.get(exchange.donor)
        if begun and begun.goes_on_as(exchange, steps):
            first = min(min(at.stop, begun.steps[row].stop) for row, at in steps.items())
            past = begun.past.of_rows([[*begun.steps].index(row) for row in rows])
        else:
            first = min(at.start for at in steps.values())
            past = self._own_past.of_rows(rows)
        first = min(first, *(self.events[row].frame for row in rows))
        odds, past = self._resumed(block, mixed[:, first:], rows, past.until(first))
        self._begun[exchange.donor] = _Begun(exchange.site, steps, past)
        return odds

    def _resumed(
        self, block: int, x: Tensor, rows: Sequence[int], past: Past | None = None
    ) -> tuple[Tensor, Past]:
        """Log-odds of some rows, going on from residuals after a block; and what that leaves.

        Residuals are [len(rows), S, d], of the steps after the past's.
        """
        first = 0 if past is None else past.steps
        # Of the first codebook, which lags behind by nothing, steps are frames.
        wanted = sorted({frame for row in rows for frame in self.events[row].read})
        logits, past = self.model.resume(
            x[:, : wanted[-1] + 1 - first],
            block + 1,
            steps=[frame - first for frame in wanted],
            past=past,
        )
        places = {frame: place for place, frame in enumerate(wanted)}
        return self._odds(logits[:, :, self._book], rows, places), past

    @cached_property
    def _own_past(self) -> Past:
        """What the steps of the pieces themselves leave in the blocks after the first site's."""
        blocks = {
            block: site
            for site in self.sites
            for block, kind in [split_site(site)]
            if kind == "residual"
        }
        first = min(blocks)
        # Nobody asks for its logits.
        return self.model.resume(self.own.at[blocks[first]], first + 1, steps=[0])[1]

    def mixed(self, site: str, steps: Sequence[range], donor: Donor = "counterfactual") -> Tensor:
        """Activations [rows, S, d] of the pieces, those of each row's ``steps`` the donor's."""
        mixed, given = self.own.at[site].clone(), self.donors[donor].at[site]
        for row, at in enumerate(steps):
            mixed[row, at.start : at.stop] = given[row, at.start : at.stop]
        return mixed

    def odds_from(self, site: str, x: Tensor, rows: Sequence[int]) -> Tensor:
        """Log-odds [len(rows)] of some rows' events, going on from activations [len(rows), S, d].

        Gradients flow through it from residuals.
        """
        block, kind = split_site(site)
        if kind == "residual":
            return self._resumed(block, x, rows)[0]
        every = range(len(rows))
        edit = Intervention(site, "replace", x, rows=every, steps=range(x.shape[1]))
        logits = self.model(self._codes[rows], interventions=[edit])
        return self._odds(logits[:, self._book], rows)

    def shifted(self, added: Mapping[str, Tensor]) -> Tensor:
        """Log-odds [rows] where something is added at some sites, [rows, S, d]."""
        edits = [
            Intervention(site, "add", x, rows=range(len(x)), steps=range(x.shape[1]))
            for site, x in added.items()
        ]
        logits = self.model(self._codes, interventions=edits)
        return self._odds(logits[:, self._book], range(len(self.events)))

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

    def _donor(self, given: Sequence[Tensor | None]) -> Read:
        codes = [
            event.codes if donor is None else donor
            for event, donor in zip(self.events, given, strict=True)
        ]
        return self._pass(self._stacked(codes), [donor is not None for donor in given])

    @torch.no_grad()
    def _pass(self, codes: Tensor, there: Sequence[bool]) -> Read:
        logits, cache = self.model.run_with_cache(codes, sites=list(self.sites))
        assert logits is not None
        held = {site: cache[site] for site in self.sites}
        return Read(self._odds(logits[:, self._book], range(len(codes))), held, there)

    def _stacked(self, pieces: Sequence[Tensor]) -> Tensor:
        """Codes to the common length; what stands after an event changes nothing before it."""
        return torch.stack(
            [
                torch.cat([codes, codes[:, -1:].expand(-1, self._length - codes.shape[1])], dim=1)
                for codes in pieces
            ]
        )

    def _odds(
        self, logits: Tensor, rows: Sequence[int], places: Mapping[int, int] | None = None
    ) -> Tensor:
        """What is read of each event, on the CPU: [rows] of logits [rows, F, V].

        The log-odds of its token against its absence's, or the log-probability of its ending.
        ``places`` has the place of each frame among the logits; None: its own number.
        """
        read = []
        for number, row in enumerate(rows):
            event = self.events[row]
            frames = [*event.read] if places is None else [places[frame] for frame in event.read]
            # On the CPU: Apple's GPUs have no float64.
            at = logits[number, frames].cpu().double()
            if event.ending:
                chances = at.log_softmax(-1)
                read.append(chances[range(len(frames)), list(event.ending)].sum())
            else:
                has, lacks = event.tokens
                read.append(at[0, has] - at[0, lacks])
        return torch.stack(read)
