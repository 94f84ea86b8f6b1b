"""No room imports one above it, no two modules import each other, and the picture shows today's."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from leitmotif.files.imports import modules_imported

SCRIPT = Path(__file__).parents[1] / "scripts" / "architecture.py"


@pytest.fixture(scope="module")
def architecture() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architecture", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_arrows_go_down(architecture: ModuleType) -> None:
    assert architecture.faults(architecture.imports()) == []


def test_the_picture_is_that_of_the_code(architecture: ModuleType) -> None:
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


def test_an_arrow_upwards_is_named(architecture: ModuleType, house: Path) -> None:
    def faults() -> list[str]:
        return list(architecture.faults(modules_imported(house), package=house))

    assert faults() == []
    (house / "tables" / "late.py").write_text(
        "def f():\n    from leitmotif.audio import decode\n    return decode\n"
    )
    assert faults() == ["tables imports audio, which is above it (1 modules)"]


def test_modules_that_import_each_other_are_named(architecture: ModuleType, house: Path) -> None:
    (house / "tables" / "rows.py").write_text("from leitmotif.tables import base\n")
    (house / "tables" / "base.py").write_text("from leitmotif.tables.rows import Row\n")
    (fault,) = architecture.faults(modules_imported(house), package=house)
    assert fault.startswith("modules import each other: ")
    assert "leitmotif.tables.rows" in fault
    assert "leitmotif.tables.base" in fault


def test_what_only_a_type_checker_sees_is_no_arrow(architecture: ModuleType, house: Path) -> None:
    (house / "tables" / "late.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from leitmotif.audio.decode import Audio\n"
    )
    assert architecture.faults(modules_imported(house), package=house) == []


def test_a_room_without_a_place_is_named(architecture: ModuleType, house: Path) -> None:
    (house / "attic").mkdir()
    (house / "attic" / "exit.py").write_text("")
    assert architecture.faults(modules_imported(house), package=house) == ["attic is not in ROOMS"]
