"""The decoder's matrix products, by oneDNN with packed weights where a CPU gains by it."""

from collections.abc import Callable
from functools import cache
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["none", "gelu", "relu"]

_WORTHWHILE = 2**19
"""Multiply-adds of a product; below it the call costs more than the packing saves."""


@cache
def _packable_types() -> frozenset[torch.dtype]:
    if not torch._C._has_mkldnn:
        return frozenset()
    half = {torch.bfloat16} if torch.ops.mkldnn._is_mkldnn_bf16_supported() else set()
    return frozenset({torch.float32} | half)


class Linear(nn.Linear):
    """A matrix without bias, with the activation that follows it: [..., in] to [..., out].

    torch gives float32 products on a CPU to MKL, and packs bfloat16 weights anew at each call.
    oneDNN with weights packed once (the operators that ``torch.compile`` uses for frozen weights)
    takes a half to a third of the time on the processors without Intel's name, where one or two
    rows at a time, as in generation, are the worst case. The price is a second copy of the weight.
    It is used where nothing asks for a gradient and the product is large enough.
    """

    def __init__(self, inputs: int, outputs: int, *, activation: Activation = "none") -> None:
        super().__init__(inputs, outputs, bias=False)
        self.activation = activation
        self._packed: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Multiply [..., in] by the weight and apply the activation."""
        weight = self.weight
        if not (
            x.device.type == "cpu"
            and x.numel() * self.out_features >= _WORTHWHILE
            and not x.requires_grad
            and x.dtype in _packable_types()
        ):
            return self._activate(F.linear(x, weight))
        if self._packed is None:
            self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach())
        algorithm = "none" if self.activation == "gelu" else ""
        return torch.ops.mkldnn._linear_pointwise(
            x, self._packed, None, self.activation, [], algorithm
        )

    def _activate(self, x: Tensor) -> Tensor:
        # In place: where input and output lie alike in memory, float64's GELU takes up to five
        # times as long.
        match self.activation:
            case "gelu":
                return F.gelu(x) if x.requires_grad else torch.ops.aten.gelu_(x)
            case "relu":
                return F.relu(x, inplace=not x.requires_grad)
            case "none":
                return x

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._packed = None  # the weight is about to move or change its type
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
