#!/usr/bin/env python3
"""Draw which room of src/leitmotif imports which, and refuse an arrow upwards.

    python scripts/architecture.py            # writes docs/architecture.svg
    python scripts/architecture.py --check    # writes nothing; status 1 if the picture is old

The picture is a matrix. Rooms stand in the order of ROOMS, the ground floor first; a cell says how
many modules of the row's room import the column's room. All cells lie left of the diagonal if no
room imports one above it, and then there is no circle of rooms either. Circles of modules within a
room are looked for one by one.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from html import escape
from pathlib import Path

from leitmotif.files import write_text
from leitmotif.files.imports import modules_imported

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "leitmotif"
PICTURE = ROOT / "docs" / "architecture.svg"
GROUND, FACE, PEOPLE = "ground floor", "leitmotif", "cli"
ROOMS = {
    GROUND: "settings, errors, files, claims",
    "tables": "typed rows of every table",
    "timing": "frames, steps, seconds, windows",
    "page": "colours, themes, player of both pages",
    "audio": "decode, resample, features",
    "corpus": "composed, folder, MTG-Jamendo",
    "musicgen": "the model with hook points",
    "store": "activations on disk",
    "recurrence": "where motifs return",
    "review": "people decide",
    "sae": "sparse autoencoders",
    "probe": "what can be read ahead of time",
    "judge": "CLAP, audio tagger, measures",
    "causal": "interventions and verdicts",
    "feasibility": "whether tracks and labels suffice",
    "lens": "what each layer would play",
    "bench": "methods scored on organisms",
    "views": "metrics and plots of tables",
    "report": "the listening report",
    "plan": "what a run takes",
    "share": "remotes, comparison, publication",
    "notebook": "what only notebooks call",
    FACE: "import leitmotif: the public names",
    "status": "where an experiment stands, what is next",
    "stages": "a thin module for each stage",
    PEOPLE: "leitmotif … for people",
}
"""Lowest first; a room imports those above it in this list only."""
GROUND_FOLDERS = ("checkpoints", "cluster", "config", "files", "pipeline", "work")
"""Folders of the ground floor."""
Imports = Mapping[str, frozenset[str]]
CELL, LEFT, TOP = 30, 380, 30


def imports(package: Path = PACKAGE) -> Imports:
    """The modules that each module imports; imports that only a type checker sees do not count."""
    return modules_imported(package)


def room(module: str, package: Path = PACKAGE) -> str:
    """The room of a module, by its dotted name."""
    parts = module.split(".")[1:]
    if not parts:
        return FACE
    if parts == ["__main__"]:
        return PEOPLE
    is_room = (package / parts[0]).is_dir() and parts[0] not in GROUND_FOLDERS
    return parts[0] if is_room else GROUND


def arrows(graph: Imports, package: Path = PACKAGE) -> Counter[tuple[str, str]]:
    """How many modules of one room import another room."""
    return Counter(
        (room(module, package), target)
        for module, imported in graph.items()
        for target in {room(name, package) for name in imported} - {room(module, package)}
    )


def faults(graph: Imports, rooms: Iterable[str] = ROOMS, package: Path = PACKAGE) -> list[str]:
    """Arrows upwards, rooms without a place, and a circle of modules, in words; empty: none."""
    order = [*rooms]
    lost = sorted({room(module, package) for module in graph} - {*order})
    wrong = [f"{name} is not in ROOMS" for name in lost]
    for (source, target), count in sorted(arrows(graph, package).items()):
        if {source, target} <= {*order} and order.index(target) > order.index(source):
            wrong.append(f"{source} imports {target}, which is above it ({count} modules)")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        wrong.append(f"modules import each other: {' <- '.join(error.args[1])}")
    return wrong


def picture(graph: Imports) -> str:
    """The matrix as SVG, readable on a light and on a dark page."""
    counts, rooms = arrows(graph), [name for name in ROOMS if name in {*map(room, graph)}]
    modules = Counter(map(room, graph))
    width, height = LEFT + CELL * len(rooms) + 20, TOP + CELL * len(rooms) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="title" font-family="system-ui, sans-serif" font-size="13">',
        "<title id='title'>Which room imports which: all cells lie below the diagonal</title>",
        "<style>text{fill:#1f2328}.note{fill:#59636e}.line{stroke:#d1d9e0}.on{fill:#0a7c86}"
        ".here{fill:#d1d9e0}.count{fill:#fff;font-size:11px;text-anchor:middle}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}"
        ".line{stroke:#3d444d}.here{fill:#3d444d}.count{fill:#fff}}</style>",
    ]
    for row, name in enumerate(rooms):
        y = TOP + row * CELL
        lines.append(f'<path class="line" d="M10 {y}H{LEFT + (row + 1) * CELL}"/>')
        lines.append(
            f'<text x="10" y="{y + 20}"><tspan class="note">{row + 1}</tspan> '
            f'<tspan font-weight="600">{escape(name)}</tspan> '
            f'<tspan class="note" font-size="12">{escape(ROOMS[name])}, {modules[name]}'
            f" module{'s' if modules[name] > 1 else ''}</tspan></text>"
        )
        lines.append(_box(row, row, "here", name))
        lines.append(
            f'<text class="note" font-size="11" text-anchor="middle" '
            f'x="{LEFT + row * CELL + 15}" y="{y + 19}">{row + 1}</text>'
        )
        for column, target in enumerate(rooms):
            count = counts[name, target]
            if count:
                lines.append(_box(column, row, "on", f"{name} imports {target}: {count} modules"))
                lines.append(
                    f'<text class="count" x="{LEFT + column * CELL + 15}" y="{y + 19}">{count}'
                    "</text>"
                )
    return "\n".join([*lines, "</svg>", ""])


def _box(column: int, row: int, kind: str, title: str) -> str:
    x, y = LEFT + column * CELL + 2, TOP + row * CELL + 2
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{CELL - 4}" height="{CELL - 4}" rx="4">'
        f"<title>{escape(title)}</title></rect>"
    )


def main() -> int:
    """Draw or check; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if something is off")
    graph = imports()
    wrong = faults(graph)
    for fault in wrong:
        print(fault, file=sys.stderr)
    drawn = picture(graph)
    if not parser.parse_args().check:
        write_text(PICTURE, drawn)
    elif not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != drawn:
        wrong.append(f"{PICTURE.name} is old")
        print(f"{PICTURE.relative_to(ROOT)} is old: run scripts/architecture.py", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
