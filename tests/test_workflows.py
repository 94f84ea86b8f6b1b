"""The workflows of GitHub and GitLab: their syntax, what makes one unsafe, and what they run."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
GITHUB = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GITLAB = ROOT / ".gitlab-ci.yml"


def tool(name: str) -> Path:
    """A program of the environment that runs the tests."""
    program = Path(sys.executable).with_name(name)
    if not program.is_file():
        pytest.skip(f"needs {name}: make env installs it")
    return program


def run(*command: Path | str) -> None:
    done = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr


def workflow(name: str) -> dict[str, Any]:
    path = ROOT / ".github" / "workflows" / f"{name}.yml"
    return dict(YAML(typ="safe").load(path))


def test_workflows_of_github_follow_their_schema() -> None:
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *GITHUB)


def test_the_pipeline_of_gitlab_follows_its_schema() -> None:
    options = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    run(tool("check-jsonschema"), *options, GITLAB)


def test_no_workflow_is_known_to_be_unsafe() -> None:
    run(tool("zizmor"), "--offline", "--pedantic", *GITHUB)


def test_what_runs_foreign_code_may_write_nothing() -> None:
    for name in ("compare", "test"):
        given = workflow(name)
        assert given["permissions"] == {}
        for job in given["jobs"].values():
            assert job["permissions"] == {"contents": "read"}
            assert "secrets." not in str(job)


def test_what_may_write_runs_the_default_branch_only() -> None:
    steps = workflow("comment")["jobs"]["comment"]["steps"]
    (checkout,) = (step for step in steps if "checkout" in step.get("uses", ""))
    assert "ref" not in checkout["with"]
    assert "repository" not in checkout["with"]
    (command,) = (step["run"] for step in steps if "run" in step)
    assert command == 'python3 scripts/comment.py github "$RUNNER_TEMP/comparison/comment.md"'


def test_both_servers_run_the_script_that_runs_here() -> None:
    pipeline = YAML(typ="safe").load(GITLAB)
    steps = workflow("compare")["jobs"]["compare"]["steps"]
    commands = "\n".join(step.get("run", "") for step in steps)
    for text in (commands, "\n".join(pipeline["compare"]["script"])):
        assert "scripts/pull_request " in text
    started_by = workflow("comment")["on"]["workflow_run"]["workflows"]
    assert started_by == [workflow("compare")["name"]]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A branch that leaves main by one commit, which changes a metric; main went on."""
    root = tmp_path / "repository"
    (root / "metrics").mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root, 1)
    git(root, "switch", "--quiet", "--create", "branch")
    commit(root, 2)
    git(root, "switch", "--quiet", "main")
    commit(root, 3)
    git(root, "switch", "--quiet", "branch")
    return root


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path, value: int) -> None:
    (root / "metrics" / "a.json").write_text(f'{{"x": {value}}}')
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", str(value))


def render(root: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [ROOT / "scripts" / "pull_request", *arguments],
        cwd=root,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_branch_is_compared_with_where_it_left_the_base(repository: Path) -> None:
    pytest.importorskip("vl_convert", reason="needs the extra compare: make env installs it")
    for _ in range(2):  # the second writes over the first
        done = render(repository, "main")
        assert done.returncode == 0, done.stderr
    for name in ("comment", "comparison"):
        text = (repository / "comparison" / f"{name}.md").read_text(encoding="utf-8")
        assert "| `a: x` | 1 | 2 | +1 |" in text
    done = render(repository, "main", "out", PICTURES_URL="https://example.org/p")
    assert done.returncode == 0, done.stderr
    assert (repository / "out" / "pictures").is_dir()


@pytest.mark.fault("scripts/pull_request", "the base is not there", outcome="status 1, says how")
def test_a_base_that_is_not_there_is_said(repository: Path) -> None:
    done = render(repository, "origin/main")
    assert done.returncode == 1
    assert "error: HEAD and origin/main have no commit in common here" in done.stderr
    assert not (repository / "comparison").exists()
