"""controls.yaml: which controls are used, checked against a JSON schema."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
from ruamel.yaml.error import YAMLError

from leitmotif.config import parse_yaml
from leitmotif.errors import ConfigError
from leitmotif.probe.controls import REGISTRY, Control

CONTROLS = Path("controls.yaml")
SCHEMA = Path(__file__).with_name("controls.schema.json")


@dataclass(frozen=True)
class ControlSettings:
    """What controls.yaml says."""

    controls: list[Control]
    knots: int
    """Bends of each column; see ``leitmotif.probe.expansion``."""
    interactions: int
    """Random functions of all columns together."""


def load_controls(path: Path = CONTROLS) -> ControlSettings:
    """Read and check a controls file; raises ConfigError naming what was found where."""
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist", fix="restore it from git") from None
    except YAMLError as error:
        raise ConfigError(f"{path} is not YAML", found=error, fix="mend the line named") from error
    return parse_controls(values, origin=str(path))


def parse_controls(values: Any, *, origin: str = "controls") -> ControlSettings:
    """Check controls given as plain data; see ``load_controls``."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(values)
    )
    if error is not None:
        raise ConfigError(
            f"{origin} cannot be used",
            found=f"{_place(error)}: {error.message}",
            expected="what src/leitmotif/probe/controls.schema.json allows",
        )
    named = values["controls"]
    if not named:
        named = {}
    expansion = values["expansion"]
    return ControlSettings(
        controls=[_made(name, settings or {}) for name, settings in named.items()],
        knots=expansion["knots"],
        interactions=expansion["interactions"],
    )


def _made(name: str, settings: dict[str, Any]) -> Control:
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    return REGISTRY[name](**settings)


def _place(error: Any) -> str:
    return ".".join(map(str, error.absolute_path)) or "the file"
