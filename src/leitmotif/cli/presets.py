"""Switch params.yaml to one of the settings in presets/, keeping their comments.

A preset whose first key is ``base`` names another and holds what it changes of it: a list is
replaced whole, and so is the section ``corpus``, whose keys depend on the source.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from leitmotif.config import PARAMS_FILE, TextSetting, parse_params, text_setting
from leitmotif.errors import ConfigError, LeitmotifError, counted
from leitmotif.files import difference, read_text, write_texts
from leitmotif.files.targets import check_editable
from leitmotif.files.yaml_files import EditableYaml, parse_yaml, read_yaml

PRESETS = Path("presets")
BASE = "base"


def available(root: Path = Path()) -> list[str]:
    """Names of the presets in the repository at ``root``."""
    return sorted(path.stem for path in (root / PRESETS).glob("*.yaml"))


@dataclass(frozen=True)
class PresetInUse:
    """The preset that params.yaml was made from, as far as its values tell."""

    name: str
    values: Mapping[str, Any]
    """Settings that differ from the preset's, such as ``probes.folds``, and what they are."""

    @property
    def changed(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.values)

    def __str__(self) -> str:
        """``preset folder, 2 settings changed: corpus.path, probes.folds``."""
        if not self.changed:
            return f"preset {self.name}"
        what = counted(len(self.changed), "setting")
        return f"preset {self.name}, {what} changed: {', '.join(self.changed)}"


def preset_in_use(root: Path = Path()) -> PresetInUse | None:
    """The preset that is nearest to params.yaml; None without a file or presets that can be read.

    Presets of the same corpus source go before others.
    """
    try:
        return _nearest(read_yaml(root / PARAMS_FILE), root)
    except LeitmotifError:
        return None


def committed_preset(root: Path = Path()) -> PresetInUse | None:
    """The preset nearest to the params.yaml of the last commit; None where there is none."""
    text = _committed(root)
    try:
        return None if text is None else _nearest(parse_yaml(text), root)
    except YAMLError:
        return None


def _nearest(values: Any, root: Path) -> PresetInUse | None:
    try:
        presets = {name: parse_yaml(preset(name, root=root)) for name in available(root)}
        source = values["corpus"]["source"]
        nearest = [
            (
                of_preset["corpus"]["source"] != source,
                PresetInUse(name, _differing(of_preset, values)),
            )
            for name, of_preset in presets.items()
        ]
    except (LeitmotifError, AttributeError, KeyError, TypeError):
        return None
    ordered = sorted(nearest, key=lambda pair: (pair[0], len(pair[1].changed)))
    return ordered[0][1] if ordered else None


def _differing(preset: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{section}.{key}": value
        for section, settings in values.items()
        for key, value in settings.items()
        if preset.get(section, {}).get(key) != value
    }


def listing(root: Path = Path()) -> list[str]:
    """A line for each preset: its name and its file's first line; ``*`` marks the one in use."""
    lines = []
    for name in available(root):
        path = root / PRESETS / f"{name}.yaml"
        text = read_text(path, fix="restore it from git", error=ConfigError)
        title = text.partition("\n")[0].lstrip("# ")
        lines.append((name, title))
    now = preset_in_use(root)
    width = max((len(name) for name, _ in lines), default=0)
    return [
        f"{'*' if now is not None and now.name == name else ' '} {name:<{width}}  {title}"
        for name, title in lines
    ]


