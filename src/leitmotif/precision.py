"""Float64 on any device."""

from torch import Tensor

_HAVE_FLOAT64 = ("cpu", "cuda")


def doubled(x: Tensor) -> Tensor:
    """Return a tensor in float64: on its own device, or on the CPU if that may lack float64.

    Apple's GPUs (``mps``) have none, and refuse even to convert to it. Gradients flow through.
    """
    return (x if x.device.type in _HAVE_FLOAT64 else x.cpu()).double()
