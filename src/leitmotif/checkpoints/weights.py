"""Weights are what the checkpoint says: checks of a checkpoint's files, and of what came of them.

`transformers` gives random weights to whatever a checkpoint lacks, leaves out what it does not
know, and says so in a warning at most. Here all of it is an error that names the tensors.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leitmotif.arguments import odd_storage
from leitmotif.errors import ModelError
from leitmotif.files import read_text
from leitmotif.tensors import open_tensors

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
OLD_SINGLE, OLD_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
"""Weights in torch's own format, which `transformers` reads where there are no others."""

_MAY_BE_MISSING = ("num_batches_tracked",)
"""Buffers that no result depends on: batch norm counts the batches of its training."""
_MAY_BE_LEFT_OVER = ("position_ids", "token_type_ids", "embed_positions.weights")
"""Buffers that older versions of `transformers` stored and newer ones compute from the config."""
_INTEGERS = ("I", "U", "BOOL", "int", "uint", "bool")
"""Beginnings of their names, as safetensors and torch call them."""
_NAMED = 6


def load_weights(
    model_class: Any,
    folder: Path,
    *,
    dtype: torch.dtype,
    left: tuple[str, ...] = (),
    **options: Any,
) -> Any:
    """Load ``folder`` with a model class of `transformers`, and take no weight that is not there.

    Parameters
    ----------
    model_class
        Such as ``ClapModel``.
    folder
        With config.json and the weights.
    dtype
        Of all weights in memory. It must hold what the file has: see ``check_finite``.
    left
        How the names of tensors begin that the file may hold beside those of the class.
    options
        For ``from_pretrained``.

    Raises
    ------
    ModelError
        If a tensor is missing, unexpected, of another shape, of another kind of number or not
        finite, or if shards and their index disagree.
    OSError, ValueError, RuntimeError, SafetensorError
        As `transformers` raises them; see ``reading_checkpoint``.
    """
    stored = _stored_types(folder)
    model, report = model_class.from_pretrained(
        folder, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True, **options
    )
    what = f"the weights in {folder} are not those of a {model_class.__name__}"
    misshapen = [
        f"{name} {tuple(shape)} in place of {tuple(expected)}"
        for name, shape, expected in report["mismatched_keys"]
    ]
    refuse_other_names(
        what,
        missing=(key for key in report["missing_keys"] if not key.endswith(_MAY_BE_MISSING)),
        unexpected=(
            key
            for key in {*report["unexpected_keys"], *_left_over(stored, model, report)}
            if not key.endswith(_MAY_BE_LEFT_OVER) and not key.startswith(left)
        ),
        misshapen=misshapen,
    )
    _check_types(folder, stored, model)
    check_finite(model, f"the weights in {folder}")
    return model


def refuse_other_names(
    what: str,
    *,
    missing: Iterable[str] = (),
    unexpected: Iterable[str] = (),
    misshapen: Iterable[str] = (),
) -> None:
    """Raise ModelError, which names them, if there are any such tensors."""
    groups = {
        "missing": sorted(missing),
        "unexpected": sorted(unexpected),
        "of another shape": sorted(misshapen),
    }
    wrong = [f"{len(names)} {kind}: {_some(names)}" for kind, names in groups.items() if names]
    if wrong:
        raise ModelError(
            what,
            found="; ".join(wrong),
            expected="every tensor of the model with its shape, and no other",
            fix="fetch the checkpoint again, or name one that was saved from this class; "
            "what is missing would be random",
        )


def check_finite(model: nn.Module, what: str) -> None:
    """Raise ModelError, which names the tensors, unless all weights and buffers are numbers.

    NaN and infinity are none, and a tensor may hold no numbers at all, or none that can be read one
    by one (``odd_storage``).
    """
    odd = [f"{name}: {why}" for name, x in model.state_dict().items() if (why := odd_storage(x))]
    if odd:
        raise ModelError(
            f"{what} cannot be read", found=_some(odd), expected="dense tensors with their values"
        )
    bad = [name for name, tensor in model.state_dict().items() if not is_finite(tensor)]
    if bad:
        kinds = {str(tensor.dtype) for tensor in model.parameters()}
        raise ModelError(
            f"{what} are not all numbers",
            found=f"NaN or infinity in {len(bad)}: {_some(bad)}",
            expected=f"finite numbers of {' and '.join(sorted(kinds))}",
            fix="fetch the checkpoint again; if it is a wider type's, use dtype float32",
        )


def is_finite(tensor: Tensor) -> bool:
    """Whether all values are numbers, found in one reading without a copy."""
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    low, high = tensor.detach().aminmax()  # NaN comes through
    return bool(torch.isfinite(low) & torch.isfinite(high))


def _stored_types(folder: Path) -> dict[str, str]:
    """The type of every stored tensor by its name in the files, such as F32 or int64.

    Empty where there are no weights. Raises ModelError for shards that do not agree with their
    index, and for a file in torch's format that holds something else than tensors.
    """
    for single, index in ((SINGLE, INDEX), (OLD_SINGLE, OLD_INDEX)):
        if (folder / single).is_file():
            return {name: kind for name, kind, _ in _headers([folder / single])}
        if (folder / index).is_file():
            return _types_of_shards(folder, folder / index)
    return {}


