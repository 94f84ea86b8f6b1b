"""DVC's experiments beside the commit from which they start: settings and metrics that differ.

``dvc exp show`` has a column for each metric, so a terminal shows the first few of them and dots.
Here an experiment is a column, and each value that differs is a row.
"""

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from leitmotif.errors import LeitmotifError, counted

SETTINGS = "settings"
ABSENT = "-"
"""Text of a value that an experiment does not have."""
_INTERVAL = {"mean", "low", "high"}
_LEAST_COLUMN = 22  # an effect with its interval
_MARGIN = 2

Key = tuple[str, ...]
"""Where a value stands: ``settings`` or the stage of a metrics file, then its keys."""


@dataclass(frozen=True)
class Experiment:
    """An experiment, or the commit from which the experiments start."""

    name: str
    state: str
    """``done``, ``queued``, ``running`` or ``failed``."""
    values: Mapping[Key, Any]
    """Settings and metrics; the mean, low and high of an interval are one value."""


def read_experiments(start: str = "HEAD", root: Path = Path()) -> list[Experiment]:
    """Return the commit ``start`` and then its experiments, the newest first.

    Parameters
    ----------
    start: branch, tag or hash of the commit.
    root: folder of the repository.

    Raises
    ------
    LeitmotifError: if DVC cannot read them; with DVC's own words.
    """
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", "--rev", start]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LeitmotifError(
            f"the experiments of {start} cannot be read",
            found=" ".join(done.stderr.split()),
            fix="run this in the root of the repository, with a commit that git knows",
        )
    commits = [entry for entry in json.loads(done.stdout) if entry["rev"] != "workspace"]
    return [
        experiment
        for commit in commits
        for experiment in [_experiment(commit, None), *map(_of_entry, commit["experiments"] or ())]
    ]


def as_lines(experiments: Sequence[Experiment], width: int = 120) -> list[str]:
    """Return a table of what differs, in lines of at most ``width`` characters.

    The first experiment is what the others are compared with. If there are more than fit, the
    table goes on below with the next ones. Verdicts and other words come before numbers.
    """
    first, *others = experiments
    if not others:
        return [f"{first.name} has no experiments; `dvc exp run --set-param KEY=VALUE` makes one"]
    keys = _differing(experiments)
    if not keys:
        return [f"nothing differs between {first.name} and {counted(len(others), 'experiment')}"]
    names = max(len(key[-1]) + _MARGIN for key in keys) + _MARGIN
    names = min(names, width - 2 * (_LEAST_COLUMN + _MARGIN))
    most = max(2, (width - names) // (_LEAST_COLUMN + _MARGIN))
    lines: list[str] = []
    for start in range(0, len(others), most - 1):
        shown = [first, *others[start : start + most - 1]]
        lines += [*_block(keys, shown, names, width), ""]
    every = {key for experiment in experiments for key in experiment.values}
    same = sum(1 for key in every if key[0] != SETTINGS) - sum(key[0] != SETTINGS for key in keys)
    return [*lines, f"{counted(same, 'metric')} are the same in all of them"]


def _block(
    keys: Sequence[Key], experiments: Sequence[Experiment], names: int, width: int
) -> Iterator[str]:
    column = min((width - names) // len(experiments), 48)

    def row(name: str, cells: Sequence[str]) -> Iterator[str]:
        indent = " " * (len(name) - len(name.lstrip()))
        wrapped = [textwrap.wrap(name, names - _MARGIN, subsequent_indent=f"{indent}  ")]
        wrapped += [textwrap.wrap(cell, column - _MARGIN) or [""] for cell in cells]
        for number in range(max(map(len, wrapped))):
            parts = [part[number] if number < len(part) else "" for part in wrapped]
            line = parts[0].ljust(names) + "".join(part.ljust(column) for part in parts[1:])
            yield line.rstrip()

    yield from row("", [experiment.name for experiment in experiments])
    if any(experiment.state != "done" for experiment in experiments):
        yield from row("state", [experiment.state for experiment in experiments])
    for heading, group in groupby(keys, key=lambda key: key[:-1]):
        yield " / ".join(heading)
        for key in group:
            first, *others = (experiment.values.get(key, ABSENT) for experiment in experiments)
            cells = [_text(first), *(_text(other, first) for other in others)]
            yield from row(f"  {key[-1]}", cells)


def _differing(experiments: Sequence[Experiment]) -> list[Key]:
    """Keys whose values are not the same everywhere, in the order of the files."""
    keys = list(dict.fromkeys(key for experiment in experiments for key in experiment.values))
    done = [experiment for experiment in experiments if experiment.values]
    odd = []
    for key in keys:
        # What has not run yet has the settings that were asked for, and metrics of before.
        asked = done if key[0] == SETTINGS else [each for each in done if each.state == "done"]
        values = [experiment.values.get(key, ABSENT) for experiment in asked]
        if any(value != values[0] for value in values):
            odd.append(key)
    headings = {key[:-1]: number for number, key in reversed(list(enumerate(odd)))}

    def order(key: Key) -> tuple[int, bool]:
        words = all(isinstance(each.values.get(key, ""), str) for each in done)
        return headings[key[:-1]], not words

    return sorted(odd, key=order)


def _of_entry(entry: Mapping[str, Any]) -> Experiment:
    executor = entry["executor"] or {}
    return _experiment(entry["revs"][0], executor.get("state"))


def _experiment(revision: Mapping[str, Any], state: str | None) -> Experiment:
    if revision.get("error") and state is None:
        state = "failed"
    state = "done" if state in (None, "success") else state
    name = revision["name"] or revision["rev"][:7]
    data = revision["data"] or {}
    values: dict[Key, Any] = {}
    for file in (data.get("params") or {}).values():
        values |= {(SETTINGS, ".".join(keys)): value for keys, value in _leaves(file.get("data"))}
    if state == "done":
        for path, file in (data.get("metrics") or {}).items():
            stage = Path(path).stem
            values |= {_key(stage, keys): value for keys, value in _leaves(file.get("data"))}
    return Experiment(name, state, values)


def _key(stage: str, keys: Key) -> Key:
    """The last part names the row, and the others its heading."""
    heading = keys[:2] if len(keys) > 2 else ()
    return (stage, *heading, ".".join(keys[len(heading) :]))


def _leaves(value: Any, keys: Key = ()) -> Iterator[tuple[Key, Any]]:
    if isinstance(value, Mapping) and value:
        whole = {key: value[key] for key in value if key in _INTERVAL}
        if set(whole) == _INTERVAL:
            yield keys, whole
            value = {key: value[key] for key in value if key not in _INTERVAL}
        for key, nested in value.items():
            yield from _leaves(nested, (*keys, str(key)))
    else:
        yield keys, value


def _text(value: Any, first: Any = None) -> str:
    """A value; a list that differs from the first experiment's by what was left out and added."""
    if isinstance(value, Mapping) and set(value) == _INTERVAL:
        return f"{_text(value['mean'])} ({_text(value['low'])} to {_text(value['high'])})"
    if isinstance(value, list):
        gone = [item for item in first if item not in value] if isinstance(first, list) else []
        if gone or (isinstance(first, list) and value != first):
            new = [item for item in value if item not in first]
            changes = [("without", gone), ("with", new)]
            words = [f"{word} {_text(item)}" for word, items in changes for item in items]
            return ", ".join(words) or "in another order"
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:g}" if isinstance(value, float) else " ".join(str(value).split())
