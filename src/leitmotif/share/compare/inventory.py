"""Which files of two revisions are compared: settings, metrics, tables, plots and the rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from leitmotif.errors import ConfigError
from leitmotif.share.outs import Out, revision_outs
from leitmotif.share.revisions import Revision

_PIPELINE = ("dvc.yaml", "dvc.lock")


@dataclass(frozen=True)
class Inventory:
    """Paths by kind, sorted, each in one kind only; a path may be of one revision alone."""

    settings: Sequence[str]
    """YAML files in the root, without those of DVC."""
    metrics: Sequence[str]
    tables: Sequence[str]
    plots: Sequence[str]
    others: Sequence[str]
    """Outputs in git of other forms."""
    cached: Sequence[str]
    """Outputs that DVC keeps in at least one revision."""
    old_outs: Mapping[str, Out]
    new_outs: Mapping[str, Out]
    problems: Sequence[str]
    """Why outputs of a revision are not known, if they are not."""


def inventory(old: Revision, new: Revision) -> Inventory:
    """Find what is to be compared.

    Metrics, tables and plots are those of dvc.yaml, and the files in metrics/, data/ and plots/
    that git keeps. So they are found without a dvc.yaml, and where no stage makes them.
    """
    problems: list[str] = []
    outs = [_outs(side, problems) for side in (old, new)]
    every = {path: out for side in outs for path, out in side.items()}
    cached = {path for side in outs for path, out in side.items() if out.cached}
    kept = [path for path, out in every.items() if path not in cached and not out.is_folder]

    def found(folder: str, ending: str, kind: str | None) -> list[str]:
        known = [
            path for path in kept if path.endswith(ending) and kind in (None, every[path].kind)
        ]
        return sorted({*known, *_in_git((old, new), folder, ending)} - cached)

    metrics = found("metrics", ".json", "metric")
    tables = found("data", ".jsonl", None)
    plots = found("plots", ".csv", "plot")
    settings = sorted(
        path
        for path in {*_in_git((old, new), ".", ".yaml"), *_in_git((old, new), ".", ".yml")}
        if "/" not in path and path not in _PIPELINE and not path.startswith(".")
    )
    others = sorted({*kept} - {*metrics, *tables, *plots, *settings})
    return Inventory(
        settings, metrics, tables, plots, others, sorted(cached), outs[0], outs[1], problems
    )


def name_of(path: str) -> str:
    """A metrics file, table or plot without its usual folder and ending, such as ``probes``."""
    known = PurePosixPath(path).with_suffix("")
    usual = known.parts[0] in ("metrics", "data", "plots") and len(known.parts) > 1
    return "/".join(known.parts[1:] if usual else known.parts)


def _in_git(sides: Iterable[Revision], folder: str, ending: str) -> set[str]:
    return {path for side in sides for path in side.paths(folder) if path.endswith(ending)}


def _outs(side: Revision, problems: list[str]) -> dict[str, Out]:
    try:
        return {out.path: out for out in revision_outs(side)}
    except ConfigError as error:
        problems.append(str(error))
        return {}
