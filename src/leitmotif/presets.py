"""Writes params.yaml from one of the presets in presets/, with comments."""

import io
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from leitmotif.config import PARAMS_FILE, parse_params, parse_yaml
from leitmotif.dependencies import write_dependencies
from leitmotif.errors import ConfigError
from leitmotif.files import difference, write_text

PRESETS = Path("presets")


def available(root: Path = Path()) -> list[str]:
    """Names of the presets in the repository at ``root``."""
    return sorted(path.stem for path in (root / PRESETS).glob("*.yaml"))


def use(
    name: str,
    settings: Sequence[str] = (),
    *,
    root: Path = Path(),
    force: bool = False,
) -> str:
    """Write params.yaml from preset ``name`` with ``settings`` (``key=value``) changed.

    The stages in dvc.yaml then depend on what these settings name. Returns what changed in both
    files as unified diffs, empty if nothing did. Nothing is written unless the result is valid.

    Raises ConfigError for an unknown preset, a setting that cannot be used, and, unless ``force``,
    when params.yaml holds settings that neither git nor a preset has a copy of.
    """
    presets = available(root)
    if name not in presets:
        raise ConfigError(
            f"there is no preset {name!r}",
            expected=", ".join(presets) or f"files in {root / PRESETS}",
            fix="name one of these" if presets else "run this in the repository's root",
        )
    new = _with_settings((root / PRESETS / f"{name}.yaml").read_text(encoding="utf-8"), settings)
    parse_params(parse_yaml(new), origin=f"preset {name}")

    target = root / PARAMS_FILE
    old = target.read_text(encoding="utf-8") if target.exists() else ""
    if new != old:
        if old and not force and not _kept_elsewhere(old, root):
            raise ConfigError(
                f"{target} has changes that are neither in git nor a preset",
                fix=f"commit them (git commit {target}), or pass --force to write over them",
            )
        write_text(target, new)
    return difference(str(PARAMS_FILE), old, new) + write_dependencies(root)


def _with_settings(text: str, settings: Sequence[str]) -> str:
    if not settings:
        return text
    yaml = YAML()  # round trip: keeps comments and order; the layout is `dvc exp run -S`'s, too
    yaml.width = 4096
    values = yaml.load(text)
    for setting in settings:
        key, found, value = setting.partition("=")
        if not found:
            raise ConfigError(f"{setting!r} is not a setting", expected="key=value")
        *sections, last = key.strip().split(".")
        section: Any = values
        for part in sections:
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise ConfigError(f"{key}: there is no such key", expected=", ".join(values))
        try:
            section[last] = parse_yaml(value)
        except YAMLError as error:
            raise ConfigError(f"{key}: the value is not YAML", found=error) from error
    buffer = io.StringIO()
    yaml.dump(values, buffer)
    return buffer.getvalue()


def _kept_elsewhere(text: str, root: Path) -> bool:
    if any(text == path.read_text(encoding="utf-8") for path in (root / PRESETS).glob("*.yaml")):
        return True
    committed = subprocess.run(
        ["git", "show", f"HEAD:./{PARAMS_FILE}"],
        cwd=root,
        capture_output=True,
        check=False,
        text=True,
    )
    return committed.returncode == 0 and committed.stdout == text
