"""Figures as SVG that use the colours and fonts of the page, light or dark.

Matplotlib draws with one hex colour for each role. These colours are then replaced by CSS variables
of theme.css. The same figures give the same bytes.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

INK, MUTED, LINE, CARD, WELL = "#010101", "#010102", "#010103", "#010104", "#010105"
MOTIF, RECURRENCE, CHANGED, AMBIGUOUS = "#010106", "#010107", "#010108", "#010109"
_ROLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    CARD: "--card",
    WELL: "--well",
    MOTIF: "--motif",
    RECURRENCE: "--recurrence",
    CHANGED: "--changed",
    AMBIGUOUS: "--ambiguous",
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": 10.5,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Context in which figures are drawn."""
    with mpl.rc_context(_STYLE):
        yield


def as_svg(figure: Figure, name: str, description: str) -> Markup:
    """Convert a figure to an SVG element for a page; all its ids begin with ``name``."""
    file = io.StringIO()
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        nameless = {"Date": None, "Creator": None}
        figure.savefig(file, format="svg", metadata=nameless, transparent=True)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    # The first style would apply to the whole page.
    text = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'xlink:href="#', f'xlink:href="#{name}-', text)
    for colour, role in _ROLES.items():
        text = text.replace(colour, f"var({role})")
    # Matplotlib names its own fonts; the page uses others.
    text = re.sub(r"(font: [^;\"']*?\d+(?:\.\d+)?px) [^;\"]+", r"\1 var(--font)", text)
    size = re.search(r'<svg[^>]*? width="([\d.]+)pt" height="([\d.]+)pt"', text)
    assert size is not None
    text = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    label = Markup.escape(description)
    return Markup(text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).strip())
