"""Writes a comparison: its Markdown, and the pictures that it shows."""

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from leitmotif.errors import LeitmotifError
from leitmotif.files import write_text
from leitmotif.files.targets import check_apart, check_file, made_folder
from leitmotif.share.compare.compared import Options, compare
from leitmotif.share.compare.document import Document
from leitmotif.share.compare.listening import REPORT
from leitmotif.share.compare.markdown import MARKER, to_markdown
from leitmotif.share.compare.pictures import Pictures
from leitmotif.share.revisions import Revision, revision, working_tree

_HASH = 10
"""Digits of the hash of a commit that are shown."""


@dataclass(frozen=True)
class Targets:
    """Where a comparison goes, and where its links lead."""

    md: Path | None = None
    """File for the Markdown."""
    assets: Path | None = None
    """Folder for the pictures; None for no pictures."""
    assets_url: str | None = None
    """URL of that folder; None for a path relative to ``md``."""
    report_url: str | None = None
    """URL of the listening report; None for a path relative to ``md``."""
    comment: bool = False
    """Whether ``md`` is for a comment, in which relative links lead nowhere."""
    check: Path | None = None
    """What ``leitmotif check --json`` wrote of the new revision; read, not written."""


def compared_to(
    base: str, head: str | None, targets: Targets, *, root: Path = Path(), over: bool = False
) -> Document:
    """Compare two revisions of the repository in ``root`` and write what ``targets`` names.

    Parameters
    ----------
    base, head: names of commits; None for the working tree.
    targets: where to.
    root: of the repository.
    over: whether results of an earlier call are written over.

    Raises LeitmotifError if a revision is not there or a comment has pictures without a URL, and
    TargetError if a target may not be written.
    """
    old = _named(base, root)
    new = working_tree(root) if head is None else _named(head, root)
    if targets.comment and targets.assets is not None and targets.assets_url is None:
        raise LeitmotifError(
            "a comment finds no pictures by a path",
            expected="--assets-url with --comment and --assets",
            fix="name the URL under which the folder will be found, or leave out --assets",
        )
    read = [] if targets.check is None else [targets.check]
    check_apart(targets.md, targets.assets)

    def check_md() -> None:
        if targets.md is not None:
            check_file(targets.md, inputs=read, made=is_comparison, replace=over)

    check_md()
    beside = root if targets.md is None else targets.md.parent
    with ExitStack() as stack:
        pictures = None
        if targets.assets is not None:
            folder = stack.enter_context(made_folder(targets.assets, inputs=read, replace=over))
            prefix = targets.assets_url or _relative(targets.assets, beside)
            # By these names the templates sort the revisions: the base is drawn first.
            names = (f"base: {old.name}", f"head: {new.name}")
            pictures = Pictures(folder, prefix.rstrip("/") + "/", names)
        report = targets.report_url or _relative(root / REPORT, beside)
        linked = not targets.comment or targets.report_url is not None
        report_link = report.rstrip("/") if linked else None
        document = compare(old, new, Options(pictures, report_link, targets.check))
        check_md()  # again: what came meanwhile stays
        if targets.md is not None:
            write_text(targets.md, to_markdown(document))
    return document


def _named(name: str, root: Path) -> Revision:
    named = revision(name, root)
    return replace(named, name=name[:_HASH]) if named.commit == name else named


def is_comparison(path: Path) -> bool:
    """Whether a file is a comparison that was written here."""
    with path.open("rb") as file:
        return file.read(len(MARKER)) == MARKER.encode()


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
