"""Which results, by dvc.lock, are not those of the present settings, or of their stages at all.

A stage that has not run since params.yaml was changed leaves its metrics as they were: those of
another experiment. ``dvc status`` says so too, and of changed sources besides, but it hashes all
inputs.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leitmotif.config import PARAMS_FILE
from leitmotif.errors import ConfigError, StoreError
from leitmotif.files import read_bytes
from leitmotif.files.yaml_files import read_stages, read_yaml

LOCK = Path("dvc.lock")


def outdated_stages(root: Path = Path(), *, locked: Mapping[str, Any] | None = None) -> set[str]:
    """Stages that last ran with other settings than params.yaml has, or on other inputs.

    Inputs count if another stage makes them, so that what follows an outdated stage is outdated
    too. Stages that dvc.lock does not have never ran under DVC, and nothing is known of them.
    ``locked`` are the stages of dvc.lock, where somebody has read them already.
    """
    if not (root / LOCK).exists():
        return set()
    with _named():
        if locked is None:
            locked = read_stages(root / LOCK)
        return _outdated(locked, read_yaml(root / PARAMS_FILE))


def check_unchanged(paths: Iterable[str], root: Path = Path()) -> None:
    """Raise StoreError for a file that its stage did not write as it is, by dvc.lock.

    Such as a table that was edited, cut, or left by a stage that failed. Nothing is known of
    files that dvc.lock does not have; folders are not looked into.
    """
    if not (root / LOCK).exists():
        return
    with _named():
        made = {
            out["path"]: (name, out["md5"])
            for name, entry in read_stages(root / LOCK).items()
            for out in entry.get("outs", [])
        }
    for path in paths:
        name, md5 = made.get(path, ("", ""))
        if not name or not (root / path).is_file():
            continue
        found = hashlib.md5(read_bytes(root / path), usedforsecurity=False).hexdigest()
        if found != md5:
            raise StoreError(
                f"{path} is not what the stage {name} wrote: it was changed since",
                found=f"MD5 {found}",
                expected=f"MD5 {md5}, as {LOCK} says",
                fix=f"restore the file from git or by `dvc checkout {path}`, or run "
                f"`dvc repro {name}`; if you ran the stage by hand, `dvc commit {name}`",
            )


@contextmanager
def _named() -> Iterator[None]:
    """Let an error of what has another form name the files."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{LOCK} or {PARAMS_FILE} does not have the form that DVC gives it",
            found=f"{type(error).__name__}: {error}",
            fix="restore them from git",
        ) from error


def _outdated(locked: Mapping[str, Any], settings: Mapping[str, Any]) -> set[str]:
    makers = {out["path"]: name for name, entry in locked.items() for out in entry.get("outs", [])}
    made = {out["path"]: out["md5"] for entry in locked.values() for out in entry.get("outs", [])}
    outdated = {name for name, entry in locked.items() if _differ(entry, settings, made)}
    waiting = list(outdated)
    while waiting:
        maker = waiting.pop()
        for name, entry in locked.items():
            needs = {makers.get(dep["path"]) for dep in entry.get("deps", [])}
            if maker in needs and name not in outdated:
                outdated.add(name)
                waiting.append(name)
    return outdated


def _differ(stage: Mapping[str, Any], settings: Mapping[str, Any], made: Mapping[str, str]) -> bool:
    sections = stage.get("params", {}).get(PARAMS_FILE.name, {})
    return any(settings.get(key) != value for key, value in sections.items()) or any(
        made.get(dep["path"], dep["md5"]) != dep["md5"] for dep in stage.get("deps", [])
    )
