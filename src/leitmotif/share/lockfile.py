"""Which results, by dvc.lock, are not those of the present settings.

A stage that has not run since params.yaml was changed leaves its metrics as they were: those of
another experiment. ``dvc status`` says so too, and of changed sources besides, but it hashes all
inputs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leitmotif.config import PARAMS_FILE
from leitmotif.errors import ConfigError
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
    try:
        if locked is None:
            locked = read_stages(root / LOCK)
        return _outdated(locked, read_yaml(root / PARAMS_FILE))
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
