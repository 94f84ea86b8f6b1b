"""The maps of a page of swaps: a cell for each component and layer, with what it plays."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leitmotif.errors import counted
from leitmotif.report.clips import ReportClip
from leitmotif.report.folder import Folder
from leitmotif.report.kept import add_kept
from leitmotif.report.numbers import Number, placed
from leitmotif.report.swaps.sources import (
    COMPONENTS,
    TECHNIQUES,
    Place,
    SwapSources,
    place_of,
)
from leitmotif.report.words import interval_words, number
from leitmotif.sites import Component, Technique
from leitmotif.tables.swaps import SwapClipRow, SwapSummaryRow
from leitmotif.work.progress import progress

SUMMARY, ROWS = "data/swap_summary.jsonl", "data/swaps.jsonl"
CLIPS = "data/swap_clips/clips.jsonl"
STRONGEST = 42
"""Percent of colour in the cell with the largest effect: numbers stay legible on it."""
MOST_WRITTEN = 12
"""Layers whose numbers are written into the cells."""


@dataclass(frozen=True)
class PairClips:
    """A prompt that can be heard with one pair of concepts."""

    original: str
    desired: str
    name: str
    """Names of both concepts; numbered if several prompts of the pair were kept."""
    prompt: str
    untouched: ReportClip
    named: str
    """What the tagger names the untouched clip."""
    swapped: Mapping[Place, tuple[SwapClipRow, ReportClip]]
    own: ReportClip | None
    """An untouched clip of the desired concept."""


@dataclass(frozen=True)
class MapCell:
    """One component at one layer, or at all of them at once."""

    effect: Number
    """Mean over all pairs, in nats; empty if there are too many layers to write it."""
    share: int
    """Percent of colour."""
    negative: bool
    beyond: bool
    """Whether the effect is beyond the controls at q 0.05."""
    label: str
    """What a screen reader says of it."""
    clips: str
    """JSON {number of the pair: [id of the swapped clip, what is said of it, sources of that]}; may
    be empty."""
    strongest: bool = False
    """Whether the page begins with it."""


@dataclass(frozen=True)
class MapRow:
    """One component."""

    component: str
    cells: Sequence[MapCell]
    together: MapCell | None
    """All layers at once."""


@dataclass(frozen=True)
class SwapMap:
    """What one technique does."""

    technique: Technique
    meaning: str
    rows: Sequence[MapRow]


def pair_clips(folder: Folder, sources: SwapSources) -> list[PairClips]:
    """Write every kept clip into the report, and give them by prompt.

    Raises LeitmotifError if the audio of a clip cannot be read.
    """
    added = [
        (row, add_kept(folder, sources.folder / row.file, row.sha256, stage="swaps"))
        for row in progress(sources.clips, "clips of swaps", total=len(sources.clips))
    ]
    untouched = {(row.original, row.prompt): (row, clip) for row, clip in added if not row.desired}
    own = {row.original: clip for row, clip in reversed(added) if not row.desired}
    swapped: dict[tuple[str, str, str], dict[Place, tuple[SwapClipRow, ReportClip]]] = {}
    for row, clip in added:
        if row.desired and (place := place_of(row)):
            of_prompt = swapped.setdefault((row.original, row.desired, row.prompt), {})
            of_prompt[place] = (row, clip)
    prompts: dict[tuple[str, str], list[str]] = {}
    for original, desired, prompt in swapped:
        prompts.setdefault((original, desired), []).append(prompt)
    return [
        PairClips(
            original=original,
            desired=desired,
            name=f"{original} \N{RIGHTWARDS ARROW} {desired}{f' ({count})' if more else ''}",
            prompt=prompt,
            untouched=untouched[original, prompt][1],
            named=untouched[original, prompt][0].named,
            swapped=swapped[original, desired, prompt],
            own=own.get(desired),
        )
        for (original, desired), of_pair in prompts.items()
        for more in [len(of_pair) > 1]
        for count, prompt in enumerate(of_pair, start=1)
    ]


def maps(sources: SwapSources, pairs: Sequence[PairClips]) -> list[SwapMap]:
    """A map for each technique."""
    first = _first(sources)
    return [
        SwapMap(
            technique,
            TECHNIQUES[technique],
            [_row(sources, pairs, technique, component, first) for component in sources.components],
        )
        for technique in sources.techniques
    ]


def _first(sources: SwapSources) -> Place:
    """The branch and layer with the largest effect, of those beyond their controls if any are.

    The residual stream holds everything, so it comes first only where nothing else was swapped.
    """
    return max(
        sources.cells,
        key=lambda place: (
            place[1] != "residual",
            sources.cells[place].beyond,
            sources.cells[place].swap.effect.mean,
        ),
    )


def _row(
    sources: SwapSources,
    pairs: Sequence[PairClips],
    technique: Technique,
    component: Component,
    first: Place,
) -> MapRow:
    cells = []
    for layer in sources.layers:
        place = (technique, component, layer)
        clips = {
            str(count): [
                pair.swapped[place][1].id,
                _said(sources, pair, place),
                _sources(sources, pair, place),
            ]
            for count, pair in enumerate(pairs)
            if place in pair.swapped
        }
        name = f"{technique}, {COMPONENTS[component]}, layer {layer}"
        cells.append(_cell(sources, sources.cells[place], name, clips, place == first))
    row = sources.together.get((technique, component))
    name = f"{technique}, {COMPONENTS[component]}, all layers"
    return MapRow(
        COMPONENTS[component], cells, None if row is None else _cell(sources, row, name, {}, False)
    )


def _cell(
    sources: SwapSources,
    row: SwapSummaryRow,
    name: str,
    clips: Mapping[str, Sequence[object]],
    strongest: bool,
) -> MapCell:
    most = max(abs(cell.swap.effect.mean) for cell in sources.cells.values())
    effect = row.swap.effect.mean
    beyond = ", beyond its controls" if row.beyond else ""
    few = len(sources.layers) <= MOST_WRITTEN
    return MapCell(
        effect=placed(
            _short(effect) if few or len(row.layers) > 1 else "", row, "swap.effect", file=SUMMARY
        ),
        share=round(STRONGEST * min(1.0, abs(effect) / most)) if most else 0,
        negative=effect < 0,
        beyond=row.beyond,
        label=f"{name}: effect {interval_words(row.swap.effect, 2, of='pair')} nats{beyond}",
        clips=json.dumps(clips, ensure_ascii=False) if clips else "",
        strongest=strongest,
    )


def _said(sources: SwapSources, pair: PairClips, place: Place) -> str:
    """What happened to one clip, and to all clips of its pair."""
    technique, component, layer = place
    clip, _ = pair.swapped[place]
    row = sources.of_pairs[pair.original, pair.desired, place]
    name = COMPONENTS[component]
    return (
        f"{name[0].upper()}{name[1:]} of layer {layer}, {technique}: the tagger names the swapped "
        f"clip {clip.named}. Effect in nats: {signed(clip.effect or 0.0)}, over "
        f"{counted(row.swap.effect.n or 0, 'prompt')} of this pair {signed(row.swap.effect.mean)}, "
        f"{_over_all(sources.cells[place])}. {pair.desired} ranks above {pair.original} in "
        f"{_percent(row.turned.mean)}, before in {_percent(row.turned_before)}."
    )


def _over_all(row: SwapSummaryRow) -> str:
    """The effect over all pairs, beside that of the strongest control if there are controls."""
    over_all = f"over all pairs {signed(row.swap.effect.mean)}"
    if row.strongest is None:
        return over_all
    control = signed(row.controls[row.strongest].effect.mean)
    return f"{over_all} (strongest control, {row.strongest}: {control})"


def _sources(sources: SwapSources, pair: PairClips, place: Place) -> list[dict[str, str]]:
    """Where that is written: of the clip, and of its pair."""
    clip, _ = pair.swapped[place]
    row = sources.of_pairs[pair.original, pair.desired, place]
    return [
        placed("", clip, "effect", file=CLIPS).link,
        placed("", row, "swap.effect", file=ROWS).link,
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _short(value: float) -> str:
    return signed(value, 1 if abs(round(value, 1)) < 10 else 0)


def signed(value: float, digits: int = 2) -> str:
    """A number of nats with its sign."""
    return f"{'+' if round(value, digits) > 0 else ''}{number(value, digits)}"
