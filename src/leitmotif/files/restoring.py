"""What to do about an output that is not there: pull it, or make it.

``dvc pull`` helps only where a remote is configured. This is the one place that decides it.
"""

import os
import re
from pathlib import Path

_REPOSITORY = (Path(".dvc/config"), Path(".dvc/config.local"))


def how_to_restore(*names: str, root: Path = Path()) -> str:
    """Advice for the person who misses an output.

    Parameters
    ----------
    names : the stages, or paths of the outputs; without any, all outputs are meant.
    root : the repository.

    Example
    -------
    >>> how_to_restore("features", root=Path("/nowhere"))
    'run `dvc repro features`'
    """
    what = " ".join(["", *names])
    if has_remote(root):
        return f"run `dvc pull{what}`, or `dvc repro{what}`"
    return f"run `dvc repro{what}`"


def has_remote(root: Path = Path()) -> bool:
    """Whether DVC's configuration names a default remote, from which ``dvc pull`` takes."""
    paths = [*(root / path for path in _REPOSITORY), *_users()]
    return any(_default_remote(path) for path in paths)


def _users() -> list[Path]:
    """The user's own DVC configuration, where DVC looks for it on Linux and macOS."""
    if folder := os.environ.get("DVC_GLOBAL_CONFIG_DIR"):
        return [Path(folder) / "config"]
    try:
        home = Path.home()
    except RuntimeError:  # a user of a container who has no name and no HOME
        return []
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return [config / "dvc" / "config", home / "Library/Application Support/dvc/config"]


def _default_remote(path: Path) -> bool:
    try:
        if not path.is_file():  # reading a pipe may never end
            return False
        lines = path.read_bytes().decode(errors="replace").splitlines()
    except OSError:
        return False
    section = ""
    for line in lines:
        if line.strip().startswith("["):
            section = line.strip()
        elif section == "[core]" and re.match(r"\s*remote\s*=\s*\S", line):
            return True
    return False
