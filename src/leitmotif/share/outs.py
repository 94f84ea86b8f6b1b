"""What the stages of a revision make, by dvc.yaml and dvc.lock."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from leitmotif.errors import ConfigError
from leitmotif.files.yaml_files import parse_stages, parse_yaml
from leitmotif.share.revisions import Revision

Kind = Literal["out", "metric", "plot"]
SCHEMA = "2.0"
"""Version of dvc.lock."""
_SECTIONS: Mapping[str, Kind] = {"outs": "out", "metrics": "metric", "plots": "plot"}


@dataclass(frozen=True)
class Out:
    """One output of one stage."""

    stage: str
    path: str
    kind: Kind
    cached: bool
    """Whether DVC keeps it; otherwise git does."""
    md5: str | None = None
    """As in dvc.lock, with ``.dir`` for a folder; None if the stage is not in dvc.lock."""
    size: int | None = None
    """Bytes."""
    files: int | None = None
    """How many files a folder holds; None for a file."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, by dvc.lock."""
        return self.md5 is not None and self.md5.endswith(".dir")


def revision_outs(revision: Revision) -> list[Out]:
    """Every output in the order of dvc.yaml; empty for a revision without a dvc.yaml.

    Raises ConfigError if one of the two files does not have the form that DVC gives it.
    """
    stages, locked = _stages(revision, "dvc.yaml"), _stages(revision, "dvc.lock")
    _check_schema(revision)
    try:
        return [out for name in stages for out in _outs(name, stages[name], locked.get(name, {}))]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"dvc.yaml or dvc.lock of {revision.name} does not have the form that DVC gives it",
            found=f"{type(error).__name__}: {error}",
            fix="restore them from git",
        ) from error


def folder_hash(files: Mapping[str, str]) -> str:
    """DVC's hash of a folder, from the MD5 of each file by its path within.

    It is the MD5 of their list as JSON, with ``.dir``.
    """
    entries = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    content = json.dumps(entries, sort_keys=True).encode()
    return f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}.dir"


def _outs(name: str, stage: Mapping[str, Any], locked: Mapping[str, Any]) -> Iterator[Out]:
    known = {out["path"]: out for out in locked.get("outs", [])}
    for section, kind in _SECTIONS.items():
        for entry in stage.get(section, []):
            ((path, options),) = (entry if isinstance(entry, dict) else {entry: None}).items()
            locked_out = known.get(path)
            if locked_out is not None and not isinstance(locked_out["md5"], str):
                raise ValueError(f"the md5 of {path} is {locked_out['md5']!r}")
            locked_out = locked_out or {}
            cached = (options or {}).get("cache", True)
            if not isinstance(cached, bool):
                raise ValueError(f"cache of {path} is {cached!r}")
            yield Out(
                name,
                path,
                kind,
                cached=cached,
                md5=locked_out.get("md5"),
                size=locked_out.get("size"),
                files=locked_out.get("nfiles"),
            )


def _check_schema(revision: Revision) -> None:
    """Raise ConfigError for a dvc.lock of another version, whose stages may say something else."""
    if (content := revision.read("dvc.lock")) is None:
        return
    schema = parse_yaml(content.decode(errors="replace")).get("schema", SCHEMA)
    if str(schema) != SCHEMA:
        raise ConfigError(
            f"dvc.lock of {revision.name} is of another version",
            found=f"schema {schema}",
            expected=f"schema {SCHEMA}, which DVC 3 writes",
            fix="restore it from git, or install the DVC of constraints.txt",
        )


def _stages(revision: Revision, path: str) -> dict[str, Any]:
    content = revision.read(path)
    if content is None:
        return {}
    return parse_stages(content.decode(errors="replace"), f"{path} of {revision.name}")
