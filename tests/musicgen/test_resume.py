"""A pass that goes on from a residual stream."""

import pytest
import torch

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen, Intervention
from leitmotif.musicgen.protocol import MusicModel
from tests.other_model import other_model


@pytest.mark.parametrize("prompts", [None, ["calm piano", "loud drums"]])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_rest_of_a_pass_gives_the_logits_of_the_whole(
    exact_model: HookedMusicGen, codes: torch.Tensor, layer: int, prompts: list[str] | None
) -> None:
    site = f"layers.{layer - 1}.residual" if layer else "layers.0.input"
    logits, cache = exact_model.run_with_cache(codes, prompts, sites=site)
    resumed = exact_model.logits_from(cache[site], layer, prompts)
    assert logits is not None
    for k, delay in enumerate(exact_model.delays):
        book = resumed[:, delay : delay + codes.shape[2], k]
        torch.testing.assert_close(book, logits[:, k], rtol=0, atol=1e-12)


def test_a_changed_stream_is_what_an_intervention_makes_of_it(
    exact_model: HookedMusicGen, codes: torch.Tensor
) -> None:
    site, steps = "layers.0.residual", range(4, 9)
    _, cache = exact_model.run_with_cache(codes, sites=site, stop_at_layer=1)
    moved = cache[site].clone()
    moved[:, 4:9] += 1.5
    added = torch.full((exact_model.width,), 1.5, dtype=torch.float64)
    wanted = exact_model(codes, interventions=[Intervention(site, "add", added, steps=steps)])
    resumed = exact_model.logits_from(moved, 1)
    torch.testing.assert_close(resumed[:, : codes.shape[2], 0], wanted[:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("prompts", [None, ["calm piano", "loud drums"]])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_only_the_steps_that_are_asked_for_are_read(
    exact_model: HookedMusicGen, codes: torch.Tensor, layer: int, prompts: list[str] | None
) -> None:
    site = f"layers.{layer - 1}.residual" if layer else "layers.0.input"
    _, cache = exact_model.run_with_cache(codes, prompts, sites=site)
    every = exact_model.logits_from(cache[site], layer, prompts)
    some = exact_model.logits_from(cache[site], layer, prompts, steps=[7, 2])
    assert some.shape == (2, 2, *every.shape[2:])
    torch.testing.assert_close(some, every[:, [7, 2]], rtol=0, atol=1e-12)


def test_steps_that_the_pass_lacks_are_refused(
    exact_model: HookedMusicGen, codes: torch.Tensor
) -> None:
    site = "layers.0.residual"
    _, cache = exact_model.run_with_cache(codes, sites=site, stop_at_layer=1)
    with pytest.raises(ModelError, match="no such steps"):
        exact_model.logits_from(cache[site], 1, steps=[cache[site].shape[1]])


def test_gradients_of_some_steps_are_those_of_the_whole_pass(
    exact_model: HookedMusicGen, codes: torch.Tensor
) -> None:
    site = "layers.0.residual"
    _, cache = exact_model.run_with_cache(codes, sites=site, stop_at_layer=1)

    def gradient(steps: list[int] | None) -> torch.Tensor:
        stream = cache[site].clone().requires_grad_()
        logits = exact_model.logits_from(stream, 1, steps=steps)
        (logits if steps else logits[:, [7, 2]]).logsumexp(-1).sum().backward()
        assert stream.grad is not None
        return stream.grad

    torch.testing.assert_close(gradient([7, 2]), gradient(None), rtol=0, atol=1e-12)


def test_gradients_reach_the_stream(exact_model: HookedMusicGen, codes: torch.Tensor) -> None:
    site = "layers.0.residual"
    _, cache = exact_model.run_with_cache(codes, sites=site, stop_at_layer=1)
    stream = cache[site].clone().requires_grad_()
    exact_model.logits_from(stream, 1).logsumexp(-1).sum().backward()
    assert stream.grad is not None
    assert stream.grad.abs().sum() > 0


def test_another_model_resumes_too() -> None:
    model: MusicModel = other_model()
    codes = torch.randint(16, (2, 12, 10), generator=torch.Generator().manual_seed(0))
    logits, cache = model.run_with_cache(codes, sites="layers.0.residual")
    assert logits is not None
    resumed = model.logits_from(cache["layers.0.residual"], 1)
    torch.testing.assert_close(resumed[:, :10, 0], logits[:, 0])


@pytest.mark.parametrize(
    ("residual", "layer"),
    [
        (torch.zeros(1, 3, 32), 99),
        (torch.zeros(1, 3, 32), -1),
        (torch.zeros(1, 3, 32), True),
        (torch.zeros(1, 3, 31), 1),
        (torch.zeros(3, 32), 1),
        (torch.zeros(1, 3, 32, dtype=torch.long), 1),
        ([[0.0]], 1),
        (torch.full((1, 3, 32), float("nan")), 1),
    ],
)
def test_what_no_pass_can_go_on_from_is_refused(
    exact_model: HookedMusicGen, residual: torch.Tensor, layer: int
) -> None:
    with pytest.raises(ModelError, match=r"stream|go on from"):
        exact_model.logits_from(residual, layer)


@pytest.mark.parametrize("prompts", [None, ["calm piano", "loud drums"]])
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("steps", [None, [3, 0]])
def test_a_pass_that_changes_later_steps_goes_on_from_the_earlier_ones(
    exact_model: HookedMusicGen,
    codes: torch.Tensor,
    layer: int,
    prompts: list[str] | None,
    steps: list[int] | None,
) -> None:
    site = f"layers.{layer - 1}.residual" if layer else "layers.0.input"
    _, cache = exact_model.run_with_cache(codes, prompts, sites=site)
    changed = cache[site].clone()
    changed[:, 9:] *= 2
    whole = exact_model.logits_from(changed, layer, prompts)[:, 9:]
    _, past = exact_model.resume(cache[site], layer, prompts)
    logits, grown = exact_model.resume(
        changed[:, 9:], layer, prompts, steps=steps, past=past.until(9)
    )
    torch.testing.assert_close(
        logits, whole if steps is None else whole[:, steps], rtol=0, atol=1e-12
    )
    # What it has left in turn: the past of the changed stream, of the second row alone.
    last, _ = exact_model.resume(
        changed[1:, 15:], layer, prompts and prompts[1:], past=grown.of_rows([1]).until(15)
    )
    torch.testing.assert_close(last, whole[1:, 6:], rtol=0, atol=1e-12)


def test_another_model_goes_on_too() -> None:
    model: MusicModel = other_model()
    codes = torch.randint(16, (2, 12, 10), generator=torch.Generator().manual_seed(0))
    _, cache = model.run_with_cache(codes, sites="layers.0.residual")
    changed = cache["layers.0.residual"].clone()
    changed[:, 6:] *= 2
    _, past = model.resume(cache["layers.0.residual"], 1)
    logits, _ = model.resume(changed[:, 6:], 1, past=past.until(6))
    torch.testing.assert_close(logits, model.logits_from(changed, 1)[:, 6:])


def test_a_past_that_is_not_of_this_pass_is_refused(
    exact_model: HookedMusicGen, codes: torch.Tensor
) -> None:
    site = "layers.0.residual"
    _, cache = exact_model.run_with_cache(codes, sites=site)
    later = cache[site][:, 9:]
    _, past = exact_model.resume(cache[site], 1)
    _, of_last = exact_model.resume(cache[site], exact_model.num_layers)
    with pytest.raises(ModelError, match=r"no keys and values of blocks \[1"):
        exact_model.resume(later, 1, past=of_last)
    with pytest.raises(ModelError, match="the rows of the residual stream"):
        exact_model.resume(later, 1, past=past.of_rows([0]).until(9))
    with pytest.raises(ModelError, match="does not reach"):
        past.until(past.steps + 1)
