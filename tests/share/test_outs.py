"""Outputs of a revision, from dvc.yaml and dvc.lock."""

from pathlib import Path

import pytest

from leitmotif.errors import ConfigError
from leitmotif.share.outs import Out, revision_outs
from leitmotif.share.revisions import working_tree

YAML = """
stages:
  one:
    cmd: make
    outs: [data/folder, data/table.jsonl: {cache: false}]
    metrics: [metrics/one.json: {cache: false}]
  two:
    cmd: make
    plots: [plots/two.csv: {cache: false, x: a}]
"""
LOCK = """
schema: '2.0'
stages:
  one:
    cmd: make
    outs:
    - {path: data/folder, hash: md5, md5: ab.dir, size: 12, nfiles: 3}
    - {path: data/table.jsonl, hash: md5, md5: cd, size: 4}
"""


def write(root: Path, yaml: str, lock: str | None) -> None:
    (root / "dvc.yaml").write_text(yaml)
    if lock is not None:
        (root / "dvc.lock").write_text(lock)


def test_outputs_are_those_of_both_files(tmp_path: Path) -> None:
    write(tmp_path, YAML, LOCK)
    outs = revision_outs(working_tree(tmp_path))
    assert outs == [
        Out("one", "data/folder", "out", True, "ab.dir", 12, 3),
        Out("one", "data/table.jsonl", "out", False, "cd", 4),
        Out("one", "metrics/one.json", "metric", False),
        Out("two", "plots/two.csv", "plot", False),
    ]
    assert [out.is_folder for out in outs] == [True, False, False, False]


def test_without_a_lock_nothing_has_a_hash(tmp_path: Path) -> None:
    write(tmp_path, YAML, None)
    assert {out.md5 for out in revision_outs(working_tree(tmp_path))} == {None}


def test_a_revision_without_a_pipeline_has_no_outputs(tmp_path: Path) -> None:
    assert revision_outs(working_tree(tmp_path)) == []


@pytest.mark.parametrize(
    ("yaml", "lock"),
    [
        ("stages: [1]", LOCK),
        (YAML, "stages: {one: {outs: 3}}"),
        ("stages: {one: {outs: [{}]}}", LOCK),
        ("{", LOCK),
        (YAML.replace("{cache: false}", "{cache: no}"), LOCK),
        (YAML, LOCK.replace("2.0", "9.9")),
        (YAML, LOCK.replace("md5: ", "md4: ")),
        (YAML, LOCK.replace("md5: ", "md5: 7 # ")),
    ],
)
def test_files_of_another_form_are_refused_by_name(tmp_path: Path, yaml: str, lock: str) -> None:
    write(tmp_path, yaml, lock)
    with pytest.raises(ConfigError, match=r"dvc\.(yaml|lock)"):
        revision_outs(working_tree(tmp_path))


def test_this_repository_has_every_kind(repo_root: Path) -> None:
    outs = {out.path: out for out in revision_outs(working_tree(repo_root))}
    assert outs["data/activations"].cached
    assert not outs["metrics/summary.json"].cached
    assert outs["plots/summary.csv"].kind == "plot"
