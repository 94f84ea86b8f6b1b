"""What ``import leitmotif`` gives, and what it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import leitmotif


@pytest.mark.parametrize("name", leitmotif.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert name in dir(leitmotif)
    value = getattr(leitmotif, name)
    assert value is getattr(leitmotif, name)
    assert getattr(value, "__name__", name) == name


def test_a_type_checker_sees_the_same_names() -> None:
    tree = ast.parse(Path(leitmotif.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    seen = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        seen.update({alias.name: node.module for alias in node.names})
    assert set(seen) == set(leitmotif.__all__)
    for name, module in seen.items():
        assert getattr(sys.modules[module], name) is getattr(leitmotif, name)


def test_any_other_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'HookedTransformer'"):
        _ = leitmotif.HookedTransformer


def test_the_import_loads_nothing_heavy_before_a_name_is_used() -> None:
    code = (
        "import sys; before = set(sys.modules); import leitmotif; dir(leitmotif);"
        "print(*sorted(name for name in set(sys.modules) - before if '.' not in name));"
        "leitmotif.HookedMusicGen; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded, torch = done.stdout.splitlines()
    assert set(loaded.split()) - set(sys.stdlib_module_names) == {"leitmotif"}
    assert torch == "True"
