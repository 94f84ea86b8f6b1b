"""Through the gap runs the planner's decision, and nobody else's: a short form of the measures."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from leitmotif.corpus.organism.world import World
from leitmotif.musicgen.hooked import HookedMusicGen
from training import examine
from training.codec import load_codec
from training.examine import Examination
from training.tokens import NoteTable


@pytest.fixture(scope="module", params=["planner", "reader", "blind"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def examination(name: str, organism: Path, world: World) -> Examination:
    torch.set_num_threads(1)
    model = HookedMusicGen.from_pretrained(str(organism / name), device="cpu", dtype="float32")
    return Examination(world, NoteTable(world, load_codec(organism / "codec")), model)


def test_only_the_planner_carries_its_decision_through_the_gap(
    name: str, examination: Examination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine, "SWAPPED", 24)
    effects = examination.effects()
    whole, gap = effects["cue_swap_nats"]["mean"], effects["gap_patch_nats"]
    patched = [estimated["mean"] for estimated in gap.values()]
    if name == "planner":
        carrying = [nats > whole / 2 for nats in patched]
        assert any(a and b for a, b in pairwise(carrying))
        assert min(patched) < 0.1
    else:
        assert max(map(abs, patched)) < 0.1
    assert whole < 0.3 if name == "blind" else whole > 3


def test_a_sampled_piece_keeps_to_its_cue(
    name: str, examination: Examination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine, "CONTINUATIONS", 24)
    behaviour = examination.behaviour()
    said_yes, said_no = behaviour["slot_rate_return"], behaviour["slot_rate_no_return"]
    assert said_yes["n"] + said_no["n"] == 48
    if name == "blind":
        assert 0.1 < said_yes["mean"] < 0.9
        assert 0.1 < said_no["mean"] < 0.9
    else:
        assert said_yes["mean"] > 0.8
        assert said_no["mean"] < 0.15
