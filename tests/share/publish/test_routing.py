"""artifacts.yaml, and that the repository is as it says."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from leitmotif.errors import ConfigError
from leitmotif.share.outs import revision_outs
from leitmotif.share.publish.routing import (
    Routing,
    as_table,
    load_routing,
    routing_problems,
)
from leitmotif.share.revisions import working_tree

LICENCE = {"name": "MIT", "url": "https://opensource.org/license/mit", "attribution": "A"}
WHY = "It is here because a test needs it."
ENTRY: dict[str, Any] = {"paths": ["data/a"], "storage": "dvc", "hub": "none", "why": WHY}
SHARED = {**ENTRY, "hub": "dataset", "licences": ["tracks"]}


def values(*artifacts: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": "leitmotif-artifacts/1",
        "repository": LICENCE,
        "models": [{"model": "models/organism", **LICENCE}],
        "artifacts": list(artifacts),
    }


def write(root: Path, *artifacts: dict[str, Any]) -> Path:
    path = root / "artifacts.yaml"
    path.write_text(json.dumps(values(*artifacts)))
    return path


@pytest.fixture(scope="module")
def routing(repo_root: Path) -> Routing:
    return load_routing(repo_root / "artifacts.yaml")


def test_outputs_and_weights_are_where_the_file_says(repo_root: Path, routing: Routing) -> None:
    assert routing_problems(routing, working_tree(repo_root)) == []


def test_git_ignores_what_dvc_keeps_and_nothing_else(repo_root: Path, routing: Routing) -> None:
    for out in revision_outs(working_tree(repo_root)):
        artifact = routing.of(out.path)
        assert artifact is not None
        check = ["git", "check-ignore", "--quiet", "--no-index", out.path]
        ignored = subprocess.run(check, cwd=repo_root, check=False).returncode == 0
        assert ignored == (artifact.storage == "dvc"), out.path


def test_the_documentation_says_the_same(repo_root: Path, routing: Routing) -> None:
    page = (repo_root / "docs" / "publishing.md").read_text(encoding="utf-8")
    assert as_table(routing) in page, "run scripts/artifacts.py"
    readme = (repo_root / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(data/[\w.]+)/?`", readme))
    assert named
    assert [path for path in named if routing.of(path) is None] == []
    (sentence,) = re.findall(r"DVC\s+keeps (.*?)\.\s", readme, flags=re.DOTALL)
    tables = {path for a in routing.artifacts if a.storage == "dvc" for path in a.paths}
    told = {f"data/{name}" for name in re.findall(r"`([\w.]+\.jsonl)`", sentence)}
    assert told == {path for path in tables if path.endswith(".jsonl")}


@pytest.mark.parametrize(
    ("artifacts", "message"),
    [
        ([{**ENTRY, "storage": "s3"}], "storage"),
        ([{**ENTRY, "where": "s3"}], "where"),
        ([{**ENTRY, "why": ""}], "why"),
        ([{**ENTRY, "paths": []}], "paths"),
        ([{**ENTRY, "paths": ["../a"]}], "paths"),
        ([{**ENTRY, "paths": ["/a"]}], "paths"),
        ([{**ENTRY, "licences": ["tracks"]}], "licences are stated exactly where"),
        ([{**SHARED, "licences": []}], "licences are stated exactly where"),
        ([{**SHARED, "licences": ["model"], "listed_in": "data/l.jsonl"}], "listed_in"),
        ([ENTRY, {**ENTRY, "paths": ["data/a/b"]}], "data/a/b is routed twice"),
        ([{**SHARED, "paths": ["data/corpus"]}], "holds recordings"),
        ([{**SHARED, "paths": ["data/corpus/audio"]}], "holds recordings"),
        ([{**SHARED, "paths": ["data"]}], "holds recordings"),
        ([{**SHARED, "paths": ["data/report"]}], "holds recordings"),
    ],
)
def test_entries_that_cannot_be_followed_are_refused(
    tmp_path: Path, artifacts: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_routing(write(tmp_path, *artifacts))


YAML = "stages: {one: {cmd: make, outs: [data/a, {data/b.jsonl: {cache: false}}]}}"


@pytest.mark.parametrize(
    ("artifacts", "problems"),
    [
        ([ENTRY, {**ENTRY, "paths": ["data/b.jsonl"], "storage": "git"}], []),
        ([ENTRY], ["data/b.jsonl: an output of one that no entry routes"]),
        (
            [{**ENTRY, "paths": ["data/a", "data/b.jsonl"]}],
            ["data/b.jsonl: routed to dvc, but dvc.yaml says git"],
        ),
        (
            [{**ENTRY, "paths": ["data"], "storage": "git"}],
            ["data/a: routed to git, but dvc.yaml says dvc"],
        ),
        (
            [
                ENTRY,
                {**ENTRY, "paths": ["data/b.jsonl", "data/gone"], "storage": "git"},
            ],
            ["data/gone: routed, but neither an output nor in git"],
        ),
    ],
)
def test_what_does_not_agree_is_named(
    tmp_path: Path, artifacts: list[dict[str, Any]], problems: list[str]
) -> None:
    (tmp_path / "dvc.yaml").write_text(YAML)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    routing = load_routing(write(tmp_path, *artifacts))
    assert routing_problems(routing, working_tree(tmp_path)) == problems


def test_weights_and_data_in_git_need_an_entry(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "w.safetensors").write_bytes(b"w")
    for name in ("data/.gitignore", "data/notes.txt", "notes.txt", "w.bin"):
        (tmp_path / name).write_bytes(b"w")
    routing = load_routing(write(tmp_path, ENTRY))
    assert routing_problems(routing, working_tree(tmp_path)) == [
        "data/a/w.safetensors: routed to dvc, but git keeps it",
        "data/notes.txt: in git, but no entry routes it",
        "w.bin: in git, but no entry routes it",
    ]


def test_a_model_is_found_by_its_name_or_its_folder(routing: Routing) -> None:
    for model, name in (
        ("models/organism/reader", "MIT"),
        ("facebook/musicgen-small", "CC BY-NC 4.0"),
    ):
        licence = routing.model_licence(model)
        assert licence is not None
        assert licence.name == name
    assert routing.model_licence("facebook/musicgen-small-finetuned") is None
    assert routing.model_licence("models/organisms") is None
