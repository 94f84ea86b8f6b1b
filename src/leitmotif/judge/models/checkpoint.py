"""Loads the checkpoint of a judge, and checks its kind and that no weights are missing."""

import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch

from leitmotif.arguments import is_integer
from leitmotif.audio.reading.samples import Samples
from leitmotif.checkpoints.folders import fetch_checkpoint, reading_checkpoint, usable_device
from leitmotif.checkpoints.weights import load_weights
from leitmotif.errors import ModelError
from leitmotif.files import read_json, sha256_file, sha256_json

Precision = Literal["float32", "float64"]
_PROCESSOR = "processor_config.json"
DTYPES = {"float32": torch.float32, "float64": torch.float64}


class Loaded(NamedTuple):
    """A model on its device, with its feature extractor."""

    model: Any
    extractor: Any
    folder: Path
    device: torch.device
    dtype: torch.dtype


def load_judge(
    name: str,
    *,
    revision: str | None,
    device: str,
    dtype: Precision,
    model_type: str,
    model_class: str,
) -> Loaded:
    """Load a judge with a class of `transformers`.

    Safetensors are preferred. If there are none, torch's weights-only unpickler reads
    ``pytorch_model.bin``.

    Parameters
    ----------
    name
        Folder or hub id.
    revision
        Commit of the hub repository; None for a folder.
    device
        Such as ``cpu`` or ``auto``.
    dtype
        Precision of the computation.
    model_type
        ``model_type`` that the checkpoint's config must have.
    model_class
        Name of the class in `transformers`.

    Raises
    ------
    ModelError
        If there is no such checkpoint or device, if the checkpoint is of another kind, or if its
        weights are not those of the class; see ``load_weights``.
    """
    import transformers

    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ModelError("unknown dtype", found=f"{dtype!r:.200}", expected=", ".join(DTYPES))
    place = usable_device(device)
    with reading_checkpoint(
        name,
        expected="a hub id with its 40-digit revision, or a folder with config.json, "
        "preprocessor_config.json and the weights",
        fix="check the judge's name and revision; for a hub id, the network or HF_HUB_OFFLINE",
    ):
        folder = fetch_checkpoint(name, revision, old_weights=True)
        _check_kind(name, folder, model_type)
        model = load_weights(getattr(transformers, model_class), folder, dtype=DTYPES[dtype])
        extractor = _extractor(folder)
    model = model.eval().requires_grad_(False).to(place)
    return Loaded(model, extractor, folder, place, DTYPES[dtype])


def _check_kind(name: str, folder: Path, model_type: str) -> None:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    if config.model_type != model_type:
        raise ModelError(
            f"{name} is another kind of model",
            found=f"model_type {config.model_type!r}",
            expected=repr(model_type),
            fix="name a checkpoint of that kind",
        )


def _extractor(folder: Path) -> Any:
    from transformers import AutoFeatureExtractor

    with warnings.catch_warnings():
        # Every AST at 16 kHz with 128 bands causes this warning; it is harmless.
        warnings.filterwarnings("ignore", message="At least one mel filter has all zero")
        return AutoFeatureExtractor.from_pretrained(folder)


Fits = tuple[str, Callable[[Any], bool]]
"""What is expected of a field, in words, and whether a value is that."""


def is_one_of(*values: object) -> Fits:
    """A field that is equal to one of some values, and of its type."""
    words = " or ".join(map(repr, values))
    return words, lambda found: any(type(found) is type(v) and found == v for v in values)


def is_within(low: float, high: float, *, whole: bool = False) -> Fits:
    """A field that is a number of a range, its ends included."""
    kind = int if whole else (int, float)
    words = f"{'an integer' if whole else 'a number'} from {low:g} to {high:g}"
    return (
        words,
        lambda found: (
            isinstance(found, kind) and not isinstance(found, bool) and low <= found <= high
        ),
    )


