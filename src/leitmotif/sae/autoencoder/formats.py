"""SAELens folders: ``cfg.json`` beside ``sae_weights.safetensors``, read strictly.

Two forms are in use. Until SAELens 6 the configuration was one flat dictionary, training settings
included, and a top-k autoencoder said ``"architecture": "standard", "activation_fn": "topk"``: the
published MusicGen autoencoders (Singh, Cherep & Maes 2025, arXiv 2505.18186; SAELens 5.3.2) are of
that form. Read as the plain ReLU that ``architecture`` names, they have thousands of active
features in place of at most k. Since SAELens 6 what concerns the model lies in ``metadata`` and
each architecture has its own keys. Both are read, the current one is written, and a key that is not
known to either is an error: it might change what the autoencoder computes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import Tensor

from leitmotif.arguments import as_path
from leitmotif.checkpoints.folders import usable_device
from leitmotif.errors import ModelError
from leitmotif.files import atomic_folder, read_json, write_json
from leitmotif.sae.autoencoder.model import Activation, SaeConfig, SparseAutoencoder
from leitmotif.tensors import open_tensors, write_tensors

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"

FORMAT_VERSION = "6.54.12"
"""SAELens version whose form is written."""

_DTYPES = {
    name: getattr(torch, name.removeprefix("torch."))
    for kind in ("float16", "bfloat16", "float32", "float64")
    for name in (kind, f"torch.{kind}")
}
_MODEL_KEYS = {"d_in", "d_sae", "apply_b_dec_to_input", "normalize_activations"}
_COMMON = _MODEL_KEYS | {"architecture", "dtype", "device"}

# Of SAELens 5: SAEConfig, then what TrainingSAEConfig adds to it.
_OLD_ORIGIN = {
    "model_name",
    "hook_name",
    "hook_layer",
    "hook_head_index",
    "prepend_bos",
    "dataset_path",
    "dataset_trust_remote_code",
    "context_size",
    "neuronpedia_id",
    "model_from_pretrained_kwargs",
    "seqpos_slice",
    "sae_lens_training_version",
}
_OLD_TRAINING = {
    "l1_coefficient",
    "lp_norm",
    "use_ghost_grads",
    "normalize_sae_decoder",
    "noise_scale",
    "decoder_orthogonal_init",
    "init_encoder_as_decoder_transpose",
    "mse_loss_normalization",
    "decoder_heuristic_init",
    "decoder_heuristic_init_norm",
    "scale_sparsity_penalty_by_decoder_norm",
    "jumprelu_init_threshold",
    "jumprelu_bandwidth",
}
_OLD_KEYS = (
    _COMMON
    | _OLD_ORIGIN
    | _OLD_TRAINING
    | {"activation_fn", "activation_fn_kwargs", "finetuning_scaling_factor"}
)
_OLD_NAMES = {
    "activation_fn_str": "activation_fn",
    "hook_point": "hook_name",
    "hook_point_layer": "hook_layer",
    "hook_point_head_index": "hook_head_index",
}

_NEW_TRAINING = {
    "decoder_init_norm",
    "aux_loss_coefficient",
    "use_sparse_activations",
    "topk_threshold_lr",
}
_NEW_KEYS = {
    "standard": _COMMON,
    "jumprelu": _COMMON,
    "topk": _COMMON | {"k", "rescale_acts_by_decoder_norm"},
    "batchtopk": _COMMON | {"k", "rescale_acts_by_decoder_norm"} | _NEW_TRAINING,
}
_ACTIVATIONS: dict[str, Activation] = {
    "standard": "relu",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "batchtopk": "jumprelu",
}


def load_sae(folder: Path | str, *, device: torch.device | str = "cpu") -> SparseAutoencoder:
    """Load a SAELens folder of either form; weights are computed with in float32.

    Batch top-k training checkpoints become the JumpReLU that they stand for.

    Parameters
    ----------
    folder: with ``cfg.json`` and ``sae_weights.safetensors``.
    device: such as ``cpu``, ``cuda`` or ``auto``.

    Returns
    -------
    The autoencoder, whose weights ask for no gradient.

    Raises ModelError naming what is unknown, missing, of another shape, or contradictory.

    Example
    -------
    >>> load_sae("models/organism/sae/layers.2.residual").config.site
    'layers.2.residual'
    """
    folder = as_path(folder, "the autoencoder", error=ModelError)
    device = usable_device(device)
    values = _values(folder)
    architecture, config, rescaled = _parse(folder, values)
    tensors = _read_tensors(folder, config, architecture)
    _check_dtypes(folder, tensors, values.get("dtype", "float32"))
    weights = {name: tensor.float() for name, tensor in tensors.items()}
    bad = sorted(name for name, tensor in weights.items() if not torch.isfinite(tensor).all())
    if bad:
        raise _error(folder, "weights are not finite in float32", found=", ".join(bad))
    sae = SparseAutoencoder(config)
    if "topk_threshold" in weights:
        weights["threshold"] = weights.pop("topk_threshold").expand(config.d_sae).clone()
    if rescaled:
        _fold_decoder_norm(weights)
    sae.load_state_dict(weights)
    return sae.requires_grad_(False).to(device)


def read_config(folder: Path) -> SaeConfig:
    """What an autoencoder's folder says of it, without its weights; raises ModelError."""
    return _parse(folder, _values(folder))[1]


