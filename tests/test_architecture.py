"""No room imports one above it, no two modules import each other, and the picture shows today's."""

import ast
import re
from collections import Counter
from pathlib import Path

import architecture
import pytest

from leitmotif.files.imports import modules_imported


def test_all_arrows_go_down() -> None:
    assert architecture.faults(architecture.imports()) == []


def test_the_picture_is_that_of_the_code() -> None:
    drawn = architecture.picture(architecture.imports())
    assert architecture.PICTURE.read_text(encoding="utf-8") == drawn, "run scripts/architecture.py"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A package of two rooms, tables below audio, each with a module."""
    package = tmp_path / "leitmotif"
    for name in ("tables", "audio"):
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").write_text('"""A room."""\n')
    (package / "__init__.py").write_text('"""The house."""\n')
    (package / "tables" / "rows.py").write_text("import json\n")
    (package / "audio" / "decode.py").write_text("from leitmotif.tables.rows import Row\n")
    return package


def test_an_arrow_upwards_is_named(house: Path) -> None:
    def faults() -> list[str]:
        return list(architecture.faults(modules_imported(house), package=house))

    assert faults() == []
    (house / "tables" / "late.py").write_text(
        "def f():\n    from leitmotif.audio import decode\n    return decode\n"
    )
    assert faults() == ["tables imports audio, which is above it (1 modules)"]


def test_modules_that_import_each_other_are_named(house: Path) -> None:
    (house / "tables" / "rows.py").write_text("from leitmotif.tables import base\n")
    (house / "tables" / "base.py").write_text("from leitmotif.tables.rows import Row\n")
    (fault,) = architecture.faults(modules_imported(house), package=house)
    assert fault.startswith("modules import each other: ")
    assert "leitmotif.tables.rows" in fault
    assert "leitmotif.tables.base" in fault


def test_what_only_a_type_checker_sees_is_no_arrow(house: Path) -> None:
    (house / "tables" / "late.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from leitmotif.audio.decode import Audio\n"
    )
    assert architecture.faults(modules_imported(house), package=house) == []


def test_a_room_without_a_place_is_named(house: Path) -> None:
    (house / "attic").mkdir()
    (house / "attic" / "exit.py").write_text("")
    assert architecture.faults(modules_imported(house), package=house) == ["attic is not in ROOMS"]


def test_a_public_class_has_a_name_of_its_own() -> None:
    package = architecture.PACKAGE
    names = Counter(
        node.name
        for path in package.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert len(names) > 400
    assert [name for name, count in names.items() if count > 1] == []


def test_the_two_walks_name_what_is_there() -> None:
    page = architecture.PICTURE.with_suffix(".md").read_text(encoding="utf-8")
    package = architecture.PACKAGE
    walks = re.split(r"^## The way of a .*$", page, flags=re.MULTILINE)[1:]
    assert [len(re.findall(r"^\d+\. ", walk, flags=re.MULTILINE)) for walk in walks] == [10, 10]
    for walk in walks:
        places = re.findall(r"`([a-z_/]+(?:\.[a-z_]+)?)`", walk.replace("data/", "OUT/"))
        modules = [place for place in places if "/" in place or place == "claims"]
        assert len(modules) >= 10
        for module, _, name in (place.partition(".") for place in modules):
            file = package / f"{module}.py"
            assert file.exists() or (package / module).is_dir(), f"{module} is not there"
            assert not name or f"def {name}(" in file.read_text(encoding="utf-8"), (
                f"{module}.{name}"
            )
        rows = re.findall(r"`([A-Z][A-Za-z]+)`", walk)
        every = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
        assert [
            row for row in rows if f"class {row}(" not in every and f"class {row}:" not in every
        ] == []
