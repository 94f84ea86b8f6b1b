"""State dicts of audiocraft are taken whole or refused by a tensor's name."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.errors import ModelError
from leitmotif.musicgen.checkpoint import audiocraft_weights, build_decoder
from leitmotif.musicgen.model import DecoderConfig
from tests.checkpoint_kinds import FAULTS, Weights

AUDIOCRAFT = DecoderConfig(
    layers=1, width=8, heads=2, mlp_width=16, codebooks=2, codebook_size=4, activation="gelu"
)


def _audiocraft_state() -> Weights:
    torch.manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {"out_norm.weight": (8,), "out_norm.bias": (8,)}
    for k in range(2):
        shapes |= {f"emb.{k}.weight": (5, 8), f"linears.{k}.weight": (4, 8)}
    root = "transformer.layers.0"
    for norm in ("norm1", "norm_cross", "norm2"):
        shapes |= {f"{root}.{norm}.weight": (8,), f"{root}.{norm}.bias": (8,)}
    for attention in ("self_attn", "cross_attention"):
        shapes |= {
            f"{root}.{attention}.in_proj_weight": (24, 8),
            f"{root}.{attention}.out_proj.weight": (8, 8),
        }
    shapes |= {f"{root}.linear1.weight": (16, 8), f"{root}.linear2.weight": (8, 16)}
    return {name: torch.randn(shape) for name, shape in shapes.items()}


@pytest.mark.fault(
    "checkpoint of audiocraft",
    "a tensor dropped, added, reshaped, renamed or made NaN",
    outcome="ModelError that names the tensor",
)
@pytest.mark.parametrize("fault", ["dropped", "added", "reshaped", "renamed", "NaN"])
@given(data=st.data())
def test_an_audiocraft_state_dict_is_taken_whole(fault: str, data: st.DataObject) -> None:
    build_decoder(AUDIOCRAFT, audiocraft_weights(_audiocraft_state(), AUDIOCRAFT))
    state = _audiocraft_state()
    wrong = FAULTS[fault](state, data.draw(st.sampled_from(sorted(state))))
    with pytest.raises(ModelError) as caught:
        build_decoder(AUDIOCRAFT, audiocraft_weights(state, AUDIOCRAFT))
    assert fault in ("reshaped", "NaN") or wrong in str(caught.value)


@pytest.mark.fault(
    "checkpoint of audiocraft",
    "codebooks of unequal sizes that have the right sum",
    outcome="ModelError that names the tensor",
)
def test_codebooks_of_unequal_size_are_refused() -> None:
    state = _audiocraft_state()
    both = torch.cat([state["emb.0.weight"], state["emb.1.weight"]])
    state["emb.0.weight"], state["emb.1.weight"] = both[:3], both[3:]
    with pytest.raises(ModelError, match=r"emb\.[01]\.weight"):
        audiocraft_weights(state, AUDIOCRAFT)


@pytest.mark.parametrize(
    ("tensor", "kind"),
    [
        ("output_proj.weight", "a melody conditioner"),
        ("rvq.layers.0._codebook.embed", "a style conditioner"),
    ],
)
def test_a_checkpoint_that_listens_to_audio_is_refused_by_kind(tensor: str, kind: str) -> None:
    state = _audiocraft_state()
    state[f"condition_provider.conditioners.self_wav.{tensor}"] = torch.zeros(2, 2)
    with pytest.raises(ModelError, match=kind):
        audiocraft_weights(state, AUDIOCRAFT)
