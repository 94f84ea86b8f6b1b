"""Which extra of this package brings a module that is not installed."""

import re
from collections.abc import Iterable
from importlib.metadata import requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from leitmotif.errors import LeitmotifError

DISTRIBUTION = "leitmotif"
_EXTRA = re.compile(r'extra == "([^"]+)"')


def extra_of(module: str, requirements: Iterable[str] | None = None) -> str | None:
    """Return the name of the extra that brings an importable module.

    Parameters
    ----------
    module: dotted name, such as ``uvicorn.config``. The package that it belongs to is looked up by
        the first part, which is what the packages of our extras are called.
    requirements: as the metadata of a distribution have them, such as
        ``uvicorn>=0.40; extra == "review"``; None for those of the installed ``leitmotif``.

    Returns the smallest of several extras, and None for a module that no extra brings.

    Example
    -------
    >>> extra_of("uvicorn.config", ["torch", 'uvicorn>=0.40; extra == "review"'])
    'review'
    """
    wanted = canonicalize_name(module.partition(".")[0])
    if wanted == DISTRIBUTION:  # extras name each other by it
        return None
    if requirements is None:
        requirements = requires(DISTRIBUTION) or []
    brings: dict[str, set[str]] = {}
    for requirement in map(Requirement, requirements):
        extra = _EXTRA.search(str(requirement.marker or ""))
        if extra:
            brings.setdefault(extra[1], set()).add(canonicalize_name(requirement.name))
    # An extra that includes another lists what that one brings, so the smallest is meant.
    fitting = [extra for extra, names in brings.items() if wanted in names]
    return min(fitting, key=lambda extra: len(brings[extra]), default=None)


def missing_extra(error: ModuleNotFoundError) -> LeitmotifError | None:
    """Return an error that says which extra to install; None if no extra brings the module."""
    extra = extra_of(error.name or "")
    if extra is None:
        return None
    return LeitmotifError(
        "a package that this command needs is not installed",
        found=f"no module named {error.name}",
        expected=f"the extra {extra}",
        fix=f"pip install '{DISTRIBUTION}[{extra}]'; in a clone, make env",
    )
