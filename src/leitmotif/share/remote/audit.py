"""Does a remote hold what dvc.lock names, byte for byte?

DVC asks a remote for a list of names and takes what has the right name for the right content; of
a folder whose listing is there, it does not even ask for the files. An audit reads the bytes.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leitmotif.errors import LeitmotifError
from leitmotif.share.remote.contents import hashed, listed, read_object, unfinished_uploads
from leitmotif.share.remote.journal import Journal, StoredObject
from leitmotif.share.remote.named import (
    Named,
    Use,
    check_named,
    listing_from,
    named_objects,
    revisions_with_lock,
)
from leitmotif.share.remote.opening import Remote
from leitmotif.share.revisions import Revision
from leitmotif.work.progress import progress

Kind = Literal["missing", "truncated", "wrong bytes", "files not known"]
KINDS: tuple[Kind, ...] = ("missing", "truncated", "wrong bytes", "files not known")


@dataclass(frozen=True)
class Fault:
    """One object that is not as its name promises."""

    oid: str
    kind: Kind
    what: str
    """What was found, such as ``12 bytes of 34``."""
    uses: tuple[Use, ...]
    folders: tuple[str, ...] = ()
    """Listings of the folders in which the object lies, by their MD5 with ``.dir``."""

    def __str__(self) -> str:
        """Show as ``truncated: data/a (corpus): 3 bytes of 12``."""
        more = f" and {len(self.uses) - 1} more" if len(self.uses) > 1 else ""
        return f"{self.kind}: {self.uses[0]}{more}: {self.what}"


@dataclass(frozen=True)
class RemoteAudit:
    """What an audit has found."""

    remote: str
    revisions: int
    """How many states of dvc.lock were asked for; 1 unless it was all commits."""
    objects: int
    """How many objects these name."""
    read: int
    """How many of them were read and hashed, an interrupted run before this one included."""
    faults: tuple[Fault, ...]
    unnamed: Mapping[str, int]
    """Bytes of each object that none of these revisions names."""
    unfinished: int | None
    """Uploads in parts that have not ended; None where the server does not say."""

    @property
    def stages(self) -> list[str]:
        """Stages that have an output with a fault."""
        return sorted({use.stage for fault in self.faults for use in fault.uses})

    @property
    def tracks(self) -> list[str]:
        """Tracks that have a file with a fault, as far as the paths tell."""
        return sorted({use.track for fault in self.faults for use in fault.uses if use.track})


@dataclass(frozen=True)
class _Objects:
    """What a remote and some revisions have to do with each other."""

    named: Named
    listed: Mapping[str, StoredObject]
    revisions: int


def audit(
    remote: Remote, state: Revision, *, all_commits: bool = False, sample: float | None = None
) -> RemoteAudit:
    """Compare a remote with the ``dvc.lock`` of a revision.

    Parameters
    ----------
    remote : an open one.
    state : the revision, or the working tree.
    all_commits : the objects of every commit in the repository count too.
    sample : how many objects are read, or below 1 which share of them. All are looked for in the
        remote's list in any case, and those whose size or tag is wrong there are read. None: all.

    Raises LeitmotifError if the remote cannot be read; the next run goes on from there.
    """
    seen = _find(remote, state, all_commits=all_commits)
    faults = [
        _fault(remote, seen, oid, "missing", "not on the remote")
        for oid in seen.named.uses
        if oid not in seen.listed
    ]
    faults += [
        Fault(oid, "files not known", "its list of files is neither there nor in the cache", (use,))
        for oid, use in seen.named.unlisted.items()
    ]
    journal = Journal(state.root, remote.place)
    wanted = {oid: seen.listed[oid] for oid in seen.named.uses if oid in seen.listed}
    known = {oid for oid, stored in wanted.items() if journal.knows(oid, stored)}
    chosen = _chosen(remote, seen, wanted, sample)
    to_read = {oid: stored for oid, stored in wanted.items() if oid in chosen - known}
    try:
        for oid, read, md5 in hashed(remote, to_read, "Reading the remote's objects"):
            if md5 == oid.removesuffix(".dir"):
                journal.add(oid, to_read[oid])
            else:
                faults.append(_wrong(remote, seen, oid, read, md5))
    finally:
        journal.close()
    journal.remove()
    return RemoteAudit(
        remote=remote.place,
        revisions=seen.revisions,
        objects=len(seen.named.uses),
        read=len(chosen),
        faults=tuple(sorted(faults, key=lambda fault: (KINDS.index(fault.kind), fault.uses))),
        unnamed={
            oid: stored.size for oid, stored in seen.listed.items() if oid not in seen.named.uses
        },
        unfinished=unfinished_uploads(remote),
    )


def _find(remote: Remote, state: Revision, *, all_commits: bool) -> _Objects:
    there = listed(remote)

    def from_remote(oid: str) -> bytes | None:
        return read_object(remote, oid) if oid in there else None

    def from_cache(oid: str) -> bytes | None:
        path = remote.cached(oid)
        return path.read_bytes() if path.is_file() else None

    states = revisions_with_lock(state) if all_commits else [state]
    shown = progress(states, "Reading the dvc.lock of commits", total=len(states))
    named = named_objects(shown, listing_from(from_remote, from_cache))
    check_named(named, state)
    return _Objects(named, there, len(states))


def _chosen(
    remote: Remote, seen: _Objects, wanted: Mapping[str, StoredObject], sample: float | None
) -> set[str]:
    """Objects to read: all, or a sample and those that look wrong in the list."""
    if sample is None:
        return set(wanted)
    if sample <= 0:
        raise LeitmotifError(
            "the sample is empty", found=sample, expected="a number of objects, or a share below 1"
        )
    count = round(sample * len(wanted)) if sample < 1 else round(sample)
    drawn = random.SystemRandom().sample(sorted(wanted), min(max(count, 1), len(wanted)))
    return {*drawn, *(oid for oid, stored in wanted.items() if _odd(remote, seen, oid, stored))}


def _odd(remote: Remote, seen: _Objects, oid: str, stored: StoredObject) -> bool:
    """Whether the list alone makes an object suspect: its size, or the MD5 that S3 keeps of it."""
    size = _size(remote, seen, oid)
    tag = stored.etag if len(stored.etag) == 32 else ""  # of an upload in parts it is no MD5
    return (size is not None and size != stored.size) or (
        bool(tag) and tag != oid.removesuffix(".dir")
    )


def _size(remote: Remote, seen: _Objects, oid: str) -> int | None:
    """The bytes that an object should have, by dvc.lock or the cache."""
    if oid in seen.named.sizes:
        return seen.named.sizes[oid]
    path: Path = remote.cached(oid)
    return path.stat().st_size if path.is_file() else None


def _wrong(remote: Remote, seen: _Objects, oid: str, read: int, md5: str | None) -> Fault:
    if md5 is None:
        return _fault(remote, seen, oid, "missing", "it went while the audit ran")
    size = _size(remote, seen, oid)
    if size is not None and read < size:
        return _fault(remote, seen, oid, "truncated", f"{read:,} bytes of {size:,}")
    return _fault(remote, seen, oid, "wrong bytes", f"{read:,} bytes with MD5 {md5}")


def _fault(remote: Remote, seen: _Objects, oid: str, kind: Kind, what: str) -> Fault:
    folders = tuple(folder for folder, inner in seen.named.children.items() if oid in inner)
    return Fault(oid, kind, what, tuple(seen.named.uses[oid]), folders)
