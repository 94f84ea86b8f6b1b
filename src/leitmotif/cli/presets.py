"""Switch params.yaml to one of the settings in presets/, and tell which one it was made from."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from leitmotif.cli.preset_texts import (
    available,
    preset,
    preset_values,
    title_of,
    with_settings,
)
from leitmotif.config import PARAMS_FILE, Params, parse_params
from leitmotif.errors import ConfigError, LeitmotifError, counted
from leitmotif.files import difference, read_text, write_texts
from leitmotif.files.targets import check_editable
from leitmotif.files.yaml_files import parse_yaml, read_yaml


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
        presets = {name: preset_values(name, root=root) for name in available(root)}
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
    lines = [(name, title_of(name, root)) for name in available(root)]
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
    keep : of the same preset, keep the settings that params.yaml has changed, or give them up;
        ``settings`` go before them.
    branch : of git, which is made before anything is written.

    Raises ConfigError for an unknown preset, a setting that cannot be used, a branch that cannot be
    made, and, unless ``force``, when params.yaml holds settings that neither git nor a preset has a
    copy of, or when results of another preset are in no commit.
    """
    # Needs numpy, which commands that only name the preset start without.
    from leitmotif.cli.dependencies import with_dependencies
    from leitmotif.cli.own_runs import kept_results, refuse_unsaved, start_branch
    from leitmotif.pipeline.watched import PIPELINE

    kept = kept_results(root)
    now = preset_in_use(root)
    old_values = now.values if now is not None and now.name == name else {}
    text = preset(name, root=root)
    new = with_settings(text, settings, old_values if keep else {})
    params = _checked(new, f"preset {name}", root)

    target, pipeline = root / PARAMS_FILE, root / PIPELINE
    texts = {path: _editable_text(path) for path in (target, pipeline)}
    if kept and now is not None and now.name != name and not force:
        refuse_unsaved(kept, now.name)
    made_again = {"", new, with_settings(text, (), old_values)}
    if not force and texts[target] not in made_again and not _kept_elsewhere(texts[target], root):
        raise ConfigError(
            f"{target} has changes that are neither in git nor a preset",
            fix=f"commit them (git commit {target}), or pass --force to write over them",
        )
    derived = texts[pipeline] and with_dependencies(texts[pipeline], params, root)
    if branch is not None:
        start_branch(branch, root)
    # dvc.yaml first: after a kill between the two DVC misses a folder, which it says, and watches
    # none too few, which nobody would notice.
    changed = {pipeline: derived, target: new}
    write_texts({path: text for path, text in changed.items() if text != texts[path]})
    return "".join(difference(path.name, texts[path], changed[path]) for path in texts)


def _checked(text: str, origin: str, root: Path) -> Params:
    """The settings; raises ConfigError for those with which a stage could not run."""
    from leitmotif.feasibility.named import check_kept
    from leitmotif.pipeline.watched import check_inputs

    params = parse_params(parse_yaml(text), origin=origin)
    check_inputs(params, root)
    check_kept(params, root)
    return params


def _editable_text(path: Path) -> str:
    """Text of a file that may be written over; empty if there is none."""
    check_editable(path)
    return read_text(path, fix="restore it from git", error=ConfigError) if path.exists() else ""


def _kept_elsewhere(text: str, root: Path) -> bool:
    if text == _committed(root):
        return True
    return any(text == preset(name, root=root) for name in available(root))


def _committed(root: Path) -> str | None:
    """The params.yaml of the last commit; None where there is none."""
    try:
        done = subprocess.run(
            ["git", "show", f"HEAD:./{PARAMS_FILE}"], cwd=root, capture_output=True, check=False
        )
        return done.stdout.decode() if done.returncode == 0 else None
    except (FileNotFoundError, UnicodeDecodeError):
        return None
