"""Our decoder against audiocraft's own ``LMModel``.

audiocraft 1.3.0 imports packages that cannot be installed beside a current torch; none of them
takes part in the language model, so empty stand-ins are given for the time of the import.
"""

import copy
import importlib
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from torch import Tensor

from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.musicgen.checkpoint import audiocraft_weights, build_decoder
from leitmotif.musicgen.model import DecoderConfig, delay, sinusoidal_positions
from leitmotif.musicgen.tap import Tap
from tests.musicgen.audiocraft_files import (
    CODEC_SETTINGS,
    SETTINGS,
    export,
    save_audiocraft,
    settings,
)
from tests.tiny import tiny_musicgen

CONFIG = DecoderConfig(
    layers=3, width=32, heads=4, mlp_width=64, codebooks=4, codebook_size=64, activation="gelu"
)
CODEC = {
    "channels": 1, "dimension": 16, "n_filters": 4, "n_residual_layers": 1, "ratios": [8, 5, 4, 4],
    "norm": "weight_norm", "lstm": 2, "pad_mode": "constant", "true_skip": True, "kernel_size": 7,
    "residual_kernel_size": 3, "last_kernel_size": 7, "dilation_base": 2, "compress": 2,
}  # fmt: skip
ABSENT = (
    "av demucs demucs.apply demucs.audio demucs.pretrained dora dora.log encodec flashy "
    "flashy.distrib gradio hydra julius librosa librosa.filters num2words omegaconf spacy "
    "torchaudio torchaudio.functional torchaudio.transforms torchdiffeq torchmetrics torchvision "
    "treetable xformers xformers.ops"
)


@pytest.fixture(scope="module")
def audiocraft() -> Iterator[Callable[[str], Any]]:
    """Imports a module of audiocraft."""
    pytest.importorskip("einops")
    if importlib.util.find_spec("audiocraft") is None:
        pytest.skip("audiocraft is not installed; `make env` installs it")
    absent = ABSENT.split()
    kept = {name: sys.modules.pop(name, None) for name in absent}
    sys.modules.update({name: MagicMock(__path__=[], __spec__=None) for name in absent})
    sys.modules["omegaconf"].DictConfig = dict
    sys.modules["flashy"].BaseSolver = object
    try:
        yield lambda name: importlib.import_module(f"audiocraft.{name}")
    finally:
        for name in list(sys.modules):
            if name in kept or name.partition(".")[0] == "audiocraft":
                del sys.modules[name]
        sys.modules.update({name: module for name, module in kept.items() if module})


@pytest.fixture(scope="module")
def lm(audiocraft: Callable[[str], Any]) -> Any:
    """An audiocraft language model with random weights."""
    models, conditioners = audiocraft("models.lm"), audiocraft("modules.conditioners")
    patterns, transformer = (
        audiocraft("modules.codebooks_patterns"),
        audiocraft("modules.transformer"),
    )
    transformer.set_efficient_attention_backend("torch")
    transformer.ops = SimpleNamespace(unbind=torch.unbind)  # all it takes from xformers
    torch.manual_seed(0)
    model = models.LMModel(
        patterns.DelayedPatternProvider(4),
        conditioners.ConditioningProvider({}),
        conditioners.ConditionFuser(
            {"cross": ["description"], "prepend": [], "sum": [], "input_interpolate": []}
        ),
        n_q=4, card=64, dim=32, num_heads=4, hidden_scale=2, norm_first=True, causal=True,
        bias_proj=False, bias_ff=False, bias_attn=False, cross_attention=True, num_layers=3,
        activation="gelu", custom=False, memory_efficient=True, dropout=0.0,
    )  # fmt: skip
    return model.eval()


@pytest.fixture(scope="module")
def encodec(audiocraft: Callable[[str], Any]) -> Any:
    """An audiocraft EnCodec with random weights, built as the published one is."""
    seanet, vq = audiocraft("modules.seanet"), audiocraft("quantization.vq")
    torch.manual_seed(0)
    quantizer = vq.ResidualVectorQuantizer(dimension=16, n_q=4, bins=64)
    quantizer(torch.randn(8, 16, 128), 50)  # fills the codebooks
    model = audiocraft("models.encodec").EncodecModel(
        seanet.SEANetEncoder(**CODEC), seanet.SEANetDecoder(**CODEC, trim_right_ratio=1.0),
        quantizer, frame_rate=50, sample_rate=32_000, channels=1,
    )  # fmt: skip
    return model.eval()


