"""The report's figures, each drawn from one table."""

from collections.abc import Mapping, Sequence
from itertools import product

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from leitmotif.report.material import ReportMaterial
from leitmotif.report.svg import (
    AMBIGUOUS,
    CHANGED,
    INK,
    MOTIF,
    MUTED,
    RECURRENCE,
    as_svg,
    house_style,
)
from leitmotif.report.words import MINUS
from leitmotif.tables.calibration import CalibrationRow, of_kind
from leitmotif.tables.effects import VerdictRow, whole_sites
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.tables.interval import IntervalRow
from leitmotif.tables.probes import ProbeRow

WIDTH = 5.2
"""Inches of 72 points: a figure fills half a page's width, or a telephone's."""
PARTIAL, SHARES = (-0.25, 1.0), (-0.5, 1.5)
"""Where the axes of partial R² and of shares of an effect end at the latest."""
RANDOM_WEIGHTS = "random_weights"
"""The model whose weights were drawn, as the tables name it."""
HUES = (MOTIF, RECURRENCE, CHANGED, AMBIGUOUS)


def layers_figure(material: ReportMaterial) -> Markup:
    """Partial R² by site and horizon, a panel for each model."""
    probed = {row.model for row in material.probes}
    models = [name for name in (*material.models, RANDOM_WEIGHTS) if name in probed]
    rows = (len(models) + 1) // 2
    with house_style():
        figure = Figure(figsize=(WIDTH, 0.55 + 1.75 * rows), layout="constrained")
        axes = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).flat
        for ax, model in zip(axes, models, strict=False):
            _layers(ax, [row for row in material.probes if row.model == model])
            ax.set_title(model.replace("_", " "))
        drawn = list(figure.axes)
        for ax in drawn[len(models) :]:
            ax.remove()
        cells = [row.partial_r2 for row in material.probes if row.model in models]
        cut_axis(drawn[: len(models)], cells, PARTIAL)
        figure.supylabel("partial R²", color=MUTED, fontsize=10)
        figure.supxlabel("layer", color=MUTED, fontsize=10)
        handles, labels = next(iter(figure.axes)).get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))
        return as_svg(figure, "layers", "Partial R² by layer and horizon for each model")


def _layers(ax: Axes, rows: Sequence[ProbeRow]) -> None:
    sites = list(dict.fromkeys(row.site for row in rows))
    places = range(len(sites))
    # Each horizon needs its own line: when the hues are used up, they repeat with dashes.
    styles = product(("-", "--", ":"), HUES)
    horizons = dict.fromkeys(row.horizon for row in rows)
    for (dashes, hue), horizon in zip(styles, horizons, strict=False):
        cells = [row.partial_r2 for row in rows if row.horizon == horizon]
        band(ax, places, cells, hue)
        means = [cell.mean for cell in cells]
        ax.plot(places, means, dashes, color=hue, marker="o", markersize=3.5, label=_ahead(horizon))
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.set_xticks(places, [_site(site) for site in sites])
    ax.grid(axis="x", visible=False)


def cut_axis(
    axes: Sequence[Axes], cells: Sequence[IntervalRow], limits: tuple[float, float]
) -> None:
    """Let the axis of estimates end at these limits, and write on the first what lies beyond.

    Few tracks make intervals that are wide beyond all means, and would press the curves flat.
    """
    low = min((cell.low for cell in cells), default=0.0)
    high = max((cell.high for cell in cells), default=0.0)
    ends = max(low, limits[0]), min(high, limits[1])
    margin = 0.05 * (ends[1] - ends[0]) or 0.05
    for ax in axes:
        ax.set_ylim(ends[0] - margin, ends[1] + margin)
    beyond = [f"down to {low:.1f}"] if low < limits[0] else []
    beyond += [f"up to {high:.1f}"] if high > limits[1] else []
    if beyond:
        said = f"cut: intervals reach {' and '.join(beyond)}".replace("-", MINUS)
        place = axes[0].transAxes
        axes[0].text(0.02, 0.03, said, transform=place, color=MUTED, fontsize=8)


def band(ax: Axes, places: Sequence[float], cells: Sequence[IntervalRow], hue: str) -> None:
    """Shade the intervals of estimates at these places."""
    lows, highs = [cell.low for cell in cells], [cell.high for cell in cells]
    ax.fill_between(places, lows, highs, color=hue, alpha=0.16, linewidth=0)


def leads_figure(material: ReportMaterial) -> Markup | None:
    """How much of the event each site carries from each lead on; None where nothing is known."""
    figure = draw_leads(material.interchange)
    if figure is None:
        return None
    with house_style():
        return as_svg(figure, "leads", "Share of the event that each site carries, by lead time")


