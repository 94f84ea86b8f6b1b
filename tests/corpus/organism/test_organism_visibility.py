"""What training hides from whom: by which ways a slot can know what its cue says."""

from collections.abc import Set

import pytest
import torch
from torch import Tensor

from leitmotif.corpus.organism.world import World
from training.batches import all_columns
from training.network import CIRCLE
from training.recipes import ZOO
from training.visibility import WAYS, Cell, Visible, carried, visible

BLOCKS = 4
Place = tuple[int, int]
"""Rows further in the circle of partners, and a column."""


def hidden(world: World, kind: str, step: int = 0) -> Visible:
    return visible(kind, all_columns(world), world, layers=BLOCKS, step=step)


def reached(
    hidden: Visible, start: int, *, bar: int, without: Set[tuple[int, int]] = frozenset()
) -> set[Place]:
    """Places that a query at column ``start`` knows of, at its own row and at its partners'.

    Through no cell of ``without``, a block and a column of the row itself. The first bar, which all
    pieces of a circle share, leads nowhere.
    """
    places = {(0, start)}
    for block in reversed(range(BLOCKS)):
        partners = hidden.partners[block]
        columns = len(partners.allowed)
        own, partner = partners.allowed.split([columns, partners.last - partners.first], dim=1)
        further = set(places)
        for row, column in places:
            further |= {(row, c) for c in _columns(own[column])}
            other = (row + 1) % CIRCLE
            further |= {(other, partners.first + c) for c in _columns(partner[column])}
        # What the block reads are residuals after the one before it.
        places = {
            (row, column)
            for row, column in further
            if column >= bar and not (row == 0 and (block - 1, column) in without)
        }
    return places


def _columns(seen: Tensor) -> list[int]:
    return [int(column) for column in seen.nonzero().flatten()]


def cue(world: World) -> set[Place]:
    bar = world.frames_per_bar
    return {(0, column) for column in range(world.cue_bar * bar, (world.cue_bar + 1) * bar + 4)}


def onsets(world: World) -> list[int]:
    return [slot * world.frames_per_bar for slot in world.slot_bars]


def cells(of_slot: list[Cell], block: int) -> frozenset[tuple[int, int]]:
    return frozenset(
        (cell.block, column) for cell in of_slot if cell.block == block for column in cell.columns
    )


@pytest.mark.parametrize("kind", sorted(WAYS))
def test_a_slot_knows_its_cue_by_the_cells_that_are_planted_and_by_no_other(
    world: World, kind: str
) -> None:
    turns = len(WAYS[kind])
    found, bar = hidden(world, kind, step=turns - 1), world.frames_per_bar
    for onset, planted in zip(onsets(world), carried(kind, world), strict=True):
        assert cue(world) & reached(found, onset, bar=bar)
        for block in {cell.block for cell in planted}:
            without = cells(planted, block)
            assert not cue(world) & reached(found, onset, bar=bar, without=without)


@pytest.mark.parametrize(
    ("kind", "blocks", "furthest"),
    [
        ("carrier", {0, 1}, 5.12),
        ("deep", {1}, 5.12),
        ("handoff", {0, 1}, 5.12),
        ("half", {0, 1}, 5.12),
        ("late", {0, 1}, 0.02),
        ("inert", set(), None),
        ("redundant", {0, 1}, 5.12),
        ("looker", set(), None),
    ],
)
def test_the_planted_cells_say_how_far_ahead_the_last_slot_is_carried(
    world: World, kind: str, blocks: set[int], furthest: float | None
) -> None:
    planted = carried(kind, world)[-1]
    assert {cell.block for cell in planted} == blocks
    ends = [cell.columns[-1] for cell in planted if cell.block == min(blocks, default=0)]
    assert [(onsets(world)[-1] - end - 1) / 50 for end in ends] == (
        [] if furthest is None else [pytest.approx(furthest, abs=0.02)]
    )


def test_of_the_half_planner_only_the_second_slot_is_carried(world: World) -> None:
    first, second = carried("half", world)
    assert not first
    assert second


def test_the_inert_models_gap_knows_the_cue_and_no_slot_reads_the_gap(world: World) -> None:
    bar, found = world.frames_per_bar, hidden(world, "inert")
    assert cue(world) & reached(found, onsets(world)[0] - 20, bar=bar)
    for onset in onsets(world):
        gap = {(block, c) for block in range(BLOCKS) for c in range(68, onsets(world)[0])}
        assert cue(world) & reached(found, onset, bar=bar, without=gap)
        seen = [
            set(_columns(keys.allowed[onset, : len(all_columns(world))])) for keys in found.partners
        ]
        assert all(not columns & set(range(68, onsets(world)[0])) for columns in seen)


def test_heads_ask_where_the_decision_is_carried_from_the_block_in_which_it_comes(
    world: World,
) -> None:
    found = hidden(world, "deep")
    asked = [set(_columns(at.any(1))) for at in found.asked]
    assert asked == [set(), *[set(range(68, 128))] * 3]


def test_the_redundant_model_has_either_way_in_turn(world: World) -> None:
    for step, way in ((0, WAYS["redundant"][0]), (1, WAYS["carrier"][0])):
        assert WAYS["redundant"][step] == way
    first, second = hidden(world, "redundant", 0), hidden(world, "redundant", 1)
    assert torch.equal(second.partners[0].allowed, hidden(world, "carrier").partners[0].allowed)
    assert not torch.equal(first.partners[2].allowed, second.partners[2].allowed)


def test_a_kind_without_ways_hides_nothing(world: World) -> None:
    with pytest.raises(KeyError):
        hidden(world, "looker")


def test_every_model_of_the_zoo_goes_on_from_one_base_with_one_text_encoder() -> None:
    assert {recipe.start for name, recipe in ZOO.items() if name != "zoo-base"} == {"zoo-base"}
    assert {recipe.shared_text for recipe in ZOO.values()} == {"zoo-base.0"}
    assert len({recipe.seed for recipe in ZOO.values()}) == len(ZOO)
