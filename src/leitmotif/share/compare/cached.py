"""Outputs that DVC keeps, and the weights and recordings that stages read, by their hashes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from leitmotif.errors import ConfigError, counted
from leitmotif.files.yaml_files import parse_stages
from leitmotif.share.compare.document import Cell, Data, Row, Section, TableBlock
from leitmotif.share.compare.inventory import Inventory
from leitmotif.share.compare.leaves import ABSENT
from leitmotif.share.compare.reading import Two, parse_rows, parsed
from leitmotif.share.compare.values import NOTHING
from leitmotif.share.outs import Out
from leitmotif.share.revisions import Revision

_CORPUS = "data/corpus"
_NOT_IDENTITY = ("src/", "scripts/", "data/", "metrics/", "plots/")
_TITLE = "Outputs in DVC's cache"
_NOUN = ("outputs",)
_MD5 = re.compile("[0-9a-f]{32}")
_HASH = 10
"""Digits of a hash that are shown."""


def cached_outputs(listed: Inventory) -> Section:
    """Outputs in DVC's cache that changed, with their sizes, and those that cannot be compared."""
    rows, unknown = [], []
    for path in listed.cached:
        old, new = listed.old_outs.get(path), listed.new_outs.get(path)
        if (old is not None and old.md5 is None) or (new is not None and new.md5 is None):
            unknown.append(Row(((Data(path),), (_unknown(old, new),)), 1))
        elif old is None or new is None or old.md5 != new.md5:
            rows.append(Row(((Data(path),), (_where(old, new),), (_step(old, new),)), 1))
    if listed.cached and not rows and not unknown:
        same = (f"All {len(listed.cached):,} outputs in DVC's cache are the same.",)
        return Section(_TITLE, [same])
    changed: Cell = (f"{counted(len(rows), 'output')} in DVC's cache changed",)
    tables = [TableBlock(_NOUN, ("output", "", "content"), rows, changed, folded=True, most=40)]
    not_known: Cell = (f"{counted(len(unknown), 'output')} in DVC's cache cannot be compared",)
    tables.append(TableBlock(_NOUN, ("output", "why"), unknown, not_known, folded=True, most=40))
    return Section(_TITLE, (), [table for table in tables if table.rows])


def cached_tables(listed: Inventory, root: Path) -> list[Two]:
    """Tables that DVC keeps, changed, and of which both versions are in the local cache.

    ``root`` is that of the repository; its cache is the usual one, in ``.dvc``.
    """
    tables = []
    for path in listed.cached:
        outs = [side.get(path) for side in (listed.old_outs, listed.new_outs)]
        contents = [_in_cache(out, root) for out in outs]
        old, new = (parsed(content, parse_rows) for content in contents)
        if path.endswith(".jsonl") and ABSENT not in (old, new) and contents[0] != contents[1]:
            tables.append(Two(path, old, new, same_bytes=False))
    return tables


def _in_cache(out: Out | None, root: Path) -> bytes | None:
    """The content of a file by its hash; None if it is a folder or not in the local cache."""
    if out is None or out.md5 is None or out.is_folder or not _MD5.fullmatch(out.md5):
        return None
    file = root / ".dvc" / "cache" / "files" / "md5" / out.md5[:2] / out.md5[2:]
    return file.read_bytes() if file.is_file() else None


def inputs_table(old: Revision, new: Revision) -> TableBlock | None:
    """Weights and recordings whose content changed, by dvc.lock; None if none did."""
    before, after = _inputs(old), _inputs(new)
    if not before or not after:
        return None
    rows = []
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path):
            # The corpus is an output too, and counted there.
            hashes = [side.get(path, NOTHING)[:_HASH] for side in (before, after)]
            parts: list[Cell] = [(Data(part),) for part in (path, *hashes)]
            rows.append(Row(parts, int(path != _CORPUS)))
    caption: Cell = ("Weights and recordings",)
    return (
        TableBlock(("inputs",), ("input", "old", "new"), rows, caption, most=30) if rows else None
    )


def _inputs(side: Revision) -> Mapping[str, str]:
    """Hashes of what stages read and did not make, and of the recordings."""
    content = side.read("dvc.lock")
    if content is None:
        return {}
    try:
        stages = parse_stages(content.decode(errors="replace"), "dvc.lock")
    except ConfigError:
        return {}  # the inventory says so
    return {
        path: md5
        for stage in stages.values()
        for path, md5 in _deps(stage)
        if path == _CORPUS or ("/" in path and not path.startswith(_NOT_IDENTITY))
    }


def _deps(stage: Any) -> Iterator[tuple[str, str]]:
    deps: Sequence[Any] = stage.get("deps", []) if isinstance(stage, Mapping) else []
    for dep in deps if isinstance(deps, list) else []:
        if isinstance(dep, Mapping) and isinstance(dep.get("path"), str):
            yield dep["path"], str(dep.get("md5", NOTHING))


def _where(old: Out | None, new: Out | None) -> str:
    if old is None:
        return "new"
    if new is None:
        return "gone"
    moved = {(True, False): ", now in git", (False, True): ", before in git"}
    return "changed" + moved.get((old.cached, new.cached), "")


def _step(old: Out | None, new: Out | None) -> str:
    return " → ".join(_size(out) for out in (old, new) if out is not None)


def _size(out: Out) -> str:
    size = "unknown size" if out.size is None else counted(out.size, "byte")
    return size if out.files is None else f"{size} in {counted(out.files, 'file')}"


def _unknown(old: Out | None, new: Out | None) -> str:
    missing = [
        word for word, out in (("old", old), ("new", new)) if out is not None and out.md5 is None
    ]
    return f"no hash in the {' and the '.join(missing)} dvc.lock"
