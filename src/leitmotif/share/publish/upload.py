"""Bring a data set on the hub to a publication: what is missing is sent, then one commit is made.

Files go to the hub's storage in batches, and storage keeps what it has by its hash. Only when all
are there is the commit made, so a reader sees the whole publication or none of it, and a run that
was killed is continued by the next one, which sends what storage does not have.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING

from leitmotif.errors import LeitmotifError, StoreError, counted
from leitmotif.share.publish.hub import AGAIN, asking
from leitmotif.share.publish.local import is_unchanged
from leitmotif.share.publish.publication import Publication
from leitmotif.share.publish.remote import DATASET, RemoteState, remote_files
from leitmotif.share.publish.selection import Payload
from leitmotif.share.publish.shards import content_of
from leitmotif.work.progress import byte_progress

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.hf_api import RepoFile

BATCH_FILES, BATCH_BYTES = 50, 256 << 20


@dataclass(frozen=True)
class UploadPlan:
    """What has to be done there."""

    missing: list[Payload]
    """Files that are not there, or have another content."""
    stale: list[str]
    """Files of an earlier publication that are not in this one."""
    kept: list[str]
    """Files that somebody else put there; they stay."""


def plan_upload(
    publication: Publication, state: RemoteState, *, overwrite: bool = False
) -> UploadPlan:
    """Compare a publication with what is there.

    See ``UploadPlan``. ``overwrite`` keeps nothing else.
    """
    wanted = {payload.row.path: payload for payload in publication.payloads}
    missing = [
        payload
        for path, payload in wanted.items()
        if path not in state.files or not _same(payload, state.files[path])
    ]
    others = [path for path in state.files if path not in wanted and path != ".gitattributes"]
    stale = [path for path in others if overwrite or path in state.published]
    return UploadPlan(missing, stale, [path for path in others if path not in stale])


def upload(
    api: "HfApi", repository: str, state: RemoteState, plan: UploadPlan, message: str
) -> str:
    """Send what is missing, commit, and look whether it is there; returns the commit.

    Parameters
    ----------
    api
        Of ``connect``.
    repository
        Id of the data set.
    state, plan
        Of the data set; another commit there since then is refused.
    message
        Of the commit.

    Raises
    ------
    LeitmotifError
        If the hub refuses, fails or cannot be reached, or if the data set is another one then.
    StoreError
        If a file changed while it was sent; nothing is committed.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    operations: list[CommitOperationAdd | CommitOperationDelete] = []
    total = sum(payload.row.bytes for payload in plan.missing)
    with (
        asking(f"the upload to {repository} is not complete"),
        byte_progress("uploading", total=total) as advance,
    ):
        for batch in _batches(plan.missing):
            _check_unchanged(batch)
            additions = [
                CommitOperationAdd(payload.row.path, _content(payload)) for payload in batch
            ]
            try:
                api.preupload_lfs_files(
                    repository, additions, repo_type=DATASET, revision=state.revision
                )
            finally:  # a file that changed is the likeliest reason for an upload that fails
                _check_unchanged(batch)
            _check_sent(batch, additions)
            operations += additions
            advance(sum(payload.row.bytes for payload in batch))
        _check_unchanged(plan.missing)
        operations += [CommitOperationDelete(path_in_repo=path) for path in plan.stale]
        commit = api.create_commit(
            repository,
            operations,
            commit_message=message,
            repo_type=DATASET,
            revision=state.revision,
            parent_commit=state.commit,
        ).oid
        there = remote_files(api, repository, commit)
    _check_arrived(repository, plan, there)
    return commit


def _batches(payloads: Sequence[Payload]) -> Iterator[list[Payload]]:
    batch: list[Payload] = []
    size = 0
    for payload in payloads:
        if batch and (len(batch) >= BATCH_FILES or size + payload.row.bytes > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(payload)
        size += payload.row.bytes
    if batch:
        yield batch


def _content(payload: Payload) -> bytes | str:
    if payload.content is not None:
        return payload.content
    assert payload.file is not None
    if payload.without:  # in memory until its batch is sent
        return content_of(payload.file, payload.without)
    return str(payload.file.place)


def _check_sent(batch: Sequence[Payload], additions: "Sequence[CommitOperationAdd]") -> None:
    """The client hashes what it sends; that has to be what was hashed before."""
    for payload, addition in zip(batch, additions, strict=True):
        if addition.upload_info.sha256.hex() != payload.row.sha256:
            raise _changed(payload)


def _check_unchanged(payloads: Iterable[Payload]) -> None:
    for payload in payloads:
        if payload.content is None and payload.file is not None and not is_unchanged(payload.file):
            raise _changed(payload)


def _changed(payload: Payload) -> StoreError:
    return StoreError(
        f"{payload.row.path} changed while it was being published; nothing was committed",
        fix="let no stage run meanwhile, then " + AGAIN,
    )


def _same(payload: Payload, there: "RepoFile") -> bool:
    """Whether a file on the hub has a payload's content."""
    if there.lfs is not None:
        return there.lfs.sha256 == payload.row.sha256
    if there.size != payload.row.bytes:
        return False
    content = _content(payload)
    if isinstance(content, str):
        content = Path(content).read_bytes()
    blob = sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return blob.hexdigest() == there.blob_id


def _check_arrived(repository: str, plan: UploadPlan, there: "Mapping[str, RepoFile]") -> None:
    wrong = [
        payload.row.path
        for payload in plan.missing
        if payload.row.path not in there or not _same(payload, there[payload.row.path])
    ]
    wrong += [path for path in plan.stale if path in there]
    if wrong:
        shown = ", ".join(wrong[:5]) + (", …" if len(wrong) > 5 else "")
        raise LeitmotifError(
            f"{repository} does not hold what was committed",
            found=f"{counted(len(wrong), 'file')} other than sent: {shown}",
            fix="delete them there, and run the same command again, which sends only those",
        )
