"""The state of each stage, by dvc.yaml and dvc.lock and without hashing anything."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from leitmotif.files.owned import stage_outs
from leitmotif.pipeline.durations import following

State = Literal["done", "outdated", "not here", "not run"]
STATES: tuple[State, ...] = ("done", "outdated", "not here", "not run")
"""Done with the present settings; last run with other settings or inputs; done, but an output is
not in this folder; never run under DVC."""


def states_of(
    stages: Mapping[str, Any],
    locked: Collection[str],
    outdated: Collection[str],
    root: Path = Path(),
) -> dict[str, State]:
    """The state of each stage, in the order of dvc.yaml.

    Parameters
    ----------
    stages : of dvc.yaml, by name.
    locked : names of the stages that dvc.lock has.
    outdated : those that ran with other settings or inputs; what follows them counts as they do.
    root : the repository, for its outputs.
    """
    old = {*outdated}
    for name in outdated:
        old.update(following(name, stages))
    return {name: _state(name, entry, locked, old, root) for name, entry in stages.items()}


def _state(
    name: str, entry: Mapping[str, Any], locked: Collection[str], old: Collection[str], root: Path
) -> State:
    if name not in locked:
        return "not run"
    if name in old:
        return "outdated"
    here = all(os.path.lexists(root / out) for out in stage_outs(entry))
    return "done" if here else "not here"


def waiting(states: Mapping[str, State], stages: Mapping[str, Any], goal: str = "") -> list[str]:
    """Stages that ``dvc repro`` would run; with a ``goal``, those that ``dvc repro GOAL`` would."""
    names = [name for name, state in states.items() if state != "done"]
    if not goal:
        return names
    return [name for name in names if name == goal or goal in following(name, stages)]
