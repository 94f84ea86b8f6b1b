"""Tests read as text: none drives what is private, and no file is too long to find one's way."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LONGEST = 400
"""Lines of a file of tests."""
OF_PYTHON = {"_replace", "_asdict", "_repr_html_"}
"""Names with an underscore that named tuples and IPython have for everybody."""
FILES = sorted((Path(__file__).parent).rglob("*.py"))


def is_private(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last.startswith("_") and not last.startswith("__") and last not in OF_PYTHON


def private_names(source: str) -> Iterator[str]:
    """Private members that a test reads, imports from the package, or patches."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if is_private(name):
                yield ast.unparse(node)
            case ast.ImportFrom(module=str(module)) if module.startswith("leitmotif"):
                yield from (alias.name for alias in node.names if is_private(alias.name))
            case ast.Call(func=ast.Attribute(attr="setattr" | "delattr")):
                named = (item.value for item in node.args[:2] if isinstance(item, ast.Constant))
                yield from (name for name in named if isinstance(name, str) and is_private(name))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_test_drives_private_members(path: Path) -> None:
    assert list(private_names(path.read_text(encoding="utf-8"))) == []


def test_private_members_are_seen() -> None:
    source = """
from leitmotif.share import _paths
from leitmotif.work import machine
def test(monkeypatch):
    monkeypatch.setattr(machine, "_limit", 1)
    monkeypatch.setattr("leitmotif.work.machine._limit", 1)
    assert machine._limit and machine.limit._replace()
"""
    assert sorted(private_names(source)) == [
        "_limit",
        "_paths",
        "leitmotif.work.machine._limit",
        "machine._limit",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_of_tests_is_too_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
