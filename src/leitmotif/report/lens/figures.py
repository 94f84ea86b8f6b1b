"""Figures of the page of layers: recognition, both lenses, divergence."""

from collections.abc import Callable, Iterable, Sequence
from itertools import product

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leitmotif.report.figures import HUES, WIDTH, band
from leitmotif.report.lens.sources import LensSources
from leitmotif.report.svg import MOTIF, MUTED, as_svg, house_style
from leitmotif.tables.decoderlens import DecoderLensRow, Heard, Lens
from leitmotif.tables.interval import IntervalRow

Measure = tuple[str, Callable[[DecoderLensRow], IntervalRow], Callable[[DecoderLensRow], float]]
MEASURES: Sequence[Measure] = (
    ("among all labels", lambda row: row.ndcg, lambda row: row.chance),
    ("among the slot's labels", lambda row: row.within, lambda row: row.chance_within),
)
"""Title, the NDCG, that of chance."""
HEARD: dict[Heard, str] = {"sampled": "the layer plays alone", "read": "the model plays"}
LENSES: dict[Lens, tuple[str, str]] = {"plain": (MUTED, "--"), "tuned": (MOTIF, "-")}
"""Colour and dashes of each lens."""
MOST_MARKED = 16
"""Layers whose points are marked; of more, the marks would hide the line."""
SPREAD = 0.36
"""Layers between the first and the last of several lines, so that their bars do not overlap."""
PANEL, AROUND = 1.75, 0.95
"""Inches of a row of panels, and of the legend and the labels around all of them."""


def recognition_figure(sources: LensSources, slot: str) -> Markup:
    """NDCG of every concept of a slot by layer, a row of panels for each way to hear a layer.

    After figure 2 of Vélez Vásquez et al. 2024; as there, layers are heard by the plain lens.
    """
    concepts = sources.slots[slot]
    ways = [heard for heard in HEARD if sources.curve(slot, concepts[0], heard=heard)]
    with house_style():
        figure = Figure(figsize=(WIDTH, AROUND + PANEL * len(ways)), layout="constrained")
        axes = figure.subplots(len(ways), 2, sharex=True, sharey=True, squeeze=False)
        for (row, heard), (column, (title, ndcg, chance)) in product(
            enumerate(ways), enumerate(MEASURES)
        ):
            ax = axes[row, column]
            curves = [sources.curve(slot, concept, heard=heard) for concept in concepts]
            for number, (concept, curve) in enumerate(zip(concepts, curves, strict=True)):
                points = [(point.layer, ndcg(point)) for point in curve]
                shift = SPREAD * (number / max(1, len(concepts) - 1) - 0.5)
                _line(ax, points, *_style(number), label=concept, shift=shift)
            _chance(ax, [chance(point) for curve in curves for point in curve])
            if row == 0:
                ax.set_title(title)
            if column == 0:
                ax.set_ylabel(HEARD[heard])
        _finish(figure, axes.flat, "NDCG", columns=4)
        return as_svg(figure, f"recognition-{_id(sources, slot)}", f"NDCG of {slot} by layer")


def lenses_figure(sources: LensSources) -> Markup | None:
    """NDCG of each slot by layer, by the plain and the tuned lens; None without a tuned lens.

    Among the labels of the slot. A column for each way to hear a layer.
    """
    slots = list(sources.slots)
    ways = [
        heard
        for heard in HEARD
        if any(sources.curve(slot, None, lens="tuned", heard=heard) for slot in slots)
    ]
    if not ways:
        return None
    with house_style():
        figure = Figure(figsize=(WIDTH, AROUND + PANEL * len(slots)), layout="constrained")
        axes = figure.subplots(len(slots), len(ways), sharex=True, sharey=True, squeeze=False)
        for (row, slot), (column, heard) in product(enumerate(slots), enumerate(ways)):
            ax = axes[row, column]
            curves = {lens: sources.curve(slot, None, lens=lens, heard=heard) for lens in LENSES}
            for lens, curve in curves.items():
                points = [(point.layer, point.within) for point in curve]
                _line(ax, points, *LENSES[lens], label=f"{lens} lens")
            _chance(ax, [point.chance_within for curve in curves.values() for point in curve])
            if row == 0:
                ax.set_title(HEARD[heard])
            if column == 0:
                ax.set_ylabel(slot)
        _finish(figure, axes.flat, "NDCG among the slot's labels", columns=3)
        return as_svg(figure, "lenses", "NDCG of each slot by layer, by the plain and tuned lens")


