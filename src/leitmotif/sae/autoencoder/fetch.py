"""Autoencoders from the hub: pinned commit, pinned hashes, downloads that resume."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leitmotif.checkpoints.folders import reading_checkpoint
from leitmotif.errors import ModelError
from leitmotif.files import sha256_file
from leitmotif.sae.autoencoder.formats import CONFIG, WEIGHTS
from leitmotif.sae.autoencoder.registry import FolderCheckpoint, HubCheckpoint

_SHA256 = re.compile(r"[0-9a-f]{64}")


def fetch(checkpoint: FolderCheckpoint | HubCheckpoint, *, root: Path = Path()) -> Path:
    """Return the folder of a checkpoint, downloaded into the hub's cache where need be.

    ``root`` is where folders' paths begin. A download that was broken off goes on where it ended,
    and nobody is asked for what is in the cache. Raises ModelError when a file cannot be had or
    does not have the SHA-256 that the registry pins; its bytes are then not read any further.
    """
    if checkpoint.source == "folder":
        folder = root / checkpoint.path
    else:
        folder = download_checkpoint(checkpoint.repository, checkpoint.path, checkpoint.revision)
    pinned = {CONFIG: checkpoint.config_sha256, WEIGHTS: checkpoint.sha256}
    for name, expected in pinned.items():
        path = folder / name
        if not path.is_file():
            raise ModelError(
                f"{path} is missing",
                expected="the checkpoint that hooks.yaml names",
                fix="check checkpoint.path in hooks.yaml",
            )
        actual = sha256_file(path)
        if actual != expected:
            raise ModelError(
                f"{path} is not the file that hooks.yaml pins",
                found=f"SHA-256 {actual}",
                expected=expected,
                fix="if it is damaged, delete it and run again; if it was changed on purpose, "
                "put its hash into hooks.yaml",
            )
    return folder


def download_checkpoint(repository: str, path: str, revision: str) -> Path:
    """The folder ``path`` of a hub repository at a commit, with both files, in the hub's cache.

    Nobody is asked if they are there. Raises ModelError for a repository, commit or file that is
    not to be had, and for bytes that are not those the hub has.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    folder = Path()
    with _asking(repository, path, revision):
        for name in (CONFIG, WEIGHTS):
            file = f"{path}/{name}" if path else name
            if not isinstance(try_to_load_from_cache(repository, file, revision=revision), str):
                _complete(repository, file, revision)
            folder = Path(hf_hub_download(repository, file, revision=revision)).parent
    return folder


def commit_of(repository: str, path: str, revision: str) -> str:
    """The commit that a branch, a tag or the beginning of a commit stands for now.

    Raises ModelError if ``path`` is not there or holds no cfg.json.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    file = f"{path}/{CONFIG}" if path else CONFIG
    with _asking(repository, path, revision):
        commit = get_hf_file_metadata(hf_hub_url(repository, file, revision=revision)).commit_hash
        if commit is None:
            raise ValueError("the answer names no commit, so that it does not come from a hub")
    return commit


def _complete(repository: str, file: str, revision: str) -> None:
    """Download a file of the hub into its cache, from where the last attempt ended.

    The hub's own client goes on after a lost connection, but since version 2 it begins again in a
    new process. So the bytes are kept here, under a name of our own beside the others of the cache;
    whole and checked, they get the name under which the client looks for them before it downloads.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        WeakFileLock,
        build_hf_headers,
    )

    url = hf_hub_url(repository, file, revision=revision)
    metadata = get_hf_file_metadata(url)
    if metadata.etag is None or not _SHA256.fullmatch(metadata.etag):
        return  # a small file that git holds: the client fetches it, and fetch() checks it
    folder = repo_folder_name(repo_id=repository, repo_type="model")
    blob = Path(constants.HF_HUB_CACHE) / folder / "blobs" / metadata.etag
    partial = blob.with_name(f"{blob.name}.leitmotif.partial")
    blob.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(partial.with_suffix(".lock")):
        if blob.exists():
            return
        with partial.open("ab") as kept:
            http_get(
                url,
                kept,
                resume_size=partial.stat().st_size,
                headers=build_hf_headers(),
                expected_size=metadata.size,
                displayed_filename=file.rsplit("/", 1)[-1],
            )
        actual = sha256_file(partial)
        if actual != metadata.etag:
            partial.unlink()
            raise ModelError(
                f"{file} of {repository} was damaged on its way",
                found=f"SHA-256 {actual}",
                expected=f"{metadata.etag}, as the hub says",
                fix="run again: it is downloaded from its beginning",
            )
        partial.replace(blob)


@contextmanager
def _asking(repository: str, path: str, revision: str) -> Iterator[None]:
    """Turn what the hub's client raises into ModelError."""
    import huggingface_hub.file_download  # noqa: F401

    # The HTTP library that it brings: httpx in huggingface_hub 1, httpx2 in 2.
    lost = tuple(
        sys.modules[name].TransportError for name in ("httpx", "httpx2") if name in sys.modules
    )
    with reading_checkpoint(
        repository,
        expected=f"{CONFIG} and {WEIGHTS} in {path or 'its root'} at the commit {revision}",
        fix="check the entry in hooks.yaml, the network, and HF_HUB_OFFLINE; what came of a "
        "download is kept",
    ):
        try:
            yield
        except lost as error:
            raise OSError(f"the hub cannot be reached: {error or type(error).__name__}") from error
