"""Plots whose lines changed: counted, and drawn with both revisions in one picture.

The picture is made from the repository's own template, as ``dvc plots diff`` makes it, without a
browser and without a network.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from leitmotif.errors import LeitmotifError, counted
from leitmotif.files import write_text
from leitmotif.files.yaml_files import parse_stages
from leitmotif.share.compare.document import Cell, Data, Image, Section, TableBlock
from leitmotif.share.compare.inventory import name_of
from leitmotif.share.compare.leaves import ABSENT
from leitmotif.share.compare.reading import Two, Unreadable, parse_json, read_two
from leitmotif.share.revisions import Revision

_OPTIONS = ("x", "y", "x_label", "y_label", "title")


class Pictures:
    """Draws plots into a folder.

    Parameters
    ----------
    folder: where the SVG files go; it must exist.
    prefix: what leads to it in a link, such as ``comparison/`` or a URL that ends in ``/``.
    names: of the old and the new revision, for the legends.

    Raises LeitmotifError if what draws is not installed.
    """

    def __init__(self, folder: Path, prefix: str, names: tuple[str, str]) -> None:
        if missing := [name for name in ("dvc_render", "vl_convert") if not find_spec(name)]:
            raise LeitmotifError(
                "plots cannot be drawn",
                found=f"no module named {' and '.join(missing)}",
                expected="the extra compare",
                fix="pip install 'leitmotif[compare]'; in a clone, make env",
            )
        self.folder, self.prefix, self.names = folder, prefix, names

    def draw(self, two: Two, options: Mapping[str, Any], template: Mapping[str, Any]) -> Image:
        """Write the picture of one plot; raises LeitmotifError if it cannot be drawn."""
        from dvc_render.vega import VegaRenderer
        from dvc_render.vega_templates import Template
        from vl_convert import vegalite_to_svg

        points = [
            {**{name: _number(value) for name, value in line.items()}, "rev": name}
            for name, side in zip(self.names, (two.old, two.new), strict=True)
            for line in ([] if side is ABSENT else side)
        ]
        given = {name: options[name] for name in _OPTIONS if name in options}
        try:
            renderer = VegaRenderer(
                points, two.path, template=Template(dict(template), name="plot"), **given
            )
            # What a page shows as an image cannot be read inside; the labels would double its size.
            content = vegalite_to_svg(
                renderer.get_filled_template(), config={"aria": False}, allowed_base_urls=[]
            )
        except Exception as error:  # a template may hold anything
            raise LeitmotifError(
                f"{two.path} cannot be drawn", found=" ".join(str(error).split())[:200]
            ) from error
        file = self.folder / f"{two.path.removesuffix('.csv').replace('/', '-')}.svg"
        write_text(file, content)
        old, new = self.names
        title = options.get("title") or name_of(two.path)
        return Image(f"{title}: {old} and {new}", self.prefix + file.name)


def plots(files: Sequence[Two], old: Revision, new: Revision, pictures: Pictures | None) -> Section:
    """The plots that changed, a table each; with pictures if there is a place for them."""
    options = _options(new) | {
        path: value for path, value in _options(old).items() if path not in _options(new)
    }
    tables = []
    for two in files:
        if not two.readable or two.same_bytes:
            continue
        gone, added = lines_changed(two)
        if not gone and not added:
            continue
        drawn: list[Image] = []
        note: Cell = ()
        if pictures is not None:
            try:
                drawn = [_picture(two, options.get(two.path, {}), old, new, pictures)]
            except LeitmotifError as error:
                note = (", not drawn: ", Data(str(error)))
        tables.append(_table(two, gone, added, drawn, note))
    lines: list[Cell] = []
    if tables and pictures is None:
        lines.append(("leitmotif compare --assets FOLDER draws them.",))
    return Section("Plots", lines, tables)


def _picture(
    two: Two, options: Mapping[str, Any], old: Revision, new: Revision, pictures: Pictures
) -> Image:
    path = f".dvc/plots/{options.get('template')}.json"
    template = read_two(old, new, path, parse_json)
    content = template.old if template.new is ABSENT else template.new
    if content is ABSENT or isinstance(content, Unreadable) or not isinstance(content, dict):
        raise LeitmotifError(f"{two.path} has no template", expected=path)
    return pictures.draw(two, options, content)


def _table(two: Two, gone: int, added: int, drawn: Sequence[Image], note: Cell) -> TableBlock:
    name = name_of(two.path)
    counts = ", ".join(
        f"{counted(number, 'line')} {word}"
        for number, word in ((gone, "gone"), (added, "new"))
        if number
    )
    caption: Cell = (Data(name), f": {counts}", *note)
    return TableBlock(
        ("plots",), (), (), caption, folded=bool(drawn), pictures=drawn, stated=gone + added
    )


def lines_changed(two: Two) -> tuple[int, int]:
    """How many lines only the old file has, and only the new one."""
    old, new = (
        Counter(tuple(line.items()) for line in ([] if side is ABSENT else side))
        for side in (two.old, two.new)
    )
    return (old - new).total(), (new - old).total()


def _options(side: Revision) -> dict[str, Any]:
    """The options of each plot by its path, as dvc.yaml has them."""
    content = side.read("dvc.yaml")
    try:
        stages = parse_stages((content or b"").decode(errors="replace"), "dvc.yaml")
    except LeitmotifError:
        return {}  # the inventory says so
    options: dict[str, Any] = {}
    for stage in stages.values():
        for entry in (stage.get("plots") or []) if isinstance(stage, Mapping) else []:
            if isinstance(entry, Mapping):
                options |= {str(path): value or {} for path, value in entry.items()}
    return options


def _number(text: str) -> float | str | None:
    """What a cell of a CSV file is to a plot; Vega takes an empty one for text otherwise."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else None