def _types_of_shards(folder: Path, index: Path) -> dict[str, str]:
    listed = _weight_map(index)
    shards = sorted(set(listed.values()))
    absent = [name for name in shards if not (folder / name).is_file()]
    if absent:
        raise ModelError(
            f"shards of {folder} are missing",
            found=_some(absent),
            expected=f"all that {index.name} names",
        )
    types: dict[str, str] = {}
    wrong = []
    for name, kind, shard in _headers([folder / shard for shard in shards]):
        if name in types:
            wrong.append(f"{name} twice")
        elif listed.get(name) != shard:
            wrong.append(f"{name} in {shard}, listed in {listed.get(name, 'none')}")
        types[name] = kind
    wrong += [f"{name} not in {shard}" for name, shard in listed.items() if name not in types]
    if wrong:
        raise ModelError(
            f"the shards of {folder} do not agree with their index",
            found=_some(sorted(wrong)),
            expected=f"every tensor once, in the shard that {index.name} names",
            fix="fetch the checkpoint again",
        )
    return types


def _weight_map(index: Path) -> dict[str, str]:
    """The shard of every tensor, as the index has it."""
    text = read_text(index, fix="fetch the checkpoint again", error=ModelError)
    content = json.loads(text, object_pairs_hook=_without_repeats)
    listed = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(listed, dict) or not all(
        isinstance(shard, str) and Path(shard).name == shard for shard in listed.values()
    ):
        raise ModelError(
            f"{index} is no index of shards", expected="weight_map, from tensors to file names"
        )
    return listed


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = {name for name, count in Counter(name for name, _ in pairs).items() if count > 1}
        raise ModelError("an index of shards lists a tensor twice", found=_some(sorted(twice)))
    return values


def _headers(paths: Iterable[Path]) -> Iterator[tuple[str, str, str]]:
    """Name, type and file of every tensor; no values are read."""
    for path in paths:
        if path.suffix == ".bin":
            for name, tensor in _pickled(path).items():
                yield name, str(tensor.dtype).removeprefix("torch."), path.name
            continue
        with open_tensors(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118
                yield name, file.get_slice(name).get_dtype(), path.name


def _pickled(path: Path) -> dict[str, Tensor]:
    """Tensors without values, by torch's weights-only unpickler, which runs nothing."""
    tensors = torch.load(path, map_location="meta", weights_only=True)
    odd = (
        [repr(name) for name, value in tensors.items() if not _is_weight(name, value)]
        if isinstance(tensors, dict)
        else [f"a {type(tensors).__name__}"]
    )
    if odd:
        raise ModelError(
            f"{path} does not hold weights",
            found=_some(odd),
            expected="tensors by their names",
            fix="fetch the checkpoint again, or save the model's state_dict()",
        )
    return dict(tensors)


def _is_weight(name: object, value: object) -> bool:
    if not isinstance(name, str) or not isinstance(value, Tensor):
        return False
    return value.layout is torch.strided and not value.is_quantized


def _left_over(stored: Mapping[str, str], model: nn.Module, report: Mapping[str, Any]) -> set[str]:
    """Stored tensors that no weight has the name of, where names are taken as they are.

    `transformers` reports none whose name has "decoder" in it, since T5's encoder ignores those of
    T5's decoder. Of a class whose names it converts, its report is all that there is.
    """
    files = {weight_norm_name(name): name for name in stored}
    names: dict[int, set[str]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        # Tied ones are the same object.
        names.setdefault(id(tensor), set()).add(weight_norm_name(name))
    missing = {weight_norm_name(name) for name in report["missing_keys"]}
    converted = any(not group & (files.keys() | missing) for group in names.values())
    known = set().union(*names.values())
    return set() if converted else {name for key, name in files.items() if key not in known}


def weight_norm_name(name: str) -> str:
    """The name as torch gives it since 2.0; EnCodec's checkpoints are older."""
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        if name.endswith(f".{old}"):
            return f"{name.removesuffix(old)}parametrizations.weight.{new}"
    return name


def _check_types(folder: Path, stored: Mapping[str, str], model: nn.Module) -> None:
    """Refuse integers in the place of weights; `transformers` would convert them, or keep them."""
    with torch.device("meta"):
        model = type(model)(model.config)
    whole = {name for name, tensor in model.state_dict().items() if not tensor.is_floating_point()}
    wrong = [
        f"{name} {kind}"
        for name, kind in stored.items()
        if kind.startswith(_INTEGERS) != (name in whole) and not name.endswith(_MAY_BE_LEFT_OVER)
    ]
    if wrong:
        raise ModelError(
            f"the weights in {folder} are of another kind of number",
            found=_some(sorted(wrong)),
            expected="floating-point weights, and integers for indices only",
            fix="fetch the checkpoint again; quantised checkpoints are not supported",
        )


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
