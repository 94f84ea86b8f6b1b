"""Outputs that are not those that dvc.lock names are not shown as results."""

import hashlib
from pathlib import Path

import pytest

from leitmotif.errors import ConfigError, LeitmotifError
from leitmotif.share.lockfile import check_unchanged

LOCK = """
schema: '2.0'
stages:
  labels:
    cmd: python -m leitmotif.stages.labels
    outs:
    - path: data/labels.jsonl
      hash: md5
      md5: {md5}
      size: 3
    - path: data/kept
      md5: 0123456789abcdef0123456789abcdef.dir
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data/kept").mkdir(parents=True)
    (tmp_path / "data/labels.jsonl").write_bytes(b"{}\n")
    (tmp_path / "data/other.jsonl").write_bytes(b"{}\n")
    md5 = hashlib.md5(b"{}\n", usedforsecurity=False).hexdigest()
    (tmp_path / "dvc.lock").write_text(LOCK.format(md5=md5))
    return tmp_path


PATHS = ("data/labels.jsonl", "data/other.jsonl", "data/kept", "data/gone.jsonl")


def test_what_dvc_lock_has_or_does_not_know_is_taken(root: Path) -> None:
    check_unchanged(PATHS, root)
    (root / "dvc.lock").unlink()
    (root / "data/labels.jsonl").write_bytes(b"[]\n")
    check_unchanged(PATHS, root)


@pytest.mark.fault(
    "leitmotif report and results",
    "a table or a metrics file that is not the one that its stage wrote, by dvc.lock",
    outcome="refused by name",
)
@pytest.mark.parametrize("content", [b"[]\n", b"", b"{}\n{}\n", b"{}\r\n"])
def test_what_was_changed_since_is_refused(root: Path, content: bytes) -> None:
    (root / "data/labels.jsonl").write_bytes(content)
    with pytest.raises(
        LeitmotifError, match=r"labels\.jsonl is not what .* labels wrote"
    ) as caught:
        check_unchanged(PATHS, root)
    assert "dvc repro labels" in str(caught.value.fix)
    assert "dvc commit labels" in str(caught.value.fix)


@pytest.mark.parametrize("lock", ["stages: 3", "stages: {a: {outs: [3]}}"])
def test_a_lock_of_another_form_is_named(root: Path, lock: str) -> None:
    (root / "dvc.lock").write_text(lock)
    with pytest.raises(ConfigError, match=r"dvc\.lock"):
        check_unchanged(PATHS, root)
