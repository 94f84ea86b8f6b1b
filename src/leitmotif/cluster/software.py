"""Which software a process runs: parts of one result come from processes that run the same."""

import hashlib
import platform
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.metadata import version

from leitmotif.errors import ConfigError
from leitmotif.files.imports import PACKAGE
from leitmotif.files.provenance import library_versions


@dataclass(frozen=True)
class Software:
    """What decides bytes, besides settings and inputs."""

    leitmotif: str
    """Version, and hash of all sources."""
    python: str
    libraries: str

    def check(self) -> None:
        """Raise ConfigError, in a worker, if this process runs other software."""
        here = software()
        differing = [
            field.name
            for field in fields(self)
            if getattr(here, field.name) != getattr(self, field.name)
        ]
        if differing:
            raise ConfigError(
                f"a worker on {platform.node()} runs other software than the stage",
                found="; ".join(f"{name} {getattr(here, name)}" for name in differing),
                expected="; ".join(f"{name} {getattr(self, name)}" for name in differing),
                fix="start the workers in the stage's environment, and anew after every change of "
                "the code; see docs/cluster.md",
            )


@lru_cache(maxsize=1)
def software() -> Software:
    """That of this process, as it was when this was first asked: loaded code stays loaded."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(PACKAGE).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    ours = f"{version('leitmotif')} with sources {digest.hexdigest()[:16]}"
    return Software(ours, platform.python_version(), library_versions())
