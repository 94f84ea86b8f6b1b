import numpy as np
import pytest
import torch

from leitmotif.errors import ModelError, StoreError
from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.writing.capture import capture
from leitmotif.tables.corpus import Window
from tests.tiny import tiny_musicgen

SITES = ["layers.0.residual", "layers.2.residual", "layers.2.mlp"]
HOP = 640


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(frames * HOP)).astype(np.float32)


def read(
    model: HookedMusicGen, samples: np.ndarray, windows: list[Window], dtype: str = "float32"
) -> dict[str, np.ndarray]:
    return capture(model, samples, windows, SITES, prompt=None, dtype=dtype)


def test_rows_are_the_first_steps_of_a_plain_pass(model: HookedMusicGen) -> None:
    samples = noise(20)
    arrays = read(model, samples, [Window(start_frame=0, frames=20)])
    _, cache = model.run_with_cache(model.encode_audio(samples))
    for site in SITES:
        assert arrays[site].shape == (20, model.width)
        np.testing.assert_array_equal(arrays[site], cache[site][0, :20].numpy())


def test_a_row_has_read_only_what_the_documentation_says(model: HookedMusicGen) -> None:
    """Row t changes with codebook k of frame f only if f <= t - 1 - k, and then it does."""
    frames = 12
    codes = model.encode_audio(noise(frames))

    def rows(codes: torch.Tensor) -> torch.Tensor:
        return model.run_with_cache(codes, sites=["layers.2.residual"])[1]["layers.2.residual"][0]

    before = rows(codes)
    for codebook in range(4):
        for frame in (0, 5):
            changed = codes.clone()
            changed[0, codebook, frame] = (changed[0, codebook, frame] + 1) % 64
            differs = (rows(changed) != before).any(dim=1)
            first = int(differs.nonzero()[0])
            assert first == frame + codebook + 1


def test_the_codec_hears_74_ms_past_a_frame_and_no_more(model: HookedMusicGen) -> None:
    """What docs/stages/activations.md says of MusicGen's EnCodec, whose layout the tiny one has."""
    samples = torch.from_numpy(noise(60))[None, None]
    encode = model.codec.encodec.encoder

    def first_changed_frame(position: int) -> int:
        changed = samples.clone()
        changed[..., position:] += 1
        with torch.inference_mode():
            differs = (encode(changed) != encode(samples)).any(dim=1)[0]
        return int(differs.nonzero()[0])

    end = 31 * HOP
    assert first_changed_frame(end + 2370) == 30
    assert first_changed_frame(end + 2450) == 31


def test_windows_are_contexts_of_their_own_joined_in_order(model: HookedMusicGen) -> None:
    samples = noise(50)
    windows = [Window(start_frame=30, frames=10), Window(start_frame=5, frames=7)]
    both = read(model, samples, windows)
    for site in SITES:
        alone = [
            read(model, samples[start * HOP :], [Window(start_frame=0, frames=frames)])[site]
            for start, frames in [(30, 10), (5, 7)]
        ]
        np.testing.assert_array_equal(both[site], np.concatenate(alone))


def test_a_prompt_changes_the_activations(model: HookedMusicGen) -> None:
    window = [Window(start_frame=0, frames=8)]
    site = ["layers.2.residual"]
    plain = capture(model, noise(8), window, site, prompt=None, dtype="float32")
    with_prompt = capture(model, noise(8), window, site, prompt="calm piano", dtype="float32")
    assert not np.array_equal(plain[site[0]], with_prompt[site[0]])


def test_half_precision_is_the_rounded_full_precision(model: HookedMusicGen) -> None:
    window = [Window(start_frame=0, frames=8)]
    full, half = (read(model, noise(8), window, dtype) for dtype in ("float32", "float16"))
    for site in SITES:
        assert half[site].dtype == np.float16
        np.testing.assert_array_equal(half[site], full[site].astype(np.float16))


def test_values_beyond_half_precision_are_refused(
    model: HookedMusicGen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some large models have residuals above 65504: infinities must not be stored in silence."""
    passed = HookedMusicGen.run_with_cache

    def louder(*args: object, **kwargs: object) -> object:
        logits, cache = passed(*args, **kwargs)  # type: ignore[arg-type]
        return logits, {site: tensor * 1e6 for site, tensor in cache.items()}

    monkeypatch.setattr(HookedMusicGen, "run_with_cache", louder)
    window = [Window(start_frame=0, frames=8)]
    with pytest.raises(StoreError, match="float32"):
        read(model, noise(8), window, "float16")
    read(model, noise(8), window, "float32")


@pytest.mark.fault(
    "activation store",
    "activations beyond float16, and beyond every type",
    outcome="StoreError or ModelError that names the site; float32 holds the first",
)
def test_activations_that_the_stores_type_does_not_hold_are_refused() -> None:
    theirs = tiny_musicgen()
    with torch.no_grad():
        theirs.decoder.model.decoder.layers[1].fc2.weight.mul_(1e6)
    model = HookedMusicGen.from_transformers(theirs)
    windows, site = [Window(start_frame=0, frames=20)], "layers.1.residual"

    def held(dtype: str) -> np.ndarray:
        return capture(model, noise(20), windows, [site], prompt=None, dtype=dtype)[site]

    with pytest.raises(StoreError, match=r"layers\.1\.residual do not fit float16"):
        held("float16")
    assert np.isfinite(held("float32")).all()
    with torch.no_grad():
        model.decoder.blocks[1].mlp_out.weight.mul_(1e35)
    with pytest.raises(ModelError, match=r"first at layers\.1\.mlp"):
        held("float32")
