"""YAML files: how all of them are read, and how one is changed without losing its comments."""

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    NodeEvent,
    ScalarEvent,
)

from leitmotif.errors import ConfigError
from leitmotif.files import read_text

_DEEPEST = 64
"""Levels of nesting; the parsers recurse, and one of them crashes the process at some thousands."""
_MOST_REPEATED = 10_000
"""Values that aliases may stand for, all together."""


def parse_yaml(text: str) -> Any:
    """Parse YAML 1.2 as DVC does: 1e-3 is a number, ``no`` a word, and a repeated key an error.

    Raises ruamel.yaml's ``YAMLError``, also for nesting and aliases beyond any use.
    """
    try:
        _check_size(text)
        value = YAML(typ="safe").load(text)
        repr(value)  # what an error says of it: not of a hexadecimal number of 4,000 digits
        return value
    except YAMLError:
        raise
    except Exception as error:  # constructors raise anything: a 99th month, !!bool x
        raise YAMLError(f"a value cannot be read: {error}") from error


def read_yaml(path: Path, *, fix: str = "run this in the repository's root") -> Any:
    """Read a file; raises ConfigError if it is not YAML or not there, when ``fix`` helps."""
    text = read_text(path, fix=fix, error=ConfigError)
    try:
        return parse_yaml(text)
    except YAMLError as error:
        raise ConfigError(f"{path} is not YAML", found=error, fix="mend the line named") from error


def read_stages(path: Path) -> dict[str, Any]:
    """Read the stages of a dvc.yaml or dvc.lock, by name; raises ConfigError."""
    return parse_stages(read_text(path, fix="restore it from git", error=ConfigError), str(path))


def parse_stages(text: str, name: str) -> dict[str, Any]:
    """Read the stages from the text of a file that errors call ``name``; raises ConfigError."""
    try:
        values = parse_yaml(text)
    except YAMLError as error:
        raise ConfigError(f"{name} is not YAML", found=error, fix="restore it from git") from error
    stages = values.get("stages", {}) if isinstance(values, dict) else None
    if not isinstance(stages, dict) or not all(
        isinstance(stage, dict) for stage in stages.values()
    ):
        raise ConfigError(
            f"{name} has no stages",
            expected="stages: NAME: with keys and values below it, as DVC writes it",
            fix="restore it from git",
        )
    return stages


class EditableYaml:
    """YAML text whose ``values`` can be changed; comments and the order of keys stay.

    Parameters
    ----------
    text
        The document.
    nested
        Indent lists below their key; otherwise they are laid out as ``dvc exp run -S`` does.

    Raises ruamel.yaml's ``YAMLError``.
    """

    def __init__(self, text: str, *, nested: bool = False) -> None:
        parse_yaml(text)  # the stricter parser of the two
        self._yaml = YAML()
        self._yaml.width = 2**31 - 1  # a folded line would not be read as it was typed
        if nested:
            self._yaml.indent(mapping=2, sequence=4, offset=2)
        self.values: Any = self._yaml.load(text)

    def __str__(self) -> str:
        """The text as it is now."""
        text = io.StringIO()
        self._yaml.dump(self.values, text)
        return text.getvalue()


def _check_size(text: str) -> None:
    """Refuse nesting that no parser survives, and aliases that grow without end."""
    open_counts, open_names = [0], [""]
    sizes: dict[str, int] = {}
    repeated = 0
    for event in YAML(typ="safe").parse(text):
        if isinstance(event, AliasEvent):
            if event.anchor in open_names:
                raise YAMLError(f"the alias *{event.anchor} stands within what it stands for")
            size = sizes.get(str(event.anchor), 1)
            repeated += size
            open_counts[-1] += size
        elif isinstance(event, CollectionStartEvent):
            open_counts.append(1)
            open_names.append(str(event.anchor or ""))
        elif isinstance(event, CollectionEndEvent):
            size, name = open_counts.pop(), open_names.pop()
            sizes[name] = size
            open_counts[-1] += size
        elif isinstance(event, ScalarEvent | NodeEvent):
            sizes[str(event.anchor or "")] = 1
            open_counts[-1] += 1
        if len(open_counts) > _DEEPEST:
            raise YAMLError(f"it is nested more than {_DEEPEST} levels deep")
        if repeated > _MOST_REPEATED:
            raise YAMLError(f"its aliases stand for more than {_MOST_REPEATED} values")
