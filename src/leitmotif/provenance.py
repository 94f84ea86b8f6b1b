"""Which code made a file: a hash of the source that decided its contents."""

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent


def code_version(*parts: str) -> str:
    """SHA-256 (64 hex) of the Python sources of some modules or folders of this package.

    ``parts`` are paths relative to the package, such as ``store`` or ``audio/decode.py``. Any edit
    changes the version, so work done by other code is never taken for this code's. Raises
    FileNotFoundError for a part that does not exist.
    """
    digest = hashlib.sha256()
    for part in sorted(parts):
        path = PACKAGE / part
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        for file in files:
            content = file.read_bytes()
            digest.update(f"{file.relative_to(PACKAGE).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()
