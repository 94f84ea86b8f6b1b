"""Repositories of a model hub, as folders: random weights in given shapes, in the hub's layout."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import MusicgenForConditionalGeneration

from benchmarks.rehearsal.shapes import SITES, Shapes
from leitmotif.checkpoints.folders import usable_device
from leitmotif.config import Params
from tests.hub import Hub, serve_hub
from tests.judge.tiny_judges import save_tiny_ast, save_tiny_clap
from tests.sae.making import random_sae, write_published
from tests.tiny import save_checkpoint, tiny_musicgen

AUTOENCODERS = "rehearsal/autoencoders"
REVISION = "0123456789abcdef0123456789abcdef01234567"
"""Commit of the autoencoders' repository; the others have those that the preset names."""


def path_of(layer: int) -> str:
    """Where the autoencoder of a block lies in its repository, as published."""
    return f"sae-32_k_100_{layer}/facebook/musicgen-small"


def write_repositories(
    root: Path,
    shapes: Shapes,
    params: Params,
    *,
    labels: Sequence[str],
    audio: torch.Tensor,
) -> None:
    """Write what the settings name into folders below ``root``, but for those that are there.

    ``labels`` are the names that the tagger gives; ``audio`` [samples] is what the codec is fitted
    to, at its rate.
    """
    judge = params.judge
    musicgen = root / params.model.name
    if not musicgen.exists():
        model = tiny_musicgen(**shapes.musicgen)
        fit_codebooks(model, audio)
        save_checkpoint(model, musicgen)
    if not (clap := root / judge.clap).exists():
        save_tiny_clap(clap, **shapes.clap)
    if not (tagger := root / judge.tagger).exists():
        save_tiny_ast(tagger, labels=list(labels), **shapes.tagger)
    for layer in SITES:
        folder = root / AUTOENCODERS / path_of(layer)
        if not folder.exists():
            sae = random_sae(width=shapes.width, features=shapes.features, k=shapes.k, seed=layer)
            write_published(folder, sae, layer=layer)


@torch.inference_mode()
def fit_codebooks(model: MusicgenForConditionalGeneration, audio: torch.Tensor) -> None:
    """Take entries of the codebooks from what the random encoder makes of music.

    Entries drawn at random are far from that, and all music would have the same codes. Each book
    holds residuals that the books before it leave. Notes that repeat give equal frames, so each
    entry is moved a little: between equal ones rounding would choose. Raises RuntimeError for too
    little music.
    """
    codec, device = model.audio_encoder, usable_device("auto")
    left = codec.encoder.to(device)(audio[None, None].to(device))[0].T.cpu()  # [frames, width]
    codec.encoder.cpu()
    random = torch.Generator().manual_seed(0)
    for layer in codec.quantizer.layers:
        book = layer.codebook.embed
        if len(left) < len(book):
            raise RuntimeError(f"{len(left)} frames are too few for {len(book)} entries")
        chosen = left[torch.randperm(len(left), generator=random)[: len(book)]]
        book.copy_(chosen + 0.1 * left.std(dim=0) * torch.randn(book.shape, generator=random))
        left = left - book[torch.cdist(left, book).argmin(dim=1)]


@contextmanager
def hub_of(root: Path, params: Params) -> Iterator[Hub]:
    """Serve those folders as the hub repositories that the settings pin."""
    judge = params.judge
    commits = {
        params.model.name: params.model.revision or "",
        judge.clap: judge.clap_revision or "",
        judge.tagger: judge.tagger_revision or "",
        AUTOENCODERS: REVISION,
    }
    with serve_hub({name: root / name for name in commits}, revision=commits) as hub:
        yield hub
