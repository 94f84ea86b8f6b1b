"""A store of synthetic activations: three neighbouring layers with related, different features."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from leitmotif.files import write_table
from leitmotif.sae.autoencoder.formats import CONFIG, WEIGHTS, save_sae
from leitmotif.sae.autoencoder.model import SaeConfig, SparseAutoencoder
from leitmotif.sae.autoencoder.registry import FolderCheckpoint, Hook, HookAudio
from leitmotif.store.reading import ActivationStore
from leitmotif.store.reading.index import INDEX
from tests.sae.making import sparse_activations, write_track

WIDTH, CAUSES, ACTIVE, LAYERS, TRACKS, FRAMES = 16, 40, 3, 3, 8, 120


@pytest.fixture(scope="session")
def layers() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(rows, dictionary) of each layer; a layer turns the features of the one before a little."""
    rows, dictionary = sparse_activations(
        TRACKS * FRAMES, width=WIDTH, causes=CAUSES, active=ACTIVE, seed=1
    )
    made = [(rows, dictionary)]
    random = torch.Generator().manual_seed(2)
    for _ in range(LAYERS - 1):
        turn = torch.linalg.qr(
            torch.eye(WIDTH) + 0.3 * torch.randn(WIDTH, WIDTH, generator=random)
        )[0]
        rows, dictionary = rows @ turn, dictionary @ turn
        made.append((rows, dictionary))
    return made


@pytest.fixture(scope="session")
def store(
    layers: list[tuple[torch.Tensor, torch.Tensor]], tmp_path_factory: pytest.TempPathFactory
) -> ActivationStore:
    root = tmp_path_factory.mktemp("store")
    index = []
    for layer, (rows, _) in enumerate(layers):
        for number, part in enumerate(rows.split(FRAMES)):
            index.append(write_track(root, f"layers.{layer}.residual", f"t{number}", part.numpy()))
    write_table(root / INDEX, index)
    return ActivationStore(root)


@pytest.fixture(scope="session")
def true_sae(
    layers: list[tuple[torch.Tensor, torch.Tensor]],
) -> Callable[..., SparseAutoencoder]:
    """Make an autoencoder whose decoder is a layer's dictionary, and which claims a site."""

    def make(layer: int, claims: int | None = None) -> SparseAutoencoder:
        rows, dictionary = layers[layer]
        config = SaeConfig(
            d_in=WIDTH,
            d_sae=CAUSES,
            activation="topk",
            k=6,
            metadata={
                "model_name": "tiny",
                "hook_name": f"hook_layers.{layer if claims is None else claims}",
            },
        )
        sae = SparseAutoencoder(config).requires_grad_(False)
        sae.W_dec.copy_(F.normalize(dictionary, dim=1))
        sae.W_enc.copy_(0.6 * sae.W_dec.T)
        sae.b_dec.copy_(rows.mean(0))
        return sae

    return make


@pytest.fixture
def make_hook(tmp_path: Path) -> Callable[..., Hook]:
    """Save an autoencoder and return its entry of the registry."""
    from leitmotif.files import sha256_file

    def make(sae: SparseAutoencoder, *, name: str = "one", **changes: object) -> Hook:
        save_sae(sae, tmp_path / name)
        values: dict[str, object] = {
            "name": name,
            "site": sae.config.site,
            "model": "tiny",
            "model_revision": None,
            "model_fingerprint": "a" * 64,
            "d_in": sae.config.d_in,
            "d_sae": sae.config.d_sae,
            "k": sae.config.k,
            "normalize_activations": "none",
            "forward_dtype": "float32",
            "context_frames": 1500,
            "audio": HookAudio(sample_rate=32_000, channels="mono", prompt="none"),
            "checkpoint": FolderCheckpoint(
                source="folder",
                path=name,
                sha256=sha256_file(tmp_path / name / WEIGHTS),
                config_sha256=sha256_file(tmp_path / name / CONFIG),
            ),
        }
        return Hook.model_validate(values | changes)

    return make
