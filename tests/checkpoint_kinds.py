"""Tiny checkpoints of every kind that weights are read from, and faults of their tensors."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from leitmotif.judge.models import Clap, Tagger
from leitmotif.musicgen import HookedMusicGen
from leitmotif.sae.autoencoder.formats import load_sae, save_sae
from leitmotif.sae.autoencoder.model import SaeConfig, SparseAutoencoder
from tests.judge.tiny_judges import save_tiny_ast, save_tiny_clap
from tests.tiny import save_tiny_checkpoint

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
OLD = "pytorch_model.bin"
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Kind:
    """A kind of checkpoint: a folder of it, and how it is loaded."""

    folder: Path
    load: Callable[[str], object]
    file: str = WEIGHTS

    @property
    def weights(self) -> Weights:
        path = self.folder / self.file
        return torch.load(path) if path.suffix == ".bin" else load_file(path)

    def with_weights(self, place: Path, weights: Mapping[str, Tensor]) -> str:
        """A folder with the same files but these weights."""
        shutil.copytree(self.folder, place, dirs_exist_ok=True)
        whole = {name: tensor.contiguous() for name, tensor in weights.items()}
        if self.file == OLD:
            torch.save(whole, place / self.file)
        else:
            save_file(whole, place / self.file, metadata={"format": "pt"})
        return str(place)


def _save_sae(folder: Path) -> Path:
    sae = SparseAutoencoder(
        SaeConfig(
            d_in=8, d_sae=16, activation="jumprelu", metadata={"hook_name": "layers.1.residual"}
        )
    )
    for parameter in sae.parameters():
        torch.nn.init.normal_(parameter)
    save_sae(sae, folder)
    return folder


def kinds_below(root: Path) -> dict[str, Kind]:
    """A tiny checkpoint of each kind, in folders below ``root``."""

    def musicgen(name: str) -> object:
        return HookedMusicGen.from_pretrained(name, device="cpu")

    def clap(name: str) -> object:
        return Clap.from_pretrained(name, device="cpu")

    def tagger(name: str) -> object:
        return Tagger.from_pretrained(name, device="cpu")

    def pickled(folder: Path) -> Path:
        """The same weights in torch's own format."""
        torch.save(load_file(folder / WEIGHTS), folder / OLD)
        (folder / WEIGHTS).unlink()
        return folder

    return {
        "pickled clap": Kind(pickled(save_tiny_clap(root / "old")), clap, OLD),
        "pickled tagger": Kind(pickled(save_tiny_ast(root / "old_ast")), tagger, OLD),
        "musicgen": Kind(save_tiny_checkpoint(root / "musicgen"), musicgen),
        "clap": Kind(save_tiny_clap(root / "clap"), clap),
        "fused clap": Kind(save_tiny_clap(root / "fused", fused=True), clap),
        "tagger": Kind(save_tiny_ast(root / "ast"), tagger),
        "autoencoder": Kind(_save_sae(root / "sae"), load_sae, "sae_weights.safetensors"),
    }


NAMES = ["musicgen", "clap", "fused clap", "tagger", "autoencoder"]
PICKLED = ["pickled clap", "pickled tagger"]


def _dropped(weights: Weights, name: str) -> str:
    del weights[name]
    return name


def _added(weights: Weights, name: str) -> str:
    weights[f"{name}_more"] = torch.ones(2)
    return f"{name}_more"


def _reshaped(weights: Weights, name: str) -> str:
    weights[name] = torch.cat([weights[name].reshape(-1)[:1]] * (weights[name].numel() + 1))
    return name


def _renamed(weights: Weights, name: str) -> str:
    weights[f"{name}_old"] = weights.pop(name)
    return f"{name}_old"


def _undefined(weights: Weights, name: str) -> str:
    weights[name] = weights[name].clone()
    weights[name].view(-1)[-1:] = float("nan")
    return name


def _of_integers(weights: Weights, name: str) -> str:
    weights[name] = weights[name].to(torch.int32)
    return name


FAULTS = {
    "dropped": _dropped,
    "added": _added,
    "reshaped": _reshaped,
    "renamed": _renamed,
    "NaN": _undefined,
    "integers": _of_integers,
}
