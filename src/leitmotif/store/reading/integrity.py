"""Does the store on the disk still hold what its index says?"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from leitmotif.errors import StoreError, counted
from leitmotif.files import sha256_file
from leitmotif.store.reading.index import FAILURES, INDEX, IndexRow, file_of, read_index
from leitmotif.store.reading.reader import describe


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file of a store."""

    file: str
    """Relative to the store."""
    what: str

    def __str__(self) -> str:
        """Show as ``file: what``."""
        return f"{self.file}: {self.what}"


def verify(root: Path, *, full: bool = False) -> list[Problem]:
    """List what is wrong with the store in ``root``: nothing, if it is sound.

    Compares index, files and headers: missing, extra, misnamed and resized files, and tensors of
    other work than the index names. ``full`` reads every byte and finds any change of content.
    Raises StoreError or LeitmotifError when there is no readable index.
    """
    rows = read_index(root)
    problems = [
        Problem(file, f"{count} times in the index")
        for file, count in Counter(row.file for row in rows).items()
        if count > 1
    ]
    indexed = {INDEX, FAILURES, *(row.file for row in rows)}
    present = {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}
    problems += [Problem(file, "not in the index") for file in sorted(present - indexed)]
    for row in rows:
        what = _check(root, row, full=full)
        if what:
            problems.append(Problem(row.file, what))
    return problems


def _check(root: Path, row: IndexRow, *, full: bool) -> str | None:
    """Say what is wrong with one tensor, or None."""
    path = root / row.file
    if row.file != file_of(row.site, row.track_id):
        return f"should be called {file_of(row.site, row.track_id)}"
    if not path.is_file():
        return "missing"
    size = path.stat().st_size
    if size != row.bytes:
        return f"{counted(size, 'byte')}, not {row.bytes}"
    if full and sha256_file(path) != row.sha256:
        return "its content has changed: the SHA-256 is not that of the index"
    return _check_header(path, row)


def _check_header(path: Path, row: IndexRow) -> str | None:
    try:
        header, shape = describe(path)
    except StoreError as error:
        return f"{error.what}: {error.found}"
    stated = (header.site, header.track_id, shape, header.dtype, header.address)
    expected = (row.site, row.track_id, row.shape, row.dtype, row.address)
    if stated != expected:
        return f"its header says {stated}, the index {expected}"
    return None
