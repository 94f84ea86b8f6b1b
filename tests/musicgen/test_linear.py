"""Packed products against torch's own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from leitmotif.musicgen.linear import Activation, Linear

PLAIN = {"none": lambda x: x, "gelu": F.gelu, "relu": F.relu}


@settings(max_examples=30)
@given(
    rows=st.integers(1, 40),
    inputs=st.sampled_from([8, 96, 512]),
    outputs=st.sampled_from([16, 130, 1024]),
    activation=st.sampled_from(list(PLAIN)),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16]),
    sliced=st.booleans(),
)
def test_products_are_torchs(
    rows: int,
    inputs: int,
    outputs: int,
    activation: Activation,
    dtype: torch.dtype,
    sliced: bool,
) -> None:
    torch.manual_seed(rows)
    layer = Linear(inputs, outputs, activation=activation).to(dtype).requires_grad_(False)
    x = torch.randn(rows, 3, inputs).to(dtype)
    if sliced:  # rows of a larger tensor, not contiguous
        x = x.repeat(1, 2, 1)[:, ::2]
    expected = PLAIN[activation](F.linear(x.double(), layer.weight.double()))
    out = layer(x)
    assert out.dtype == dtype
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 3e-2}[dtype]
    torch.testing.assert_close(out.double(), expected, atol=tolerance, rtol=tolerance)


def test_a_weight_that_changes_its_type_is_packed_anew() -> None:
    layer = Linear(512, 1024).requires_grad_(False)
    x = torch.randn(4, 512)
    before = layer(x)
    half = layer.to(torch.bfloat16)(x.bfloat16())
    torch.testing.assert_close(half.float(), before, atol=3e-2, rtol=3e-2)
    assert not torch.equal(layer.float()(x), before), "bfloat16 has rounded the weight"


@pytest.mark.parametrize("activation", PLAIN)
def test_gradients_are_torchs(activation: Activation) -> None:
    layer = Linear(512, 1024, activation=activation).requires_grad_(False)
    x = torch.randn(4, 512, requires_grad=True)
    (ours,) = torch.autograd.grad(layer(x).square().sum(), x)
    (theirs,) = torch.autograd.grad(PLAIN[activation](F.linear(x, layer.weight)).square().sum(), x)
    torch.testing.assert_close(ours, theirs)
