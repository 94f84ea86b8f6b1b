"""Errors advise to pull only where there is a remote to pull from."""

import os
from pathlib import Path

import pytest

from leitmotif.errors import LeitmotifError
from leitmotif.files import read_text
from leitmotif.files.restoring import has_remote, how_to_restore


@pytest.fixture(autouse=True)
def nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_GLOBAL_CONFIG_DIR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()


def test_without_a_remote_there_is_nothing_to_pull(tmp_path: Path) -> None:
    (tmp_path / ".dvc/config").write_text("[core]\n    analytics = false\n")
    assert not has_remote()
    assert how_to_restore("features") == "run `dvc repro features`"
    with pytest.raises(LeitmotifError) as caught:
        read_text(tmp_path / "gone")
    assert caught.value.fix == "run `dvc repro`"


@pytest.mark.parametrize("place", [".dvc/config", ".dvc/config.local", "config/dvc/config"])
def test_any_configuration_may_name_the_remote(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("[cache]\n    remote = no\n[core]\n    remote = storage\n")
    assert how_to_restore() == "run `dvc pull`, or `dvc repro`"
    assert how_to_restore("a", "b") == "run `dvc pull a b`, or `dvc repro a b`"


def test_a_remote_that_is_not_the_default_one_does_not_count(tmp_path: Path) -> None:
    (tmp_path / ".dvc/config").write_text("['remote \"other\"']\n    url = /x\n    remote = y\n")
    assert not has_remote()


@pytest.mark.fault(
    "any message that says how to restore", "a pipe in the place of DVC's configuration",
    outcome="said without waiting",
)  # fmt: skip
def test_a_pipe_for_a_configuration_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".dvc" / "config")
    assert not has_remote(tmp_path)


@pytest.mark.fault(
    "any message that says how to restore", "a user without a home", outcome="said all the same"
)
def test_a_user_without_a_home_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("DVC_GLOBAL_CONFIG_DIR", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert how_to_restore("features", root=tmp_path) == "run `dvc repro features`"