def divergence_figure(sources: LensSources) -> Markup | None:
    """KL divergence of each layer from the model, by codebook and lens; None without a row."""
    if not sources.divergence:
        return None
    codebooks = sorted({row.codebook for row in sources.divergence})
    with house_style():
        figure = Figure(figsize=(WIDTH, AROUND + 2.0), layout="constrained")
        axes = figure.subplots(1, 2, sharex=True, sharey=True)
        for ax, lens in zip(axes, LENSES, strict=True):
            for number, codebook in enumerate(codebooks):
                rows = [
                    row
                    for row in sources.divergence
                    if (row.lens, row.codebook) == (lens, codebook)
                ]
                points = [(row.layer, row.nats) for row in sorted(rows, key=lambda row: row.layer)]
                _line(ax, points, *_style(number), label=f"codebook {codebook}")
            ax.set_title(f"{lens} lens")
            ax.set_ylim(0, None)
        _finish(figure, axes, "KL divergence, nats", columns=2)
        return as_svg(figure, "divergence", "Divergence of each layer from the model, by codebook")


def _chance(ax: Axes, values: Sequence[float]) -> None:
    """Shade what a random order gives, from the concept with the fewest labels to the most."""
    low, high = min(values), max(values)
    ax.axhspan(low, high, color=MUTED, alpha=0.16, linewidth=0)
    for value in sorted({low, high}):
        label = "chance" if value == low else None
        ax.axhline(value, color=MUTED, linewidth=1, linestyle=(0, (1, 2)), label=label)


def _style(number: int) -> tuple[str, str]:
    """Colour and dashes of a line; when the hues are used up, they repeat with dashes."""
    return HUES[number % len(HUES)], ("-", "--", ":")[number // len(HUES) % 3]


def _line(
    ax: Axes,
    points: Sequence[tuple[int, IntervalRow]],
    hue: str,
    dashes: str,
    *,
    label: str,
    shift: float | None = None,
) -> None:
    """Draw a curve with its intervals: as bands, or as bars that are moved by ``shift`` layers.

    Bands of many lines hide each other; bars of many layers do.
    """
    few = len(points) <= MOST_MARKED
    moved = shift if few and shift is not None else 0.0
    places, cells = [layer + moved for layer, _ in points], [cell for _, cell in points]
    if few and shift is not None:
        lows, highs = [cell.low for cell in cells], [cell.high for cell in cells]
        ax.vlines(places, lows, highs, color=hue, linewidth=1.6, alpha=0.4)
    else:
        band(ax, places, cells, hue)
    means = [cell.mean for cell in cells]
    marker = "o" if few else ""
    ax.plot(places, means, dashes, color=hue, marker=marker, markersize=3.5, label=label)


def _finish(figure: Figure, axes: Iterable[Axes], measured: str, *, columns: int) -> None:
    """Label the axes and add one legend for all panels."""
    panels = list(axes)
    for ax in panels:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        ax.grid(axis="x", visible=False)
    figure.supxlabel("layer", color=MUTED, fontsize=10)
    figure.supylabel(measured, color=MUTED, fontsize=10)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=columns)


def _id(sources: LensSources, slot: str) -> str:
    """Slots may have any name; an element's id may not."""
    return str([*sources.slots].index(slot))
