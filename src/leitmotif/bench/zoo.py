"""The models that methods are scored on, put together from the parts that they share.

``models/zoo`` stores once what several models have in common::

    shared/             configuration, tokenizer and text encoder: of all models
    bases/R.safetensors       embeddings, heads and cross-attention: of the models of replicate R
    decoders/KIND.R.safetensors   everything else of one model
    checksums.json      the SHA-256 of each of these files
    truth.jsonl         what is true of each model

The codec is that of the organisms. A model is put together in a folder of the work cache that
`transformers` reads like any other, and that is named by its content.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safetensors.torch import load_file

from leitmotif.errors import ConfigError, StoreError
from leitmotif.files import (
    atomic_folder,
    read_json,
    read_table,
    sha256_file,
    sha256_json,
    write_text,
)
from leitmotif.tables.bench import ZooTruth
from leitmotif.tensors import write_tensors

ZOO, CODEC = Path("models/zoo"), Path("models/organism/codec")
WEIGHTS = "model.safetensors"
SHARED, BASES, DECODERS = "shared", "bases", "decoders"
TEXT = "text_encoder.safetensors"
CHECKSUMS, TRUTH = "checksums.json", "truth.jsonl"
CODEC_PREFIX = "audio_encoder."
"""Prefix of the names of the codec's tensors in a checkpoint of a whole model."""
WEIGHTS_RECORD = ".weights.sha256"
"""In an assembled folder: the digest of its weights when they were written."""


@dataclass(frozen=True)
class Zoo:
    """A folder of packed models, and the codec that they speak."""

    root: Path = ZOO
    codec: Path = CODEC

    @cached_property
    def names(self) -> list[str]:
        """All models, ``KIND.R``, in alphabetical order; raises StoreError if there is no zoo."""
        return sorted(
            Path(name).name.removesuffix(".safetensors")
            for name in self._checksums
            if name.startswith(f"{DECODERS}/")
        )

    def chosen(self, wanted: Iterable[str]) -> list[str]:
        """The models that are named, by themselves or by their kind; all of them if none is.

        Raises ConfigError for a name that fits none.
        """
        wanted = list(wanted)
        for name in wanted:
            if not any(_fits(model, name) for model in self.names):
                kinds = sorted({model.rpartition(".")[0] for model in self.names})
                raise ConfigError(
                    f"the zoo has no model {name!r}",
                    expected=f"a kind ({', '.join(kinds)}), or one of its models, such as "
                    f"{self.names[0]}",
                )
        return [m for m in self.names if not wanted or any(_fits(m, name) for name in wanted)]

    def weights(self, model: str) -> str:
        """SHA-256 of all parts of a model (64 hex), as checksums.json and the codec have them."""
        parts = {name: self._checksums[name] for name in self._parts(model)}
        return sha256_json({**parts, "codec": sha256_file(self.codec / WEIGHTS)})

    def assembled(self, model: str, cache: Path) -> Path:
        """A folder below ``cache`` with the whole model, whose name tells nothing of its kind.

        One that is there already is used if its weights are still those that were written. Raises
        StoreError for a part that is missing or damaged.
        """
        folder = cache / "zoo" / self.weights(model)
        if folder.is_dir() and _is_whole(folder):
            return folder
        with atomic_folder(folder) as temporary:
            tensors = {
                f"{CODEC_PREFIX}{name}": tensor
                for name, tensor in load_file(self.codec / WEIGHTS).items()
            }
            for name in self._parts(model):
                self._check(name)
                if name.endswith(".safetensors"):
                    tensors |= load_file(self.root / name)
                else:
                    target = temporary / Path(name).name
                    target.write_bytes((self.root / name).read_bytes())
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            write_tensors(temporary / WEIGHTS, arrays, {"format": "pt"})
            write_text(temporary / WEIGHTS_RECORD, sha256_file(temporary / WEIGHTS))
        return folder

    def truths(self) -> list[ZooTruth]:
        """What is true of the models; no method is run after this has been read."""
        return read_table(self.root / TRUTH, ZooTruth)

    @cached_property
    def _checksums(self) -> dict[str, str]:
        path = self.root / CHECKSUMS
        if not path.exists():
            raise StoreError(
                f"there is no zoo in {self.root}",
                found=f"no {CHECKSUMS}",
                fix="run this in the root of a clone, which has models/zoo",
            )
        return dict(read_json(path))

    def _parts(self, model: str) -> Iterator[str]:
        yield from (name for name in self._checksums if name.startswith(f"{SHARED}/"))
        yield f"{BASES}/{model.rpartition('.')[2]}.safetensors"
        yield f"{DECODERS}/{model}.safetensors"

    def _check(self, name: str) -> None:
        path = self.root / name
        digest = sha256_file(path) if path.is_file() else "no file"
        if digest != self._checksums[name]:
            raise StoreError(
                f"{path} is not the file that was packed",
                found=digest,
                expected=f"SHA-256 {self._checksums[name]}, as {CHECKSUMS} says",
                fix="restore it: git checkout models/zoo",
            )


def _fits(model: str, name: str) -> bool:
    return name in (model, model.rpartition(".")[0])


def _is_whole(folder: Path) -> bool:
    record, weights = folder / WEIGHTS_RECORD, folder / WEIGHTS
    if not (record.is_file() and weights.is_file()):
        return False
    return record.read_bytes() == sha256_file(weights).encode()
