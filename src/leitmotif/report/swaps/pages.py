"""Writes the page of swaps into a report."""

from operator import attrgetter

from leitmotif.errors import counted
from leitmotif.report.folder import Folder
from leitmotif.report.numbers import Number, Said, counted_from, number_of, placed
from leitmotif.report.swaps.figures import layers_figure, parts_figure, trade_figure
from leitmotif.report.swaps.maps import SUMMARY, maps, pair_clips, signed
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
    ideal = _placed(some, "ideal_precision")
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
            if agreed := _agreement(best):
                facts.append((f"two taggers name the same in its clips, {technique}", agreed))
    return facts


def _agreement(row: SwapSummaryRow) -> list[str | Number]:
    """In which share of the swapped clips of a cell; empty without a second tagger."""
    if row.agreement is None:
        return []
    share = number_of(row, "agreement.named", file=SUMMARY, digits=2, of="clip", sign=False)
    return [share, ", by chance ", _placed(row, "agreement.named_by_chance")]


def _against_controls(row: SwapSummaryRow) -> list[str | Number]:
    """An effect alone says nothing: controls have effects too."""
    if row.q is None or row.strongest is None:
        return ["without controls"]
    control = signed(row.controls[row.strongest].effect.mean)
    strongest = placed(control, row, f"controls.{row.strongest}.effect.mean", file=SUMMARY)
    return [
        f"{'' if row.beyond else 'not '}beyond its controls (the strongest, {row.strongest}, has ",
        strongest, " nats; q ", _placed(row, "q"), ")",
    ]  # fmt: skip


def _placed(row: SwapSummaryRow, column: str) -> Number:
    value = attrgetter(column)(row)
    return placed(number(value), row, column, file=SUMMARY)


def _span(frames: tuple[int, int]) -> str:
    return f"{frames[0]} to {frames[1] - 1}"
