"""Axes of the report's figures: named, and not pressed flat by a single wide interval."""

import pytest
from matplotlib.figure import Figure

from leitmotif.report.figures import (
    SHARES,
    calibration_figure,
    cut_axis,
    effects_figure,
    gap_figure,
    layers_figure,
    leads_figure,
)
from leitmotif.report.material import read_material
from leitmotif.tables.interval import IntervalRow
from tests.report.made import Made


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.1, 1.1, ""),
        (-3.0, 1.0, "cut: intervals reach down to −3.0"),  # noqa: RUF001
        (-3.0, 4.0, "cut: intervals reach down to −3.0 and up to 4.0"),  # noqa: RUF001
    ],
)
def test_an_outlier_does_not_squeeze_a_figure_and_is_named(
    low: float, high: float, said: str
) -> None:
    axes = Figure().subplots(1, 2)
    cells = [IntervalRow(mean=0.5, low=low, high=high), IntervalRow(mean=0.4, low=0.3, high=0.5)]
    cut_axis(list(axes), cells, SHARES)
    for ax in axes:
        bottom, top = ax.get_ylim()
        assert bottom >= SHARES[0] - 0.2
        assert top <= SHARES[1] + 0.2
    assert [text.get_text() for text in axes[0].texts] == ([said] if said else [])


def test_every_axis_has_a_name(made: Made) -> None:
    material = read_material(made.write())
    named = {
        layers_figure: ("layer", "partial R²"),
        leads_figure: ("seconds before the event", "share of the total effect"),
        gap_figure: ("steps that are patched", "layer"),
        calibration_figure: ("share called significant", "share detected"),
        effects_figure: ("points towards the source",),
    }
    for draw, names in named.items():
        svg = str(draw(material))
        for name in names:
            assert name in svg, draw.__name__
    assert "random control" not in str(effects_figure(material))
