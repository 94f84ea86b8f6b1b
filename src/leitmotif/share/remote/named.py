"""Which objects of a remote the ``dvc.lock`` of some revisions names, and what they are for."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from leitmotif.errors import LeitmotifError
from leitmotif.files import parse_json
from leitmotif.share.outs import revision_outs
from leitmotif.share.revisions import Revision, git_output, revision

MANIFEST = "data/manifest.jsonl"


@dataclass(frozen=True, order=True)
class Use:
    """A file, or the listing of a folder, that an object is the content of."""

    stage: str
    path: str
    """Path from the root; that of the folder for its listing."""
    folder: bool = False
    """Whether the object is the listing of a folder."""
    track: str | None = None
    """The track that the path tells; None if it tells none."""

    def __str__(self) -> str:
        """Show as ``data/features/track_1.safetensors (features)``."""
        listing = "the list of files of " if self.folder else ""
        return f"{listing}{self.path} ({self.stage})"


@dataclass
class Named:
    """Objects by their MD5, with ``.dir`` for the listing of a folder."""

    uses: dict[str, list[Use]] = field(default_factory=dict)
    """What each object is for."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of those of which dvc.lock says so: files that are outputs themselves."""
    children: dict[str, set[str]] = field(default_factory=dict)
    """The objects in each folder whose listing is known."""
    unlisted: dict[str, Use] = field(default_factory=dict)
    """Folders whose listing nobody has: what lies in them is not known."""


def named_objects(revisions: Iterable[Revision], listing: Callable[[str], bytes | None]) -> Named:
    """The objects that ``dvc push`` keeps for these revisions.

    ``listing`` gives the content of a folder's listing, whose MD5 has been checked, or None.
    Raises ConfigError if a dvc.yaml or dvc.lock does not have the form that DVC gives it.
    """
    named = Named()
    for state in revisions:
        tracks = _Tracks(state)
        for out in revision_outs(state):
            if not out.cached or out.md5 is None:
                continue
            use = Use(out.stage, out.path, out.is_folder, tracks.of(out.path))
            _add(named.uses, out.md5, use)
            if not out.is_folder:
                if out.size is not None:
                    named.sizes[out.md5] = out.size
                continue
            if out.md5 not in named.children:
                entries = entries_of(listing(out.md5))
                if entries is None:
                    named.unlisted[out.md5] = use
                    continue
                named.children[out.md5] = set(entries.values())
                for inner, md5 in entries.items():
                    path = f"{out.path}/{inner}"
                    _add(named.uses, md5, Use(out.stage, path, False, tracks.of(path)))
    return named


def revisions_with_lock(state: Revision) -> list[Revision]:
    """``state``, and every commit of any branch or tag that changed dvc.lock."""
    commits = git_output(state.root, "log", "--all", "--format=%H", "--", "dvc.lock").split()
    return [state, *(revision(commit, state.root) for commit in commits)]


def is_listing(content: bytes, oid: str) -> bool:
    """Whether ``content`` is the listing of a folder that the name ``oid`` promises."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == oid.removesuffix(".dir")


def _add(uses: dict[str, list[Use]], oid: str, use: Use) -> None:
    known = uses.setdefault(oid, [])
    if use not in known:
        known.append(use)


def entries_of(content: bytes | None) -> Mapping[str, str] | None:
    """MD5 of each file of a folder by its path within, from the folder's listing; None if torn."""
    if content is None:
        return None
    try:
        values = parse_json(content.decode())
        return {str(entry["relpath"]): str(entry["md5"]) for entry in values}
    except (ValueError, KeyError, TypeError):
        return None


class _Tracks:
    """Finds a track of the revision's manifest in a path."""

    def __init__(self, state: Revision) -> None:
        rows = list(_rows(state.read(MANIFEST) or b""))
        self._by_path = {f"data/corpus/{row.get('path')}": row["track_id"] for row in rows}
        self._ids = {row["track_id"] for row in rows}

    def of(self, path: str) -> str | None:
        if path in self._by_path:
            return str(self._by_path[path])
        for part in reversed(PurePosixPath(path).parts):
            for name in (part, part.partition(".")[0], part.rpartition(".")[0]):
                if name in self._ids:
                    return name
        return None


def _rows(content: bytes) -> Iterator[dict[str, Any]]:
    """Rows of a manifest of any revision; those that are none name no track."""
    for line in content.decode(errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("track_id"), str):
            yield row


def listing_from(
    read_remote: Callable[[str], bytes | None], read_cache: Callable[[str], bytes | None]
) -> Callable[[str], bytes | None]:
    """Take a folder's listing from the remote or, if it is not right there, from the cache."""

    def listing(oid: str) -> bytes | None:
        for read in (read_remote, read_cache):
            content = read(oid)
            if content is not None and is_listing(content, oid):
                return content
        return None

    return listing


def check_named(named: Named, state: Revision) -> None:
    """Raise LeitmotifError if there is nothing to look for."""
    if not named.uses:
        raise LeitmotifError(
            f"{state.name} names no object",
            found="no output in dvc.lock that DVC keeps",
            expected="the dvc.lock that `dvc repro` writes",
            fix="run this in the repository's root, after `dvc repro`",
        )
