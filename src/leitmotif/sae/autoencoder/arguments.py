"""What an autoencoder is given: activations, numbers of features, codes. Each has its one check."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from leitmotif.arguments import odd_storage
from leitmotif.checkpoints.weights import is_finite
from leitmotif.errors import ModelError


def check_activations(x: object, width: int, *, finite: bool = False) -> None:
    """Raise ModelError unless ``x`` are rows [n, ``width``] of finite floating-point numbers.

    That they are ``finite`` may be known; a GPU is then not asked.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point() or odd_storage(x):
        kind = (odd_storage(x) or x.dtype) if isinstance(x, Tensor) else type(x).__name__
        raise ModelError(
            "these are no activations",
            found=kind,
            expected="a tensor of floating-point numbers",
            fix="torch.from_numpy(array)",
        )
    if x.dim() != 2 or x.shape[1] != width:
        raise ModelError(
            "these activations do not fit the autoencoder",
            found=f"shape {tuple(x.shape)}",
            expected=f"(rows, {width})",
            fix="check the model and the site of both",
        )
    if not finite and not is_finite(x):
        raise ModelError("the activations are not finite", expected="no NaN, no infinity")


def features_of(
    features: Sequence[int] | Tensor, count: int, *, like: Tensor, known: bool = False
) -> Tensor:
    """Numbers of features as a tensor [c] on the device of ``like``; raises ModelError.

    That a tensor's numbers lie in 0..``count`` - 1 may be ``known``; a GPU is then not asked.
    """
    if isinstance(features, Tensor) and (found := odd_storage(features)):
        raise _no_features(found, count)
    try:
        wanted = torch.as_tensor(features, device=like.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_features(type(features).__name__, count) from error
    wanted = wanted.long() if not wanted.numel() else wanted
    whole = not wanted.is_floating_point() and not wanted.is_complex()
    if wanted.dim() != 1 or not whole or wanted.dtype is torch.bool:
        raise _no_features(f"{wanted.dtype} of shape {tuple(wanted.shape)}", count)
    if not known:
        _check_range(wanted, count)
    return wanted


def check_codes(codes: Any, count: int) -> None:
    """Raise ModelError unless codes are whole, finite, and of features 0..``count`` - 1."""
    parts = [getattr(codes, name, None) for name in ("indices", "values", "offsets")]
    if not all(isinstance(x, Tensor) and not odd_storage(x) and x.dim() == 1 for x in parts):
        raise ModelError(
            "these are no codes",
            found=type(codes).__name__,
            expected="Codes(indices, values, offsets), as encode returns them",
        )
    indices, values, offsets = codes
    integers = (torch.int32, torch.int64)
    spans = (
        indices.dtype in integers
        and offsets.dtype in integers
        and len(indices) == len(values)
        and len(offsets) > 0
        and int(offsets[0]) == 0
        and int(offsets[-1]) == len(indices)
        and bool((offsets.diff() >= 0).all())
    )
    if not spans:
        raise ModelError(
            "these codes are not whole",
            found=f"{len(indices)} indices ({indices.dtype}), {len(values)} values, "
            f"offsets up to {int(offsets.max()) if len(offsets) else None}",
            expected="a value for each index, and offsets that ascend from 0 to their number",
        )
    _check_range(indices, count)
    if not is_finite(values):
        raise ModelError("the features are not finite", expected="no NaN, no infinity")


def _check_range(features: Tensor, count: int) -> None:
    if features.numel() and not 0 <= int(features.min()) <= int(features.max()) < count:
        raise _no_features(f"{int(features.min())}..{int(features.max())}", count)


def _no_features(found: str, count: int) -> ModelError:
    return ModelError(
        "these features are not the autoencoder's",
        found=found,
        expected=f"a list of numbers of 0..{count - 1}",
    )
