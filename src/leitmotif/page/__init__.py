"""What the review page and the report share: theme, settings, player, keys, drawing, the icon."""

from functools import cache
from importlib.resources import files

SHARED = ("drawing.js", "icon.svg", "keys.js", "player.js", "settings.js", "theme.css")


@cache
def shared_files() -> dict[str, bytes]:
    """Return each shared file by its name."""
    folder = files("leitmotif.page")
    return {name: (folder / name).read_bytes() for name in SHARED}
