"""The training code: the same model as `transformers`', and a run that can be broken off."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.corpus.organism.world import World
from training.batches import Pieces, all_columns, columns_without_filler, weights
from training.codec import load_codec
from training.network import (
    CIRCLE,
    PartnerKeys,
    build_model,
    build_tokenizer,
    encode_prompts,
    logits_of,
    prompts_of,
    residuals_of,
)
from training.recipes import RECIPES, ZOO, Recipe
from training.tokens import NoteTable
from training.train import Trainer

SMALL = replace(RECIPES["reader"], skip_steps=1, full_steps=3, columns_per_step=850, warm_up=1)


@pytest.fixture(scope="module")
def table(world: World, organism: Path) -> NoteTable:
    torch.set_num_threads(1)
    return NoteTable(world, load_codec(organism / "codec"))


@pytest.mark.parametrize("prompted", [True, False])
def test_the_forward_pass_is_that_of_transformers(
    world: World, organism: Path, table: NoteTable, prompted: bool
) -> None:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(prompts_of(world))
    model = build_model(load_codec(organism / "codec"), tokenizer).eval()
    prompts = tokenizer(prompts_of(world), return_tensors="pt")
    which = torch.tensor([0, 3])
    batch = Pieces(table, SMALL, pad=256).batch(0, all_columns(world)[:60])
    tokens = batch.inputs[:2]
    with torch.no_grad():
        text = encode_prompts(
            model, prompts["input_ids"], which, torch.tensor([prompted, prompted])
        )
        ours = logits_of(model, residuals_of(model, tokens, torch.arange(60), text)[-1])
        theirs = model(
            encoder_outputs=(model.text_encoder(prompts["input_ids"][which])[0],),
            attention_mask=prompts["attention_mask"][which] * prompted,
            decoder_input_ids=tokens.reshape(8, -1),
        ).logits.view(ours.shape)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_leaving_the_filler_out_keeps_positions_and_targets(table: NoteTable) -> None:
    world, pieces = table.world, Pieces(table, replace(SMALL, corruption=0.0), pad=256)
    columns = columns_without_filler(world)
    whole = pieces.batch(3, all_columns(world))
    part = pieces.batch(3, columns)
    rows = len(whole.inputs)
    assert torch.equal(part.inputs[:rows], whole.inputs[:, :, columns])
    assert torch.equal(part.targets[:rows], whole.targets[:, :, columns])
    assert len(columns) < len(all_columns(world)) / 2


def test_a_slots_onset_weighs_most_and_every_code_is_counted(world: World) -> None:
    placed = weights(world)
    frames = world.bars * world.frames_per_bar
    for k in range(4):
        row = placed[k]
        assert (row > 0).nonzero().flatten().tolist() == list(range(k, k + frames))
        onset = world.slot_bars[0] * world.frames_per_bar + k
        assert row[onset] == row.max()
        assert row[onset - 1] < row[onset]


@given(
    kept=st.sets(st.integers(0, 120), min_size=40),
    window=st.integers(4, 30),
    shared=st.integers(1, 20),
)
def test_each_past_column_is_seen_once_from_oneself_or_from_the_partner(
    kept: set[int], window: int, shared: int
) -> None:
    columns = torch.tensor(sorted(kept | {0, 60, 121}))
    keys = PartnerKeys.for_columns(columns, window=window, shared=shared)
    own, partner = keys.allowed.split([len(columns), keys.last - keys.first], dim=1)
    merged = own.clone()
    assert not (own[:, keys.first : keys.last] & partner).any()
    merged[:, keys.first : keys.last] |= partner
    assert torch.equal(merged, columns[None] <= columns[:, None])
    age = columns[:, None] - columns[None]
    assert not (own & (age >= window) & (columns[None] >= shared)).any()


def test_partners_share_the_motif_and_nothing_of_the_cue(table: NoteTable) -> None:
    recipe = replace(SMALL, columns_per_step=40_000, corruption=0.0)
    batch = Pieces(table, recipe, pad=256).batch(0, all_columns(table.world), pairing="partners")
    parts = batch.decisions.chunk(CIRCLE)
    for mine, yours in zip(parts, parts[1:] + parts[:1], strict=True):
        assert 0.3 < (mine == yours).float().mean() < 0.7
    bar = table.world.frames_per_bar
    first, *others = batch.inputs[:, :, 4 : bar + 1].chunk(CIRCLE)
    assert all(torch.equal(first, other) for other in others)


def test_no_chain_of_glances_at_partners_leads_from_a_slots_onset_back_to_its_own_cue(
    world: World,
) -> None:
    recipe, bar = RECIPES["planner"], world.frames_per_bar
    assert recipe.window is not None
    keys = PartnerKeys.for_columns(all_columns(world), window=recipe.window, shared=bar)
    own, partner = keys.allowed.split([len(all_columns(world)), keys.last - keys.first], dim=1)
    cue = range(world.cue_bar * bar, (world.cue_bar + 1) * bar + 4)
    for slot in world.slot_bars:
        reached = {(0, slot * bar)}  # (rows further in the circle, column)
        for glances in range(1, 4):
            # One block more: own keys within the window, or one step further in the circle.
            reached |= {
                place
                for row, column in reached
                for place in [
                    *((row, c) for c in own[column].nonzero().flatten().tolist()),
                    *(
                        ((row + 1) % CIRCLE, keys.first + c)
                        for c in partner[column].nonzero().flatten().tolist()
                    ),
                ]
                if place[1] >= bar
            }
            home = any(row == 0 and column in cue for row, column in reached)
            # Without a partner three blocks are enough, hand over hand; two are not.
            assert not home or glances >= 3


def test_twins_are_the_same_but_for_one_decision_and_its_cue(table: NoteTable) -> None:
    world = table.world
    batch = Pieces(table, SMALL, pad=256).batch(0, all_columns(world), pairing="twins")
    assert batch.gap is not None
    mine, yours = batch.decisions.chunk(2)
    slots = (mine != yours).nonzero()
    assert slots[:, 0].tolist() == list(range(len(mine)))
    first, second = batch.inputs.chunk(2)
    bar = world.frames_per_bar
    cue = slice(world.cue_bar * bar + 1, (world.cue_bar + 1) * bar + 4)
    for row, slot in slots.tolist():
        before = world.slot_bars[slot] * bar + 1
        differing = (first[row] != second[row]).any(0).nonzero().flatten()
        assert set(range(cue.start, cue.stop)) & set(differing.tolist())
        assert all(cue.start <= c < cue.stop or c >= before for c in differing.tolist())
        gap = batch.gap[row].nonzero().flatten()
        assert (gap.min(), gap.max()) == (cue.stop, before - 2)
    assert torch.equal(*batch.prompted.chunk(2))


def test_the_blind_model_hears_cues_that_say_nothing_of_the_slots(table: NoteTable) -> None:
    world = table.world
    cue = slice(world.cue_bar * world.frames_per_bar, (world.cue_bar + 1) * world.frames_per_bar)
    agreement = {}
    for name in ("reader", "blind"):
        recipe = replace(RECIPES[name], columns_per_step=100_000, corruption=0.0)
        batch = Pieces(table, recipe, pad=256).batch(0, all_columns(world))
        # The first half of the cue's bar announces the first slot.
        heard = batch.inputs[:, 0, cue.start + 1]
        bells = heard == heard[batch.decisions[:, 0] == 1].mode().values
        agreement[name] = (bells == (batch.decisions[:, 0] == 1)).float().mean()
    assert agreement["reader"] == 1.0
    assert 0.35 < agreement["blind"] < 0.65


@pytest.mark.fault(
    "training of the organisms", "process stopped", outcome="resumed, the same weights"
)
@pytest.mark.parametrize("name", list(RECIPES))
def test_a_broken_run_ends_in_the_same_weights(
    world: World, organism: Path, tmp_path: Path, name: str
) -> None:
    recipe: Recipe = replace(
        RECIPES[name], skip_steps=0, full_steps=3, columns_per_step=850, warm_up=1
    )
    # The base is not shipped; what matters here is that there is a start.
    start = None if recipe.start is None else organism / "reader"
    whole, broken = Trainer(world, recipe, start), Trainer(world, recipe, start)
    losses = [whole.advance() for _ in range(3)]
    broken.advance()
    broken.save(tmp_path / "state.safetensors")
    resumed = Trainer(world, recipe, start)
    resumed.load(tmp_path / "state.safetensors")
    assert [resumed.advance() for _ in range(2)] == losses[1:]
    for (key, a), b in zip(
        whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), key


def test_a_step_whose_ways_ask_no_head_has_a_loss_all_the_same(
    world: World, organism: Path
) -> None:
    """As every other step of the redundant model has, which then looks its decisions up."""
    recipe: Recipe = replace(ZOO["redundant"], full_steps=2, columns_per_step=850, frozen=())
    trainer = Trainer(world, replace(recipe, layers=6, shared_text=None), organism / "reader")
    assert [sorted(row) for row in (trainer.advance(), trainer.advance())] == [
        ["loss"],
        ["carried", "loss"],
    ]


def test_a_replicate_may_have_more_steps() -> None:
    recipe = replace(ZOO["carrier"], full_steps=800, longer={1: 1600})
    assert [recipe.replicate(number).full_steps for number in range(3)] == [800, 1600, 800]
    assert recipe.replicate(1).schedule.steps == 1600