def draw_leads(exchanged: Sequence[InterchangeRow], hues: Sequence[str] = HUES) -> Figure | None:
    """A panel for each model: share of the total effect over lead time, a line for each site.

    ``hues`` are the lines' colours, by default those of a page. None if nothing was exchanged.
    """
    rows = [
        row
        for row in exchanged
        if (row.window, row.donor, row.slot) == ("ahead", "counterfactual", None)
        and row.share is not None
    ]
    models = list(dict.fromkeys(row.model for row in rows))
    sites = list(dict.fromkeys(row.site for row in rows if row.site is not None))
    if not rows:
        return None
    with house_style():
        figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
        axes = figure.subplots(1, len(models), sharex=True, sharey=True, squeeze=False)[0]
        for ax, model in zip(axes, models, strict=True):
            for (dashes, hue), site in zip(product(("-", "--", ":"), hues), sites, strict=False):
                curve = [row for row in rows if (row.model, row.site) == (model, site)]
                curve.sort(key=lambda row: row.after or 0.0)
                places = [row.after or 0.0 for row in curve]
                shares = [row.share for row in curve if row.share is not None]
                band(ax, places, shares, hue)
                means = [share.mean for share in shares]
                label = f"layer {_site(site)}"
                ax.plot(places, means, dashes, color=hue, marker="o", markersize=3, label=label)
            ax.axhline(0, color=MUTED, linewidth=0.8)
            ax.set_title(model)
        cut_axis(list(axes), [row.share for row in rows if row.share is not None], SHARES)
        axes[0].invert_xaxis()
        axes[0].set_ylabel("share of the total effect")
        figure.supxlabel("seconds before the event, and all before that", color=MUTED, fontsize=10)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=min(3, len(labels)))
    return figure


def calibration_figure(material: ReportMaterial) -> Markup:
    """False-positive rates by kind of null feature, naive and controlled, and power."""
    rates = [
        (str(row.generator), row.naive, row.controlled)
        for row in of_kind(material.calibration, "null")
        if row.naive is not None
    ]
    rates.sort(key=lambda rate: -rate[1].mean)
    (every,) = of_kind(material.calibration, "all")
    with house_style():
        figure = Figure(figsize=(WIDTH, 1.1 + 0.3 * len(rates) + 1.7), layout="constrained")
        top, bottom = figure.subplots(2, 1, height_ratios=[0.3 * len(rates) + 0.3, 1.5])
        places = range(len(rates))
        naive, controlled = [rate[1] for rate in rates], [rate[2] for rate in rates]
        _intervals(top, naive, [y - 0.13 for y in places], RECURRENCE, label="naive")
        _intervals(top, controlled, [y + 0.13 for y in places], MOTIF, label="controlled")
        top.axvline(every.alpha, color=INK, linewidth=0.9, linestyle=(0, (3, 3)))
        top.set_yticks(places, [name.replace("_", " ") for name, _, _ in rates])
        top.invert_yaxis()
        top.set_xlim(0, None)
        top.grid(axis="y", visible=False)
        top.set_xlabel("share called significant")
        top.set_title("False positives: features without foresight")
        top.legend(loc="lower right")
        _power(bottom, of_kind(material.calibration, "planted"))
        return as_svg(figure, "calibration", "False-positive rates of both tests, and power")


def _power(ax: Axes, rows: Sequence[CalibrationRow]) -> None:
    planted = sorted(
        ((row.strength or 0.0, row.controlled) for row in rows), key=lambda point: point[0]
    )
    places, power = [strength for strength, _ in planted], [share for _, share in planted]
    band(ax, places, power, MOTIF)
    ax.plot(places, [share.mean for share in power], color=MOTIF, marker="o", markersize=3.5)
    ax.set_ylim(0, 1.03)
    ax.set_xlim(0, None)
    ax.set_xlabel("planted partial correlation")
    ax.set_ylabel("share detected")
    ax.set_title("Power: planted features that are detected")


