"""Unpacks downloaded tar files, which are treated as hostile.

Only regular files in an official list are unpacked, each with the SHA-256 in that list. Any other
name, link, device or size stops the process, and nothing is left behind.
"""

import hashlib
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from leitmotif.errors import CorpusError
from leitmotif.files import atomic_folder
from leitmotif.work.progress import byte_progress

CHUNK = 1 << 20


def unpack(
    archives: Sequence[Path],
    folder: Path,
    *,
    expected: Mapping[str, str],
    max_member_bytes: int,
    max_total_bytes: int,
) -> None:
    """Unpack uncompressed tar files that together hold the files of ``expected`` and no others.

    Entries for the folders in these names are skipped. Owners, modes and times are ignored.

    Parameters
    ----------
    archives
        The tar files.
    folder
        Created, or replaced, when everything is unpacked and verified.
    expected
        SHA-256 by member name.
    max_member_bytes
        Maximum size of a member.
    max_total_bytes
        Maximum size of all members together.

    Raises
    ------
    CorpusError
        Names archive and member. It is raised for other names, ``..``, absolute names, links,
        devices, sparse files, a repeated name, too many bytes, a wrong SHA-256, a truncated
        archive, and a missing file.
    """
    with atomic_folder(folder) as staging:
        unpacker = _Unpacker(staging, expected, max_member_bytes, max_total_bytes)
        for archive in archives:
            try:
                unpacker.add(archive)
            except tarfile.TarError as error:
                raise _refusal(archive, "it is truncated or not a tar file", error) from error
        missing = sorted(expected.keys() - unpacker.seen)
        if missing:
            raise _refusal(
                archives[-1],
                f"{len(missing)} of {len(expected)} files of the official list are not in it",
                f"no {', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}",
            )


@dataclass
class _Unpacker:
    staging: Path
    expected: Mapping[str, str]
    max_member_bytes: int
    max_total_bytes: int
    seen: set[str] = field(default_factory=set)
    total_bytes: int = 0

    def add(self, archive: Path) -> None:
        """Check and write the members of one archive."""
        folders = {str(parent) for name in self.expected for parent in PurePosixPath(name).parents}
        with (
            tarfile.open(archive, "r:") as tar,
            byte_progress(f"unpacking {archive.name}", total=archive.stat().st_size) as advance,
        ):
            for member in tar:
                if member.isdir() and member.name in folders:
                    continue
                self._admit(archive, member)
                actual = _write(tar, member, self.staging / member.name)
                if actual != self.expected[member.name]:
                    raise _refusal(
                        archive,
                        f"{member.name} is not the file of the official list",
                        f"SHA-256 {actual}",
                        expected=f"SHA-256 {self.expected[member.name]}",
                    )
                advance(member.size)

    def _admit(self, archive: Path, member: tarfile.TarInfo) -> None:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts:
            raise _refusal(archive, "a member would be written outside the target", member.name)
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            kind = _KINDS.get(member.type, f"an entry of type {member.type!r}")
            raise _refusal(
                archive, f"{member.name} is not a regular file", kind, expected="regular files only"
            )
        if member.name in self.seen:
            raise _refusal(archive, f"{member.name} comes twice", "a second entry")
        if member.name not in self.expected:
            raise _refusal(archive, f"{member.name} is not in the official list", member.name)
        self.seen.add(member.name)
        self.total_bytes += member.size
        if member.size > self.max_member_bytes or self.total_bytes > self.max_total_bytes:
            raise _refusal(
                archive,
                f"{member.name} is larger than it may be",
                f"{member.size} bytes, {self.total_bytes} in all so far",
                expected=f"at most {self.max_member_bytes} bytes, {self.max_total_bytes} in all",
            )


_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.DIRTYPE: "a folder that the official list does not have",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
    """Write a member's bytes to ``path``; returns their SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    source = tar.extractfile(member)
    assert source is not None, "only regular files are admitted"
    with source, path.open("xb") as file:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _refusal(
    archive: Path, what: str, found: object, *, expected: str | None = None
) -> CorpusError:
    return CorpusError(
        f"{archive} cannot be used: {what}",
        found=found,
        expected=expected,
        fix="delete the archive and run again to get it afresh; if that does not help, its source "
        "was changed and must not be used",
    )
