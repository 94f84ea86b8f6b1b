"""Files of one state of a repository: a commit's, or those of the working tree."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from leitmotif.errors import LeitmotifError


@dataclass(frozen=True)
class Revision:
    """A commit of the repository in ``root``, or its working tree; ``revision`` makes one."""

    root: Path
    commit: str | None
    """Full hash of the commit; None for the working tree."""
    name: str
    """What it was called, such as ``main``; ``working tree``."""

    def read(self, path: str) -> bytes | None:
        """The content of a file by its path from the root, with ``/``; None if there is none."""
        if self.commit is None:
            file = self.root / path
            return file.read_bytes() if file.is_file() else None
        shown = _git(self.root, "cat-file", "blob", f"{self.commit}:{path}")
        return shown.stdout if shown.returncode == 0 else None

    def paths(self, folder: str) -> list[str]:
        """Sorted paths from the root of the files that git keeps below a folder.

        In the working tree files that git does not ignore count, added to it or not.
        """
        if self.commit is None:
            options = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
            listed = _git(self.root, *options, "--", folder)
        else:
            listed = _git(self.root, "ls-tree", "-rz", "--name-only", self.commit, "--", folder)
        if listed.returncode != 0:
            raise LeitmotifError(
                f"git cannot list the files in {folder}", found=_words(listed), fix=_IN_REPOSITORY
            )
        paths = {
            path for path in listed.stdout.decode(errors="surrogateescape").split("\0") if path
        }
        return sorted(path for path in paths if self.commit or (self.root / path).is_file())


_IN_REPOSITORY = "run this in the root of a git repository"


def working_tree(root: Path = Path()) -> Revision:
    """The files in ``root`` as they are now."""
    return Revision(root, None, "working tree")


def revision(name: str, root: Path = Path()) -> Revision:
    """The commit that a branch, a tag, a hash or another name of git's stands for.

    Raises LeitmotifError if there is none here; in a shallow clone it says how to get it.
    """
    shown = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if shown.returncode == 0:
        return Revision(root, shown.stdout.decode().strip(), name)
    shallow = _git(root, "rev-parse", "--is-shallow-repository")
    if shallow.returncode != 0:
        raise LeitmotifError(
            f"{name} cannot be looked up", found=_words(shallow), fix=_IN_REPOSITORY
        )
    if shallow.stdout.strip() == b"true":
        raise LeitmotifError(
            f"this clone does not have the revision {name}",
            found="a shallow clone",
            fix=f"git fetch --depth=1 origin {name}, or git fetch --unshallow",
        )
    raise LeitmotifError(
        f"there is no revision {name}",
        expected="a branch, a tag or the hash of a commit",
        fix="git branch --all lists the branches; git fetch gets new ones",
    )


def uncommitted(root: Path = Path()) -> list[str]:
    """Sorted paths of the files that git keeps in ``root`` and that differ from the commit there.

    Raises LeitmotifError outside a repository, and where nothing was committed yet.
    """
    options = ("--name-only", "--no-renames", "--relative", "-z")
    return sorted(filter(None, git_output(root, "diff", *options, "HEAD").split("\0")))


def git_output(root: Path, *arguments: str) -> str:
    """What git answers, as text; raises LeitmotifError if it refuses."""
    done = _git(root, *arguments)
    if done.returncode != 0:
        raise LeitmotifError(f"git {arguments[0]} failed", found=_words(done), fix=_IN_REPOSITORY)
    return done.stdout.decode(errors="surrogateescape")


def _git(root: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise LeitmotifError(
            "git is not installed", found=error, fix="install git (https://git-scm.com)"
        ) from error


def _words(process: "subprocess.CompletedProcess[bytes]") -> str:
    return process.stderr.decode(errors="replace").strip() or f"git status {process.returncode}"
