"""What an audit has checked so far, so that the next run goes on where this one was stopped."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

FOLDER = Path(".leitmotif/remote")


@dataclass(frozen=True)
class StoredObject:
    """What a remote's list says of an object, without reading it."""

    size: int
    etag: str = ""
    modified: str = ""

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> "StoredObject":
        """From an entry of an ``fsspec`` file system."""
        modified = info.get("LastModified", info.get("mtime", ""))
        return cls(int(info["size"]), str(info.get("ETag", "")).strip('"'), str(modified))


class Journal:
    """Objects that were found right; those that have changed on the remote since do not count.

    An audit that ends removes its journal: bytes can go bad without a new date, so the next one
    reads everything again.
    """

    def __init__(self, root: Path, place: str) -> None:
        name = hashlib.sha256(place.encode()).hexdigest()[:16]
        self.path = root / FOLDER / f"{name}.jsonl"
        self._known = self._read()
        self._file: BinaryIO | None = None

    def knows(self, oid: str, stored: StoredObject) -> bool:
        """Whether the object was found right, and is still the same by its size, tag and date."""
        return self._known.get(oid) == stored

    def add(self, oid: str, stored: StoredObject) -> None:
        """Keep that an object was found right."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab")
        line = json.dumps([oid, stored.size, stored.etag, stored.modified])
        self._file.write(line.encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """End writing; what was written stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Forget everything: the audit has ended."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, StoredObject]:
        known = {}
        if self.path.exists():
            for line in self.path.read_bytes().decode(errors="replace").splitlines():
                try:
                    oid, size, etag, modified = json.loads(line)
                except ValueError:  # half a line: the last run was killed
                    continue
                known[str(oid)] = StoredObject(size, etag, modified)
        return known
