"""What a remote holds: its list, and the MD5 of what it gives back."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any

from leitmotif.share.remote.failures import explained
from leitmotif.share.remote.journal import StoredObject
from leitmotif.share.remote.opening import Remote
from leitmotif.work.progress import progress

_WHOLE = 32_000_000
"""Up to so many bytes an object is read at once."""
READERS = 8


def listed(remote: Remote) -> dict[str, StoredObject]:
    """All objects of the remote by their MD5, with ``.dir`` for the listing of a folder."""
    store, objects = remote.store, {}
    with explained("the remote cannot be listed", remote.url, remote.endpoint):
        infos = _infos(remote)
    for path, info in infos.items():
        try:
            objects[store.path_to_oid(path)] = StoredObject.of(info)
        except ValueError:  # not where DVC keeps objects
            continue
    return objects


def _infos(remote: Remote) -> dict[str, Any]:
    files, path = remote.files, remote.store.path
    files.invalidate_cache()
    if not remote.is_s3:
        return {name: files.info(name) for name in files.find(path)}
    infos = dict(files.find(path, detail=True))
    if not infos:
        files.ls(path.partition("/")[0])  # a missing bucket finds nothing either
    return infos


def unfinished_uploads(remote: Remote) -> int | None:
    """How many uploads in parts were begun and not ended; None where the server does not say."""
    if not remote.is_s3:
        return None
    bucket, _, prefix = remote.store.path.partition("/")
    try:
        uploads = remote.files.list_multipart_uploads(bucket)
    except Exception:  # noqa: BLE001  # not every server has this, nor every user the right to it
        return None
    return sum(str(upload.get("Key", "")).startswith(prefix) for upload in uploads)


def read_object(remote: Remote, oid: str) -> bytes | None:
    """The content of a small object, or None if the remote does not have it."""
    with explained("an object cannot be read", remote.url, remote.endpoint):
        try:
            return bytes(remote.files.cat_file(remote.path_of(oid)))
        except FileNotFoundError:
            return None


def hashed(
    remote: Remote, objects: Mapping[str, StoredObject], description: str
) -> Iterator[tuple[str, int, str | None]]:
    """Read objects and yield, as they are done, the name, the bytes and the MD5 of each.

    The MD5 is None for an object that is not there any more. With the first error of the remote
    no other object is begun.
    """
    with ThreadPoolExecutor(READERS) as readers:
        waiting = {readers.submit(_hash, remote, oid, objects[oid].size): oid for oid in objects}
        try:
            for done in _shown(waiting, description):
                with explained("an object cannot be read", remote.url, remote.endpoint):
                    read, md5 = done.result()
                yield waiting[done], read, md5
        finally:
            readers.shutdown(wait=False, cancel_futures=True)


_Result = tuple[int, str | None]


def _shown(
    waiting: Mapping["Future[_Result]", str], description: str
) -> Iterable["Future[_Result]"]:
    return progress(as_completed(waiting), description, total=len(waiting))


def _hash(remote: Remote, oid: str, size: int) -> _Result:
    path = remote.path_of(oid)
    digest, read = hashlib.md5(usedforsecurity=False), 0
    try:
        if size <= _WHOLE:
            content = remote.files.cat_file(path)
            digest.update(content)
            return len(content), digest.hexdigest()
        with remote.files.open(path, "rb") as file:
            while block := file.read(_WHOLE):
                digest.update(block)
                read += len(block)
    except FileNotFoundError:
        return 0, None
    return read, digest.hexdigest()
