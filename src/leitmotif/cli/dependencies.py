"""What the stages of dvc.yaml depend on, as far as it can be derived: ``leitmotif deps``.

Of a stage's deps, those above the line MARK are written by hand: what other stages make, tables of
the repository, and single settings (``${model.watch}``). Those below it are derived: paths that
settings list or may leave out, and the sources that the stage's module imports, file by file, or by
folder where all modules in it are imported.
"""

from collections.abc import Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError

from leitmotif.config import PARAMS_FILE, Params, load_params
from leitmotif.errors import ConfigError
from leitmotif.files import difference, read_text, write_text
from leitmotif.files.imports import attributes_read, decides, import_closure
from leitmotif.files.targets import check_editable
from leitmotif.files.yaml_files import EditableYaml
from leitmotif.pipeline.watched import PIPELINE, listed_paths

PACKAGE = Path("src/leitmotif")
MARK = "# derived, written by `leitmotif deps`:"
_ITEM = " " * 6


def write_dependencies(root: Path = Path()) -> str:
    """Write the derived deps of every stage into dvc.yaml; returns the change as a unified diff.

    ``root`` is the repository's; without a dvc.yaml there nothing is done. Raises ConfigError if
    params.yaml or dvc.yaml cannot be used.
    """
    path = root / PIPELINE
    if not path.exists():
        return ""
    check_editable(path)
    old = read_text(path, fix="restore it from git", error=ConfigError)
    new = with_dependencies(old, load_params(root / PARAMS_FILE), root)
    if new != old:
        write_text(path, new)
    return difference(str(PIPELINE), old, new)


def with_dependencies(pipeline: str, params: Params, root: Path = Path()) -> str:
    """The text of dvc.yaml with the derived deps of every stage; all else stays as it is.

    Raises ConfigError for a stage without deps, lists of another form, and sources that cannot be
    read.
    """
    lines = (pipeline.removesuffix("\n") + "\n").splitlines(keepends=True)
    stages = _stages(pipeline)
    for name, stage in reversed(list(stages.items())):
        has_both = isinstance(stage, dict) and {"deps", "params"} <= stage.keys()
        if not has_both:
            raise ConfigError(f"{PIPELINE}: the stage {name} has no deps", expected="a list")
        start = end = stage.lc.key("deps")[0] + 1
        while end < len(lines) and lines[end].startswith(_ITEM):
            end += 1
        if not _is_list(stage["deps"], start, end) or not isinstance(stage["params"], list):
            raise ConfigError(
                f"{PIPELINE}: deps and params of the stage {name} are no lists as git has them",
                expected=f"a line for each, with {len(_ITEM)} spaces before its -",
                fix=f"write them so, or git checkout {PIPELINE}",
            )
        derived = derived_dependencies(name, stage["params"], params, root)
        lines[start:end] = [
            *_by_hand(lines[start:end], derived),
            f"{_ITEM}{MARK}\n",
            *(f"{_ITEM}{_item(path)}\n" for path in derived),
        ]
    return "".join(lines)


def derived_dependencies(
    stage: str, sections: Sequence[str], params: Params, root: Path = Path()
) -> list[str]:
    """Paths relative to ``root`` that a stage depends on by its module and by settings.

    A setting counts for a stage with its section among the params, ``sections``, if a module of the
    stage's closure reads an attribute of that name. Raises ConfigError for sources that cannot be
    read.
    """
    package = root / PACKAGE
    try:
        needed = import_closure(f"leitmotif.stages.{stage}", package=package)
        read = attributes_read(needed, package)
        sources = {path.relative_to(root).as_posix() for path in _folders(set(needed), package)}
    except (ImportError, OSError, SyntaxError, ValueError) as error:
        raise ConfigError(
            f"what the stage {stage} of {PIPELINE} imports cannot be told",
            found=_broken(package) or f"no {package}/stages/{stage}.py",
            expected="the sources of all stages, in the repository's root",
            fix=f"mend the file, or git checkout {PACKAGE}",
        ) from error
    listed = {
        path
        for setting, paths in listed_paths(params, root).items()
        if setting.partition(".")[0] in sections and setting.partition(".")[2] in read
        for path in paths
    }
    return [*sorted(listed), *sorted(sources)]


def _broken(package: Path) -> str | None:
    """A source that cannot be read, and why; None: there is none."""
    for path in sorted(package.rglob("*.py")):
        try:
            attributes_read([path], package)
        except (ImportError, OSError, SyntaxError, ValueError) as error:
            return f"{path}: {error}"
    return None


def _is_list(deps: object, start: int, end: int) -> bool:
    """Whether the entries of a list of YAML begin in these lines, as this command writes them."""
    if deps is None:
        return True
    if not isinstance(deps, CommentedSeq):
        return False
    column = len(f"{_ITEM}- ")
    places = (deps.lc.item(number) for number in range(len(deps)))
    return all(start <= line < end and at == column for line, at in places)


def _folders(needed: set[Path], package: Path) -> set[Path]:
    """``needed``, with folders in the place of their files where all modules in them are needed.

    An ``__init__`` that decides nothing stands in no closure, and breaks no folder.
    """
    unneeded = (path for path in package.rglob("*.py") if path not in needed)
    broken = {folder for path in unneeded if decides(path) for folder in path.parents}
    chosen = set()
    for path in needed:
        above = [folder for folder in path.parents if folder.is_relative_to(package)]
        whole = [folder for folder in above if folder not in broken]
        chosen.add(whole[-1] if whole else path)
    return chosen


def _by_hand(deps: Sequence[str], derived: Sequence[str]) -> list[str]:
    """The lines above MARK; sources and what is derived do not belong there and are left out."""
    above = takewhile(lambda line: line.strip() != MARK, deps)
    items = {_item(path) for path in derived}
    sources = f"- {PACKAGE.as_posix()}/"
    return [
        line for line in above if not line.strip().startswith(sources) and line.strip() not in items
    ]


@cache  # most stages share most of their sources
def _item(path: str) -> str:
    """A path as an entry of a list in dvc.yaml, which gives it back as it is."""
    yaml = EditableYaml("[]")
    yaml.values = [path.replace("${", "\\${")]  # or DVC would look for a setting of this name
    return str(yaml).rstrip("\n")


def _stages(pipeline: str) -> Any:
    """The stages of a dvc.yaml, which know the line of every key; raises ConfigError."""
    try:
        values = EditableYaml(pipeline).values
    except YAMLError as error:
        raise ConfigError(
            f"{PIPELINE} is not YAML", found=error, fix="mend the line named"
        ) from error
    stages: Any = values.get("stages") if isinstance(values, dict) else None
    if not isinstance(stages, dict):
        raise ConfigError(f"{PIPELINE} has no stages", fix="restore it from git")
    return stages
