"""Graphs of a generation's steps without a GPU: what they may hold, and what they do.

``leitmotif.musicgen.graphs`` records steps as CUDA graphs. Tests and the pretend device
(pretend_device.py) take these in their place.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


class PretendGraphs:
    """Graphs of steps (``leitmotif.musicgen.graphs``) as CUDA has them, on this device or the CPU.

    A body's operations are recorded, and carried out again on the same tensors; Python does not run
    again. Recording fails with RuntimeError where one on a GPU fails: at a value for Python, and at
    one that comes from it.
    """

    def __init__(self) -> None:
        self.made = self.replayed = 0

    def of(self, body: Callable[[], None]) -> Callable[[], None]:
        """Record a body. It runs once meanwhile, and must bear that the same step runs again."""
        with _Recording() as recording:
            body()
        self.made += 1

        def replay() -> None:
            self.replayed += 1
            recording.replay()

        return replay


_NOT_IN_GRAPHS = {
    "aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::equal", "aten::nonzero",
    "aten::masked_select", "aten::repeat_interleave", "aten::_unique2", "aten::lift_fresh",
    "aten::bincount",
}  # fmt: skip
"""What a graph cannot hold: values and sizes for Python, and tensors of Python's numbers."""


_INDEXING = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")


class _Recording(TorchDispatchMode):
    """Keeps every operation with its tensors."""

    def __init__(self) -> None:
        super().__init__()
        self._operations: list[tuple[Any, Any, dict[str, Any], Any]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        _refuse_in_graphs(func._schema.name, args, kwargs)  # noqa: SLF001
        made = func(*args, **kwargs)
        self._operations.append((func, args, kwargs, made))
        return made

    def replay(self) -> None:
        for func, args, kwargs, made in self._operations:
            again = func(*args, **kwargs)
            for old, new in zip(tree_flatten(made)[0], tree_flatten(again)[0], strict=True):
                if isinstance(old, torch.Tensor) and not _share(old, new):
                    old.copy_(new)


def _refuse_in_graphs(name: str, args: Any, kwargs: dict[str, Any]) -> None:
    flat, _ = tree_flatten((args, kwargs))
    tensors = [value for value in flat if isinstance(value, torch.Tensor)]
    masks = name in _INDEXING and any(value.dtype == torch.bool for value in tensors[1:])
    devices = {value.device for value in tensors}
    if name in ("aten::_to_copy", "aten::to") and kwargs.get("device") is not None:
        devices.add(torch.device(kwargs["device"]))
    if name in _NOT_IN_GRAPHS or masks or len({device.type for device in devices}) > 1:
        raise RuntimeError(f"operation not permitted when stream is capturing: {name}")


def _share(old: torch.Tensor, new: torch.Tensor) -> bool:
    # A tensor of the pretend device has its values in another one.
    places = [vars(x).get("inner", x).untyped_storage().data_ptr() for x in (old, new)]
    return places[0] == places[1]
