"""On a CUDA GPU: the CPU's tokens, and replayed steps that do what single ones do."""

import pytest
import torch

from leitmotif.errors import ModelError
from leitmotif.musicgen import GREEDY, HookedMusicGen, Intervention, Replayable, Sampling
from leitmotif.musicgen import graphs as graphs_module
from tests.tiny import tiny_musicgen, tiny_tokenizer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

WORDS = ["a calm piece", "a happy fast piece with guitar melody", "a sad piece with drums"]
SITE = "layers.1.residual"
VECTOR = torch.randn(32, generator=torch.Generator().manual_seed(3))


def made() -> HookedMusicGen:
    model = HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer())
    return model.to(dtype="float64")


@pytest.fixture(scope="module")
def there() -> HookedMusicGen:
    return made().to(device="cuda")


@pytest.fixture(scope="module")
def here() -> HookedMusicGen:
    return made()


@pytest.fixture(autouse=True)
def short_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs_module, "REACH", 32)


@pytest.mark.parametrize(
    "sampling",
    [Sampling(), Sampling(temperature=0.8, top_k=7), Sampling(top_k=None, top_p=0.7), GREEDY],
)
@pytest.mark.parametrize("prompts", [None, WORDS])
def test_a_gpu_draws_the_tokens_of_the_cpu(
    here: HookedMusicGen, there: HookedMusicGen, sampling: Sampling, prompts: list[str] | None
) -> None:
    """In float64, where devices differ by 1e-14."""
    clips = [
        model.generate(
            prompts,
            seconds=1.5,
            tracks=["a", "b", "c"],
            sampling=sampling,
            capture=[SITE],
            interventions=[Intervention(SITE, "add", VECTOR, rows=[1], steps=range(9, 50))],
        )
        for model in (here, there)
    ]
    assert torch.equal(clips[0].codes, clips[1].codes.cpu())
    torch.testing.assert_close(clips[0].activations[SITE], clips[1].activations[SITE].cpu())


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_replayed_steps_are_single_steps(dtype: str) -> None:
    """Up to attention's order of adding, which decides few tokens in half precision."""
    model = made().to(device="cuda", dtype=dtype)
    clips = []
    for use in (True, False):
        model.use_graphs = use
        clips.append(model.generate(WORDS, seconds=1.5, seed=3).codes)
    alike = (clips[0] == clips[1]).double().mean()
    assert alike == 1 if dtype == "float64" else alike > 0.3


def test_what_a_graph_cannot_hold_is_refused(there: HookedMusicGen) -> None:
    def look(x: torch.Tensor) -> torch.Tensor:
        return x * 2 if bool((x > 1e9).any()) else x

    change = Intervention(SITE, Replayable(look))
    with pytest.raises(
        ModelError,
        match=r"(?s)step 2 cannot be replayed.*captur.*layers\.1\.residual",
    ):
        there.generate(WORDS, seconds=1.0, interventions=[change])
    assert there.generate(WORDS, seconds=1.0).codes.shape == (3, 4, 50)


def test_the_codec_keeps_the_digits_of_float32() -> None:
    """cuDNN's convolutions have three digits of TF32 unless they are told not to."""
    codes = torch.randint(64, (2, 4, 100), generator=torch.Generator().manual_seed(1))
    audio = []
    for device in ("cpu", "cuda"):
        model = HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer())
        audio.append(model.to(device=device, dtype="float32").decode_audio(codes).cpu())
    error = (audio[0] - audio[1]).norm() / audio[0].norm()
    assert error < 2e-5
    assert torch.backends.cudnn.allow_tf32


def test_no_numbers_are_named(there: HookedMusicGen) -> None:
    change = Intervention(SITE, Replayable(lambda x: x / (x - x)), steps=range(17, 30))
    with pytest.raises(ModelError, match=r"step 17.*made it of numbers"):
        there.generate(WORDS, seconds=1.0, interventions=[change])
