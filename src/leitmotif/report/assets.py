"""The report's script and styles, made of small modules; some are shared with the review page.

A browser loads no ES modules into a page that is opened as a file. Therefore the modules are joined
into one plain script with one scope, in the order of SCRIPTS, without imports and the word
``export``.
"""

import re
from functools import cache
from importlib.resources import files

from leitmotif.page import SHARED, shared_files

SCRIPTS = (
    "drawing.js",
    "settings.js",
    "player.js",
    "clips.js",
    "score.js",
    "sources.js",
    "keys.js",
    "sample.js",
    "blind.js",
    "tally.js",
    "desk.js",
    "features.js",
    "swaps.js",
    "main.js",
)
"""Modules, each after those that it imports."""
STYLES = ("theme.css", "report.css", "features.css", "lens.css", "swaps.css")

_IMPORT = re.compile(r"^import\b[^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async |const |let |class |function ))", re.MULTILINE)


@cache
def assets() -> dict[str, bytes]:
    """Every static file of a report, by its name."""
    script = "\n".join(_plain(_text(name)) for name in SCRIPTS)
    return {
        "report.js": f'"use strict";\n(() => {{\n{script}}})();\n'.encode(),
        "report.css": "\n".join(map(_text, STYLES)).encode(),
        "icon.svg": _text("icon.svg").encode(),
    }


def _text(name: str) -> str:
    if name in SHARED:
        return shared_files()[name].decode()
    return (files("leitmotif.report") / "page" / name).read_bytes().decode()


def _plain(module: str) -> str:
    return _EXPORT.sub("", _IMPORT.sub("", module))
