"""Writes the page of swaps into a report."""

from leitmotif.errors import counted
from leitmotif.report.folder import Folder
from leitmotif.report.numbers import Number, Said, counted_from, number_of, placed
from leitmotif.report.swaps.figures import layers_figure, parts_figure, trade_figure
from leitmotif.report.swaps.maps import SUMMARY, maps, pair_clips
from leitmotif.report.swaps.sources import COMPONENTS, SwapSources
from leitmotif.report.words import number
from leitmotif.tables.swaps import SwapSummaryRow

PAGE = "swaps.html"


def write_swaps_page(folder: Folder, sources: SwapSources) -> None:
    """Write the page with its figures, its maps and their clips.

    Raises LeitmotifError if the audio of a clip cannot be read.
    """
    pairs = pair_clips(folder, sources)
    folder.page(
        PAGE,
        "swaps.html",
        facts=_facts(sources),
        pairs=pairs,
        maps=maps(sources, pairs),
        layers=sources.layers,
        by_layer=layers_figure(sources),
        trade=trade_figure(sources),
        parts=parts_figure(sources),
        drawn_from=counted_from(SUMMARY),
    )


def _facts(sources: SwapSources) -> list[tuple[str, Said]]:
    """Sizes of the experiment, and where the effect is largest."""
    cells = sources.cells.values()
    some = next(iter(cells))
    beyond = sum(row.beyond for row in cells)
    layers = counted_from(SUMMARY, counted(len(sources.layers), "layer"))
    ideal = placed(number(some.ideal_precision), some, "ideal_precision", file=SUMMARY)
    facts: list[tuple[str, Said]] = [
        ("model", [f"{sources.model}, ", layers]),
        ("pairs of concepts", placed(str(some.pairs), some, "pairs", file=SUMMARY)),
        ("cells beyond their controls", counted_from(SUMMARY, f"{beyond} of {len(cells)}")),
        ("ideal precision", [ideal, " nats"]),
    ]
    if sources.other_frames:
        first = placed(_span(some.frames), some, "frames", file=SUMMARY)
        others = counted_from(SUMMARY, ", ".join(map(_span, sources.other_frames)))
        facts.append(("frames that are swapped", [first, "; the tables also have ", others]))
    if sources.groups:
        groups = ["+".join(map(str, group)) for group in sources.groups]
        facts.append(("also at once, in the tables", counted_from(SUMMARY, ", ".join(groups))))
    for technique in sources.techniques:
        inside = [
            row for row in cells if row.technique == technique and row.component != "residual"
        ]
        if inside:
            best = max(inside, key=lambda row: row.swap.effect.mean)
            where = f"{COMPONENTS[best.component]} of layer {best.layers[0]}"
            effect = number_of(best, "swap.effect", file=SUMMARY, digits=2, of="pair")
            said = [f"{where}, ", effect, " nats, ", *_against_controls(best)]
            facts.append((f"largest effect of {technique}", said))
    return facts


def _against_controls(row: SwapSummaryRow) -> list[str | Number]:
    """An effect alone says nothing: controls have effects too."""
    if row.q is None:
        return ["without controls"]
    if row.beyond:
        return ["beyond its controls"]
    return ["not beyond its controls (q ", placed(number(row.q), row, "q", file=SUMMARY), ")"]


def _span(frames: tuple[int, int]) -> str:
    return f"{frames[0]} to {frames[1] - 1}"
