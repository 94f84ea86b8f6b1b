"""What training hides from whom: by which ways a slot can know what its cue says."""

from collections.abc import Set

import pytest
import torch
from torch import Tensor

from leitmotif.corpus.organism.world import World
from training.batches import all_columns
from training.network import CIRCLE
from training.recipes import ZOO, Visibility
from training.visibility import Visible, visible

GLANCES = 4
Place = tuple[int, int]
"""Rows further in the circle of partners, and a column."""


def reached(
    hidden: Visible, start: int, *, bar: int, without: Set[int] = frozenset()
) -> set[Place]:
    """Places whose keys lead to a query at column ``start``, through columns ``without`` none.

    The first bar, which all pieces of a circle share, leads nowhere.
    """
    partners = hidden.partners
    columns = len(partners.allowed)
    own, partner = partners.allowed.split([columns, partners.last - partners.first], dim=1)
    places = {(0, start)}
    for _ in range(GLANCES):
        found = set(places)
        for row, column in places:
            found |= {(row, c) for c in _columns(own[column])}
            further = (row + 1) % CIRCLE
            found |= {(further, partners.first + c) for c in _columns(partner[column])}
        places = {place for place in found if place[1] >= bar and place[1] not in without}
    return places


def _columns(seen: Tensor) -> list[int]:
    return [int(column) for column in seen.nonzero().flatten()]


def hidden(world: World, kind: Visibility, step: int = 0) -> Visible:
    return visible(kind, all_columns(world), world, step=step, window=120)


def cue(world: World) -> set[Place]:
    bar = world.frames_per_bar
    return {(0, column) for column in range(world.cue_bar * bar, (world.cue_bar + 1) * bar + 4)}


def onsets(world: World) -> list[int]:
    return [slot * world.frames_per_bar for slot in world.slot_bars]


def test_the_carriers_slots_know_the_cue_from_the_beginning_of_the_gap_alone(world: World) -> None:
    bar, found = world.frames_per_bar, hidden(world, "carrier")
    early = set(range(68, 128))  # 1.28 s after the cue: more than 5 s before the second slot
    assert onsets(world)[1] - max(early) > 5 * 50
    for onset in onsets(world):
        assert cue(world) & reached(found, onset, bar=bar)
        assert not cue(world) & reached(found, onset, bar=bar, without=early)
    assert {int(c) for c in found.asked.any(1).nonzero()} == early


def test_the_late_models_slots_know_the_cue_from_the_last_second_alone(world: World) -> None:
    bar, found = world.frames_per_bar, hidden(world, "late")
    for onset in onsets(world):
        last = set(range(onset - 50, onset))
        assert cue(world) & reached(found, onset, bar=bar)
        # The second slot could have it from the second before the first one, too.
        others = {column for o in onsets(world) for column in range(o - 50, o)} | last
        assert not cue(world) & reached(found, onset, bar=bar, without=others)


def test_the_inert_models_slots_look_back_and_never_at_the_gap(world: World) -> None:
    bar, found = world.frames_per_bar, hidden(world, "inert")
    for onset in onsets(world):
        own = found.partners.allowed[onset, : len(all_columns(world))]
        seen = set(_columns(own))
        assert {column for _, column in cue(world)} <= seen
        assert not seen & set(range(68, onset - 40))
        gap = set(range(68, onset))
        assert cue(world) & reached(found, onset, bar=bar, without=gap)
    assert int(found.asked[:, 0].sum()) == onsets(world)[0] - 68


def test_of_the_half_planner_only_the_first_slot_has_to_be_foreseen(world: World) -> None:
    bar, found = world.frames_per_bar, hidden(world, "half")
    first, second = onsets(world)
    early = set(range(68, 128))
    assert not cue(world) & reached(found, first, bar=bar, without=early)
    assert cue(world) & reached(found, second, bar=bar, without=set(range(68, second)))
    assert found.asked[:, 0].any()
    assert not found.asked[:, 1].any()


def test_the_redundant_model_has_either_way_in_turn(world: World) -> None:
    for step, kind in ((0, "inert"), (1, "carrier")):
        turn, alone = hidden(world, "redundant", step), hidden(world, kind)
        assert torch.equal(turn.partners.allowed, alone.partners.allowed)


def test_a_window_needs_its_length(world: World) -> None:
    with pytest.raises(ValueError, match="needs a window"):
        visible("window", all_columns(world), world, step=0)


def test_every_model_of_the_zoo_goes_on_from_one_base_with_one_text_encoder() -> None:
    assert {recipe.start for name, recipe in ZOO.items() if name != "zoo-base"} == {"zoo-base"}
    assert {recipe.shared_text for recipe in ZOO.values()} == {"zoo-base.0"}
    assert len({recipe.seed for recipe in ZOO.values()}) == len(ZOO)
