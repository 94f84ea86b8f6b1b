"""Constants are brought to a place once, and take part where a gradient is asked for."""

import torch

from leitmotif.placed import Placed


def test_a_copy_is_made_once_for_each_place_and_type() -> None:
    placed = Placed(torch.arange(3))
    wide = torch.zeros(2, dtype=torch.float64)
    assert placed.on(wide.device) is placed.on(wide.device)
    assert placed.on(wide.device).dtype == torch.int64
    assert placed.like(wide) is placed.like(wide)
    assert placed.like(wide).dtype == torch.float64
    assert placed.like(wide).tolist() == [0, 1, 2]
    assert placed.on(torch.device("meta")).device.type == "meta"


def test_a_copy_made_in_inference_mode_takes_a_gradient() -> None:
    placed = Placed(torch.ones(3))
    with torch.inference_mode():
        placed.like(torch.zeros(1, dtype=torch.float64))
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    (x * placed.like(x)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 1, 1]
