"""The page's own files: plain HTML, CSS and JavaScript modules, read from the package."""

import hashlib
from functools import cache
from importlib.resources import files

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
}


@cache
def page_files() -> dict[str, bytes]:
    """Return every file of the page by its name; nothing else is ever served as a static file."""
    folder = files("leitmotif.review") / "page"
    return {
        entry.name: entry.read_bytes()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if any(entry.name.endswith(suffix) for suffix in MEDIA_TYPES)
    }


@cache
def page_version() -> str:
    """SHA-256 of the page's files, 64 hex digits."""
    digest = hashlib.sha256()
    for name, content in page_files().items():
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
