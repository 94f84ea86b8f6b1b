"""Writes the page of swaps into a report."""

from leitmotif.errors import counted
from leitmotif.report.folder import Folder
from leitmotif.report.swaps.figures import layers_figure, parts_figure, trade_figure
from leitmotif.report.swaps.maps import maps, pair_clips
from leitmotif.report.swaps.sources import COMPONENTS, SwapSources
from leitmotif.report.words import interval_words, number

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
    )


def _facts(sources: SwapSources) -> list[tuple[str, str]]:
    """Sizes of the experiment, and where the effect is largest."""
    cells = sources.cells.values()
    some = next(iter(cells))
    beyond = sum(row.beyond for row in cells)
    facts = [
        ("model", f"{sources.model}, {counted(len(sources.layers), 'layer')}"),
        ("pairs of concepts", str(some.pairs)),
        ("cells beyond their controls", f"{beyond} of {len(cells)}"),
        ("ideal precision", f"{number(some.ideal_precision)} nats"),
    ]
    for technique in sources.techniques:
        inside = [
            row for row in cells if row.technique == technique and row.component != "residual"
        ]
        if inside:
            best = max(inside, key=lambda row: row.swap.effect.mean)
            where = f"{COMPONENTS[best.component]} of layer {best.layers[0]}"
            effect = interval_words(best.swap.effect, 2, of="draw")
            facts.append((f"largest effect of {technique}", f"{where}, {effect} nats"))
    return facts
