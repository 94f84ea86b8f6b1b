"""Scores: deterministic, balanced, and with twins that differ only where the cue decides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.corpus.organism.composer import (
    compose,
    motif_notes,
    motifs_of,
    render,
    sounds,
    truth,
)
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World
from leitmotif.tables.truth import Variation

SEEDS, INDICES = st.integers(0, 2**31), st.integers(0, 10_000)


@pytest.fixture(scope="session")
def world(varied: World) -> World:
    """Here, the world in which motifs return in every way."""
    return varied


def bars_of(world: World, events: list[object]) -> list[list[object]]:
    return [events[i : i + world.notes_per_bar] for i in range(0, len(events), world.notes_per_bar)]


@given(seed=SEEDS, index=INDICES, slot=st.integers(0, 1))
def test_a_twin_differs_only_in_its_part_of_the_cue_and_in_its_slot(
    world: World, seed: int, index: int, slot: int
) -> None:
    score = compose(world, seed, index, part="held_out")
    here, there = sounds(world, score), sounds(world, score.twin(slot))
    different = {i for i, (a, b) in enumerate(zip(here, there, strict=True)) if a != b}
    cue = world.cue_bar * world.notes_per_bar + slot * world.notes_per_slot
    cue_notes = set(range(cue, cue + world.notes_per_slot))
    slot_start = world.slot_bars[slot] * world.notes_per_bar
    slot_notes = set(range(slot_start, slot_start + world.notes_per_bar))
    assert cue_notes <= different <= cue_notes | slot_notes
    assert different & {slot_start, slot_start + 1}
    assert score.twin(slot).twin(slot) == score


@given(seed=SEEDS, index=INDICES, slot=st.integers(0, 1))
def test_swapping_the_cue_changes_no_other_note(
    world: World, seed: int, index: int, slot: int
) -> None:
    score = compose(world, seed, index, part="training")
    here, there = sounds(world, score), sounds(world, score.with_cue_swapped(slot))
    different = {i for i, (a, b) in enumerate(zip(here, there, strict=True)) if a != b}
    cue = world.cue_bar * world.notes_per_bar + slot * world.notes_per_slot
    assert different == set(range(cue, cue + world.notes_per_slot))


@given(seed=SEEDS, index=INDICES)
def test_the_motif_sounds_where_the_truth_says_and_nowhere_else(
    world: World, seed: int, index: int
) -> None:
    score = compose(world, seed, index, part="held_out")
    known = truth(world, score, track_id="track_1", seed=seed, index=index, bars=world.bars)
    bars = bars_of(world, [event._replace(drum=None) for event in sounds(world, score)])
    kinds: dict[Variation, list[int]] = {
        kind: [
            number * world.samples_per_bar
            for number, bar in enumerate(bars)
            if bar == motif_notes(world, score, kind)
        ]
        for kind in world.variations
    }
    stated = [known.motif.start_sample, *(span.start_sample for span in known.statements)]
    for kind, heard in kinds.items():
        returns = [slot.start_sample for slot in known.slots if slot.variation == kind]
        assert heard == (stated if kind == "exact" else []) + returns
    for slot in known.slots:
        assert slot.returns == (slot.variation is not None)
        assert slot.start_sample - known.cue.start_sample - known.cue.samples >= 5 * 32_000
        assert known.cue.start_sample <= slot.cue.start_sample
        assert slot.cue.samples * len(known.slots) == known.cue.samples


@given(seed=SEEDS, index=INDICES)
def test_filler_repeats_as_an_ostinato_or_not_at_all(world: World, seed: int, index: int) -> None:
    score = compose(world, seed, index, part="held_out")
    known = truth(world, score, track_id="track_1", seed=seed, index=index, bars=world.bars)
    bars = bars_of(world, list(sounds(world, score)))
    named = {*world.statement_bars, world.cue_bar, *world.slot_bars}
    filler = [tuple(bar) for number, bar in enumerate(bars) if number not in named]
    assert len(set(filler)) == (1 if known.ostinato else len(filler))
    assert known.drums == (sounds(world, score)[0].drum is not None)


def test_the_variations_keep_the_contour(world: World) -> None:
    drawn = (compose(world, 3, index, part="held_out") for index in range(100))
    score = next(s for s in drawn if s.instrument == "guitar" and s.mood == "sad")
    exact, other, raised, graced = (
        motif_notes(world, score, kind)
        for kind in ("exact", "instrument", "transposed", "ornamented")
    )
    assert [note.voice for note in other] == ["violin"] * 4
    assert [note.pitch for note in other] == [note.pitch for note in exact]
    assert [high.pitch - low.pitch for high, low in zip(raised, exact, strict=True)] == [1] * 4
    assert [note.pitch for note in graced] == [note.pitch for note in exact]
    assert [note.grace is not None for note in graced] == [False, True, False, True]
    assert all(1 <= note.grace - note.pitch <= 3 for note in graced if note.grace is not None)


def test_nothing_but_the_cue_tells_what_the_slots_do(world: World) -> None:
    scores = [compose(world, 5, index, part="held_out") for index in range(4000)]
    first, second = (np.array([score.returns[slot] for score in scores]) for slot in (0, 1))
    # Four standard errors of a fair coin thrown 4000 times.
    tolerance = 4 * 0.5 / np.sqrt(len(scores))
    assert abs(first.mean() - 0.5) < tolerance
    assert abs(second.mean() - 0.5) < tolerance
    assert abs((first == second).mean() - 0.5) < tolerance
    for attribute in ("instrument", "genre", "mood", "ostinato"):
        values = np.array([getattr(score, attribute) for score in scores])
        for value in np.unique(values):
            share = first[values == value].mean()
            assert abs(share - 0.5) < 4 * 0.5 / np.sqrt((values == value).sum())
    for kind, share in world.variations.items():
        drawn = np.mean([score.variations[0] == kind for score in scores])
        assert abs(drawn - share) < tolerance


def test_training_and_held_out_motifs_are_the_same_on_every_machine(world: World) -> None:
    training, held_out = motifs_of(world, "training"), motifs_of(world, "held_out")
    assert (len(training), len(held_out)) == (640, 72)
    assert not set(training) & set(held_out)
    assert held_out[:2] == ((0, 1, 2, 1), (0, 1, 2, 3))
    openings = {bar[:2] for bar in world.filler}
    assert not openings & {motif[:2] for motif in training + held_out}


def test_a_piece_is_its_notes_and_does_not_clip(world: World) -> None:
    bank = SoundBank(world)
    score = compose(world, 1, 0, part="training")
    samples = render(bank, sounds(world, score))
    assert samples.dtype == np.float32
    assert samples.shape == (world.bars * world.samples_per_bar,)
    assert 0.1 < np.abs(samples).max() < 1
    bar = world.samples_per_bar
    np.testing.assert_array_equal(samples[:bar], samples[2 * bar : 3 * bar])


@pytest.mark.parametrize(("mood", "genre", "instrument"), [("sad", "rock", "violin")])
def test_the_prompt_names_what_is_heard(
    world: World, mood: str, genre: str, instrument: str
) -> None:
    scores = (compose(world, 1, index, part="training") for index in range(200))
    score = next(s for s in scores if (s.mood, s.genre, s.instrument) == (mood, genre, instrument))
    assert score.prompt(world) == (
        "Compose a sad rock piece with a violin melody. Use a fast tempo."
    )
    events = sounds(world, score)
    bar = world.notes_per_bar
    assert {event.voice for event in events[: 3 * bar]} == {"violin", "bell"}
    assert {event.drum for event in events} == {"kick", "hat"}