def save_sae(sae: SparseAutoencoder, folder: Path) -> None:
    """Write a folder in SAELens' current form, atomically; equal weights give equal bytes."""
    with atomic_folder(folder) as temporary:
        write_sae(sae, temporary)


def write_sae(sae: SparseAutoencoder, folder: Path) -> None:
    """Write the two files of SAELens' current form into a folder that is there."""
    config = sae.config
    values: dict[str, Any] = {
        "architecture": "standard" if config.activation == "relu" else config.activation,
        "d_in": config.d_in,
        "d_sae": config.d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": config.apply_b_dec_to_input,
        "normalize_activations": config.normalize_activations,
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": FORMAT_VERSION, **config.metadata},
    }
    if config.activation == "topk":
        values |= {"k": config.k, "rescale_acts_by_decoder_norm": False}
    weights = {name: tensor.float().cpu().numpy() for name, tensor in sae.state_dict().items()}
    write_json(folder / CONFIG, values)
    write_tensors(folder / WEIGHTS, weights, {"format": "pt"})


def _values(folder: Path) -> dict[str, Any]:
    if not (folder / CONFIG).is_file():
        raise ModelError(
            f"{folder} is not an autoencoder's folder",
            found=", ".join(sorted(path.name for path in folder.glob("*"))) or "nothing",
            expected=f"{CONFIG} and {WEIGHTS}, as SAELens saves them",
        )
    values = read_json(folder / CONFIG, fix="get the folder afresh", error=ModelError)
    if not isinstance(values, dict):
        raise _error(folder, "its configuration is no dictionary", found=type(values).__name__)
    return values


def _parse(folder: Path, values: Mapping[str, Any]) -> tuple[str, SaeConfig, bool]:
    """The architecture, the configuration, and whether decoder norms are still to be folded in."""
    old = "metadata" not in values
    architecture, settings = (_parse_old if old else _parse_new)(folder, values)
    if settings.pop("reshape_activations", "none") != "none":
        raise _error(folder, "it reshapes attention heads", expected="reshape_activations 'none'")
    rescaled = settings.pop("rescale_acts_by_decoder_norm", False)
    if not isinstance(rescaled, bool):
        raise _error(folder, "rescale_acts_by_decoder_norm is no flag", found=repr(rescaled))
    try:
        config = SaeConfig(activation=_ACTIVATIONS[architecture], **settings)
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"])) or "the settings"
        raise _error(
            folder,
            f"{name} cannot be used",
            found=repr(settings.get(name)),
            expected=problem["msg"],
        ) from error
    return architecture, config, rescaled


