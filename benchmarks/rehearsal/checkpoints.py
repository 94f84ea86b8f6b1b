"""Repositories of a model hub, as folders: random weights in given shapes, in the hub's layout."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.rehearsal.shapes import SITES, Shapes
from leitmotif.config import Params
from tests.hub import Hub, serve_hub
from tests.judge.tiny_judges import save_tiny_ast, save_tiny_clap
from tests.sae.making import random_sae, write_published
from tests.tiny import make_audible, save_checkpoint, tiny_musicgen

AUTOENCODERS = "rehearsal/autoencoders"
REVISION = "0123456789abcdef0123456789abcdef01234567"
"""Commit of the autoencoders' repository; the others have those that the preset names."""


def path_of(layer: int) -> str:
    """Where the autoencoder of a block lies in its repository, as published."""
    return f"sae-32_k_100_{layer}/facebook/musicgen-small"


def write_repositories(root: Path, shapes: Shapes, params: Params, labels: Sequence[str]) -> None:
    """Write what the settings name into folders below ``root``, but for those that are there.

    ``labels`` are the names that the tagger gives.
    """
    judge = params.judge
    musicgen = root / params.model.name
    if not musicgen.exists():
        save_checkpoint(make_audible(tiny_musicgen(**shapes.musicgen)), musicgen)
    if not (clap := root / judge.clap).exists():
        save_tiny_clap(clap, **shapes.clap)
    if not (tagger := root / judge.tagger).exists():
        save_tiny_ast(tagger, labels=list(labels), **shapes.tagger)
    for layer in SITES:
        folder = root / AUTOENCODERS / path_of(layer)
        if not folder.exists():
            sae = random_sae(width=shapes.width, features=shapes.features, k=shapes.k, seed=layer)
            write_published(folder, sae, layer=layer)


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
