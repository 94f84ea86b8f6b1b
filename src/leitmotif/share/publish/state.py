"""The state that is published: a commit, and outputs that are those of its dvc.lock."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.errors import LeitmotifError, StoreError, counted
from leitmotif.share.outs import Out
from leitmotif.share.publish.local import LocalFile, dvc_hash
from leitmotif.share.revisions import Revision, revision, uncommitted, working_tree

DECIDING = ("dvc.lock", "dvc.yaml", "params.yaml", "artifacts.yaml", "hooks.yaml")
"""Files that decide what is published or what the card says of it."""


@dataclass(frozen=True)
class State:
    """Which commit the outputs belong to."""

    commit: str
    uncommitted: tuple[str, ...]
    """Files that git keeps and that differ from the commit."""
    dvc_lock_sha256: str


def current_state(root: Path) -> State:
    """The state of the checkout in ``root``.

    Raises LeitmotifError if a file that decides what is published is not as the commit has it: the
    card would name a commit from which nobody gets these outputs.
    """
    head, here = revision("HEAD", root), working_tree(root)
    commit, changed = str(head.commit), uncommitted(root)
    deciding = [path for path in DECIDING if head.read(path) != here.read(path)]
    if deciding:
        raise LeitmotifError(
            "what is published has to belong to a commit",
            found=f"changes in {', '.join(deciding)} since {commit[:12]}",
            fix="commit them, or restore them with `git restore`",
        )
    lock = here.read("dvc.lock")
    if lock is None:
        raise LeitmotifError("there is no dvc.lock", fix="run `dvc repro` and commit dvc.lock")
    return State(commit, tuple(changed), hashlib.sha256(lock).hexdigest())


def check_outputs(outs: Iterable[Out], files: Mapping[str, Sequence[LocalFile]]) -> None:
    """Raise StoreError unless outputs are those of dvc.lock.

    Parameters
    ----------
    outs
        Outputs of which ``files`` has an entry under their path are compared.
    files
        What lies here, by path of the output.
    """
    wrong = []
    for out in outs:
        if out.path not in files:
            continue
        present = dvc_hash(out.path, files[out.path])
        if out.md5 is None:
            wrong.append(f"{out.path}: not in dvc.lock")
        elif present != out.md5:
            wrong.append(f"{out.path}: {present}, dvc.lock has {out.md5}")
    if wrong:
        raise StoreError(
            f"{counted(len(wrong), 'output')} cannot be published",
            found="\n            ".join(wrong),
            expected="the outputs that dvc.lock names",
            fix="run `dvc status`, then `dvc checkout`, or `dvc repro` and commit dvc.lock",
        )


def check_committed(files: Iterable[LocalFile], head: Revision) -> None:
    """Raise StoreError for files that git keeps and that are not as the commit has them."""
    for file in files:
        content = head.read(file.path)
        if content is None or hashlib.sha256(content).hexdigest() != file.sha256:
            raise StoreError(
                f"{file.path} cannot be published",
                found="another content than the commit's"
                if content is not None
                else "not committed",
                expected=f"as in {head.name}",
                fix="commit it, or restore it with `git restore`",
            )
