"""The planner's sparse autoencoders: ``python -m training.saes``.

Other pieces than the experiment's are composed and read by the pipeline's own stages, in a folder
of their own, and `leitmotif train-sae` trains on what they cached. Both go on where they were
broken off.
"""

import subprocess
import sys
from pathlib import Path

from leitmotif.cli.presets import preset
from leitmotif.files import write_text
from leitmotif.sae.training.recipe import TRAINING
from leitmotif.sites import split_site
from leitmotif.store.reading import ActivationStore
from training import FOLDER, WORK

ROOT = FOLDER.parents[1]
PLACE = WORK / "saes"
CORPUS_SEED, PIECES, TRACKS = 31, 768, 600
K, STEPS = 16, 6000
STAGES = ("corpus", "manifest", "features", "activations")


def cache_activations() -> None:
    """Run the pipeline up to the activation store, on pieces of another seed."""
    PLACE.mkdir(parents=True, exist_ok=True)
    link = PLACE / "models"
    if not link.exists():
        link.symlink_to(ROOT / "models")
    changed = [f"corpus.pieces={PIECES}", f"corpus.seed={CORPUS_SEED}", f"manifest.tracks={TRACKS}"]
    write_text(PLACE / "params.yaml", preset("organism", changed, root=ROOT))
    for stage in STAGES:
        if not (PLACE / "metrics" / f"{stage}.json").exists():
            subprocess.run(
                [sys.executable, "-m", f"leitmotif.stages.{stage}"], cwd=PLACE, check=True
            )


def train() -> None:
    """Train one autoencoder for each cached site and enter it into hooks.yaml."""
    command = Path(sys.executable).with_name("leitmotif")
    store = PLACE / "data" / "activations"
    for site in ActivationStore(store).sites:
        out = FOLDER / "sae" / site
        if (out / TRAINING).exists():
            continue
        named = ["--name", f"planner-{split_site(site)[0]}"]
        settings = ["--k", str(K), "--steps", str(STEPS)]
        subprocess.run(
            [
                command,
                "train-sae",
                site,
                out.relative_to(ROOT),
                "--store",
                store,
                *named,
                *settings,
            ],
            cwd=ROOT,
            check=True,
        )


if __name__ == "__main__":
    cache_activations()
    train()
