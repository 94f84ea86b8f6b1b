"""A revision whose files are in memory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leitmotif.share.revisions import Revision


@dataclass(frozen=True)
class Memory(Revision):
    """A revision with these files."""

    files: Mapping[str, bytes] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        """The content of a file."""
        return self.files.get(path)

    def paths(self, folder: str) -> list[str]:
        """The files below a folder."""
        start = "" if folder == "." else f"{folder}/"
        return sorted(path for path in self.files if path.startswith(start))


def memory(name: str, files: Mapping[str, Any]) -> Memory:
    """A revision of files that are given as bytes, as text, as rows, or as a value of JSON."""
    return Memory(Path(), None, name, {path: content(path, it) for path, it in files.items()})


def content(path: str, value: Any) -> bytes:
    """A file's bytes."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and not path.endswith((".json", ".jsonl")):
        return value.encode()
    if path.endswith(".jsonl"):
        return "".join(json.dumps(row) + "\n" for row in value).encode()
    return json.dumps(value).encode()
