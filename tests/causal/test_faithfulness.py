"""How few coordinates carry an event: where that can be computed, and in the organisms."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from leitmotif.causal.experiment.events import composed_events
from leitmotif.causal.interchange.coordinates import EventSample, ExchangedCoordinates, along
from leitmotif.causal.interchange.faithfulness import (
    Curve,
    FirstCoordinates,
    halves,
    kinds_ranked_on,
)
from leitmotif.causal.interchange.reader import EventReader, StepWindow
from leitmotif.corpus.organism.world import load_world
from leitmotif.errors import ProbeError
from leitmotif.musicgen import HookedMusicGen
from tests.causal.test_events import composed
from tests.causal.test_heads import events_of
from tests.causal.test_interchange import organism

SITE = "layers.0.residual"


@pytest.fixture(scope="module")
def sample(exact_model: HookedMusicGen) -> EventSample:
    reader = EventReader(exact_model, events_of(exact_model, 8), [SITE])
    return EventSample(reader, SITE, StepWindow("ahead", 0.1), range(8))


class Linear(EventSample):
    """Odds are sums over the window along the first two axes; the donor differs by its sign."""

    weights: tuple[float, float] = (3.0, 1.0)

    def odds(self, change: Tensor) -> Tensor:
        sums = (change * self.inside).sum(1)
        return self.reader.own.odds[self.rows] + sums[:, :2] @ torch.tensor(
            self.weights, dtype=torch.float64
        )

    @property
    def own(self) -> Tensor:
        return torch.zeros_like(super().own)

    @property
    def donor(self) -> Tensor:
        return self.signs[:, None, None].double() * torch.ones_like(super().own)


class Inert(Linear):
    """Nothing does anything."""

    weights = (0.0, 0.0)


def axes(width: int) -> FirstCoordinates:
    basis = torch.eye(width, dtype=torch.float64)

    def first(count: int) -> ExchangedCoordinates:
        return along(basis[:count])

    return first


def test_shares_are_those_of_a_sum_that_is_known(sample: EventSample) -> None:
    linear = Linear(sample.reader, SITE, sample.window, range(8))
    curve = Curve("sum", "neurons", linear, axes(linear.own.shape[-1]), [1, 2, 4])
    rows, area = curve.rows()
    assert [row.share.mean for row in rows if row.share] == [0.75, 1.0, 1.0]
    assert [row.left.mean for row in rows if row.left] == [0.25, 0.0, 0.0]
    # The first set that does nine tenths is taken apart: without its second member it does 0.75.
    assert [row.least_drop for row in rows] == [None, 0.25, None]
    assert area is not None
    assert area.area.mean == pytest.approx((0.875 + 1.0) / 2)
    assert (rows[0].k, rows[0].after, rows[0].nats.n) == (1, 0.1, 8)


def test_nothing_is_a_share_where_the_site_does_nothing(sample: EventSample) -> None:
    inert = Inert(sample.reader, SITE, sample.window, range(8))
    rows, area = Curve("sum", "neurons", inert, axes(inert.own.shape[-1]), [1]).rows()
    assert area is None
    assert (rows[0].share, rows[0].left, rows[0].least_drop) == (None, None, None)
    assert rows[0].nats.mean == 0.0


def test_halves_have_no_track_in_common() -> None:
    one, other = halves(["a", "b", "a", "c", "d", "c"])
    assert (one, other) == ([0, 2, 3, 5], [1, 4])
    with pytest.raises(ProbeError, match="4 or more"):
        halves(["a", "b", "b", "c"])


def test_every_kind_gives_the_same_first_coordinates_each_time(sample: EventSample) -> None:
    kinds = kinds_ranked_on(sample, {})
    assert set(kinds) == {"neurons", "components", "rotation", "das"}
    for found in kinds.values():
        one, two = found(1), found(2)
        assert (len(one.directions), len(two.directions)) == (1, 2)
        assert torch.equal(found(2).directions, two.directions)


def test_few_directions_of_the_planner_carry_what_its_site_does_and_none_of_the_reader(
    repo_root: Path, tmp_path: Path
) -> None:
    found = {}
    for name in ("planner", "reader"):
        (tmp_path / name).mkdir()
        model = organism(repo_root, name)
        world = load_world(repo_root / "models/organism/world.json")
        tracks, twins = composed(world, tmp_path / name, 8)
        events = composed_events(model, tracks, tmp_path / name, twins)
        reader = EventReader(model, events, [SITE])
        fitted, measured = halves([event.track_id for event in events])
        window = StepWindow("ahead", 3.0)
        kinds = kinds_ranked_on(EventSample(reader, SITE, window, fitted), {})
        held = EventSample(reader, SITE, window, measured)
        found[name] = Curve(name, "das", held, kinds["das"], [8]).rows()[0][0]
    share = found["planner"].share
    assert share is not None
    assert share.mean > 0.7
    assert found["reader"].share is None
    assert found["reader"].accuracy.mean == 0.0
