"""Whether the inputs of a stage stay as they are while it works.

DVC notes the hashes of a stage's inputs when the stage has ended. If someone edits params.yaml
meanwhile, results of the old settings would be noted under the new ones, and taken for theirs ever
after.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leitmotif.errors import StageError
from leitmotif.files import sha256_file
from leitmotif.files.yaml_files import read_stages, read_yaml

_PIPELINE = Path("dvc.yaml")
_PARAMS = "params.yaml"
_SMALL = 1_000_000
"""Bytes of a file whose content counts; a larger one is known by its size and its time."""


@contextmanager
def steady_inputs(stage: str, root: Path = Path()) -> Iterator[None]:
    """Compare a stage's settings and inputs by dvc.yaml before and after the body.

    Raises StageError if one of them has changed, so that DVC does not note the outputs. Content
    decides for files of up to 1 MB; time and size for larger ones, and for what is in folders.
    Without a dvc.yaml in ``root`` nothing is compared.
    """
    before = _inputs(stage, root)
    yield
    after = _inputs(stage, root)
    if changed := sorted(name for name in before if after.get(name) != before[name]):
        raise StageError(
            f"inputs of {stage} were changed while it ran, so its outputs do not count",
            found=", ".join(changed),
            expected="the same settings, sources and data from its start to its end",
            fix="run `dvc repro` again, and change nothing that a running stage depends on",
        )


def _inputs(stage: str, root: Path) -> dict[str, Any]:
    """The state of each setting and each input, by its name."""
    if not (root / _PIPELINE).exists():
        return {}
    declared = read_stages(root / _PIPELINE).get(stage, {})
    settings = read_yaml(root / _PARAMS) if (root / _PARAMS).exists() else {}
    states = {
        f"{_PARAMS}: {section}": _setting(settings, section)
        for section in declared.get("params", [])
        if isinstance(section, str)
    }
    for dep in declared.get("deps", []):
        path = _path(str(dep), settings)
        states[path] = _state(root / path)
    return states


def _path(dep: str, settings: Any) -> str:
    """The path of a dep such as ``data/corpus`` or ``${model.watch}``."""
    if dep.startswith("${") and dep.endswith("}"):
        return str(_setting(settings, dep[2:-1]))
    return dep.replace("\\${", "${")


def _setting(settings: Any, key: str) -> Any:
    for part in key.split("."):
        settings = settings.get(part) if isinstance(settings, Mapping) else None
    return settings


def _state(path: Path) -> Any:
    if path.is_dir():
        files = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        return frozenset((file.as_posix(), *_size_and_time(file)) for file in files)
    size, when = _size_and_time(path)
    return sha256_file(path) if size is not None and size <= _SMALL else (size, when)


def _size_and_time(path: Path) -> tuple[int | None, int | None]:
    try:
        status = path.stat()
    except OSError:
        return None, None
    return status.st_size, status.st_mtime_ns