def use(
    name: str,
    settings: Sequence[str] = (),
    *,
    root: Path = Path(),
    force: bool = False,
    keep: bool = False,
    branch: str | None = None,
) -> str:
    """Write params.yaml from preset ``name`` with ``settings`` (``key=value``) changed.

    The stages in dvc.yaml then depend on what these settings name. Returns what changed in both
    files as unified diffs, empty if nothing did. Nothing is written unless the result is valid.

    Parameters
    ----------
    name : of the preset.
    settings : what to change of it.
    root : the repository.
    force : write over settings and results of which there is no copy.
    keep : of the same preset, keep the settings that params.yaml has changed; ``settings`` go
        before them.
    branch : of git, which is made before anything is written.

    Raises ConfigError for an unknown preset, a setting that cannot be used, a branch that cannot be
    made, and, unless ``force``, when params.yaml holds settings that neither git nor a preset has a
    copy of, or when results of another preset are in no commit.
    """
    # Needs numpy, which commands that only name the preset start without.
    from leitmotif.cli.dependencies import with_dependencies
    from leitmotif.cli.own_runs import kept_results, refuse_unsaved, start_branch
    from leitmotif.pipeline.watched import PIPELINE, check_inputs

    kept = kept_results(root)
    now = preset_in_use(root) if keep or kept else None
    old_values = now.values if keep and now is not None and now.name == name else {}
    text = _text_of(name, root, ())
    new = _with_settings(text, settings, old_values)
    params = parse_params(parse_yaml(new), origin=f"preset {name}")
    check_inputs(params, root)

    target, pipeline = root / PARAMS_FILE, root / PIPELINE
    texts = {}
    for path in (target, pipeline):
        check_editable(path)
        fix = "restore it from git"
        texts[path] = read_text(path, fix=fix, error=ConfigError) if path.exists() else ""
    old = texts[target]
    if kept and now is not None and now.name != name and not force:
        refuse_unsaved(kept, now.name)
    made_again = old_values and old == _with_settings(text, (), old_values)
    if old not in ("", new) and not force and not made_again and not _kept_elsewhere(old, root):
        raise ConfigError(
            f"{target} has changes that are neither in git nor a preset",
            fix=f"commit them (git commit {target}), or pass --force to write over them",
        )
    derived = texts[pipeline] and with_dependencies(texts[pipeline], params, root)
    if branch is not None:
        start_branch(branch, root)
    changed = {target: new, pipeline: derived}
    # dvc.yaml first: after a kill between the two DVC misses a folder, which it says, and watches
    # none too few, which nobody would notice.
    write_texts(
        {path: changed[path] for path in (pipeline, target) if changed[path] != texts[path]}
    )
    return "".join(difference(path.name, texts[path], changed[path]) for path in (target, pipeline))


def preset(name: str, settings: Sequence[str] = (), *, root: Path = Path()) -> str:
    """Text of the params.yaml that preset ``name`` gives, ``settings`` (``key=value``) changed.

    Raises ConfigError for an unknown preset, and for a setting whose section does not exist or
    whose value is not YAML.
    """
    return _with_settings(_text_of(name, root, ()), settings, {})


def _text_of(name: str, root: Path, above: Sequence[str]) -> str:
    """Text of a preset with what it takes from its base; ``above`` are those that build on it."""
    presets = available(root)
    if name not in presets:
        raise ConfigError(
            f"there is no preset {name!r}",
            expected=", ".join(presets) or f"files in {root / PRESETS}",
            fix="name one of these" if presets else "run this in the repository's root",
        )
    path = root / PRESETS / f"{name}.yaml"
    text = read_text(path, fix="restore it from git", error=ConfigError)
    changes = _editable(text, path)
    if BASE in changes.values:
        base = changes.values[BASE]
        if base in (name, *above):
            raise ConfigError(f"{path} is a base of itself", fix="name another base")
        whole = _editable(_text_of(base, root, (name, *above)), path)
        _merge(whole.values, changes.values)
        title, _, _ = text.partition("\n")
        _, _, rest = str(whole).partition("\n")
        text = f"{title}\n{rest}"
    return text


def _editable(text: str, path: Path) -> EditableYaml:
    try:
        yaml = EditableYaml(text)
    except YAMLError as error:
        raise ConfigError(f"{path} is not YAML", found=error, fix="mend the line named") from error
    if not isinstance(yaml.values, CommentedMap):
        raise ConfigError(f"{path} is no preset", expected="keys with values below them")
    return yaml


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


def _with_settings(text: str, settings: Sequence[str], kept: Mapping[str, Any]) -> str:
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


def _kept_elsewhere(text: str, root: Path) -> bool:
    if any(text == preset(name, root=root) for name in available(root)):
        return True
    return text == _committed(root)


def _committed(root: Path) -> str | None:
    """The params.yaml of the last commit; None where there is none."""
    try:
        done = subprocess.run(
            ["git", "show", f"HEAD:./{PARAMS_FILE}"], cwd=root, capture_output=True, check=False
        )
        return done.stdout.decode() if done.returncode == 0 else None
    except (FileNotFoundError, UnicodeDecodeError):
        return None
