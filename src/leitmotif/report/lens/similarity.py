"""Maps of how alike the outputs of two layers are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from leitmotif.report.figures import WIDTH
from leitmotif.report.lens.sources import LensSources
from leitmotif.report.svg import MOTIF, MUTED, as_svg, house_style
from leitmotif.report.words import number
from leitmotif.tables.decoderlens import SimilarityRow

Cells = Mapping[tuple[int, int], float | None]
MOST_WRITTEN = 8
"""Layers whose numbers are written into the cells."""
STRONGEST, SHADES = 0.62, 24


def similarity_figure(sources: LensSources) -> Markup | None:
    """Distance and debiased CKA of each pair of layers over all prompts; None without a row.

    After figure 3 of Vélez Vásquez et al. 2024: the stronger the colour, the more alike.
    """
    rows = [row for row in sources.similarity if row.concept is None]
    if not rows:
        return None
    distances, cka = _cells(rows, lambda row: row.distance), _cells(rows, lambda row: row.cka)
    furthest = max(value for value in distances.values() if value is not None)
    with house_style():
        figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        _map(left, distances, lambda value: 1 - value / furthest if furthest else 1.0)
        left.set_title("Euclidean distance")
        _map(right, cka, lambda value: value)
        right.set_title("CKA, debiased")
        figure.supxlabel("layer", color=MUTED, fontsize=10)
        left.set_ylabel("layer")
        return as_svg(figure, "similarity", "Distance and similarity of each pair of layers")


def _cells(
    rows: Sequence[SimilarityRow], of: Callable[[SimilarityRow], float | None]
) -> dict[tuple[int, int], float | None]:
    """Both halves of the map; the table has one."""
    return {
        pair: of(row) for row in rows for pair in ((row.first, row.second), (row.second, row.first))
    }


def _map(ax: Axes, cells: Cells, alike: Callable[[float], float]) -> None:
    """Draw a square for each pair; ``alike`` gives its shade, from 0 to 1."""
    layers = sorted({layer for layer, _ in cells})
    shade_of = {
        pair: round(SHADES * min(1.0, max(0.0, alike(value))))
        for pair, value in cells.items()
        if value is not None
    }
    if len(layers) <= MOST_WRITTEN:
        parts = [(shade, _part(y, x, x, gap=0.03)) for (x, y), shade in shade_of.items()]
        for (x, y), value in cells.items():
            ax.text(x, y, _written(value), ha="center", va="center", fontsize=8)
    else:
        parts = [part for y in layers for part in _runs(y, layers, shade_of)]
    for shade in sorted({shade for shade, _ in parts}):
        # One path for each shade: a model of 48 layers has 4,608 squares.
        path = Path.make_compound_path(*(part for of_part, part in parts if of_part == shade))
        colour = to_rgba(MOTIF, 0.03 + STRONGEST * shade / SHADES)
        ax.add_patch(PathPatch(path, facecolor=colour, linewidth=0))
    ax.set_xlim(layers[0] - 0.5, layers[-1] + 0.5)
    ax.set_ylim(layers[-1] + 0.5, layers[0] - 0.5)
    ax.set_aspect("equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def _runs(
    y: int, layers: Sequence[int], shade_of: Mapping[tuple[int, int], int]
) -> Iterator[tuple[int, Path]]:
    """The neighbours of one shade in a row, as one part each; without a shade there is none."""
    for shade, run in groupby(layers, key=lambda x: shade_of.get((x, y))):
        if shade is not None:
            first, *others = run
            yield shade, _part(y, first, others[-1] if others else first, gap=0.0)


def _part(y: int, first: int, last: int, *, gap: float) -> Path:
    """The rectangle of neighbouring squares of a row."""
    left, right, half = first - 0.5 + gap, last + 0.5 - gap, 0.5 - gap
    corners = [(left, y - half), (right, y - half), (right, y + half), (left, y + half)]
    return Path([*corners, corners[0]], closed=True)


def _written(value: float | None) -> str:
    """Three digits at most, so that it fits a cell."""
    digits = (
        0 if value is not None and abs(value) >= 100 else 1 if value and abs(value) >= 10 else 2
    )
    return number(value, digits)