def _parse_new(folder: Path, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    architecture = values.get("architecture")
    if not isinstance(architecture, str) or architecture not in _NEW_KEYS:
        raise _error(
            folder,
            "its architecture is not supported",
            found=repr(architecture),
            expected=", ".join(_NEW_KEYS),
        )
    _refuse_unknown(folder, values, _NEW_KEYS[architecture] | {"metadata", "reshape_activations"})
    kept = _MODEL_KEYS | {"reshape_activations", "rescale_acts_by_decoder_norm", "metadata"}
    settings = {key: value for key, value in values.items() if key in kept}
    if architecture == "topk":
        settings["k"] = values.get("k", 100)  # SAELens' own default
    return architecture, settings


def _parse_old(folder: Path, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    values = {_OLD_NAMES.get(key, key): value for key, value in values.items()}
    _refuse_unknown(folder, values, _OLD_KEYS)
    architecture = values.get("architecture", "standard")
    function = values.get("activation_fn", "relu")
    arguments = values.get("activation_fn_kwargs") or {}
    if architecture in ("standard", "topk") and function == "topk":
        architecture = "topk"
    elif function != "relu" or architecture not in ("standard", "jumprelu"):
        raise _error(
            folder,
            "its architecture is not supported",
            found=f"architecture {architecture!r} with activation_fn {function!r}",
            expected="standard with relu or topk, or jumprelu with relu",
        )
    if not isinstance(arguments, dict) or set(arguments) - {"k"}:
        raise _error(folder, "activation_fn_kwargs holds more than k", found=repr(arguments))
    if values.get("hook_head_index") is not None:
        raise _error(folder, "it is for one attention head", found=values["hook_head_index"])
    _check_layer(folder, values)
    settings = {key: values[key] for key in _MODEL_KEYS if key in values}
    if isinstance(settings.get("normalize_activations"), bool):
        chosen = "expected_average_only_in" if settings["normalize_activations"] else "none"
        settings["normalize_activations"] = chosen
    if architecture == "topk":
        settings["k"] = arguments.get("k")
    settings["metadata"] = {key: values[key] for key in sorted(_OLD_ORIGIN) if key in values}
    return architecture, settings


def _check_layer(folder: Path, values: Mapping[str, Any]) -> None:
    """The old form states the layer twice; ``hook_layers.1`` with ``hook_layer: 11`` is no site."""
    name, layer = str(values.get("hook_name")), values.get("hook_layer")
    numbers = [part for part in name.split(".") if part.isdecimal()]
    if layer is not None and numbers and int(numbers[0]) != layer:
        raise _error(folder, "it contradicts itself", found=f"{name} with hook_layer {layer}")


def _refuse_unknown(folder: Path, values: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise _error(
            folder,
            f"{CONFIG} has keys that are not known",
            found=", ".join(unknown),
            expected=", ".join(sorted(known)),
        )
    missing = sorted({"d_in", "d_sae"} - set(values))
    if missing:
        raise _error(folder, f"{CONFIG} lacks keys", found=f"no {', '.join(missing)}")


def _read_tensors(folder: Path, config: SaeConfig, architecture: str) -> dict[str, Tensor]:
    d, features = config.d_in, config.d_sae
    expected: dict[str, tuple[int, ...]] = {
        "W_enc": (d, features),
        "b_enc": (features,),
        "W_dec": (features, d),
        "b_dec": (d,),
    }
    if architecture == "jumprelu":
        expected["threshold"] = (features,)
    elif architecture == "batchtopk":
        expected["topk_threshold"] = ()
    path = folder / WEIGHTS
    try:
        with open_tensors(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        others = sorted(item.name for item in folder.iterdir() if item.name != CONFIG)
        raise _error(
            folder,
            f"{WEIGHTS} is missing",
            found=", ".join(others) or "no weights",
            expected="safetensors; pickled weights can run code and are not read",
        ) from None
    except (SafetensorError, OSError) as error:
        raise _error(
            folder,
            f"{WEIGHTS} cannot be read",
            found=error,
            expected="whole safetensors; pickled weights can run code and are not read",
        ) from error
    scale = tensors.pop("scaling_factor", None)  # of SAELens 5's fine-tuning
    if scale is not None and not torch.allclose(scale.float(), torch.ones(())):
        raise _error(folder, "it has a fine-tuned scale", expected="scaling_factor of ones")
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if shapes != expected:
        wrong = sorted(
            name
            for name in shapes.keys() | expected.keys()
            if shapes.get(name) != expected.get(name)
        )
        raise _error(
            folder,
            f"{WEIGHTS} has other tensors than {CONFIG} says",
            found=", ".join(f"{name} {shapes.get(name, 'missing')}" for name in wrong),
            expected=", ".join(f"{name} {expected.get(name, 'absent')}" for name in wrong),
        )
    return tensors


def _check_dtypes(folder: Path, tensors: Mapping[str, Tensor], dtype: object) -> None:
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise _error(folder, "dtype is not known", found=repr(dtype), expected=", ".join(_DTYPES))
    expected = _DTYPES[dtype]
    wrong = [
        f"{name} {tensor.dtype}"
        for name, tensor in sorted(tensors.items())
        if name != "topk_threshold" and tensor.dtype != expected
    ]
    if wrong:
        raise _error(
            folder,
            "weights are of another precision than stated",
            found=", ".join(wrong),
            expected=dtype,
        )


def _fold_decoder_norm(weights: dict[str, Tensor]) -> None:
    """Scale each feature so that its decoder vector has norm 1; nothing else changes."""
    norms = weights["W_dec"].norm(dim=1).clamp(min=1e-8)
    weights["W_enc"] = weights["W_enc"] * norms
    weights["b_enc"] = weights["b_enc"] * norms
    weights["W_dec"] = weights["W_dec"] / norms[:, None]


def _error(folder: Path, what: str, *, found: object = None, expected: object = None) -> ModelError:
    return ModelError(
        f"the autoencoder in {folder} cannot be loaded: {what}",
        found=found,
        expected=expected,
        fix=f"see {json.dumps(CONFIG)} there; leitmotif reads what SAELens 5.3.2 to 6 save",
    )
