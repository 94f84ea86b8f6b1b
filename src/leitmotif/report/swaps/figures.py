"""Figures of the page of swaps: effect and precision by layer, against each other, and in parts."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Literal

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from leitmotif.report.figures import HUES, WIDTH, band
from leitmotif.report.svg import INK, MUTED, as_svg, house_style
from leitmotif.report.swaps.sources import COMPONENTS, Slots, SwapSources
from leitmotif.sites import Component
from leitmotif.tables.interval import IntervalRow
from leitmotif.tables.swaps import Depth, MeasuredRow, SwapSummaryRow

MEASURES: dict[str, Callable[[MeasuredRow], IntervalRow]] = {
    "effect, nats": lambda swap: swap.effect,
    "precision, nats": lambda swap: swap.precision,
}
PARTS: dict[str, tuple[str, Callable[[MeasuredRow], IntervalRow]]] = {
    "original falls": ("o", lambda swap: swap.original),
    "desired rises": ("s", lambda swap: swap.desired),
    "both": ("D", lambda swap: swap.effect),
}
"""Mark and value of each part of an effect."""
DEPTHS: dict[Depth, str] = {"first": "o", "intermediate": "s", "last": "^"}
MOST_MARKED = 16
"""Layers whose points are marked; of more, the marks would hide the line."""
DOTTED, DASHED = (0, (1, 2)), (0, (4, 2))
PANEL, AROUND = 1.9, 1.1
"""Inches of a row of panels, and of the legend and the labels around all of them."""


def layers_figure(sources: SwapSources) -> Markup:
    """Effect and precision by layer, a line for each component, after figure 4 of the paper.

    Techniques stand beside each other. The strongest control of each component at each layer is
    dotted, and so is the ideal precision.
    """
    with house_style():
        figure, axes = _panels(sources, len(MEASURES), "row")
        for (row, (title, of)), (column, technique) in product(
            enumerate(MEASURES.items()), enumerate(sources.techniques)
        ):
            ax = axes[row][column]
            for component in sources.components:
                cells = [sources.cells[technique, component, layer] for layer in sources.layers]
                _component_lines(ax, sources, component, cells, of)
            if title.startswith("precision"):
                ideal = next(iter(sources.cells.values())).ideal_precision
                ax.axhline(ideal, color=INK, linewidth=1, linestyle=DASHED)
            else:
                ax.axhline(0, color=MUTED, linewidth=0.8)
            if row == 0:
                ax.set_title(technique)
            if column == 0:
                ax.set_ylabel(title)
            ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
            ax.grid(axis="x", visible=False)
        figure.supxlabel("layer", color=MUTED, fontsize=10)
        more = [Line2D([], [], color=INK, linestyle=DASHED, label="ideal precision")]
        if any(row.strongest for row in sources.cells.values()):
            more.append(Line2D([], [], color=MUTED, linestyle=DOTTED, label="strongest control"))
        _legend(figure, [*_component_handles(sources), *more])
        return as_svg(figure, "swap-layers", "Effect and precision by layer, for each component")


def trade_figure(sources: SwapSources) -> Markup:
    """Effect against precision of first, intermediate and last layers, after figure 5."""
    with house_style():
        figure, axes = _panels(sources, 1, "all")
        for ax, technique in zip(axes[0], sources.techniques, strict=True):
            for depth, marker in DEPTHS.items():
                for component, row in sources.depths(technique, depth).items():
                    effect, precision = row.swap.effect, row.swap.precision
                    hue = _hue(sources, component)
                    ax.hlines(precision.mean, effect.low, effect.high, color=hue, alpha=0.4)
                    ax.vlines(effect.mean, precision.low, precision.high, color=hue, alpha=0.4)
                    ax.plot(effect.mean, precision.mean, marker, color=hue, markersize=6)
            ax.axvline(0, color=MUTED, linewidth=0.8)
            ideal = next(iter(sources.cells.values())).ideal_precision
            ax.axhline(ideal, color=INK, linewidth=1, linestyle=DASHED)
            ax.set_title(technique)
        axes[0][0].set_ylabel("precision, nats")
        figure.supxlabel("effect, nats", color=MUTED, fontsize=10)
        marks = [
            _mark(marker, depth)
            for depth, marker in DEPTHS.items()
            if sources.depths(sources.techniques[0], depth)
        ]
        _legend(figure, [*_component_handles(sources), *marks])
        return as_svg(figure, "swap-trade", "Effect against precision by depth and component")


def parts_figure(sources: SwapSources) -> Markup:
    """The two parts of the effect, mean over single layers, after figure 6.

    A row of panels for the pairs of each two slots, if there are several.
    """
    kinds: list[Slots | None] = [*sources.slots] if len(sources.slots) > 1 else [None]
    height = 0.34 * len(sources.components) + 0.5
    with house_style():
        figure, axes = _panels(sources, len(kinds), "all", height)
        for (row, kind), (column, technique) in product(
            enumerate(kinds), enumerate(sources.techniques)
        ):
            ax = axes[row][column]
            by_component = sources.depths(technique, "every", kind)
            for place, component in enumerate(sources.components):
                if component in by_component:
                    _parts(ax, place, by_component[component], _hue(sources, component))
            ax.axvline(0, color=MUTED, linewidth=0.8)
            names = [COMPONENTS[component] for component in sources.components]
            ax.set_yticks(range(len(names)), names)
            ax.set_ylim(len(names) - 0.5, -0.5)
            ax.grid(axis="y", visible=False)
            # Above the first column: names of two slots need the room of both.
            titles: list[str] = [technique] if row == 0 else []
            if kind:
                titles.append(f"{kind[0]} \N{RIGHTWARDS ARROW} {kind[1]}" if column == 0 else "")
            ax.set_title("\n".join(titles))
        figure.supxlabel("nats, mean over layers", color=MUTED, fontsize=10)
        marks = [_mark(marker, name) for name, (marker, _) in PARTS.items()]
        _legend(figure, marks)
        return as_svg(figure, "swap-parts", "Original and desired part of the effect by component")


def _component_lines(
    ax: Axes,
    sources: SwapSources,
    component: Component,
    cells: Sequence[SwapSummaryRow],
    of: Callable[[MeasuredRow], IntervalRow],
) -> None:
    hue, layers = _hue(sources, component), sources.layers
    values = [of(row.swap) for row in cells]
    band(ax, layers, values, hue)
    marker = "o" if len(layers) <= MOST_MARKED else ""
    ax.plot(layers, [value.mean for value in values], color=hue, marker=marker, markersize=3.5)
    controls = {
        row.layers[0]: of(row.controls[row.strongest]).mean for row in cells if row.strongest
    }
    ax.plot([*controls], [*controls.values()], color=hue, linewidth=1.1, linestyle=DOTTED)


def _parts(ax: Axes, place: int, row: SwapSummaryRow, hue: str) -> None:
    for number, (marker, of) in enumerate(PARTS.values()):
        value, y = of(row.swap), place + 0.24 * (number - 1)
        ax.hlines(y, value.low, value.high, color=hue, linewidth=1.6, alpha=0.45)
        ax.plot(value.mean, y, marker, color=hue, markersize=4.5)


def _panels(
    sources: SwapSources, rows: int, sharey: Literal["row", "all"], height: float = PANEL
) -> tuple[Figure, Sequence[Sequence[Axes]]]:
    figure = Figure(figsize=(WIDTH, AROUND + height * rows), layout="constrained")
    axes = figure.subplots(rows, len(sources.techniques), sharex=True, sharey=sharey, squeeze=False)
    return figure, [list(row) for row in axes]


def _hue(sources: SwapSources, component: Component) -> str:
    return HUES[sources.components.index(component) % len(HUES)]


def _component_handles(sources: SwapSources) -> list[Line2D]:
    return [
        Line2D([], [], color=_hue(sources, component), label=COMPONENTS[component])
        for component in sources.components
    ]


def _mark(marker: str, label: str) -> Line2D:
    return Line2D([], [], color=MUTED, marker=marker, linestyle="none", label=label)


def _legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
