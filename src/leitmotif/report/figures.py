"""The report's figures, each of a metrics file."""

from collections.abc import Mapping, Sequence
from itertools import product

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from leitmotif.report.material import Material, Metric
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

WIDTH = 5.2
"""Inches of 72 points: a figure fills half a page's width, or a telephone's."""
HUES = (MOTIF, RECURRENCE, CHANGED, AMBIGUOUS)


def layers_figure(material: Material) -> Markup:
    """Partial R² by site and horizon, a panel for each model."""
    models = [
        name for name in (*material.models, "random_weights") if name in material.probes["models"]
    ]
    rows = (len(models) + 1) // 2
    with house_style():
        figure = Figure(figsize=(WIDTH, 0.55 + 1.75 * rows), layout="constrained")
        axes = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).flat
        for ax, model in zip(axes, models, strict=False):
            _layers(ax, material.probes["models"][model])
            ax.set_title(model.replace("_", " "))
        for ax in list(axes)[len(models) :]:
            ax.remove()
        figure.supylabel("partial R²", color=MUTED, fontsize=10)
        figure.supxlabel("layer", color=MUTED, fontsize=10)
        handles, labels = next(iter(figure.axes)).get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))
        return as_svg(figure, "layers", "Partial R² by layer and horizon for each model")


def _layers(ax: Axes, of_model: Mapping[str, Metric]) -> None:
    sites = list(of_model)
    horizons = list(next(iter(of_model.values())))
    # However many horizons there are, each has its line: hues come again, dashed.
    styles = product(("-", "--", ":"), HUES)
    for (dashes, hue), horizon in zip(styles, horizons, strict=False):
        cells = [of_model[site][horizon]["partial_r2"] for site in sites]
        places = range(len(sites))
        ax.fill_between(
            places,
            [cell["low"] for cell in cells],
            [cell["high"] for cell in cells],
            color=hue,
            alpha=0.16,
            linewidth=0,
        )
        means = [cell["mean"] for cell in cells]
        ax.plot(places, means, dashes, color=hue, marker="o", markersize=3.5, label=_ahead(horizon))
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.set_xticks(range(len(sites)), [_site(site) for site in sites])
    ax.grid(axis="x", visible=False)


def calibration_figure(material: Material) -> Markup:
    """False-positive rates by kind of null feature, naive and controlled, and power."""
    found = material.calibration
    kinds = sorted(
        found["by_generator"], key=lambda name: -found["by_generator"][name]["fpr_naive"]["mean"]
    )
    with house_style():
        figure = Figure(figsize=(WIDTH, 0.9 + 0.3 * len(kinds) + 1.7), layout="constrained")
        top, bottom = figure.subplots(2, 1, height_ratios=[0.3 * len(kinds) + 0.3, 1.5])
        for offset, hue, key in ((-0.13, RECURRENCE, "fpr_naive"), (0.13, MOTIF, "fpr_controlled")):
            _intervals(
                top,
                [found["by_generator"][name][key] for name in kinds],
                [place + offset for place in range(len(kinds))],
                hue,
                label=key.removeprefix("fpr_"),
            )
        top.axvline(found["alpha"], color=INK, linewidth=0.9, linestyle=(0, (3, 3)))
        top.set_yticks(range(len(kinds)), [name.replace("_", " ") for name in kinds])
        top.invert_yaxis()
        top.set_xlim(0, None)
        top.grid(axis="y", visible=False)
        top.set_title("False positives: features that foresee nothing")
        top.legend(loc="lower right")
        strengths = sorted(found["power"], key=float)
        places = [float(one) for one in strengths]
        power = [found["power"][one] for one in strengths]
        bottom.fill_between(
            places,
            [one["low"] for one in power],
            [one["high"] for one in power],
            color=MOTIF,
            alpha=0.16,
            linewidth=0,
        )
        bottom.plot(places, [one["mean"] for one in power], color=MOTIF, marker="o", markersize=3.5)
        bottom.set_ylim(0, 1.03)
        bottom.set_xlim(0, None)
        bottom.set_xlabel("planted partial correlation")
        bottom.set_title("Power: planted features that are found")
        return as_svg(figure, "calibration", "False-positive rates of both tests, and power")


