"""Every text file is read and written by ``leitmotif.files``, which refuses what is not UTF-8."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path("src/leitmotif")
OWN = {SOURCE / "files" / "texts.py", SOURCE / "files" / "tables.py"}
KERNEL = {SOURCE / "work" / "machine.py"}
"""Reads numbers that the kernel writes; any other text there is no limit, and nothing to refuse."""


def text_access(path: Path) -> Iterator[str]:
    """Places at which a module opens a file as text, or reads or writes one."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Attribute):
            name = function.attr
            if name in ("read_text", "write_text"):
                yield f"{path}:{node.lineno}: .{name}()"
                continue
        else:
            name = function.id if isinstance(function, ast.Name) else ""
        if name in ("open", "fdopen"):
            texts = [
                value.value
                for value in [*node.args, *(keyword.value for keyword in node.keywords)]
                if isinstance(value, ast.Constant) and isinstance(value.value, str)
            ]
            known = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)
            other = known and function.value.id in ("os", "tarfile", "webbrowser")
            if not other and not any("b" in text or ":" in text for text in texts):
                yield f"{path}:{node.lineno}: {name}()"


def test_no_other_module_reads_or_writes_text(repo_root: Path) -> None:
    reading = [
        place
        for path in sorted((repo_root / SOURCE).rglob("*.py"))
        if path.relative_to(repo_root) not in OWN | KERNEL
        for place in text_access(path)
    ]
    assert reading == []


def test_the_search_sees_what_it_looks_for(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("p.read_text()\np.open()\nopen('x', 'w')\np.open('rb')\nos.open(p, 0)\n")
    assert [place.rsplit(": ", 1)[1] for place in text_access(module)] == [
        ".read_text()",
        "open()",
        "open()",
    ]
