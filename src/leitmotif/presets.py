"""Switch params.yaml to one of the settings in presets/, keeping their comments.

A preset whose first key is ``base`` names another and holds what it changes of it: a list is
replaced whole, and so is the section ``corpus``, whose keys depend on the source.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from leitmotif.config import PARAMS_FILE, parse_params
from leitmotif.dependencies import write_dependencies
from leitmotif.errors import ConfigError
from leitmotif.files import difference, write_text
from leitmotif.yaml_files import EditableYaml, parse_yaml

PRESETS = Path("presets")
BASE = "base"


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
    new = preset(name, settings, root=root)
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


def preset(name: str, settings: Sequence[str] = (), *, root: Path = Path()) -> str:
    """Text of the params.yaml that preset ``name`` gives, ``settings`` (``key=value``) changed.

    Raises ConfigError for an unknown preset, and for a setting whose section does not exist or
    whose value is not YAML.
    """
    presets = available(root)
    if name not in presets:
        raise ConfigError(
            f"there is no preset {name!r}",
            expected=", ".join(presets) or f"files in {root / PRESETS}",
            fix="name one of these" if presets else "run this in the repository's root",
        )
    text = (root / PRESETS / f"{name}.yaml").read_text(encoding="utf-8")
    changes = EditableYaml(text)
    if BASE in changes.values:
        whole = EditableYaml(preset(changes.values[BASE], root=root))
        _merge(whole.values, changes.values)
        title, _, _ = text.partition("\n")
        _, _, rest = str(whole).partition("\n")
        text = f"{title}\n{rest}"
    return _with_settings(text, settings) if settings else text


def _merge(values: Any, changes: Any) -> None:
    """Put the changed keys of each section into ``values``, with their comments."""
    for section, changed in changes.items():
        if section == BASE:
            continue
        kept = values.get(section)
        maps = isinstance(kept, CommentedMap) and isinstance(changed, CommentedMap)
        if section == "corpus" or not maps:
            values[section] = changed  # what cannot be used is named when the whole is checked
            continue
        for key, value in changed.items():
            kept[key] = value
            kept.ca.items.pop(key, None)
            if key in changed.ca.items:
                kept.ca.items[key] = changed.ca.items[key]


def _with_settings(text: str, settings: Sequence[str]) -> str:
    yaml = EditableYaml(text)
    for setting in settings:
        key, found, value = setting.partition("=")
        if not found:
            raise ConfigError(f"{setting!r} is not a setting", expected="key=value")
        *sections, last = key.strip().split(".")
        section: Any = yaml.values
        for part in sections:
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise ConfigError(f"{key}: there is no such key", expected=", ".join(yaml.values))
        try:
            section[last] = parse_yaml(value)
        except YAMLError as error:
            raise ConfigError(f"{key}: the value is not YAML", found=error) from error
    return str(yaml)


def _kept_elsewhere(text: str, root: Path) -> bool:
    if any(text == preset(name, root=root) for name in available(root)):
        return True
    committed = subprocess.run(
        ["git", "show", f"HEAD:./{PARAMS_FILE}"],
        cwd=root,
        capture_output=True,
        check=False,
        text=True,
    )
    return committed.returncode == 0 and committed.stdout == text
