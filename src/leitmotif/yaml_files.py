"""YAML files: how all of them are read, and how one is changed without losing its comments."""

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from leitmotif.errors import ConfigError


def parse_yaml(text: str) -> Any:
    """Parse YAML 1.2 as DVC does: 1e-3 is a number, ``no`` a word, and a repeated key an error.

    Raises ruamel.yaml's ``YAMLError``.
    """
    return YAML(typ="safe").load(text)


def read_yaml(path: Path, *, fix: str = "run this in the repository's root") -> Any:
    """Read a file; raises ConfigError if it is not YAML or not there, when ``fix`` helps."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist", fix=fix) from None
    except YAMLError as error:
        raise ConfigError(f"{path} is not YAML", found=error, fix="mend the line named") from error


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
        self._yaml = YAML()
        self._yaml.width = 4096
        if nested:
            self._yaml.indent(mapping=2, sequence=4, offset=2)
        self.values: Any = self._yaml.load(text)

    def __str__(self) -> str:
        """The text as it is now."""
        text = io.StringIO()
        self._yaml.dump(self.values, text)
        return text.getvalue()
