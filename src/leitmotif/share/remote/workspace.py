"""Do the working tree and DVC's cache still hold what dvc.lock says?"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from leitmotif.errors import ConfigError, counted
from leitmotif.share.outs import Out, folder_hash, revision_outs
from leitmotif.share.remote.named import entries_of, is_listing
from leitmotif.share.remote.opening import opened_repo
from leitmotif.share.revisions import working_tree
from leitmotif.work.progress import progress


@dataclass(frozen=True)
class Deviation:
    """A file that is not as dvc.lock says."""

    stage: str
    path: str
    where: str
    """``working tree`` or ``cache``."""
    what: str

    def __str__(self) -> str:
        """Show as ``data/features/a (features), cache: missing``."""
        return f"{self.path} ({self.stage}), {self.where}: {self.what}"


@dataclass(frozen=True)
class Checked:
    """What ``check_workspace`` has looked at, and found."""

    outs: int
    files: int
    deviations: tuple[Deviation, ...]
    absent: tuple[str, ...]
    """Outputs that are neither here nor in the cache: not pulled, or not made yet."""


def check_workspace(root: Path = Path(), *, full: bool = False) -> Checked:
    """Compare every output that dvc.lock names with the working tree and with DVC's cache.

    Without ``full`` that is which files are there, and how many bytes they have; with it, the MD5
    of each. Files that are in an output's folder and not in dvc.lock are reported too; of files
    elsewhere, ``git status`` tells.

    Raises ConfigError if dvc.yaml or dvc.lock cannot be used.
    """
    outs = [out for out in revision_outs(working_tree(root)) if out.md5 is not None]
    checker = _Checker(root, _cache(root), full)
    absent = []
    for out in progress(outs, "Checking outputs", total=len(outs)):
        here, kept = (root / out.path).exists(), checker.cached(out.md5 or "").exists()
        if out.cached and not here and not kept:
            absent.append(out.path)
        else:
            checker.check(out, here=here, kept=kept)
    return Checked(len(outs), checker.files, tuple(checker.found), tuple(absent))


def _cache(root: Path) -> Path:
    from dvc.exceptions import DvcException

    try:
        return Path(opened_repo(root).cache.local.path)
    except DvcException as error:
        raise ConfigError(
            "DVC cannot use its configuration", found=error, fix="see docs/sharing.md"
        ) from error


class _Checker:
    def __init__(self, root: Path, cache: Path, full: bool) -> None:
        self._root, self._cache, self._full = root, cache, full
        self.found: list[Deviation] = []
        self.files = 0

    def cached(self, oid: str) -> Path:
        return self._cache / oid[:2] / oid[2:]

    def check(self, out: Out, *, here: bool, kept: bool) -> None:
        """Compare one output."""
        md5 = out.md5 or ""
        if not here:
            self._say(out, out.path, "working tree", "missing")
        if out.cached and not kept:
            self._say(out, out.path, "cache", "missing")
        if not out.is_folder:
            self._file(out, out.path, md5, out.size, here=here, kept=out.cached and kept)
            return
        entries = self._listing(out) if kept else None
        if entries is None:
            if here:
                self._folder_alone(out)
            return
        for inner, oid in entries.items():
            path = f"{out.path}/{inner}"
            there, stored = (self._root / path).is_file(), self.cached(oid).is_file()
            if here and not there:
                self._say(out, path, "working tree", "missing")
            if not stored:
                self._say(out, path, "cache", "missing")
            size = self.cached(oid).stat().st_size if stored else None
            self._file(out, path, oid, size, here=there, kept=stored)
        if here:
            for extra in sorted(_files(self._root / out.path).keys() - entries.keys()):
                self._say(out, f"{out.path}/{extra}", "working tree", "not in dvc.lock")

    def _file(
        self, out: Out, path: str, md5: str, size: int | None, *, here: bool, kept: bool
    ) -> None:
        for where, file, there in (
            ("working tree", self._root / path, here),
            ("cache", self.cached(md5), kept),
        ):
            if there:
                self.files += 1
                if what := self._problem(file, md5, size):
                    self._say(out, path, where, what)

    def _problem(self, file: Path, md5: str, size: int | None) -> str | None:
        actual = file.stat().st_size
        if size is not None and actual != size:
            return f"{counted(actual, 'byte')}, not {size:,}"
        if self._full and _md5(file) != md5:
            return "its content has changed: the MD5 is not that of dvc.lock"
        return None

    def _listing(self, out: Out) -> Mapping[str, str] | None:
        content = self.cached(out.md5 or "").read_bytes()
        entries = entries_of(content) if is_listing(content, out.md5 or "") else None
        if entries is None:
            self._say(out, out.path, "cache", "the list of its files is damaged")
        return entries

    def _folder_alone(self, out: Out) -> None:
        """Compare a folder of which no list of files is known."""
        files = _files(self._root / out.path)
        self.files += len(files)
        size = sum(file.stat().st_size for file in files.values())
        if (len(files), size) != (out.files, out.size):
            what = f"{counted(len(files), 'file')} of {size} bytes, not {out.files} of {out.size}"
            self._say(out, out.path, "working tree", what)
        elif self._full and folder_hash({name: _md5(files[name]) for name in files}) != out.md5:
            self._say(out, out.path, "working tree", "a file of it has changed")

    def _say(self, out: Out, path: str, where: str, what: str) -> None:
        self.found.append(Deviation(out.stage, path, where, what))


def _files(folder: Path) -> dict[str, Path]:
    return dict(_walk(folder)) if folder.is_dir() else {}


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if not path.is_dir():
            yield path.relative_to(folder).as_posix(), path


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.md5(usedforsecurity=False)
        ).hexdigest()  # fmt: skip
