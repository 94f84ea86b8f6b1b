"""What decides a module: imports wherever they stand, packages on the way, and files it reads."""

import subprocess
import sys
from pathlib import Path

import pytest

from leitmotif.files.imports import PACKAGE, import_closure

SOURCES = {
    "__init__.py": "VERSION = 1\n",
    "top.py": "import leitmotif.plain\nfrom leitmotif.sub.deep import thing\n",
    "plain.py": "",
    "lazy.py": "def f():\n    from leitmotif import plain\n",
    "typed.py": (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from leitmotif import plain\n"
        "else:\n    from leitmotif import other\n"
    ),
    "untyped.py": (
        "from typing import TYPE_CHECKING\nif not TYPE_CHECKING:\n    from leitmotif import plain\n"
    ),
    "other.py": "import os, leitmotif.absent\n",
    "circle.py": "from leitmotif import round\n",
    "round.py": "import leitmotif.circle\n",
    "sub/__init__.py": "from leitmotif.sub import first\n",
    "sub/first.py": "",
    "said/__init__.py": '"""What the folder holds; nothing that decides."""\n',
    "said/leaf.py": "",
    "sub/deep.py": "thing = 1\n",
    "sub/relative.py": "from ..plain import x\nfrom . import first\n",
    "reader.py": 'SCHEMA = "rows.schema.json"\nPAGES = "page"\n',
    "rows.schema.json": "{}",
    "notes.txt": "",
    "page/a.html": "",
    "page/icons/b.svg": "",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    package = tmp_path_factory.mktemp("source") / "leitmotif"
    for name, source in SOURCES.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(source)
    return package


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("plain", []),
        ("top", ["plain.py", "sub/__init__.py", "sub/deep.py", "sub/first.py"]),
        ("lazy", ["plain.py"]),
        ("typed", ["other.py"]),
        ("untyped", ["plain.py"]),
        ("circle", ["round.py"]),
        ("said.leaf", []),
        ("sub.deep", ["sub/__init__.py", "sub/first.py"]),
        ("sub.relative", ["plain.py", "sub/__init__.py", "sub/first.py"]),
        ("reader", ["page/a.html", "page/icons/b.svg", "rows.schema.json"]),
    ],
)
def test_what_decides_a_module(package: Path, module: str, others: list[str]) -> None:
    own = f"{module.replace('.', '/')}.py"
    closure = import_closure(f"leitmotif.{module}", package=package)
    assert closure == sorted(package / name for name in ("__init__.py", own, *others))


def test_several_modules_have_all_of_their_files(package: Path) -> None:
    closure = import_closure("leitmotif.plain", "leitmotif.sub.first", package=package)
    names = ["__init__.py", "plain.py", "sub/__init__.py", "sub/first.py"]
    assert closure == sorted(package / name for name in names)


@pytest.mark.parametrize("module", ["leitmotif.absent", "leitmotif.sub.deep.thing", "os"])
def test_a_module_that_is_not_there_is_an_error(package: Path, module: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"no module {module}"):
        import_closure(module, package=package)


def test_every_file_of_the_package_that_is_not_python_belongs_to_a_module() -> None:
    """A file that is read by a computed name would be in no closure."""
    modules = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
    ]
    read = set(import_closure(*modules))
    data = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py"}
    unread = {path for path in data - read if path.parent.name != "__pycache__"}
    assert unread == {PACKAGE / "py.typed"}


def test_the_closure_has_all_that_python_loads() -> None:
    """What an import runs, at the least, is found without running it."""
    code = (
        "import sys, leitmotif.store.writing.build\n"
        "for name, module in sys.modules.items():\n"
        "    if name.partition('.')[0] == 'leitmotif': print(module.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {Path(line) for line in done.stdout.splitlines()}
    assert PACKAGE / "store" / "writing" / "build.py" in loaded
    decides = {path for path in loaded if path.name != "__init__.py"}
    assert decides <= set(import_closure("leitmotif.store.writing.build"))
