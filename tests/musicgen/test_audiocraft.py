"""Our decoder against audiocraft's own ``LMModel``.

audiocraft 1.3.0 imports packages that cannot be installed beside a current torch; none of them
takes part in the language model, so empty stand-ins are given for the time of the import.
"""

import importlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from torch import Tensor

from leitmotif.musicgen.checkpoint import audiocraft_weights, build_decoder
from leitmotif.musicgen.model import DecoderConfig, delay, sinusoidal_positions
from leitmotif.musicgen.tap import Tap

CONFIG = DecoderConfig(
    layers=3, width=32, heads=4, mlp_width=64, codebooks=4, codebook_size=48, activation="gelu"
)
ABSENT = (
    "av demucs demucs.apply demucs.audio demucs.pretrained dora dora.log encodec flashy "
    "flashy.distrib gradio hydra julius librosa librosa.filters num2words omegaconf spacy "
    "torchaudio torchaudio.functional torchaudio.transforms torchdiffeq torchmetrics torchvision "
    "treetable xformers xformers.ops"
)


@pytest.fixture(scope="module")
def lm() -> Iterator[Any]:
    """An audiocraft language model with random weights."""
    pytest.importorskip("einops")
    if importlib.util.find_spec("audiocraft") is None:
        pytest.skip("audiocraft is not installed; `make env` installs it")
    absent = ABSENT.split()
    kept = {name: sys.modules.pop(name, None) for name in absent}
    sys.modules.update({name: MagicMock(__path__=[], __spec__=None) for name in absent})
    sys.modules["omegaconf"].DictConfig = dict
    sys.modules["flashy"].BaseSolver = object
    try:
        models = importlib.import_module("audiocraft.models.lm")
        conditioners = importlib.import_module("audiocraft.modules.conditioners")
        patterns = importlib.import_module("audiocraft.modules.codebooks_patterns")
        transformer = importlib.import_module("audiocraft.modules.transformer")
        transformer.set_efficient_attention_backend("torch")
        transformer.ops = SimpleNamespace(unbind=torch.unbind)  # all it takes from xformers
        torch.manual_seed(0)
        model = models.LMModel(
            patterns.DelayedPatternProvider(4),
            conditioners.ConditioningProvider({}),
            conditioners.ConditionFuser(
                {"cross": ["description"], "prepend": [], "sum": [], "input_interpolate": []}
            ),
            n_q=4, card=48, dim=32, num_heads=4, hidden_scale=2, norm_first=True, causal=True,
            bias_proj=False, bias_ff=False, bias_attn=False, cross_attention=True, num_layers=3,
            activation="gelu", custom=False, memory_efficient=True, dropout=0.0,
        )  # fmt: skip
        yield model.eval()
    finally:
        for name in list(sys.modules):
            if name in kept or name.partition(".")[0] == "audiocraft":
                del sys.modules[name]
        sys.modules.update({name: module for name, module in kept.items() if module})


@torch.no_grad()
@pytest.mark.parametrize("padded", [False, True], ids=["no pads", "pads attended to as zeros"])
def test_logits_agree_with_audiocraft(lm: Any, padded: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(48, (2, 4, 20), generator=generator)
    states = torch.randn(2, 6, 32, generator=generator)
    mask = torch.ones(2, 6, dtype=torch.long)
    if padded:
        mask[0, 3:] = 0
    states = states * mask[..., None]
    tokens = delay(codes, 48)[:, :, :-1]
    expected = lm(tokens, [], {"description": (states, mask)})

    decoder = build_decoder(CONFIG, audiocraft_weights(lm.state_dict(), CONFIG))
    hidden = decoder(
        tokens,
        sinusoidal_positions(tokens.shape[2], 32),
        text=decoder.text_keys(states),
        text_mask=None,
        tap=Tap(),
    )
    ours: Tensor = decoder.logits(hidden).transpose(1, 2)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_unconditional_logits_agree_with_audiocraft(lm: Any) -> None:
    """audiocraft's null condition is one attended vector of zeros; ours is no text at all."""
    codes = torch.randint(48, (1, 4, 20), generator=torch.Generator().manual_seed(2))
    tokens = delay(codes, 48)[:, :, :-1]
    null = (torch.zeros(1, 1, 32), torch.zeros(1, 1, dtype=torch.long))
    expected = lm(tokens, [], {"description": null})
    decoder = build_decoder(CONFIG, audiocraft_weights(lm.state_dict(), CONFIG))
    positions = sinusoidal_positions(tokens.shape[2], 32)
    hidden = decoder(tokens, positions, text=None, text_mask=None, tap=Tap())
    torch.testing.assert_close(decoder.logits(hidden).transpose(1, 2), expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_moved_positions_are_those_of_audiocraft_streaming(lm: Any) -> None:
    """audiocraft's transformer adds its streaming state's offsets, a row each, to the positions."""
    codes = torch.randint(48, (2, 4, 20), generator=torch.Generator().manual_seed(3))
    tokens = delay(codes, 48)[:, :, :-1]
    null = (torch.zeros(2, 1, 32), torch.zeros(2, 1, dtype=torch.long))
    unmoved = lm(tokens, [], {"description": null})
    with lm.transformer.streaming():
        lm.transformer.set_streaming_state({"offsets": torch.tensor([5, 300])})
        expected = lm(tokens, [], {"description": null})
    decoder = build_decoder(CONFIG, audiocraft_weights(lm.state_dict(), CONFIG))
    table, steps = sinusoidal_positions(400, 32), tokens.shape[2]
    positions = torch.stack([table[5 : 5 + steps], table[300 : 300 + steps]])
    hidden = decoder(tokens, positions, text=None, text_mask=None, tap=Tap())
    torch.testing.assert_close(decoder.logits(hidden).transpose(1, 2), expected, atol=1e-4, rtol=0)
    assert (unmoved - expected).abs().amax(dim=(1, 2, 3)).min() > 0.1
