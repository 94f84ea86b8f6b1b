"""controls.yaml: which controls are used, and with which settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from leitmotif.config import Settings
from leitmotif.errors import ConfigError
from leitmotif.files.yaml_files import read_yaml
from leitmotif.probe.inputs.controls import REGISTRY, Control

CONTROLS = Path("controls.yaml")


@dataclass(frozen=True)
class ControlSettings:
    """What controls.yaml says."""

    controls: list[Control]
    knots: int
    """Bends of each column; see ``leitmotif.probe.estimators.expansion``."""
    interactions: int
    """Random functions of all columns together."""
    waves: int = 0
    """Cosines of the place in the track that each column is crossed with."""


class _Expansion(Settings):
    knots: Annotated[int, Field(ge=0, le=32)]
    waves: Annotated[int, Field(ge=0, le=32)]
    interactions: Annotated[int, Field(ge=0, le=4096)]


class _File(Settings):
    controls: dict[str, dict[str, Any] | None] | None
    expansion: _Expansion


def load_controls(path: Path = CONTROLS) -> ControlSettings:
    """Read and check a controls file; raises ConfigError naming what was found where."""
    return parse_controls(read_yaml(path, fix="restore it from git"), origin=str(path))


def parse_controls(values: Any, *, origin: str = "controls") -> ControlSettings:
    """Check controls given as plain data; see ``load_controls``."""
    place: tuple[str, ...] = ()
    controls = []
    try:
        file = _File.model_validate(values)
        for name, settings in (file.controls or {}).items():
            place = ("controls", name)
            if name not in REGISTRY:
                raise ConfigError(
                    f"{origin} cannot be used",
                    found=f"controls.{name}",
                    expected=f"controls among {', '.join(REGISTRY)}",
                )
            controls.append(REGISTRY[name].model_validate(settings or {}))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, (*place, *problem["loc"]))) or "the file"
        raise ConfigError(
            f"{origin} cannot be used",
            found=f"{key}: {problem['input']!r}",
            expected=problem["msg"],
            fix="docs/probes.md lists the controls and what can be set",
        ) from error
    curves = file.expansion
    return ControlSettings(controls, curves.knots, curves.interactions, curves.waves)
