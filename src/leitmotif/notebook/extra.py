"""What the extra ``notebook`` brings, imported where it is used."""

from importlib import import_module
from typing import Any

from leitmotif.errors import LeitmotifError


def from_extra(module: str) -> Any:
    """Import a module of the extra; raises LeitmotifError that says how to install it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise LeitmotifError(
            "a package that notebooks need is not installed",
            found=f"no module named {error.name}",
            expected="the extra notebook",
            fix="pip install 'leitmotif[notebook]'",
        ) from error
