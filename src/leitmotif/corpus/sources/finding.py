"""Which files of a folder are recordings, the same for every command."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3"})


@dataclass(frozen=True)
class FoundFile:
    """A file that is named like a recording, or a folder that cannot be searched."""

    path: Path
    name: str
    """Relative to the folder, with forward slashes."""
    reason: str | None = None
    """Why it cannot be used: bad_name, outside_folder or unreadable; None if nothing is known."""
    detail: str = ""

    @property
    def shown(self) -> str:
        """The name for messages, where what is not UTF-8 is escaped."""
        return printable(self.name)


def find_recordings(folder: Path) -> list[FoundFile]:
    """Find the wav, flac, ogg and mp3 files below a folder, in order of path.

    Subfolders are searched; hidden names, folders named like recordings and links to folders are
    not. A name that is not UTF-8, a link to somewhere outside ``folder``, what is no regular file
    (such as a pipe or a broken link), and a subfolder that cannot be searched have a ``reason``.
    """
    files = list(_found(folder, folder.resolve()))
    return sorted(files, key=lambda file: file.path.relative_to(folder).parts)


def looked_at(path: Path, name: str, root: Path | None = None) -> FoundFile:
    """Say what is known of a file without opening it; ``root`` is where links may lead."""
    if not is_utf8(name):
        return FoundFile(path, name, "bad_name", "the file's name is not UTF-8")
    real = Path(os.path.realpath(path))  # Path.resolve() raises on links in a circle
    if root is not None and not real.is_relative_to(root):
        return FoundFile(path, name, "outside_folder", f"a link to {printable(str(real))}")
    try:
        regular = path.is_file()
    except OSError as error:
        return FoundFile(path, name, "unreadable", str(error))
    if not regular:
        detail = "neither a regular file nor a link to one"
        return FoundFile(path, name, "unreadable", detail)
    return FoundFile(path, name)


def is_utf8(name: str) -> bool:
    """Whether a file's name, as Python gives it, can be written in UTF-8."""
    return name.encode("utf-8", "replace").decode() == name


def printable(name: str) -> str:
    """A file's name with what is not UTF-8 escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def _found(folder: Path, root: Path) -> Iterator[FoundFile]:
    unsearched: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=unsearched.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                path = Path(parent, name)
                yield looked_at(path, path.relative_to(folder).as_posix(), root)
    for error in unsearched:
        path = Path(os.fsdecode(error.filename))
        name = path.relative_to(folder).as_posix()
        yield FoundFile(path, name, "unreadable", f"the folder cannot be searched: {error}")
