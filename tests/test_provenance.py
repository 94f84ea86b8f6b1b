from pathlib import Path

import pytest

from leitmotif import provenance
from leitmotif.provenance import code_version


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a.py").write_text("x = 1\n")
    (tmp_path / "store" / "b.py").write_text("y = 2\n")
    (tmp_path / "files.py").write_text("z = 3\n")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    return tmp_path


def test_any_edit_of_a_named_part_changes_the_version_and_no_other_does(package: Path) -> None:
    before = code_version("store")
    (package / "files.py").write_text("z = 4\n")
    (package / "store" / "notes.txt").write_text("not code")
    assert code_version("store") == before
    assert code_version("store", "files.py") != before

    (package / "store" / "a.py").write_text("x = 1  # why\n")
    edited = code_version("store")
    assert edited != before
    (package / "store" / "b.py").rename(package / "store" / "c.py")
    assert code_version("store") not in (before, edited)


def test_moving_a_line_between_files_changes_the_version(package: Path) -> None:
    before = code_version("store")
    (package / "store" / "a.py").write_text("x = 1\ny = 2\n")
    (package / "store" / "b.py").write_text("")
    assert code_version("store") != before


def test_a_part_that_does_not_exist_is_an_error(package: Path) -> None:
    with pytest.raises(FileNotFoundError):
        code_version("absent.py")
