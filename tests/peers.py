"""Packages with which results are compared, each in an environment of its own."""

import os
import shutil
import subprocess
import sys


def python_with(package: str) -> str | None:
    """The Python that LEITMOTIF_PACKAGE_PYTHON names, or this one, if it has ``package``."""
    check = f"import importlib.util as u, sys; sys.exit(u.find_spec({package!r}) is None)"
    named = os.environ.get(f"LEITMOTIF_{package.upper()}_PYTHON")
    for python in (named, sys.executable):
        if python and shutil.which(python):
            done = subprocess.run([python, "-c", check], check=False, cwd="/")
            if done.returncode == 0:
                return python
    return None


def missing(package: str, install: str) -> str:
    """Why a test is skipped; ``install`` is what pip takes."""
    return (
        f"needs {package} (pip install {install!r}, in an environment of its own) in the Python "
        f"that LEITMOTIF_{package.upper()}_PYTHON names"
    )
