"""Putting right what an audit found, from this machine's cache and from nothing unchecked."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from leitmotif.errors import counted
from leitmotif.share.remote.audit import Fault, RemoteAudit
from leitmotif.share.remote.contents import hashed
from leitmotif.share.remote.failures import explained
from leitmotif.share.remote.journal import StoredObject
from leitmotif.share.remote.opening import Remote
from leitmotif.work.progress import progress

_BATCH = 64
"""Objects that are uploaded side by side; after one that fails no other batch begins."""


@dataclass
class Repair:
    """What became of each fault."""

    mended: list[Fault] = field(default_factory=list)
    left: list[tuple[Fault, str]] = field(default_factory=list)
    """Faults that remain, each with the reason."""


def repair(remote: Remote, audit: RemoteAudit) -> Repair:
    """Upload the objects that are missing or wrong, where the cache has the right bytes.

    Each object of the cache is hashed before it is uploaded, and read back afterwards. The listing
    of a folder is taken away first and comes last: while it is there, DVC asks for no file.

    Raises LeitmotifError if the remote cannot be written; what is done stays, and the next run goes
    on.
    """
    outcome = Repair()
    ready: list[Fault] = []
    for fault in progress(audit.faults, "Hashing the cache", total=len(audit.faults)):
        problem = _unusable(remote.cached(fault.oid), fault.oid)
        if problem:
            outcome.left.append((fault, problem))
        else:
            ready.append(fault)
    wrong = [fault.oid for fault in ready if fault.kind != "missing"]
    listings = _listings(remote, ready, outcome)
    _delete(remote, [*listings, *wrong])
    _upload(remote, [fault.oid for fault in ready if not fault.oid.endswith(".dir")])
    _upload(remote, [*listings, *(fault.oid for fault in ready if fault.oid.endswith(".dir"))])
    uploaded = {*listings, *(fault.oid for fault in ready)}
    sizes = {oid: StoredObject(remote.cached(oid).stat().st_size) for oid in uploaded}
    right = {
        oid
        for oid, _, md5 in hashed(remote, sizes, "Reading back")
        if md5 == oid.removesuffix(".dir")
    }
    for fault in ready:
        if fault.oid in right and right.issuperset({*fault.folders}.intersection(listings)):
            outcome.mended.append(fault)
        else:
            outcome.left.append((fault, "uploaded, and read back with other bytes"))
    return outcome


def _listings(remote: Remote, ready: list[Fault], outcome: Repair) -> list[str]:
    """Listings to take away while files of their folders are mended.

    If the repair is stopped, any ``dvc push`` then completes it. A listing stays if the cache does
    not have it, or if a file of its folder cannot be mended: the others can still be pulled.
    """
    stay = {folder for fault, _ in outcome.left for folder in fault.folders}
    own = {fault.oid for fault in ready}
    folders = {folder for fault in ready for folder in fault.folders} - stay - own
    return sorted(oid for oid in folders if _unusable(remote.cached(oid), oid) is None)


def _delete(remote: Remote, oids: list[str]) -> None:
    with explained("an object cannot be deleted", remote.url, remote.endpoint):
        for oid in oids:
            with suppress(FileNotFoundError):
                remote.files.rm_file(remote.path_of(oid))


def _unusable(path: Path, oid: str) -> str | None:
    """Why an object of the cache cannot be uploaded; None if its bytes are those of its name."""
    if not path.is_file():
        return "not in this machine's cache"
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if md5 != oid.removesuffix(".dir"):
        size = counted(path.stat().st_size, "byte")
        return f"damaged in this machine's cache as well ({size} with MD5 {md5})"
    return None


def _upload(remote: Remote, oids: list[str]) -> None:
    """Upload with DVC's own transfer; raises LeitmotifError for the first object that fails."""
    if not oids:
        return
    failures: list[BaseException] = []
    batches = [oids[start : start + _BATCH] for start in range(0, len(oids), _BATCH)]
    with explained("an object cannot be written", remote.url, remote.endpoint):
        for batch in progress(batches, f"Uploading, by {_BATCH}", total=len(batches)):
            remote.store.add(
                [str(remote.cached(oid)) for oid in batch],
                remote.cache.fs,
                batch,
                verify=False,
                check_exists=False,
                on_error=lambda _oid, error: failures.append(error),
            )
            if failures:
                raise failures[0]
        remote.files.invalidate_cache()
