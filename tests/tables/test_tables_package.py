"""The rows can be read without a model: by a notebook, a script, a page."""

import subprocess
import sys
from pathlib import Path

import leitmotif.tables

MODULES = sorted(path.stem for path in Path(leitmotif.tables.__path__[0]).glob("[a-z]*.py"))


def test_rows_are_read_without_torch_and_without_a_stage() -> None:
    program = f"""
import importlib, sys
for name in {MODULES}:
    importlib.import_module(f"leitmotif.tables.{{name}}")
heavy = ("torch", "starlette", "librosa", "leitmotif.stages", "leitmotif.causal", "leitmotif.probe")
print(*[name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert len(MODULES) > 5
    assert done.stdout.split() == []
