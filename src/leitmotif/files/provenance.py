"""Which code, which libraries and which machine made a file."""

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path

import soundfile

from leitmotif.files.imports import PACKAGE, import_closure

_LIBRARIES = ("numpy", "safetensors", "soxr", "torch", "transformers")


def code_version(*modules: str, package: Path = PACKAGE) -> str:
    """SHA-256 (64 hex) of all files that decide what some modules of this package do.

    ``modules`` are dotted names, often the caller's ``__name__``; the files are those of
    ``import_closure``. Any edit of one changes the version, so work done by other code is never
    taken for this code's. Raises ModuleNotFoundError for a module that is not there.
    """
    digest = hashlib.sha256()
    for file in import_closure(*modules, package=package):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(package).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def library_versions() -> str:
    """Name the versions that a tensor's bytes may depend on, such as ``numpy 2.4.6, …``.

    Without the suffix of a build, such as ``+cpu``: the same version computes the same on a CPU.
    """
    versions = {name: version(name).split("+")[0] for name in _LIBRARIES}
    versions["libsndfile"] = soundfile.__libsndfile_version__
    return ", ".join(f"{name} {versions[name]}" for name in sorted(versions))


def machine() -> dict[str, str | int]:
    """Processor, cores, system, and the full versions of Python and torch, builds included.

    What must not decide an output, and is therefore in none.
    """
    return {
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def processor() -> str:
    """Name of the processor, as the system has it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_bytes().decode(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
