"""Has anything that DVC looks at changed since DVC said that everything is up to date?

    python scripts/unchanged.py         # a tenth of a second; exit status 0: nothing
    python scripts/unchanged.py --keep  # asks `dvc status`; and remembers how files look

`dvc repro` with nothing to do takes two seconds: it reads dvc.lock and looks a hash up for each of
a thousand dependencies. `make repro` asks here first. What is looked at is what DVC looks at: its
own files, params.yaml, and every dependency and output in dvc.lock, with all files of those that
are folders. A file looks the same if size, time of change and inode are the same, as it does to
DVC. Where anything differs, DVC decides, so nothing that it would run is left out.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from stat import S_ISDIR, S_ISREG

DVC = ("dvc.yaml", "dvc.lock", ".dvc/config", ".dvc/config.local", ".dvcignore")
COMPILED = "__pycache__"
"""Folders that .dvcignore takes from DVC: Python writes there whatever runs."""
KEPT = Path(".leitmotif/up-to-date.json")
Look = list[int] | list[str] | None
"""How a path looks: [size, time, inode] of a file, [names] of a folder, none where nothing is."""


def main(arguments: list[str]) -> int:
    """Run the command in the working directory; returns the exit status."""
    match arguments:
        case []:
            return 0 if unchanged() else 1
        case ["--keep"]:
            keep()
            return 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2


def unchanged() -> bool:
    """Whether all looks as it was when DVC last said that everything is up to date."""
    try:
        kept = json.loads(KEPT.read_bytes())
        return bool(kept) and all(look(path) == before for path, before in kept.items())
    except (OSError, ValueError, AttributeError, TypeError):  # none, torn, foreign: DVC decides
        return False


def keep() -> None:
    """Remember how everything looks, if DVC finds it up to date and it stays as it is meanwhile."""
    KEPT.unlink(missing_ok=True)
    before = looks(paths())
    if any(Path(path).is_symlink() and Path(path).is_dir() for path in before):
        return  # what changes behind a link to a folder would not be seen
    asked = subprocess.run([Path(sys.executable).parent / "dvc", "status", "--quiet"], check=False)
    if asked.returncode == 0 and looks(before) == before:
        torn = KEPT.with_suffix(f".{os.getpid()}")
        torn.parent.mkdir(exist_ok=True)
        torn.write_text(json.dumps(before), encoding="utf-8")
        torn.replace(KEPT)


def paths() -> list[str]:
    """What DVC looks at: its own files, and what dvc.lock names, each folder with all in it."""
    from leitmotif.files.yaml_files import read_stages

    named = set(DVC)
    for stage in read_stages(Path("dvc.lock")).values():
        named |= {entry["path"] for kind in ("deps", "outs") for entry in stage.get(kind, ())}
        named |= set(stage.get("params", ()))
    return [path for name in sorted(named) for path in (name, *_below(name))]


def looks(paths: Iterable[str]) -> dict[str, Look]:
    """How each path looks now."""
    return {path: look(path) for path in paths}


def look(path: str) -> Look:
    """How one path looks now."""
    try:
        found = Path(path).stat()
        if S_ISDIR(found.st_mode):
            return sorted(each.name for each in Path(path).iterdir() if each.name != COMPILED)
    except OSError:
        return None
    kind = found.st_size if S_ISREG(found.st_mode) else -1
    return [kind, found.st_mtime_ns, found.st_ino]


def _below(folder: str) -> list[str]:
    return [
        str(Path(inside, name))
        for inside, folders, files in os.walk(folder)
        for name in (*folders, *files)
        if COMPILED not in (*Path(inside).parts, name)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
