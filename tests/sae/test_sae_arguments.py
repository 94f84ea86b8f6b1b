"""What an autoencoder is given is checked in one place."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from leitmotif.errors import ModelError
from leitmotif.sae.autoencoder import Codes
from tests.sae.making import random_sae


def fault(what: str) -> pytest.MarkDecorator:
    return pytest.mark.fault("autoencoder", what, outcome="ModelError that says what was expected")


ROWS = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))


@fault("activations that are no tensor, of another shape or type")
@pytest.mark.parametrize(
    "x", [None, "x", ROWS.tolist(), ROWS.numpy(), ROWS.long(), ROWS[0], ROWS[None], ROWS[:, :3]]
)
def test_what_are_no_activations_is_refused(x: Any) -> None:
    sae = random_sae("topk")
    for act in (sae.encode, sae.reconstruct, lambda rows: sae.read(rows, [0])):
        with pytest.raises(ModelError, match="expected"):
            act(x)


@fault("features to read that are none: negative, too large, no integers, no list")
@pytest.mark.parametrize(
    "features", [[-1], [64], [1.5], [True], 0, "a", None, slice(3), [[0]], torch.tensor([0.0])]
)
@pytest.mark.parametrize("activation", ["relu", "topk"])
def test_features_that_are_none_are_not_read(features: Any, activation: str) -> None:
    with pytest.raises(ModelError, match=r"numbers of 0\.\.63"):
        random_sae(activation).read(ROWS, features)


def test_no_features_are_an_empty_answer() -> None:
    assert random_sae("topk").read(ROWS, []).shape == (6, 0)


@fault("codes that are not whole, or of features that it lacks")
@pytest.mark.parametrize(
    "change",
    [
        lambda codes: None,
        lambda codes: codes._replace(offsets=codes.offsets[:-1]),
        lambda codes: codes._replace(offsets=codes.offsets + 1),
        lambda codes: codes._replace(offsets=codes.offsets.flip(0)),
        lambda codes: codes._replace(offsets=codes.offsets[:0]),
        lambda codes: codes._replace(values=codes.values[:-1]),
        lambda codes: codes._replace(values=codes.values * float("nan")),
        lambda codes: codes._replace(indices=codes.indices - 64),
        lambda codes: codes._replace(indices=codes.indices.float()),
        lambda codes: codes._replace(indices=codes.indices.tolist()),
    ],
)
def test_codes_that_are_not_whole_are_not_decoded(change: Callable[[Codes], Any]) -> None:
    sae = random_sae("topk")
    with pytest.raises(ModelError):
        sae.decode(change(sae.encode(ROWS)))
