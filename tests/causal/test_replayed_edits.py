"""The sweep's edits in replayed steps do what they do step by step."""

import pytest
import torch
from pretend_graphs import PretendGraphs

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.edits import Treated, interventions
from leitmotif.causal.experiment.targets import Coordinates, SaeFeatures, Target, WholeSite
from leitmotif.musicgen import HookedMusicGen
from leitmotif.musicgen import generate as generation
from leitmotif.musicgen import graphs as graphs_module
from tests.sae.making import random_sae
from tests.tiny import tiny_musicgen, tiny_tokenizer

PROMPTS = ["a calm piece", "a happy fast piece with guitar melody", "a sad piece with drums"]
SITE = "layers.1.residual"
REST = torch.randn(32, generator=torch.Generator().manual_seed(3))
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


def target_of(name: str, device: str) -> Target:
    if name == "coordinates":
        return Coordinates(SITE, (2, 5), REST[:2])
    if name == "site":
        return WholeSite(SITE, REST)
    features = 6000 if name == "topk" else 64
    sae = random_sae("jumprelu" if name == "jumprelu" else "topk", width=32, features=features)
    return SaeFeatures(sae.double().to(device), (3, 17), "tiny", "0" * 64, at=SITE)


KINDS = ["small topk", "jumprelu", "coordinates", "site"]
# Of many features a CPU encodes some at a time, and a graph cannot hold that.
PLACES = [
    *((kind, "cpu") for kind in KINDS),
    *(pytest.param(kind, "cuda", marks=on_a_gpu) for kind in ["topk", *KINDS]),
]


@pytest.mark.parametrize(("name", "device"), PLACES)
def test_edits_are_replayed(monkeypatch: pytest.MonkeyPatch, name: str, device: str) -> None:
    model = HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer())
    model.to(device=device, dtype="float64")
    graphs = PretendGraphs()
    monkeypatch.setattr(graphs_module, "REACH", 32)
    if device == "cpu":
        monkeypatch.setattr(generation, "graphs_on", lambda device: graphs)
    target = target_of(name, device)
    treated = [
        Treated(1, Condition("ablate", "c", target, 0.0), None),
        Treated(2, Condition("patch", "c", target, source="twin"), 0),
    ]
    changes = list(interventions(treated, range(4, 40)))
    assert all(change.replayable for change in changes)
    clips = []
    for use in (True, False):
        model.use_graphs = use
        clips.append(model.generate(PROMPTS, seconds=0.8, interventions=changes).codes)
    assert torch.equal(*clips)
    assert not torch.equal(clips[0], model.generate(PROMPTS, seconds=0.8).codes)
    assert graphs.replayed or device == "cuda"
