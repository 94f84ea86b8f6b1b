"""A device besides the CPU on which every machine can try device errors; no GPU is needed.

Tensors on ``pretend:0`` are tensors of the CPU in a wrapper, and an operation that mixes them with
unwrapped ones fails as it does on a GPU. So a tensor that is left behind, a mask made on the wrong
device, or ``.numpy()`` without ``.cpu()`` is found. What is computed is what the CPU computes.
Steps of a generation are replayed there (pretend_graphs.py).

``scripts/portability.py`` runs every stage on it. The patches of torch are for a whole process, so
a process of its own has them.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.utils._device import _device_constructors
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretend"
_refused: set[torch.dtype] = set()
_libraries: list[Any] = []  # registrations last as long as these


class Pretend(torch.Tensor):
    """A tensor on the pretend device; ``inner`` holds its values."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "Pretend":
        """Wrap a tensor of the CPU."""
        wrapper: Pretend = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]  # noqa: SLF001
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(NAME, 0),
            requires_grad=inner.requires_grad,
        )
        wrapper.inner = inner
        return wrapper

    @classmethod
    def __torch_dispatch__(
        cls,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return _run(func, args, dict(kwargs or {}))

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(_as_tensors(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_as_tensors(index), value)

    def tolist(self) -> Any:
        """The values as numbers; torch's own refuses wrappers."""
        return self.inner.tolist()

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"Pretend({self.inner})"


def install(*, float64: bool = True) -> None:
    """Make the device, for the rest of the process; call it before leitmotif is imported.

    Without ``float64`` it refuses that precision, as Apple's GPUs do.
    """
    if not float64:
        _refused.add(torch.float64)
    _setup_privateuseone_for_python_backend(NAME)
    aten = torch.library.Library("aten", "IMPL", "PrivateUse1")
    for made in ("empty.memory_format", "empty_strided"):
        packet, _, overload = made.partition(".")
        operator = getattr(getattr(torch.ops.aten, packet), overload or "default")
        aten.impl(made, _making(operator), "PrivateUse1")
    wild = torch.library.Library("_", "IMPL")
    wild.fallback(lambda operator, *args, **kwargs: _run(operator, args, kwargs), "PrivateUse1")
    _libraries.extend([aten, wild])
    # In place, a parameter would get another dtype without its ``inner``.
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    torch.inference_mode = _no_inference  # type: ignore[assignment,misc]  # has no views of wrappers
    _make_tensors_of_lists()
    _answer_to_auto()
    _make_graphs()


def _no_inference(mode: bool = True) -> AbstractContextManager[None]:
    return torch.no_grad() if mode else nullcontext()


def _make_graphs() -> None:
    from pretend_graphs import PretendGraphs

    from leitmotif.musicgen import generate

    there = generate.graphs_on

    def graphs_on(device: torch.device) -> Any:
        return PretendGraphs() if device.type == NAME else there(device)

    generate.graphs_on = graphs_on


def _making(operator: Any) -> Callable[..., Pretend]:
    def make(*args: Any, **kwargs: Any) -> Pretend:
        kwargs.pop("device", None)
        return Pretend(operator(*args, **kwargs, device=torch.device("cpu")))

    return make


def _make_tensors_of_lists() -> None:
    """``torch.tensor(list, device=…)`` fails inside of torch for a device like this one."""
    make = torch.tensor
    _device_constructors()  # keeps the original, which `with torch.device(…)` looks for

    def tensor(data: Any, *args: Any, device: Any = None, **kwargs: Any) -> torch.Tensor:
        if device is not None and torch.device(device).type == NAME:
            return make(data, *args, **kwargs).to(device)
        return make(data, *args, device=device, **kwargs)

    torch.tensor = tensor


def _answer_to_auto() -> None:
    """Let the device be what ``auto`` means."""
    from leitmotif.checkpoints import folders

    usable = folders.usable_device

    def usable_device(name: str | torch.device) -> torch.device:
        if name == "auto" or torch.device(name).type == NAME:
            return torch.device(NAME, 0)
        return usable(name)

    folders.usable_device = usable_device


def _as_tensors(index: Any) -> Any:
    """Lists as tensors: torch itself would make them on the device, and cannot."""
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(
        Pretend(torch.as_tensor(list(part))) if isinstance(part, list | range | tuple) else part
        for part in parts
    )


_INDEXING = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")
"""These take indices from the CPU on a GPU too."""


def _run(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Run an operator on the wrapped tensors, and wrap what it gives."""
    name = func._schema.name  # noqa: SLF001
    flat, _ = tree_flatten((args, kwargs))
    wrapped = [value for value in flat if isinstance(value, Pretend)]
    named = kwargs.get("device")
    if named is not None:
        kwargs["device"] = torch.device("cpu")
    there = torch.device(named).type == NAME if named is not None else bool(wrapped)
    if name == "aten::copy_":
        _inner(args[0]).copy_(_inner(args[1]))
        return args[0]
    if wrapped and name != "aten::_to_copy":
        _refuse_mixed(name, flat)
    if name == "aten::_thnn_fused_lstm_cell":
        return tree_map(_wrap, _lstm_cell(*(_inner(value) for value in args)))
    given = func(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    if not there:
        return given
    # What is changed in place is the same tensor afterwards.
    known = {id(value.inner): value for value in wrapped}
    return tree_map(lambda value: known.get(id(value), _wrap(value)), given)


def _refuse_mixed(name: str, flat: Sequence[Any]) -> None:
    elsewhere = [
        value
        for value in flat
        if isinstance(value, torch.Tensor) and not isinstance(value, Pretend) and value.dim() > 0
    ]
    if elsewhere and name.partition(".")[0] not in _INDEXING:
        raise RuntimeError(
            f"Expected all tensors to be on the same device: {name} got cpu and {NAME}:0"
        )


def _lstm_cell(
    inputs: torch.Tensor,
    hidden: torch.Tensor,
    cell: torch.Tensor,
    *biases: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The fused cell, which torch takes on other devices than the CPU; the CPU has none."""
    gates = inputs + hidden + sum(bias for bias in biases if bias is not None)
    enter, forget, new, leave = gates.chunk(4, 1)
    after = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
    return leave.sigmoid() * after.tanh(), after, gates


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, Pretend) else value


def _wrap(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.dtype in _refused:
        raise TypeError(f"the {NAME} device does not compute in {value.dtype}")
    return Pretend(value) if isinstance(value, torch.Tensor) else value