def gap_figure(material: Material) -> Markup | None:
    """Effect towards the source of a patch of each whole site in each window, a map per model.

    None if no whole site was patched.
    """
    models = material.models
    maps = {name: _map(material.interventions["models"][name]) for name in models}
    windows = list(dict.fromkeys(window for cells in maps.values() for _, window in cells))
    sites = list(dict.fromkeys(site for cells in maps.values() for site, _ in cells))
    if not sites:
        return None
    with house_style():
        figure = Figure(figsize=(WIDTH, 0.75 + 0.36 * len(sites)), layout="constrained")
        axes = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
        for ax, name in zip(axes, models, strict=True):
            _cells(ax, maps[name], sites, windows)
            ax.set_title(name)
        axes[0].set_yticks(range(len(sites)), [_site(site) for site in sites])
        axes[0].set_ylabel("layer")
        return as_svg(figure, "gap", "Effect of a patch by site and window, for each model")


def _map(study: Metric) -> dict[tuple[str, str], float | None]:
    return {
        (one["site"], name.removeprefix("patch_")): (condition["towards_source"] or {}).get("mean")
        for one in study["candidates"].values()
        if not one["features"]
        for name, condition in one["conditions"].items()
        if condition["condition"] == "patch"
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


def effects_figure(material: Material) -> Markup | None:
    """What each candidate of the model under study does, beside its controls: a forest."""
    candidates = material.interventions["models"][material.models[0]]["candidates"]
    rows = [(name, one) for name, one in candidates.items() if one["effect"] is not None]
    if not rows:
        return None
    with house_style():
        figure = Figure(figsize=(WIDTH, 0.95 + 0.4 * len(rows)), layout="constrained")
        ax = figure.subplots()
        for offset, hue, label, values in (
            (-0.15, MOTIF, "candidate", [one["effect"] for _, one in rows]),
            (0.15, MUTED, "its strongest random control", [_control(one) for _, one in rows]),
        ):
            places = [place + offset for place, value in enumerate(values) if value is not None]
            _intervals(ax, [value for value in values if value], places, hue, label=label)
        ax.axvline(0, color=INK, linewidth=0.9)
        ax.set_yticks(range(len(rows)), [_short(name, one) for name, one in rows])
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.set_xlabel("points towards the source (95 % interval)")
        figure.legend(loc="outside upper left", ncols=2)
        return as_svg(figure, "effects", "Effect of each candidate, and of its controls")


def _control(candidate: Metric) -> Metric | None:
    """The strongest of the random controls."""
    found = [
        one["towards_source"]
        for one in candidate["conditions"].values()
        if one["condition"] == "random_feature" and one["towards_source"] is not None
    ]
    return max(found, key=lambda one: abs(one["mean"]), default=None)


def _intervals(
    ax: Axes, values: Sequence[Metric], places: Sequence[float], hue: str, *, label: str
) -> None:
    ax.hlines(
        places,
        [one["low"] for one in values],
        [one["high"] for one in values],
        color=hue,
        linewidth=2,
    )
    means = [one["mean"] for one in values]
    ax.plot(means, places, linestyle="none", marker="o", markersize=5, color=hue, label=label)


def _short(name: str, candidate: Metric) -> str:
    if candidate["features"]:
        return name if len(name) <= 24 else f"{name[:23]}…"
    return f"all of {_site(candidate['site'])}"


def _site(site: str) -> str:
    """``2`` of layers.2.residual, else with the branch."""
    parts = site.split(".")
    return parts[1] if parts[-1] == "residual" else f"{parts[1]} {parts[-1].replace('_', ' ')}"


def _ahead(horizon: str) -> str:
    return f"{horizon.removesuffix('s')} s ahead".replace("-", " to ")
