"""The settings in presets/ as text, with their comments, and with single settings changed.

A preset whose first key is ``base`` names another and holds what it changes of it: a list is
replaced whole, and so is the section ``corpus``, whose keys depend on the source. Of further bases
only what they change of their own is taken, so that a model and a corpus can be combined.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from leitmotif.config import TextSetting, text_setting
from leitmotif.errors import ConfigError
from leitmotif.files import read_text
from leitmotif.files.yaml_files import EditableYaml, parse_yaml

PRESETS = Path("presets")
BASE = "base"


def available(root: Path = Path()) -> list[str]:
    """Names of the presets in the repository at ``root``."""
    return sorted(path.stem for path in (root / PRESETS).glob("*.yaml"))


def title_of(name: str, root: Path = Path()) -> str:
    """The first line of a preset's file, which says what it is for."""
    return _file_of(name, root).partition("\n")[0].lstrip("# ")


def preset(name: str, settings: Sequence[str] = (), *, root: Path = Path()) -> str:
    """Text of the params.yaml that preset ``name`` gives, ``settings`` (``key=value``) changed.

    Raises ConfigError for an unknown preset, and for a setting whose section does not exist or
    whose value is not YAML.
    """
    return with_settings(_text_of(name, root), settings, {})


def preset_values(name: str, *, root: Path = Path()) -> dict[str, Any]:
    """What the text of ``preset`` says, without its comments: no more than a tenth of the time.

    Raises ConfigError for an unknown preset, and for a file that is no preset.
    """
    document, _ = _whole(name, root, (), _Plain)
    return dict(document.values)


def _text_of(name: str, root: Path) -> str:
    """Text of a preset with what it takes from its base."""
    document, changed = _whole(name, root, (), EditableYaml)
    text = _file_of(name, root)
    if not changed:
        return text
    title, _, _ = text.partition("\n")
    _, _, rest = str(document).partition("\n")
    return f"{title}\n{rest}"


class _Plain:
    """YAML text as ``EditableYaml`` holds it, read only."""

    def __init__(self, text: str) -> None:
        self.values: Any = parse_yaml(text)


_Document = TypeVar("_Document", EditableYaml, _Plain)


def _whole(
    name: str, root: Path, above: Sequence[str], kind: Callable[[str], _Document]
) -> tuple[_Document, bool]:
    """A preset's last base with everything in it that those above change, and whether it has one.

    ``above`` are the presets that build on this one.
    """
    path = root / PRESETS / f"{name}.yaml"
    changes = _document(_file_of(name, root), path, kind)
    if BASE not in changes.values:
        return changes, False
    first, *others = _bases(changes.values, path)
    if {first, *others} & {name, *above}:
        raise ConfigError(f"{path} is a base of itself", fix="name another base")
    whole, _ = _whole(first, root, (name, *above), kind)
    for other in others:
        _merge(whole.values, _document(_file_of(other, root), path, kind).values)
    _merge(whole.values, changes.values)
    return whole, True


def _file_of(name: str, root: Path) -> str:
    """Text of a preset's file; raises ConfigError if there is none."""
    presets = available(root)
    if name not in presets:
        raise ConfigError(
            f"there is no preset {name!r}",
            expected=", ".join(presets) or f"files in {root / PRESETS}",
            fix="name one of these" if presets else "run this in the repository's root",
        )
    return read_text(root / PRESETS / f"{name}.yaml", fix="restore it from git", error=ConfigError)


def _bases(values: Mapping[str, Any], path: Path) -> list[str]:
    """The names in ``base``: a preset, or several."""
    bases = values[BASE]
    names = list(bases) if isinstance(bases, list) else [bases]
    if not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{path} names no base", found=repr(bases), expected="names of presets")
    return names


def _document(text: str, path: Path, kind: Callable[[str], _Document]) -> _Document:
    try:
        document = kind(text)
    except YAMLError as error:
        raise ConfigError(f"{path} is not YAML", found=error, fix="mend the line named") from error
    if not isinstance(document.values, dict):
        raise ConfigError(f"{path} is no preset", expected="keys with values below them")
    return document


def _merge(values: Any, changes: Any) -> None:
    """Put the changed keys of each section into ``values``, with the comments they have."""
    for section, changed in changes.items():
        if section == BASE:
            continue
        kept = values.get(section)
        maps = isinstance(kept, dict) and isinstance(changed, dict)
        if section == "corpus" or not maps:
            values[section] = changed  # what cannot be used is named when the whole is checked
            continue
        for key, value in changed.items():
            kept[key] = value
            if isinstance(kept, CommentedMap):
                kept.ca.items.pop(key, None)
                if key in changed.ca.items:
                    kept.ca.items[key] = changed.ca.items[key]


def with_settings(text: str, settings: Sequence[str], kept: Mapping[str, Any]) -> str:
    """The text with settings that were kept, by ``section.key``, and those that were typed."""
    if not settings and not kept:
        return text
    yaml = EditableYaml(text)
    chosen: dict[tuple[str, ...], object] = {}
    for dotted, value in kept.items():
        name, last = dotted.split(".")
        yaml.values[name][last] = chosen[name, last] = value
    for setting in settings:
        key, sign, typed = setting.partition("=")
        if not sign:
            raise ConfigError(f"{setting!r} is not a setting", expected="key=value")
        *sections, last = key.strip().split(".")
        section: Any = yaml.values
        for part in sections:
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise ConfigError(f"{key}: there is no such key", expected=", ".join(yaml.values))
        place = (*sections, last)
        source = yaml.values["corpus"].get("source") if sections == ["corpus"] else None
        section[last] = chosen[place] = _value(key, typed, text_setting(place, source))
    new = str(yaml)
    _check_written(new, chosen)
    return new


def _value(key: str, typed: str, text: TextSetting) -> object:
    """What a value on the command line means: text as it was typed, anything else by YAML."""
    if not typed.isprintable() and (odd := _unwritable(typed)):
        raise ConfigError(f"{key}: the value cannot be written", found=odd, expected="UTF-8 text")
    if text == "or null" and typed in ("null", "~"):
        return None
    if text != "no":
        return typed
    try:
        # Within brackets, for a comment would take the closing one with it.
        values = parse_yaml(f"[{typed}]")
    except YAMLError as error:
        raise ConfigError(f"{key}: the value is not YAML", found=f"{typed!r}: {error}") from error
    if len(values) != 1:
        raise ConfigError(f"{key}: the value is not one value", found=repr(typed))
    return values[0]


def _unwritable(typed: str) -> str | None:
    """A character that no YAML file in UTF-8 can hold, if there is one."""
    for character in typed:
        if "\ud800" <= character <= "\udfff":
            return "bytes that are not UTF-8"
        if ord(character) == 0:
            return "NUL"
    return None


def _check_written(text: str, chosen: Mapping[tuple[str, ...], object]) -> None:
    """Raise ConfigError if a file would not give back what was chosen."""
    values = parse_yaml(text)
    for (*sections, last), value in chosen.items():
        section = values
        for part in sections:
            section = section[part]
        if section[last] != value:
            raise ConfigError(
                f"{'.'.join([*sections, last])}: YAML cannot hold this value",
                found=repr(value),
                expected=f"what reads back as it is, not as {section[last]!r}",
            )
