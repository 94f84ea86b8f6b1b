"""Constants that are brought once to each device where they are used."""

import torch
from torch import Tensor


class Placed:
    """A tensor of the CPU, and its copies on other devices and in other types.

    A copy that is made at each use would hold up a GPU, and a graph of a step cannot hold it
    (``musicgen.graphs``).
    """

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self._copies: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        """The tensor on a device, in its own type."""
        return self._copy(device, self._tensor.dtype)

    def like(self, x: Tensor) -> Tensor:
        """The tensor on the device and in the type of ``x``."""
        return self._copy(x.device, x.dtype)

    def _copy(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        key = device, dtype
        if key not in self._copies:
            # A copy made in inference mode could not take part where a gradient is asked for.
            with torch.inference_mode(mode=False):
                self._copies[key] = self._tensor.to(device=device, dtype=dtype)
        return self._copies[key]
