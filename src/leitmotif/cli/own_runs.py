"""Keep the results of one's own run apart from those that git holds of another preset."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.errors import ConfigError, counted
from leitmotif.files.yaml_files import read_stages
from leitmotif.pipeline.watched import PIPELINE

_SHOWN = 3


@dataclass(frozen=True)
class CommittedResults:
    """Results that git keeps at this moment."""

    branch: str
    files: tuple[str, ...]
    """Metrics, plots and small tables that are committed: ``dvc repro`` writes over them."""
    unsaved: tuple[str, ...]
    """Files of these whose present content is in no commit."""


def kept_results(root: Path = Path()) -> CommittedResults | None:
    """What git keeps of the outputs of the stages; None outside a repository of git."""
    if not (root / PIPELINE).exists():
        return None
    outs = _small_outs(root)
    listed = _git(root, "ls-files", "-z", "--", *outs)
    if listed is None or not listed:
        return None
    changed = _git(root, "status", "--porcelain", "-z", "--no-renames", "--", *outs) or ""
    branch = _git(root, "branch", "--show-current") or ""
    return CommittedResults(
        branch=branch.strip() or "a detached HEAD",
        files=tuple(listed.strip("\0").split("\0")),
        unsaved=tuple(line[3:] for line in changed.strip("\0").split("\0") if line),
    )


def refuse_unsaved(kept: CommittedResults, preset: str) -> None:
    """Raise ConfigError if results of ``preset`` would be lost at the next ``dvc repro``."""
    if not kept.unsaved:
        return
    names = ", ".join(kept.unsaved[:_SHOWN])
    more = f" and {len(kept.unsaved) - _SHOWN} more" if len(kept.unsaved) > _SHOWN else ""
    raise ConfigError(
        f"results of the preset {preset} are in no commit, and other settings would replace them",
        found=f"{names}{more}",
        fix="commit them (git add metrics plots data dvc.lock params.yaml dvc.yaml; git commit), "
        "or pass --force to let the next `dvc repro` write over them",
    )


def note(kept: CommittedResults, preset: str, command: str) -> str:
    """What to say where the results of another preset are on the branch."""
    return (
        f"the branch {kept.branch} has the results of the preset {preset}: the next `dvc repro` "
        f"writes over {counted(len(kept.files), 'file')} of metrics, plots and tables, which git "
        f"then shows as changed. To keep yours apart: {command} --branch NAME"
    )


def start_branch(name: str, root: Path = Path()) -> None:
    """Create a branch of git and switch to it; changes that are in no commit go along.

    Raises ConfigError if there is one of that name, for a name that cannot be one, and outside git.
    """
    done = _run(root, "switch", "-c", name)
    if done is None or done.returncode != 0:
        found = "git is not installed" if done is None else " ".join(done.stderr.split())
        raise ConfigError(
            f"the branch {name!r} was not made, and nothing was changed",
            found=found,
            fix="name a new branch, or `git switch` to the one that is there, without --branch",
        )


def _small_outs(root: Path) -> list[str]:
    """Outputs that dvc.yaml leaves to git."""
    outs = []
    for stage in read_stages(root / PIPELINE).values():
        entries = [
            entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind) or []
        ]
        for entry in entries:
            if isinstance(entry, dict):
                ((path, options),) = entry.items()
                if isinstance(options, dict) and options.get("cache") is False:
                    outs.append(path)
    return outs


def _git(root: Path, *arguments: str) -> str | None:
    done = _run(root, *arguments)
    return None if done is None or done.returncode != 0 else done.stdout


def _run(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str] | None":
    command: Sequence[str] = ["git", *arguments]
    try:
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