def gap_figure(material: ReportMaterial) -> Markup | None:
    """Effect of patching each whole site in each window, towards the source: a map per model.

    Returns None if no whole site was patched in any piece.
    """
    models = material.models
    maps = {name: _map(material, name) for name in models}
    windows = list(dict.fromkeys(window for cells in maps.values() for _, window in cells))
    sites = list(dict.fromkeys(site for cells in maps.values() for site, _ in cells))
    if all(value is None for cells in maps.values() for value in cells.values()):
        return None
    with house_style():
        figure = Figure(figsize=(WIDTH, 0.95 + 0.36 * len(sites)), layout="constrained")
        axes = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
        for ax, name in zip(axes, models, strict=True):
            _cells(ax, maps[name], sites, windows)
            ax.set_title(name)
        axes[0].set_yticks(range(len(sites)), [_site(site) for site in sites])
        axes[0].set_ylabel("layer")
        figure.supxlabel("steps that are patched", color=MUTED, fontsize=10)
        return as_svg(figure, "gap", "Effect of a patch by site and window, for each model")


def _map(material: ReportMaterial, model: str) -> dict[tuple[str, str], float | None]:
    return {
        (judged.site, row.name.removeprefix("patch_")): row.towards_source.mean
        if row.towards_source
        else None
        for judged in whole_sites(material.verdicts, model)
        for row in material.effects_of(model, judged.candidate)
        if row.condition == "patch"
    }


def _cells(
    ax: Axes,
    cells: Mapping[tuple[str, str], float | None],
    sites: Sequence[str],
    windows: Sequence[str],
) -> None:
    for (site, window), value in cells.items():
        x, y = windows.index(window), sites.index(site)
        share = min(1.0, abs(value or 0) / 100)
        hue = MOTIF if (value or 0) >= 0 else RECURRENCE
        square = [(x - 0.47, 0.94), (y - 0.45, 0.9)]
        ax.broken_barh([square[0]], square[1], facecolor=to_rgba(hue, 0.06 + 0.6 * share))
        text = "" if value is None else f"{value:+.0f}" if round(value) else "0"
        ax.text(x, y, text, ha="center", va="center", fontsize=9.5)
    ax.set_xlim(-0.5, len(windows) - 0.5)
    ax.set_ylim(len(sites) - 0.5, -0.5)
    ax.set_xticks(range(len(windows)), windows)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def effects_figure(material: ReportMaterial) -> Markup | None:
    """Forest plot: the effect of each candidate of the model under study, and of its control."""
    rows = [
        (judged, judged.effect, _control(material, judged))
        for judged in material.verdicts_of(material.models[0])
        if judged.effect is not None
    ]
    if not rows:
        return None
    with house_style():
        figure = Figure(figsize=(WIDTH, 0.95 + 0.4 * len(rows)), layout="constrained")
        ax = figure.subplots()
        own = [effect for _, effect, _ in rows]
        _intervals(ax, own, [y - 0.15 for y in range(len(rows))], MOTIF, label="candidate")
        controls = [(y + 0.15, control) for y, (_, _, control) in enumerate(rows) if control]
        _intervals(
            ax,
            [control for _, control in controls],
            [y for y, _ in controls],
            MUTED,
            label="its strongest control",
        )
        ax.axvline(0, color=INK, linewidth=0.9)
        ax.set_yticks(range(len(rows)), [_short(judged) for judged, _, _ in rows])
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.set_xlabel("points towards the source (95 % interval)")
        figure.legend(loc="outside upper left", ncols=2)
        return as_svg(figure, "effects", "Effect of each candidate, and of its controls")


def _control(material: ReportMaterial, candidate: VerdictRow) -> IntervalRow | None:
    """The strongest control: patches from a run that says the same, or random features."""
    controls = [
        row.towards_source
        for row in material.effects_of(candidate.model, candidate.candidate)
        if row.condition in ("control", "random_feature") and row.towards_source is not None
    ]
    return max(controls, key=lambda interval: abs(interval.mean), default=None)


def _intervals(
    ax: Axes, values: Sequence[IntervalRow], places: Sequence[float], hue: str, *, label: str
) -> None:
    lows, highs = [interval.low for interval in values], [interval.high for interval in values]
    ax.hlines(places, lows, highs, color=hue, linewidth=2)
    means = [interval.mean for interval in values]
    ax.plot(means, places, linestyle="none", marker="o", markersize=5, color=hue, label=label)


def _short(candidate: VerdictRow) -> str:
    name = candidate.candidate
    if candidate.features:
        return name if len(name) <= 24 else f"{name[:23]}…"
    return f"all of {_site(candidate.site)}"


def _site(site: str) -> str:
    """``2`` of layers.2.residual, else with the branch."""
    parts = site.split(".")
    return parts[1] if parts[-1] == "residual" else f"{parts[1]} {parts[-1].replace('_', ' ')}"


def _ahead(horizon: str) -> str:
    return f"{horizon.removesuffix('s')} s ahead".replace("-", " to ")
