"""The page's files: plain HTML, CSS and JavaScript modules, read from the package."""

import hashlib
from functools import cache
from importlib.resources import files

from leitmotif.page import shared_files

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
}


@cache
def page_files() -> dict[str, bytes]:
    """Return the files of the page by name; the server delivers no other static file."""
    folder = files("leitmotif.review") / "page"
    own = {
        entry.name: entry.read_bytes()
        for entry in folder.iterdir()
        if any(entry.name.endswith(suffix) for suffix in MEDIA_TYPES)
    }
    return dict(sorted({**own, **shared_files()}.items()))


@cache
def page_version() -> str:
    """SHA-256 of the page's files, 64 hex digits."""
    digest = hashlib.sha256()
    for name, content in page_files().items():
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
