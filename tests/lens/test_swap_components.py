"""Means of components' outputs, and how they are put into rows of a batch."""

import numpy as np
import pytest
import torch

from leitmotif.errors import ModelError
from leitmotif.lens.components import Means, OutputChange, as_long, changed_steps, outputs, swapping
from leitmotif.musicgen import HookedMusicGen, Sampling
from tests.tiny import tiny_musicgen, tiny_tokenizer

PROMPTS = ["a calm piece", "a happy piece with guitar"]
SITES = ["layers.0.mlp", "layers.1.cross_attention", "layers.2.self_attention"]


@pytest.fixture(scope="module")
def model() -> HookedMusicGen:
    return HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer()).to(dtype="float64")


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_outputs_are_those_of_the_conditional_half_while_playing(
    model: HookedMusicGen, guidance: float
) -> None:
    clip = model.generate(
        PROMPTS, seconds=0.3, sampling=Sampling(top_k=20), guidance_scale=guidance, capture=SITES
    )
    found = outputs(model, clip.codes, PROMPTS, SITES)
    assert found.shape == (2, 3, 15 + 3, model.width)
    for number, site in enumerate(SITES):
        np.testing.assert_allclose(found[:, number], clip.activations[site].numpy(), atol=1e-10)


def test_each_row_is_changed_in_its_own_way(model: HookedMusicGen) -> None:
    codes = torch.randint(64, (3, 4, 12), generator=torch.Generator().manual_seed(0))
    texts = [*PROMPTS, PROMPTS[0]]
    wanted = np.random.default_rng(0).normal(size=(3, 15, model.width))
    steps = range(4, 9)
    changes = [
        OutputChange("replace", {SITES[0]: wanted[0]}, steps),
        OutputChange("adjust", {SITES[0]: wanted[1], SITES[2]: wanted[2]}, steps),
        OutputChange("replace", {SITES[2]: wanted[2]}, steps),
    ]
    interventions = swapping(changes)
    assert len(interventions) == 4  # one for each site and technique
    _, before = model.run_with_cache(codes, texts, sites=SITES)
    _, after = model.run_with_cache(codes, texts, sites=SITES, interventions=interventions)
    first = {site: after[site].numpy() - before[site].numpy() for site in SITES}
    inside = slice(4, 9)
    np.testing.assert_allclose(after[SITES[0]].numpy()[0, inside], wanted[0, inside])
    np.testing.assert_allclose(after[SITES[2]].numpy()[2, inside], wanted[2, inside])
    np.testing.assert_allclose(first[SITES[0]][1, inside], wanted[1, inside], atol=1e-12)
    assert not first[SITES[0]][2].any()
    assert not first[SITES[0]][:, :4].any()
    assert not first[SITES[0]][:, 9:].any()


def test_rows_of_one_site_are_changed_at_their_own_steps(model: HookedMusicGen) -> None:
    codes = torch.randint(64, (2, 4, 12), generator=torch.Generator().manual_seed(0))
    added = np.ones((15, model.width))
    spans = (range(2, 5), range(8, 11))
    interventions = swapping([OutputChange("adjust", {SITES[0]: added}, span) for span in spans])
    assert [(made.rows, made.steps) for made in interventions] == [([0], spans[0]), ([1], spans[1])]
    sites = SITES[:1]
    _, before = model.run_with_cache(codes, PROMPTS, sites=sites)
    _, after = model.run_with_cache(codes, PROMPTS, sites=sites, interventions=interventions)
    moved = (after[SITES[0]] - before[SITES[0]]).numpy()
    for row, span in enumerate(spans):
        expected = np.zeros_like(moved[row])
        expected[span.start : span.stop] = 1.0
        np.testing.assert_allclose(moved[row], expected, atol=1e-12)


def test_frames_are_all_steps_at_which_their_tokens_are_predicted(model: HookedMusicGen) -> None:
    assert changed_steps(model, 50, None) == range(53)
    assert changed_steps(model, 50, range(10, 20)) == range(10, 23)
    assert changed_steps(model, 50, range(50)) == range(53)
    for frames in (range(40, 60), range(5, 5), range(0, 10, 2)):
        with pytest.raises(ModelError, match="cannot be swapped"):
            changed_steps(model, 50, frames)


def test_a_random_vector_is_as_long_at_each_step(model: HookedMusicGen) -> None:
    difference = np.random.default_rng(1).normal(size=(6, 32)) * np.arange(6)[:, None]
    vectors = as_long(difference, "guitar/0")
    np.testing.assert_allclose(
        np.linalg.norm(vectors, axis=1), np.linalg.norm(difference, axis=1), atol=1e-12
    )
    np.testing.assert_array_equal(vectors, as_long(difference, "guitar/0"))
    assert np.abs(vectors - as_long(difference, "guitar/1")).max() > 0.1
    assert not as_long(np.zeros((6, 32)), "guitar/0").any()


def test_means_are_found_by_set_and_site() -> None:
    values = np.arange(24.0).reshape(2, 3, 2, 2)
    means = Means(["guitar", "violin"], SITES, values)
    np.testing.assert_array_equal(means.of("violin", SITES[1]), values[1, 1])
