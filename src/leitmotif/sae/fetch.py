"""Autoencoders from the hub: pinned commit, pinned hashes, downloads that resume."""

from pathlib import Path

from leitmotif.checkpoints import reading_checkpoint
from leitmotif.errors import ModelError
from leitmotif.files import sha256_file
from leitmotif.sae.formats import CONFIG, WEIGHTS
from leitmotif.sae.registry import FolderCheckpoint, HubCheckpoint


def fetch(checkpoint: FolderCheckpoint | HubCheckpoint, *, root: Path = Path()) -> Path:
    """Return the folder of a checkpoint, downloaded into the hub's cache where need be.

    ``root`` is where folders' paths begin. The hub's client resumes a download that was broken
    off, and asks nobody for what is in its cache. Raises ModelError when a file cannot be had or
    does not have the SHA-256 that the registry pins; its bytes are then not read any further.
    """
    folder = root / checkpoint.path if checkpoint.source == "folder" else _download(checkpoint)
    pinned = {CONFIG: checkpoint.config_sha256, WEIGHTS: checkpoint.sha256}
    for name, expected in pinned.items():
        path = folder / name
        if not path.is_file():
            raise ModelError(
                f"{path} is missing",
                expected="the checkpoint that hooks.yaml names",
                fix="check checkpoint.path in hooks.yaml",
            )
        found = sha256_file(path)
        if found != expected:
            raise ModelError(
                f"{path} is not the file that hooks.yaml pins",
                found=f"SHA-256 {found}",
                expected=expected,
                fix="if it is damaged, delete it and run again; if it was changed on purpose, "
                "put its hash into hooks.yaml",
            )
    return folder


def _download(checkpoint: HubCheckpoint) -> Path:
    from huggingface_hub import hf_hub_download

    with reading_checkpoint(
        checkpoint.repository,
        expected=f"{CONFIG} and {WEIGHTS} in {checkpoint.path or 'its root'} at the commit "
        f"{checkpoint.revision}",
        fix="check the entry in hooks.yaml, the network, and HF_HUB_OFFLINE",
    ):
        paths = [
            Path(
                hf_hub_download(
                    checkpoint.repository,
                    name,
                    subfolder=checkpoint.path or None,
                    revision=checkpoint.revision,
                )
            )
            for name in (CONFIG, WEIGHTS)
        ]
    return paths[0].parent
