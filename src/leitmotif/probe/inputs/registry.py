"""controls.yaml: which controls are used, and with which settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

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
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why other registered controls are not used, by name."""


class Expansion(Settings):
    """Curves and interactions of the controls that the control model can fit."""

    knots: Annotated[int, Field(ge=0, le=32)]
    """Bends of each column."""
    waves: Annotated[int, Field(ge=0, le=32)]
    """Cosines of the place in the track that each column is crossed with."""
    interactions: Annotated[int, Field(ge=0, le=4096)]
    """Random functions of all columns together."""


class ControlsFile(Settings):
    """All of controls.yaml."""

    controls: dict[str, dict[str, Any] | None] | None
    """The controls that are used, each with its settings or nothing for the default ones."""
    left_out: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Registered controls that are not used, each with the reason."""
    expansion: Expansion
    """Curves and interactions of the controls that the control model can fit."""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if both := sorted((self.controls or {}).keys() & self.left_out.keys()):
            raise ValueError(f"both used and left out: {', '.join(both)}")
        return self


def load_controls(path: Path = CONTROLS) -> ControlSettings:
    """Read and check a controls file; raises ConfigError naming what was found where."""
    return parse_controls(read_yaml(path, fix="restore it from git"), origin=str(path))


def parse_controls(values: Any, *, origin: str = "controls") -> ControlSettings:
    """Check controls given as plain data; see ``load_controls``."""
    place: tuple[str, ...] = ()
    controls = []
    try:
        file = ControlsFile.model_validate(values)
        used = file.controls or {}
        for section, names in (("controls", used), ("left_out", file.left_out)):
            for name in names:
                if name not in REGISTRY:
                    raise ConfigError(
                        f"{origin} cannot be used",
                        found=f"{section}.{name}",
                        expected=f"controls among {', '.join(REGISTRY)}",
                    )
        for name, settings in used.items():
            place = ("controls", name)
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
    return ControlSettings(controls, curves.knots, curves.interactions, curves.waves, file.left_out)