class Judge:
    """A judge made of a checkpoint, on its device; each kind of judge is a subclass."""

    model_type: ClassVar[str]
    """Kind of the model, as the checkpoint's config says it."""
    model_class: ClassVar[str]
    """Name of the class of `transformers`."""

    def __init__(self, loaded: Loaded, name: str, *, batch_size: int) -> None:
        if not isinstance(loaded, Loaded) or not is_integer(batch_size) or batch_size < 1:
            raise ModelError(
                "this is no judge",
                found=f"{loaded!r:.200} with batch_size={batch_size!r:.200}",
                expected="a checkpoint that was loaded, and a batch of 1 or more",
                fix="load a judge with from_pretrained",
            )
        self._model, self._extractor = loaded.model, loaded.extractor
        self._device, self._dtype = loaded.device, loaded.dtype
        self.name, self._batch_size = name, batch_size
        self._folder = loaded.folder
        self._check_extractor(loaded.extractor, loaded.model.config)
        self.sample_rate: int = loaded.extractor.sampling_rate
        """Hz, to which clips are resampled."""

    def __repr__(self) -> str:
        """Say origin, rate, precision and place."""
        kind = str(self._dtype).removeprefix("torch.")
        details = f"{self.name}, {self.sample_rate} Hz, {kind} on {self._device}"
        return f"{type(self).__name__}({details})"

    def _expected(self, extractor: Any, config: Any) -> Iterator[tuple[str, Fits]]:
        """Fields of a feature extractor that decide what the model of ``config`` hears.

        What is expected of a field may rest on those before it, which fit when it is asked for.
        """
        raise NotImplementedError

    def _try(self, clip: Samples) -> None:
        """Judge a clip at ``sample_rate``, and all else that a judge takes, to see that it can."""
        raise NotImplementedError

    def _check_extractor(self, extractor: Any, config: Any) -> None:
        """Raise ModelError for a field that does not fit, or is not written.

        For what is not written `transformers` takes values of its own.
        """
        alone, both = (
            read_json(path, error=ModelError) if path.is_file() else {}
            for path in (self._folder / "preprocessor_config.json", self._folder / _PROCESSOR)
        )
        # Where both files have it, transformers reads the second.
        written = both.get("feature_extractor", alone)
        for field, (words, fits) in self._expected(extractor, config):
            found = getattr(extractor, field, None) if field in written else "no such field"
            if not fits(found):
                raise ModelError(
                    f"the feature extractor of {self.name} does not fit its model",
                    found=f"{field}: {found!r:.200}",
                    expected=words,
                    fix=f"correct preprocessor_config.json, and {_PROCESSOR} if it is there",
                )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the checkpoint's files and of the precision and device (64 hex)."""
        files = [path for path in sorted(self._folder.iterdir()) if path.is_file()]
        hashes = {path.name: sha256_file(path) for path in files}
        return sha256_json([hashes, str(self._dtype), self._device.type])

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: Precision = "float32",
        batch_size: int = 16,
    ) -> Self:
        """Load a checkpoint from a folder or the hub, to compute in ``dtype``.

        In float64 a result does not depend on processor or batch. ``batch_size`` windows are judged
        at once. Raises ModelError when there is no such checkpoint, it is of another kind, weights
        or what it needs beside them are missing, or its parts do not fit together.
        """
        loaded = load_judge(
            name,
            revision=revision,
            device=device,
            dtype=dtype,
            model_type=cls.model_type,
            model_class=cls.model_class,
        )
        # Fields of a config that no weight depends on, such as strides, show when it is used.
        with (
            reading_checkpoint(
                name,
                expected="a config.json that fits the weights, the feature extractor and the "
                "tokenizer",
                fix="restore config.json as the checkpoint was published",
            ),
            torch.inference_mode(),
        ):
            judge = cls(loaded, name, batch_size=batch_size)
            judge._try(np.zeros(judge.sample_rate, np.float32))
        return judge
