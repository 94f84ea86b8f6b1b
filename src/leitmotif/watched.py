"""Folders that settings name in lists, and whether DVC watches them.

DVC puts a single setting into a stage's deps (``${model.watch}``), but no list. So the models of
``probes.comparisons`` and the autoencoders of ``sae.hooks`` stand in dvc.yaml by their paths, where
``leitmotif deps`` writes them. While one that the settings name is missing there, no stage runs.
"""

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path

from leitmotif.config import Params
from leitmotif.errors import ConfigError
from leitmotif.yaml_files import read_yaml

PIPELINE = Path("dvc.yaml")
HOOKS = Path("hooks.yaml")
COMPARISONS, AUTOENCODERS = "probes.comparisons", "sae.hooks"


def listed_folders(params: Params, root: Path = Path()) -> dict[str, list[str]]:
    """Folders by the setting that lists them, such as ``probes.comparisons``.

    What is no folder below ``root``, the repository's, is a model of the hub, which DVC cannot
    watch.
    """
    # By name: every stage imports this, and what reads ``.comparisons`` depends on these folders.
    lists = {setting: attrgetter(setting)(params) for setting in (COMPARISONS, AUTOENCODERS)}
    named = {**lists, AUTOENCODERS: _checkpoints(lists[AUTOENCODERS], root / HOOKS)}
    return {
        setting: sorted(name for name in set(names) if (root / name).exists())
        for setting, names in named.items()
    }


def check_watched(params: Params, root: Path = Path()) -> None:
    """Raise ConfigError if the settings list a folder on which no stage of dvc.yaml depends.

    After a change there, old results would be taken for fresh ones. Without a dvc.yaml nothing is
    watched, and nothing is checked.
    """
    if not (root / PIPELINE).exists():
        return
    stages = read_yaml(root / PIPELINE)["stages"]
    watched = {dep for stage in stages.values() for dep in stage.get("deps", [])}
    for setting, folders in listed_folders(params, root).items():
        if missing := [folder for folder in folders if folder not in watched]:
            raise ConfigError(
                f"{PIPELINE} does not watch what {setting} lists",
                found=", ".join(missing),
                expected="among the deps of a stage, so that a change there makes it stale",
                fix="run `leitmotif deps`, then `dvc repro`",
            )


def _checkpoints(hooks: Sequence[str], registry: Path) -> list[str]:
    """Folders of entries ``NAME`` or ``NAME@SITE``; the rest of the registry is checked later."""
    if not hooks or not registry.exists():
        return []
    names = {hook.partition("@")[0] for hook in hooks}
    entries = read_yaml(registry)["hooks"]
    checkpoints = [entry["checkpoint"] for entry in entries if entry["name"] in names]
    return [one["path"] for one in checkpoints if one["source"] == "folder"]
