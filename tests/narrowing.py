"""Which operations of a float64 pass compute in fewer digits."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


class Narrowing(TorchDispatchMode):
    """Collects operations that make fewer digits of float64."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if torch.float64 in _kinds((args, kwargs)) and _kinds(made) - {torch.float64}:
            self.operations.append(str(func))
        return made


def _kinds(values: Any) -> set[torch.dtype]:
    tensors = [value for value in tree_flatten(values)[0] if isinstance(value, torch.Tensor)]
    return {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