@pytest.fixture(scope="module")
def exported(lm: Any, encodec: Any, tmp_path_factory: pytest.TempPathFactory) -> HookedMusicGen:
    """Ours, of a folder with the state dicts of both."""
    folder = save_audiocraft(tiny_musicgen(), tmp_path_factory.mktemp("models") / "own")
    state = torch.load(folder / "state_dict.bin")["best_state"]
    projection = {name: x for name, x in state.items() if "output_proj" in name}
    export(folder / "state_dict.bin", lm.state_dict() | projection, SETTINGS)
    codec_settings = settings(CODEC_SETTINGS)
    codec_settings["seanet"] |= CODEC
    export(folder / "compression_state_dict.bin", encodec.state_dict(), codec_settings)
    return HookedMusicGen.from_pretrained(str(folder), device="cpu")


@torch.no_grad()
def test_a_folder_has_the_codec_and_the_logits_of_audiocraft(
    lm: Any, encodec: Any, exported: HookedMusicGen
) -> None:
    audio = torch.randn(1, 1, 32_000, generator=torch.Generator().manual_seed(0)) * 0.1
    codes, _ = encodec.encode(audio)
    assert codes.unique().numel() > 10
    assert torch.equal(exported.encode_audio(audio[0, 0].numpy()), codes)
    torch.testing.assert_close(exported.decode_audio(codes), encodec.decode(codes)[:, 0])
    null = (torch.zeros(1, 1, 32), torch.zeros(1, 1, dtype=torch.long))
    expected = lm.compute_predictions(codes, [], {"description": null})
    assert expected.mask[:, :, :-3].all()  # it leaves out what lies past the last step
    ours = exported(codes)[expected.mask]
    torch.testing.assert_close(ours, expected.logits[expected.mask], atol=1e-4, rtol=0)
    assert ours.std() > 0.1


class Told(torch.nn.Module):
    """Stands for audiocraft's T5, whose weights it would download: what ours says of a prompt."""

    def __init__(self, model: HookedMusicGen) -> None:
        super().__init__()
        self.text = model.text

    def tokenize(self, conditions: list[Any]) -> list[str | None]:
        return [condition.text["description"] for condition in conditions]

    def forward(self, prompts: list[str | None]) -> dict[str, tuple[Tensor, Tensor]]:
        said, _ = self.text([prompt for prompt in prompts if prompt is not None])
        states = torch.zeros(len(prompts), *said.shape[1:])
        states[[i for i, prompt in enumerate(prompts) if prompt is not None]] = said
        return {"description": (states, states.abs().sum(-1).ne(0).long())}


@torch.no_grad()
def test_greedy_tokens_with_guidance_and_their_sound_are_those_of_audiocrafts_musicgen(
    audiocraft: Callable[[str], Any],
    lm: Any,
    encodec: Any,
    exported: HookedMusicGen,
) -> None:
    told = copy.copy(lm)  # of which a part is another; the weights are the same
    told.__dict__["_modules"] = {**dict(lm.named_children()), "condition_provider": Told(exported)}
    theirs = audiocraft("models.musicgen").MusicGen("own", encodec, told, max_duration=30)
    theirs.set_generation_params(use_sampling=False, duration=1.0)
    prompts = ["a calm piece", "sad fast guitar with drums and violin"]
    audio, expected = theirs.generate(prompts, return_tokens=True)
    greedy = Sampling(temperature=0)
    made = exported.generate(prompts, seconds=1.0, tracks=["a", "b"], sampling=greedy)
    assert expected.shape == (2, 4, 50)
    assert expected.unique().numel() > 10
    assert torch.equal(made.codes, expected)
    torch.testing.assert_close(exported.decode_audio(made.codes), audio[:, 0])


@torch.no_grad()
@pytest.mark.parametrize("padded", [False, True], ids=["no pads", "pads attended to as zeros"])
def test_logits_agree_with_audiocraft(lm: Any, padded: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(64, (2, 4, 20), generator=generator)
    states = torch.randn(2, 6, 32, generator=generator)
    mask = torch.ones(2, 6, dtype=torch.long)
    if padded:
        mask[0, 3:] = 0
    states = states * mask[..., None]
    tokens = delay(codes, 64)[:, :, :-1]
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
    codes = torch.randint(64, (1, 4, 20), generator=torch.Generator().manual_seed(2))
    tokens = delay(codes, 64)[:, :, :-1]
    null = (torch.zeros(1, 1, 32), torch.zeros(1, 1, dtype=torch.long))
    expected = lm(tokens, [], {"description": null})
    decoder = build_decoder(CONFIG, audiocraft_weights(lm.state_dict(), CONFIG))
    positions = sinusoidal_positions(tokens.shape[2], 32)
    hidden = decoder(tokens, positions, text=None, text_mask=None, tap=Tap())
    torch.testing.assert_close(decoder.logits(hidden).transpose(1, 2), expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_moved_positions_are_those_of_audiocraft_streaming(lm: Any) -> None:
    """audiocraft's transformer adds its streaming state's offsets, a row each, to the positions."""
    codes = torch.randint(64, (2, 4, 20), generator=torch.Generator().manual_seed(3))
    tokens = delay(codes, 64)[:, :, :-1]
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
