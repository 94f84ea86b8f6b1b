"""Files of commits and of the working tree."""

import subprocess
from pathlib import Path

import pytest

from leitmotif.errors import LeitmotifError
from leitmotif.share.revisions import revision, uncommitted, working_tree


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "data").mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / ".gitignore").write_text("/ignored\n")
    (root / "data" / "ä b.txt").write_text("old")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "first")
    return root


def test_a_commit_keeps_what_the_working_tree_changes(repository: Path) -> None:
    path = "data/ä b.txt"
    before, now = revision("main", repository), working_tree(repository)
    (repository / path).write_text("new")
    assert (before.read(path), now.read(path)) == (b"old", b"new")
    (repository / path).unlink()
    assert (before.read(path), now.read(path)) == (b"old", None)
    assert (before.paths("data"), now.paths("data")) == ([path], [])


def test_the_working_tree_has_files_that_are_not_added_and_none_that_are_ignored(
    repository: Path,
) -> None:
    (repository / "data" / "new").touch()
    (repository / "ignored").touch()
    assert working_tree(repository).paths(".") == [".gitignore", "data/new", "data/ä b.txt"]
    assert revision("HEAD", repository).paths("none") == []


def test_uncommitted_files_are_those_that_git_keeps(repository: Path) -> None:
    assert uncommitted(repository) == []
    (repository / "data" / "new").touch()
    (repository / "data" / "ä b.txt").write_text("new")
    (repository / ".gitignore").unlink()
    assert uncommitted(repository) == [".gitignore", "data/ä b.txt"]
    assert uncommitted(repository / "data") == ["ä b.txt"]
    git(repository, "add", "data/new")
    assert "data/new" in uncommitted(repository)


def test_unknown_revisions_are_refused_with_advice(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(LeitmotifError, match="no revision other"):
        revision("other", repository)
    with pytest.raises(LeitmotifError, match="no revision --help"):
        revision("--help", repository)
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "second")
    git(tmp_path, "clone", "--quiet", "--depth=1", repository.as_uri(), "shallow")
    with pytest.raises(LeitmotifError, match="shallow") as refused:
        revision("HEAD~1", tmp_path / "shallow")
    assert "git fetch" in str(refused.value)


def test_outside_of_a_repository_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for ask in (lambda: revision("main", tmp_path), lambda: working_tree(tmp_path).paths(".")):
        with pytest.raises(LeitmotifError, match="not a git repository"):
            ask()
    with pytest.raises(LeitmotifError, match="run this in the root of a git repository"):
        uncommitted(tmp_path)
