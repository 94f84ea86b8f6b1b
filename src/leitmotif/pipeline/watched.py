"""Paths that settings name in lists, or may leave out, and whether DVC watches them.

DVC puts a single setting into a stage's deps (``${model.watch}``), but no list and no null. So the
models of ``probes.comparisons``, the autoencoders of ``sae.hooks`` and the file of ``swaps.pairs``
stand in dvc.yaml by their paths, where ``leitmotif deps`` writes them. While one that the settings
name is missing there, no stage runs.
"""

import os
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from leitmotif.config import Params
from leitmotif.errors import ConfigError, StageError
from leitmotif.files.owned import stage_outs
from leitmotif.files.targets import overlap
from leitmotif.files.yaml_files import read_stages, read_yaml

PIPELINE = Path("dvc.yaml")
HOOKS = Path("hooks.yaml")
_MADE = ("metrics", "plots")
_INPUTS = (
    "corpus.path",
    "model.name",
    "probes.comparisons",
    "labels.decisions",
    "judge.clap",
    "judge.tagger",
    "judge.second_tagger",
    "decoderlens.model",
    "decoderlens.concepts",
    "swaps.pairs",
)
COMPARISONS, AUTOENCODERS, PAIRS = "probes.comparisons", "sae.hooks", "swaps.pairs"


def listed_paths(params: Params, root: Path = Path()) -> dict[str, list[str]]:
    """Paths by the setting that lists them, such as ``probes.comparisons``.

    What is not there below ``root``, the repository's, is a model of the hub, which DVC cannot
    watch, or missed by its stage.
    """
    # By name: every stage imports this, and what reads ``.comparisons`` depends on these folders.
    lists = {setting: attrgetter(setting)(params) for setting in (COMPARISONS, AUTOENCODERS, PAIRS)}
    named = {
        **lists,
        AUTOENCODERS: _checkpoints(lists[AUTOENCODERS], root / HOOKS),
        PAIRS: [lists[PAIRS]] if lists[PAIRS] else [],
    }
    return {
        setting: sorted(name for name in set(names) if (root / name).exists())
        for setting, names in named.items()
    }


def check_watched(params: Params, root: Path = Path()) -> None:
    """Raise ConfigError if the settings list a path on which no stage of dvc.yaml depends.

    After a change there, old results would be taken for fresh ones. Without a dvc.yaml nothing is
    watched, and nothing is checked.
    """
    if not (root / PIPELINE).exists():
        return
    stages = read_stages(root / PIPELINE)
    # DVC's way to write "${" where no setting is meant.
    watched = {
        str(dep).replace("\\${", "${") for stage in stages.values() for dep in stage.get("deps", [])
    }
    for setting, paths in listed_paths(params, root).items():
        if missing := [path for path in paths if path not in watched]:
            raise ConfigError(
                f"{PIPELINE} does not watch what {setting} names",
                found=", ".join(missing),
                expected="among the deps of a stage, so that a change there makes it stale",
                fix="run `leitmotif deps`, then `dvc repro`",
            )


def check_inputs(params: Params, root: Path = Path()) -> None:
    """Raise ConfigError if a setting names as an input what a stage makes, or a folder with it."""
    made = [root / name for name in (*_MADE, "data/corpus")]
    if (root / PIPELINE).exists():
        stages = read_stages(root / PIPELINE)
        outs = {name for stage in stages.values() for name in stage_outs(stage)}
        made += [root / name for name in sorted(outs)]
    for setting in _INPUTS:
        values = attrgetter(setting)(params)
        for value in [values] if isinstance(values, str) else values or []:
            if not os.path.lexists(root / value):
                continue  # a model of the hub, or missed by its stage
            if clash := next((out for out in made if overlap(root / value, out)), None):
                raise ConfigError(
                    f"{setting} cannot be used: a stage would write over its own input",
                    found=f"{value}, which overlaps with the output {clash}",
                    expected="a place apart from what the stages make",
                    fix=f"set {setting} to another place",
                )


def check_outs(stage: str, root: Path = Path()) -> None:
    """Raise StageError if an output of a stage is a link that leads elsewhere than DVC's cache."""
    if not (root / PIPELINE).exists():
        return
    for name in stage_outs(read_stages(root / PIPELINE).get(stage, {})):
        out = root / name
        if out.is_symlink() and "files/md5/" not in out.readlink().as_posix():
            raise StageError(
                f"{out} is a link, and not written",
                found=f"it leads to {out.readlink()}",
                expected="a file or folder, or nothing",
                fix="remove the link; to keep outputs elsewhere, see `dvc cache dir`",
            )


class RegisteredHook(NamedTuple):
    """What of an entry of hooks.yaml decides where it can be used; its stage reads the rest."""

    name: str
    site: str
    folder: str | None
    """Of its weights; None where they are on the hub."""


def registered_hooks(registry: Path) -> list[RegisteredHook]:
    """The entries of hooks.yaml, [] without the file; raises ConfigError where they are none."""
    if not registry.exists():
        return []
    values = read_yaml(registry)
    try:
        return [
            RegisteredHook(
                hook["name"],
                hook["site"],
                hook["checkpoint"]["path"] if hook["checkpoint"]["source"] == "folder" else None,
            )
            for hook in values["hooks"]
        ]
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"{registry} cannot be used",
            found=f"{type(error).__name__}: {error}",
            expected="hooks: a list of entries, each with name, site and checkpoint",
            fix="see schemas/hooks.schema.json and docs/sae.md, or restore it from git",
        ) from error


def _checkpoints(hooks: Sequence[str], registry: Path) -> list[str]:
    """Folders of entries ``NAME`` or ``NAME@SITE``."""
    if not hooks:
        return []
    names = {hook.partition("@")[0] for hook in hooks}
    known = registered_hooks(registry)
    return [hook.folder for hook in known if hook.name in names and hook.folder is not None]
