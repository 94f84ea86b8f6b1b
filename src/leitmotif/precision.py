"""Float64 on any device, and in modules that are not ours."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_HAVE_FLOAT64 = ("cpu", "cuda")


def doubled(x: Tensor) -> Tensor:
    """Return a tensor in float64: on its own device, or on the CPU if that may lack float64.

    Apple's GPUs (``mps``) have none, and refuse even to convert to it. Gradients flow through.
    """
    return (x if x.device.type in _HAVE_FLOAT64 else x.cpu()).double()


class Undiminished(TorchFunctionMode):
    """Within it, float64 is not made float32 on the way, and convolutions keep float32's digits.

    Parts of `transformers` are computed in float32 for the sake of half precision, whatever the
    precision of the model: T5's norms, the softmax of CLAP's text tower. In a model of float64 that
    makes results differ between processors. On a GPU cuDNN computes convolutions of float32 with
    the digits of TF32, about three, unless it is told not to.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        x = args[0] if args else None
        if isinstance(x, Tensor) and x.dtype == torch.float64:
            named = (*args[1:], *kwargs.values())
            if func is Tensor.float or (func is Tensor.to and named == (torch.float32,)):
                return x
            if kwargs.get("dtype") is torch.float32:
                kwargs["dtype"] = torch.float64
        return func(*args, **kwargs)

    def __enter__(self) -> "Undiminished":
        self._exact = _exact_convolutions()
        self._exact.__enter__()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
        self._exact.__exit__(*raised)


def _exact_convolutions() -> AbstractContextManager[None]:
    cudnn = torch.backends.cudnn
    if not cudnn.is_available():  # type: ignore[no-untyped-call]
        return nullcontext()
    flags: AbstractContextManager[None] = cudnn.flags(
        enabled=cudnn.enabled,
        benchmark=cudnn.benchmark,
        deterministic=cudnn.deterministic,
        allow_tf32=False,
    )
    return flags
