"""What all sections of params.yaml and other files of settings have in common."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from leitmotif.errors import ConfigError
from leitmotif.files.yaml_files import read_yaml

Location = Sequence[int | str]
"""Keys and numbers that lead to a value of a file."""
LARGEST = 1e15
"""Of any number of a setting; times a rate, or bytes of a gigabyte, it still fits the machine's.
One over it is the smallest beside 0."""


class Settings(BaseModel):
    """Base of every section: immutable, and strict about unknown keys and types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _of_use(cls, value: Any) -> Any:
        if _beyond_use(value):
            raise ValueError(f"expected 0, or a size from {1 / LARGEST:g} to {LARGEST:g}")
        return value


def _beyond_use(value: Any) -> bool:
    """Whether a setting is, or lists, a number that is too large, or too near to 0."""
    if isinstance(value, list | tuple):
        return any(map(_beyond_use, value))
    is_number = isinstance(value, int | float)
    return is_number and value != 0 and not 1 / LARGEST <= abs(value) <= LARGEST


Kind = TypeVar("Kind", bound=Settings)


def dotted(_: Any, location: Location) -> str:
    """A place in a file by its keys, such as ``models.0.licence``."""
    return ".".join(map(str, location)) or "the file"


def read_settings(
    path: Path, kind: type[Kind], *, fix: str, place: Callable[[Any, Location], str] = dotted
) -> Kind:
    """Read a YAML file of settings.

    ``fix`` says what helps, and ``place`` names a place in the values that were read. Raises
    ConfigError, which names the first key that cannot be used.
    """
    values = read_yaml(path)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(
            f"{path}: {place(values, problem['loc'])} cannot be used",
            found=repr(problem["input"]) if problem["type"] != "missing" else "nothing",
            expected=problem["msg"].removeprefix("Value error, "),
            fix=fix,
        ) from error


def is_hub_id(name: str) -> bool:
    """Whether a setting names a repository of the hub: no folder here, and ``OWNER/NAME``."""
    return not Path(name).exists() and name.count("/") == 1
