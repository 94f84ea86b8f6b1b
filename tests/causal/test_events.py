"""Events of composed music, their steps by lead, and tracks with balanced decisions."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.causal.experiment.events import Event, balanced, composed_events
from leitmotif.causal.experiment.twins import Twins
from leitmotif.corpus.organism.composer import compose, render, sounds, truth
from leitmotif.corpus.organism.shard import encode_mp3
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.errors import ProbeError
from leitmotif.files import sha256_file
from leitmotif.musicgen import HookedMusicGen
from leitmotif.tables.corpus import ManifestTrack, Window
from tests.tables.made import manifest_track

TRACKS = 4


def composed(world: World, root: Path, count: int = TRACKS) -> tuple[list[ManifestTrack], Twins]:
    """Tracks of held-out music in ``root``, and what is known of them."""
    bank, truths, rows = SoundBank(world), {}, []
    for index in range(count):
        name, score = f"piece_{index}", compose(world, 77, index, part="held_out")
        path = root / f"{name}.mp3"
        path.write_bytes(encode_mp3(render(bank, sounds(world, score)), world.sample_rate))
        truths[name] = truth(world, score, track_id=name, seed=77, index=index, bars=world.bars)
        frames = world.bars * world.frames_per_bar
        rows.append(
            manifest_track(
                track_id=name,
                path=path.name,
                sha256=sha256_file(path),
                seconds=frames / 50,
                windows=[Window(start_frame=0, frames=frames)],
            )
        )
    return rows, Twins(world, truths)


@pytest.fixture(scope="session")
def planner(repo_root: Path) -> HookedMusicGen:
    return HookedMusicGen.from_pretrained(
        str(repo_root / "models/organism/planner"), device="cpu", dtype="float64"
    )


@pytest.fixture(scope="session")
def events(
    planner: HookedMusicGen, repo_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Event]:
    root = tmp_path_factory.mktemp("events")
    tracks, twins = composed(load_world(repo_root / "models/organism/world.json"), root)
    return composed_events(planner, tracks, root, twins)


def test_an_event_and_its_counterfactual_differ_before_the_gap_alone(events: list[Event]) -> None:
    assert [(event.track_id, event.slot) for event in events] == [
        (f"piece_{n}", slot) for n in range(TRACKS) for slot in (0, 1)
    ]
    for event in events:
        others = [event.counterfactual, event.control]
        for other in others:
            assert other is not None
            assert other.shape == event.codes.shape == (4, event.frame + 1)
            assert torch.equal(other[:, event.gap.start :], event.codes[:, event.gap.start :])
            assert not torch.equal(other, event.codes)
        assert event.control is not None
        assert not torch.equal(event.counterfactual, event.control)
        # What is told apart stands in the slot, and the piece has what it is said to have.
        assert event.onset <= event.frame < event.onset + 32
        own = int(event.codes[0, event.frame])
        assert own == event.tokens[0 if event.returns else 1]
        assert event.tokens[0] != event.tokens[1]


def test_steps_are_named_by_their_distance_from_the_event(events: list[Event]) -> None:
    event = events[1]  # the second slot of the first piece: 7.68 s, 6.4 s after the cue
    assert event.onset == 384
    assert event.gap == range(68, 384)
    assert event.steps(50, 0.0, 1.0) == range(334, 384)
    assert event.steps(50, 3.0, None) == range(68, 234)
    assert len(event.steps(50, 6.5, None)) == 0
    assert len(event.steps(50, 9.0, 10.0)) == 0


@given(st.floats(0, 8), st.floats(0.02, 2))
def test_stretches_of_lead_part_the_gap(first: float, width: float) -> None:
    codes = torch.zeros(1, 400, dtype=torch.long)
    event = Event("x", 0, True, codes, codes, None, 384, 384, (0, 1), range(68, 384), range(32, 68))
    near = event.steps(50, 0.0, first)
    between = event.steps(50, first, first + width)
    far = event.steps(50, first + width, None)
    assert [*far, *between, *near] == [*event.gap]


def test_what_is_not_composed_has_no_events(planner: HookedMusicGen, repo_root: Path) -> None:
    track = manifest_track(track_id="x", path="x.mp3", sha256="0" * 64, seconds=8.0)
    with pytest.raises(ProbeError, match="nothing is known of x"):
        composed_events(planner, [track], repo_root, Twins(None, {}))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40), st.integers(0, 40))
def test_decisions_are_balanced_as_far_as_the_tracks_allow(
    decisions: list[tuple[bool, bool]], count: int
) -> None:
    tracks = [ManifestTrack.model_construct(track_id=str(n)) for n in range(len(decisions))]
    known = {str(n): list(decision) for n, decision in enumerate(decisions)}
    chosen = balanced(tracks, known, count)
    assert len(chosen) == min(count, len(tracks))
    assert len({track.track_id for track in chosen}) == len(chosen)
    there, taken = Counter(decisions), Counter(tuple(known[t.track_id]) for t in chosen)
    for kind, number in taken.items():
        for other, available in there.items():
            # No kind has two more than another that still has tracks.
            assert number <= taken[other] + 1 or taken[other] == available, (kind, other)
