"""Positions that begin elsewhere: what they mean to others, and that nothing else changes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import MusicgenForConditionalGeneration

from leitmotif.errors import ModelError
from leitmotif.musicgen import GREEDY, HookedMusicGen
from leitmotif.musicgen.model import delay, undelay
from leitmotif.musicgen.positions import DISTINCT
from tests.tiny import tiny_musicgen, tiny_tokenizer

SHIFT = 7
RESIDUAL = "layers.2.residual"


@torch.no_grad()
def behind_padding(theirs: MusicgenForConditionalGeneration, codes: Tensor, padding: int) -> Tensor:
    """Logits of `transformers` behind padding that is masked away, and counted."""
    rows, books, frames = codes.shape
    pad = theirs.config.decoder.vocab_size
    tokens = delay(codes, pad)[:, :, :-1]
    padded = torch.nn.functional.pad(tokens, (padding, 0), value=pad)
    mask = torch.ones(rows, padded.shape[2], dtype=torch.long)
    mask[:, :padding] = 0
    null = theirs.get_unconditional_inputs(rows)
    logits = theirs(
        encoder_outputs=(null.encoder_outputs[0].to(theirs.dtype),),
        attention_mask=null.attention_mask,
        decoder_input_ids=padded.flatten(0, 1),
        decoder_attention_mask=mask,
    ).logits
    logits = logits.view(rows, books, padded.shape[2], -1)[:, :, padding:]
    return undelay(logits, frames)


@pytest.mark.parametrize(("dtype", "atol"), [("float32", 1e-4), ("float64", 1e-10)])
def test_an_offset_is_padding_of_transformers_that_is_masked_away(
    codes: Tensor, dtype: str, atol: float
) -> None:
    theirs = tiny_musicgen().to(getattr(torch, dtype))
    ours = HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer()).to(dtype=dtype)
    if dtype == "float64":  # their table of positions is rounded to float32
        theirs.decoder.model.decoder.embed_positions.weights = ours.positions(2048)
    expected = behind_padding(theirs, codes, SHIFT)
    moved = ours(codes, position_offset=SHIFT)
    torch.testing.assert_close(moved, expected, atol=atol, rtol=0)
    assert (moved - ours(codes)).abs().max() > 0.1, "an offset that does nothing proves nothing"


def test_offset_0_is_the_same_bytes(exact_model: HookedMusicGen, codes: Tensor) -> None:
    for offset in (0, [0, 0]):
        assert torch.equal(exact_model(codes, position_offset=offset), exact_model(codes))
        plain, moved = (
            exact_model.generate(seconds=0.2, prefix=codes, seed=3, capture=RESIDUAL, **given)
            for given in ({}, {"position_offset": offset})
        )
        assert torch.equal(plain.codes, moved.codes)
        assert torch.equal(plain.activations[RESIDUAL], moved.activations[RESIDUAL])


def test_each_row_may_begin_elsewhere(exact_model: HookedMusicGen, codes: Tensor) -> None:
    """Rows of one content, so that only their positions keep them from sharing a prefix."""
    alike = codes[:1].repeat(2, 1, 1)
    together, cache = exact_model.run_with_cache(alike, sites=RESIDUAL, position_offset=[0, SHIFT])
    assert together is not None
    clip = exact_model.generate(
        ["a calm piece"] * 2,
        seconds=0.4,
        prefix=alike,
        tracks=["same", "same"],
        position_offset=[0, SHIFT],
        capture=RESIDUAL,
    )
    assert not torch.equal(clip.codes[0], clip.codes[1])
    for row, offset in enumerate((0, SHIFT)):
        alone, own = exact_model.run_with_cache(alike[:1], sites=RESIDUAL, position_offset=offset)
        assert alone is not None
        torch.testing.assert_close(together[row], alone[0], atol=1e-12, rtol=0)
        torch.testing.assert_close(cache[RESIDUAL][row], own[RESIDUAL][0], atol=1e-12, rtol=0)
        by_itself = exact_model.generate(
            "a calm piece",
            seconds=0.4,
            prefix=alike[:1],
            tracks=["same"],
            position_offset=offset,
            capture=RESIDUAL,
        )
        assert torch.equal(clip.codes[row], by_itself.codes[0])
        for of in ("activations", "unconditional"):
            torch.testing.assert_close(
                getattr(clip, of)[RESIDUAL][row],
                getattr(by_itself, of)[RESIDUAL][0],
                atol=1e-12,
                rtol=0,
            )


def test_steps_are_sampled_at_the_positions_at_which_they_are_read(
    exact_model: HookedMusicGen, codes: Tensor
) -> None:
    clip = exact_model.generate(
        seconds=0.6, prefix=codes, sampling=GREEDY, position_offset=[SHIFT, 300]
    )
    read = exact_model(clip.codes, position_offset=[SHIFT, 300]).argmax(-1)
    assert torch.equal(read[:, :, 20:], clip.continuation)
    assert not torch.equal(exact_model(clip.codes).argmax(-1)[:, :, 20:], clip.continuation)


def test_a_model_may_begin_elsewhere_and_says_so(codes: Tensor) -> None:
    def model() -> HookedMusicGen:
        return HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer())

    plain, moved = model(), model().count_from(SHIFT)
    assert torch.equal(moved(codes), plain(codes, position_offset=SHIFT))
    assert torch.equal(moved(codes, position_offset=3), plain(codes, position_offset=SHIFT + 3))
    clips = [
        of.generate(seconds=0.2, prefix=codes, position_offset=offset).codes
        for of, offset in ((moved, 0), (plain, SHIFT))
    ]
    assert torch.equal(*clips)
    assert moved.fingerprint != plain.fingerprint
    assert moved.codec_fingerprint == plain.codec_fingerprint
    assert moved.count_from(0).fingerprint == plain.fingerprint
    assert torch.equal(moved(codes), plain(codes))


@pytest.mark.fault(
    "positions of a pass",
    "an offset that is none, another number of them than rows, or positions that repeat",
    outcome="ModelError",
)
@pytest.mark.parametrize("offset", [-1, 0.5, True, "7", None, [0, -1], [0], [0, 1, 2], []])
def test_what_is_no_offset_is_refused(model: HookedMusicGen, codes: Tensor, offset: object) -> None:
    passes: list[Callable[..., object]] = [
        model.__call__,
        model.run_with_cache,
        lambda codes, **given: model.generate(seconds=0.1, prefix=codes, **given),
    ]
    for run in passes:
        with pytest.raises(ModelError, match="position_offset"):
            run(codes, position_offset=offset)
    if not isinstance(offset, list):
        with pytest.raises(ModelError, match="position_offset"):
            model.count_from(offset)  # type: ignore[arg-type]


@pytest.mark.fault(
    "positions of a pass",
    "an offset that is none, another number of them than rows, or positions that repeat",
    outcome="ModelError",
)
def test_positions_that_repeat_are_refused(model: HookedMusicGen, codes: Tensor) -> None:
    steps = codes.shape[2] + 3
    assert model(codes, position_offset=DISTINCT - steps).isfinite().all()
    with pytest.raises(ModelError, match="repeat"):
        model(codes, position_offset=DISTINCT - steps + 1)
    with pytest.raises(ModelError, match="repeat"):
        model.generate(seconds=0.1, prefix=codes, position_offset=[0, DISTINCT - steps])
    for seconds in (DISTINCT / model.frame_rate, 1e9, 1e300):
        with pytest.raises(ModelError, match="repeat"):
            model.generate(seconds=seconds)
