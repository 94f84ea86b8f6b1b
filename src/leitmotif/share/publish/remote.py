"""A data set on the hub as it is: what is in it, and whether it was made here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leitmotif.errors import LeitmotifError
from leitmotif.files import parse_json, read_table, read_text, sha256_file
from leitmotif.share.publish.hub import asking
from leitmotif.share.publish.rows import (
    CARD,
    MANIFEST,
    PUBLICATION,
    PublicationRecord,
    PublishedFile,
)

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

DATASET = "dataset"
MAIN = "main"


@dataclass(frozen=True)
class RemoteState:
    """A branch of a data set at one commit."""

    revision: str
    """Name of the branch."""
    commit: str
    files: "Mapping[str, RepoFile]"
    """Files by path."""
    record: PublicationRecord | None
    """Record of the publication that is there; None if there is none."""
    published: Mapping[str, str | None]
    """SHA-256 of each file that it put there, by path; None where it does not say."""


def open_dataset(
    api: "HfApi", repository: str, *, revision: str = MAIN, private: bool = False
) -> RemoteState:
    """The state of a data set; it and its branch are made if they are not there.

    Parameters
    ----------
    api
        Of ``connect``.
    repository
        Id, ``OWNER/NAME``.
    revision
        Branch.
    private
        Make it private. One that is there already and is public is refused.

    Raises
    ------
    LeitmotifError
        If there is no token, or the hub refuses, fails or cannot be reached.
    """
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    with asking(f"{repository} cannot be published to"):
        api.whoami()
        try:
            info = api.dataset_info(repository)
        except RepositoryNotFoundError:
            api.create_repo(repository, repo_type=DATASET, private=private or None)
            info = api.dataset_info(repository)
        if private and not info.private:
            raise LeitmotifError(
                f"{repository} is public",
                expected="a private data set",
                fix="make it private on the hub, or leave out --private",
            )
        try:
            commit = api.dataset_info(repository, revision=revision).sha
        except RevisionNotFoundError:
            api.create_branch(repository, branch=revision, repo_type=DATASET)
            commit = api.dataset_info(repository, revision=revision).sha
        assert commit is not None
        files = remote_files(api, repository, commit)
        ours = {PUBLICATION, MANIFEST} <= set(files)
        record, published = _earlier(api, repository, commit) if ours else (None, {})
    return RemoteState(revision, commit, files, record, published)


def check_ours(repository: str, state: RemoteState, source: str, *, overwrite: bool) -> None:
    """Raise LeitmotifError for a data set that holds something else than this publication's source.

    An empty one, as the hub makes it, is free to be used. ``overwrite`` allows anything.
    """
    if overwrite or set(state.files) <= {".gitattributes"}:
        return
    fix = "choose another name, or add --overwrite, which deletes what is there"
    if state.record is None:
        raise LeitmotifError(
            f"{repository} was not made by `leitmotif publish`",
            found=f"{len(state.files)} files, and no {PUBLICATION} of this format that has "
            f"the SHA-256 of {MANIFEST}",
            fix=fix,
        )
    if state.record.source != source:
        raise LeitmotifError(
            f"{repository} holds another publication",
            found=state.record.source,
            expected=source,
            fix=fix,
        )


def check_unchanged_there(
    api: "HfApi", repository: str, state: RemoteState, paths: Iterable[str]
) -> None:
    """Raise LeitmotifError if files that a publication would replace are not as one left them.

    What somebody wrote into the card there, or put in the place of our file, would be lost.

    Parameters
    ----------
    api, repository, state
        As in ``open_dataset``.
    paths
        What would be replaced or deleted.
    """
    with asking(f"{repository} cannot be compared with what was published"):
        changed = [
            path
            for path in sorted(set(paths) & set(state.files) - {PUBLICATION})
            if state.published.get(path) != _sha256_there(api, repository, state, path)
        ]
    if changed:
        raise LeitmotifError(
            f"{repository} holds files that were changed since they were published",
            found=", ".join(changed[:5]) + (", …" if len(changed) > 5 else ""),
            expected="files as `leitmotif publish` left them, which it may replace",
            fix="save what you need of them, delete them there, and run the same command again; "
            "--overwrite replaces them, and deletes all else that is there",
        )


def _sha256_there(api: "HfApi", repository: str, state: RemoteState, path: str) -> str:
    stored = state.files[path].lfs
    if stored is not None:
        return stored.sha256
    return sha256_file(_download(api, repository, state.commit, path))


def remote_files(api: "HfApi", repository: str, commit: str) -> "dict[str, RepoFile]":
    """The files of a data set at a commit, by path."""
    from huggingface_hub.hf_api import RepoFile

    entries = api.list_repo_tree(repository, recursive=True, revision=commit, repo_type=DATASET)
    return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def _earlier(
    api: "HfApi", repository: str, commit: str
) -> tuple[PublicationRecord | None, Mapping[str, str | None]]:
    """The publication that is there and its files; None if what is there is no such thing.

    A list of files that was changed there is not that of the publication: by it a file of somebody
    else could be deleted.
    """
    record, manifest = (
        _download(api, repository, commit, name) for name in (PUBLICATION, MANIFEST)
    )
    try:
        text = read_text(record)
        parse_json(text)
        rows = read_table(manifest, PublishedFile)
        earlier = PublicationRecord.model_validate_json(text)
    except (LeitmotifError, ValueError):
        return None, {}  # files of these names, but of somebody else
    if earlier.manifest_sha256 != sha256_file(manifest):
        return None, {}
    described = {MANIFEST: earlier.manifest_sha256, CARD: earlier.card_sha256}
    return earlier, {**{row.path: row.sha256 for row in rows}, **described}


def _download(api: "HfApi", repository: str, commit: str, path: str) -> Path:
    return Path(api.hf_hub_download(repository, path, repo_type=DATASET, revision=commit))
