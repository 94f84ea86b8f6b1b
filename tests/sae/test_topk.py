"""Exact selection of the largest entries, in one go and block by block."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.sae.autoencoder.topk import RunningTopk, grouped_topk


@given(
    rows=st.integers(1, 5),
    features=st.sampled_from([7, 64, 96, 640, 1000, 1024]),
    k=st.integers(1, 7),
    seed=st.integers(0, 1000),
)
def test_picking_groups_first_is_exact(rows: int, features: int, k: int, seed: int) -> None:
    x = torch.randn(rows, features, generator=torch.Generator().manual_seed(seed))
    values, columns = grouped_topk(x, k)
    assert torch.equal(x.gather(1, columns), values)
    expected = x.topk(k, dim=1)
    assert torch.equal(values.sort(1, descending=True).values, expected.values)
    assert torch.equal(columns.sort(1).values, expected.indices.sort(1).values)


def test_groups_hold_when_all_large_values_share_one() -> None:
    x = torch.zeros(1, 1024)
    x[0, 3::8] = torch.arange(1, 129, dtype=torch.float32)  # one group of 8 * 1 is 3, 11, …
    values, columns = grouped_topk(x, 10)
    assert sorted(values[0].tolist()) == list(range(119, 129))
    assert sorted(columns[0].tolist()) == [3 + 8 * i for i in range(118, 128)]


def running(x: torch.Tensor, k: int, block: int) -> torch.Tensor:
    """The selection as a dense matrix, what is not positive left out."""
    first, *others = x.split(block, dim=1)
    best = RunningTopk(first, k)
    for part in others:
        best.add(part)
    values, columns = best.result()
    assert torch.equal(x.gather(1, columns), values)
    return torch.zeros_like(x).scatter(1, columns, values.relu())


def at_once(x: torch.Tensor, k: int) -> torch.Tensor:
    top = x.topk(k, dim=1)
    return torch.zeros_like(x).scatter(1, top.indices, top.values.relu())


@given(
    rows=st.integers(1, 5),
    features=st.sampled_from([8, 64, 100, 640]),
    block=st.integers(8, 80),
    k=st.integers(1, 8),
    shift=st.sampled_from([-2.0, 0.0, 2.0]),
    seed=st.integers(0, 1000),
)
def test_block_by_block_is_exact(
    rows: int, features: int, block: int, k: int, shift: float, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, features, generator=random) + shift
    assert torch.equal(running(x, k, block), at_once(x, k))


@pytest.mark.parametrize("descending", [True, False])
def test_sorted_columns_are_the_best_and_the_worst_order(descending: bool) -> None:
    x = torch.randn(20, 1000, generator=torch.Generator().manual_seed(0))
    x = x.sort(1, descending=descending).values
    assert torch.equal(running(x, 10, 50), at_once(x, 10))


def test_a_block_may_be_written_over() -> None:
    x = torch.randn(4, 90, generator=torch.Generator().manual_seed(0))
    buffer = x[:, :30].clone()
    best = RunningTopk(buffer, 5)
    for first in (30, 60):
        buffer.copy_(x[:, first : first + 30])
        best.add(buffer)
    values, _ = best.result()
    assert torch.equal(values.sort(1).values, x.topk(5, dim=1).values.flip(1))
