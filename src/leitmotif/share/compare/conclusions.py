"""What a pull request is about: verdicts, carriers, what probes find, and the four approaches."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leitmotif.errors import counted
from leitmotif.share.compare.document import Break, Cell, Data, Row, Section, Strong, TableBlock
from leitmotif.share.compare.leaves import ABSENT, value_at
from leitmotif.share.compare.metrics import SEPARATE, Changed, cells, row, split
from leitmotif.share.compare.reading import Two
from leitmotif.share.compare.rows import TableChange
from leitmotif.share.compare.values import (
    POINTS,
    NumberFormat,
    form_of,
    is_interval,
    separate,
    text,
)

_CONCLUSIONS: Mapping[tuple[str, str], str] = {
    ("interventions", "verdicts"): "verdict of ",
    ("interventions", "carriers"): "carrier ",
    ("interventions", "decodable_not_causal"): "decodable, not causal ",
    ("interventions", "strongest"): "strongest effect ahead in ",
    ("interchange", "leads"): "lead in s of ",
    ("probes", "models"): "probes: ",
    ("probes", "site"): "site of the probes",
}
"""What the metrics are called that say what was concluded, by file and first key."""
_PROBED = {"partial_r2": "partial R²", "foresight": "foresight found"}
_APPROACH = ("r2", "clap", "delta_recurrence", "screened", "verdict", "stable")
_APPROACH_COLUMNS = ("approach", "R²", "CLAP", "Δ recurrence, points", "screened", "verdict")
_ORDER = ("naive correlation", "local continuity", "misaligned autoencoder", "aligned and causal")
_VERDICTS = "data/verdicts.jsonl"
_METRICS = "metrics/interventions.json"
_MODELS = 10
"""Models whose verdicts are listed."""


def conclusions(
    values: Sequence[Changed], metrics: Mapping[str, Two], tables: Mapping[str, TableChange]
) -> tuple[Section, list[Changed]]:
    """The section of conclusions, and the values that it does not show.

    ``metrics`` are readable, by path, and so are ``tables``.
    """
    chosen, rest = split(values, lambda value: (value.file, *value.path)[:2] in _CONCLUSIONS)
    # Verdicts and what is found or not before how strong it is.
    order = list(_CONCLUSIONS)
    chosen.sort(
        key=lambda value: (
            not isinstance(value.new, str | bool),
            order.index((value.file, value.path[0])),
        )
    )
    lines = [_standing(metrics[_METRICS])] if _METRICS in metrics else []
    if not any(isinstance(value.new, str | bool) for value in chosen):
        lines.append(("No verdict of a model changed.",) if chosen else ("None changed.",))
    rows = [row(value, _name(value)) for value in chosen]
    changes = [TableBlock(("conclusions",), ("", "old", "new", "change"), rows)] if rows else []
    return Section("Conclusions", lines, [*changes, *_candidates(tables.get(_VERDICTS))]), rest


def approaches(values: Sequence[Changed], two: Two | None) -> tuple[Section, list[Changed]]:
    """The four approaches, old and new, if one of them changed, and the values not shown."""

    def shown(value: Changed) -> bool:
        place = (value.file, *value.path)
        return len(place) == 4 and place[:2] == ("summary", "approaches") and place[3] in _APPROACH

    chosen, rest = split(values, shown)
    if two is None or not chosen:
        return Section("Approaches"), rest
    sides = [value_at(side, ("approaches",)) for side in (two.old, two.new)]
    names = {name for side in sides if isinstance(side, Mapping) for name in side}
    ordered = sorted(names, key=lambda name: (_ORDER.index(name) if name in _ORDER else 9, name))
    rows = []
    for name in ordered:
        changes = sum(value.changes for value in chosen if value.path[1] == name)
        rows.append(Row(((Data(name),), *_measures(sides, name)), changes))
    note: Cell = ("Old → new where they differ. ", Strong(SEPARATE), ": the intervals do not meet.")
    return Section(
        "Approaches", [note], [TableBlock(("approaches",), _APPROACH_COLUMNS, rows)]
    ), rest


def _measures(sides: Sequence[Any], name: str) -> Iterator[Cell]:
    for key in _APPROACH[:-2]:
        old, new = (value_at(side, (name, key)) for side in sides)
        yield _step(old, new, form_of((key,)))
    verdict, stable = (
        _step(value_at(sides[0], (name, key)), value_at(sides[1], (name, key)), NumberFormat())
        for key in _APPROACH[-2:]
    )
    yield (*verdict, ", stable: ", *stable) if len(stable) > 1 else verdict


def _step(old: Any, new: Any, form: NumberFormat) -> Cell:
    """One value of both revisions in a cell: once if it is the same, otherwise old and new."""
    before, after = cells(old, new, form)
    if before == after:
        return before
    mark: Cell = (" ", Strong(SEPARATE)) if separate(old, new) else ()
    return (*before, " →", Break(), *after, *mark)


def _standing(metrics: Two) -> Cell:
    """What the new revision concludes, as a line: models with their verdicts."""
    verdicts = value_at(metrics.new, ("verdicts",))
    if not isinstance(verdicts, Mapping) or not verdicts:
        return ("The new revision has no verdicts.",)
    parts: list[Any] = ["Verdicts now: "]
    for number, (model, verdict) in enumerate(list(verdicts.items())[:_MODELS]):
        parts += [", " if number else "", Data(model), ": ", Data(text(verdict))]
    more = len(verdicts) - _MODELS
    return (*parts, f", and {counted(more, 'more model')}." if more > 0 else ".")


def _name(value: Changed) -> Cell:
    start = _CONCLUSIONS[value.file, value.path[0]]
    rest = value.path[1:]
    if value.path[0] in ("carriers", "decodable_not_causal", "leads") and len(rest) == 2:
        return (start, Data(rest[1]), " of ", Data(rest[0]))
    if value.path[0] == "models" and len(rest) == 2:
        return (start, Data(_PROBED.get(rest[1], rest[1])), " in ", Data(rest[0]))
    return (start, Data(" ".join(rest))) if rest else (start,)


def _candidates(change: TableChange | None) -> list[TableBlock]:
    """Candidates that are new, gone, or judged otherwise. The table of verdicts counts them."""
    if change is None:
        return []
    rows = []
    for candidate in change.rows:
        sides = (candidate.old or {}, candidate.new or {})
        old, new = (value_at(side, ("verdict",)) for side in sides)
        if old != new:
            # Of a candidate that one side lacks there is one effect, and nothing to compare.
            effects = [value_at(side, ("effect",)) for side in sides]
            before, after = (
                effects if ABSENT not in effects else [max(effects, key=is_interval)] * 2
            )
            effect = _step(before, after, POINTS)
            rows.append(Row(((Data(candidate.name),), *cells(old, new, NumberFormat()), effect), 0))
    columns = ("candidate", "old verdict", "new verdict", "effect, points")
    caption = ("Candidates that are new, gone or judged otherwise",)
    return [TableBlock(("candidates",), columns, rows, caption, most=20)] if rows else []
