"""What the review page and the report share: colours, themes, settings and the icon."""

from functools import cache
from importlib.resources import files

SHARED = ("colours.js", "icon.svg", "settings.js", "theme.css")


@cache
def shared_files() -> dict[str, bytes]:
    """Return each shared file by its name."""
    folder = files("leitmotif.page")
    return {name: (folder / name).read_bytes() for name in SHARED}
