"""What a reader leaves out of a pass does not change what it reads."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from leitmotif.causal.experiment.events import Event
from leitmotif.causal.interchange.exchange import windows_of
from leitmotif.causal.interchange.reader import EventReader, Exchange
from leitmotif.musicgen import HookedMusicGen
from leitmotif.musicgen.protocol import MusicModel
from tests.causal.test_heads import events_of
from tests.other_model import other_model


def uneven(events: Sequence[Event]) -> list[Event]:
    """Events of several lengths, gaps and places, with a control in some."""
    made = []
    for number, event in enumerate(events):
        cut, control = number % 3, event.codes.flip(1) if number % 2 else None
        assert event.counterfactual is not None
        made.append(
            replace(
                event,
                codes=event.codes[:, : 29 - cut],
                counterfactual=event.counterfactual[:, : 29 - cut],
                control=None if control is None else control[:, : 29 - cut],
                frame=28 - cut,
                onset=28 - cut,
                gap=range(14 + number % 2, 28 - cut),
            )
        )
    return made


def of_other_model() -> list[Event]:
    random = torch.Generator().manual_seed(2)
    events = []
    for number in range(4):
        codes, other = torch.randint(16, (2, 12, 29), generator=random)
        events.append(
            Event(f"t{number}", 0, number % 2 == 0, codes, other, None, 28, 28, (3, 4),
                  range(14, 28), range(6, 14))
        )  # fmt: skip
    return events


@pytest.mark.parametrize("other", [False, True])
def test_an_exchange_goes_on_where_its_pass_parts_from_one_that_was_read(
    exact_model: HookedMusicGen, other: bool
) -> None:
    model: MusicModel = other_model() if other else exact_model
    events = uneven(of_other_model() if other else events_of(exact_model, 6))
    sites = [f"layers.{layer}.residual" for layer in range(model.num_layers)]
    reader = EventReader(model, events, sites)
    windows = windows_of(events, model.frame_rate, every=3.2 / model.frame_rate)
    read = 0
    for site in sites:
        for window in windows:
            for donor in ("counterfactual", "control"):
                exchange = Exchange(site, window, donor)
                odds = dict(reader.exchanged(exchange))
                steps = [window.steps(event, model.frame_rate) for event in events]
                there = reader.donors[donor].there
                rows = [row for row, at in enumerate(steps) if at and there[row]]
                assert list(odds) == rows
                if rows:
                    mixed = reader.mixed(site, steps, donor=donor)[rows]
                    whole = reader.odds_from(site, mixed, rows).tolist()
                    assert list(odds.values()) == pytest.approx(whole, abs=1e-11)
                    read += len(rows)
    assert read > 50
