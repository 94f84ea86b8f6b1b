"""The Python in which sae-lens can be imported; it needs an environment of its own."""

import os
import shutil
import subprocess
import sys

MISSING = (
    "needs sae-lens (pip install 'sae-lens>=6.54', in an environment of its own) in the Python "
    "that LEITMOTIF_SAE_LENS_PYTHON names"
)


def python_with_sae_lens() -> str | None:
    """The Python that LEITMOTIF_SAE_LENS_PYTHON names, or this one, if it has sae-lens."""
    check = "import importlib.util as u, sys; sys.exit(u.find_spec('sae_lens') is None)"
    for python in (os.environ.get("LEITMOTIF_SAE_LENS_PYTHON"), sys.executable):
        if python and shutil.which(python):
            done = subprocess.run([python, "-c", check], check=False, cwd="/")
            if done.returncode == 0:
                return python
    return None
