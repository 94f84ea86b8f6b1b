"""Coordinates of a site: what exchanging them does, and which come first."""

import pytest
import torch

from leitmotif.causal.interchange.coordinates import (
    EventSample,
    aligned_directions,
    along,
    features_of,
    principal_components,
    ranked,
)
from leitmotif.causal.interchange.reader import EventReader, StepWindow
from leitmotif.musicgen import HookedMusicGen
from leitmotif.sae.autoencoder.trained import Training
from leitmotif.sae.training.held import FrozenDecoder, HeldRows, trained_on
from tests.causal.test_heads import events_of

SITE = "layers.0.residual"
FAR = StepWindow("ahead", 0.1)


@pytest.fixture(scope="module")
def sample(exact_model: HookedMusicGen) -> EventSample:
    reader = EventReader(exact_model, events_of(exact_model, 6), [SITE])
    return EventSample(reader, SITE, FAR, [0, 1, 2, 4])


def test_all_coordinates_of_a_basis_are_the_whole_residual(sample: EventSample) -> None:
    width = sample.own.shape[-1]
    basis = torch.linalg.qr(torch.randn(width, width, dtype=torch.float64)).Q
    assert torch.allclose(
        along(basis).change(sample.own, sample.donor), sample.donor - sample.own, atol=1e-10
    )


def test_coordinates_add_up(sample: EventSample) -> None:
    basis = along(principal_components(sample, 5))
    each = [basis.change(sample.own, sample.donor, [number]) for number in (3, 1)]
    both = basis.change(sample.own, sample.donor, [1, 3])
    assert torch.allclose(both, each[0] + each[1], atol=1e-12)
    alone = basis.changes(sample.own, sample.donor)
    assert torch.allclose(alone[3], each[0], atol=1e-12)
    assert torch.allclose(
        torch.stack(alone).sum(0), basis.change(sample.own, sample.donor), atol=1e-12
    )


def test_a_residual_holds_the_donors_value_afterwards(sample: EventSample) -> None:
    basis = along(principal_components(sample, 4))
    changed = sample.own + basis.change(sample.own, sample.donor, [2])
    read, donor, own = (basis.read(x) for x in (changed, sample.donor, sample.own))
    assert torch.allclose(read[..., 2], donor[..., 2], atol=1e-10)
    assert torch.allclose(read[..., :2], own[..., :2], atol=1e-10)


def test_the_window_alone_is_changed(sample: EventSample) -> None:
    steps = sample.inside[0, :, 0].nonzero().flatten().tolist()
    event = sample.reader.events[0]
    assert steps == list(FAR.steps(event, sample.reader.model.frame_rate))
    elsewhere = torch.ones_like(sample.own) * (1 - sample.inside)
    assert sample.odds(elsewhere).tolist() == sample.odds(torch.zeros_like(sample.own)).tolist()


def test_the_first_neuron_is_the_one_that_does_most(sample: EventSample) -> None:
    """Of a random model effects are small, so nearly linear, and gradients say what they are."""
    axes = along(torch.eye(sample.own.shape[-1], dtype=torch.float64))
    alone = [
        float(sample.moved(axes.change(sample.own, sample.donor, [number])).sum())
        for number in range(sample.own.shape[-1])
    ]
    order = ranked(axes, sample)
    assert order[0] == max(range(len(alone)), key=alone.__getitem__)
    assert sorted(order) == list(range(len(alone)))


def test_trained_directions_do_more_than_the_mean_difference(sample: EventSample) -> None:
    start = sample.differences() * sample.signs[:, None]
    mean = torch.nn.functional.normalize(start.mean(0), dim=0)[None]
    change = along(mean).change(sample.own, sample.donor)
    directions = aligned_directions(sample, 2)
    assert torch.allclose(directions @ directions.T, torch.eye(2, dtype=torch.float64), atol=1e-9)
    trained = along(directions).change(sample.own, sample.donor)
    assert sample.moved(trained).mean() > sample.moved(change).mean()


def test_features_of_an_autoencoder_move_what_it_reads(sample: EventSample) -> None:
    rows = sample.residuals().float()
    autoencoder = trained_on(rows, Training(d_sae=24, k=4, steps=5, batch=32, warm_up=1))
    number = int(autoencoder.encode(rows).indices[0])
    one = features_of(autoencoder, [number])
    own, donor = rows[:3], rows[3:6]
    risen = autoencoder.read(donor, [number]) - autoencoder.read(own, [number])
    expected = risen * autoencoder.W_dec[number]
    assert torch.equal(one.change(own, donor), expected)


def test_a_frozen_decoder_stays_as_it_was_drawn(sample: EventSample) -> None:
    rows = sample.residuals().float()
    settings = Training(d_sae=24, k=4, steps=5, batch=32, warm_up=1)
    drawn = FrozenDecoder(settings, HeldRows(rows)).export({}).W_dec
    frozen = trained_on(rows, settings, trainer=FrozenDecoder)
    free = trained_on(rows, settings)
    assert torch.equal(frozen.W_dec, drawn)
    assert not torch.equal(free.W_dec, drawn)
    assert not torch.equal(frozen.W_enc, drawn.T)


@pytest.mark.parametrize("count", [1, 3])
def test_as_many_directions_are_trained_as_are_asked_for(sample: EventSample, count: int) -> None:
    assert aligned_directions(sample, count).shape == (count, sample.own.shape[-1])
