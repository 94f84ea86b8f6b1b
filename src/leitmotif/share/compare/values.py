"""Values as text: two that differ never print as the same, however they are rounded."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leitmotif.errors import counted
from leitmotif.share.compare.leaves import ABSENT, same

NOTHING = "-"
"""Text of what one side does not have."""
_LONGEST = 80
"""Characters of a text that is shown whole."""
_INTERVAL = {
    *("mean", "low", "high", "n", "p", "changed"),
    *("least", "likely", "gaining", "losing"),  # what could have been found
}
"""Fields of an interval, as ``tables.interval`` writes it into metrics and rows."""


@dataclass(frozen=True)
class NumberFormat:
    """How a number is printed."""

    places: int | None = None
    """Digits after the point; None for four significant ones."""
    signed: bool = False
    unit: str = ""
    """Behind a difference."""


PLAIN = NumberFormat()
POINTS = NumberFormat(1, signed=True, unit=" points")
_FORMS: Mapping[str, NumberFormat] = {
    "r2": NumberFormat(2),
    "partial_r2": NumberFormat(2),
    "place_r2": NumberFormat(2),
    "clap": NumberFormat(3),
    "clap_similarity": NumberFormat(3),
    "fpr_naive": NumberFormat(3),
    "fpr_controlled": NumberFormat(3),
    "power": NumberFormat(2),
    "delta_recurrence": POINTS,
    "towards_source": POINTS,
    "effect": PLAIN,
    "screened": POINTS,
    "carriers": POINTS,
    "decodable_not_causal": POINTS,
    "strongest": POINTS,
    "gained": POINTS,
    "lost": POINTS,
    "leads": NumberFormat(unit=" s"),
    "seconds": NumberFormat(unit=" s"),
    "nats": NumberFormat(unit=" nats"),
    "loudness_db": NumberFormat(unit=" dB"),
    "spectral_db": NumberFormat(unit=" dB"),
}


def form_of(path: tuple[str, ...]) -> NumberFormat:
    """How a value at this path of metrics or of a row is printed, by its nearest known name."""
    if path and path[-1].endswith("_seconds"):
        return _FORMS["seconds"]
    return next((_FORMS[name] for name in reversed(path) if name in _FORMS), PLAIN)


def is_interval(value: Any) -> bool:
    """Whether a value is an interval: a mean, perhaps with what belongs to it."""
    if not isinstance(value, Mapping) or "mean" not in value or not _INTERVAL.issuperset(value):
        return False
    return not any(isinstance(part, Mapping | list) for part in value.values())


def texts(old: Any, new: Any, form: NumberFormat = PLAIN) -> tuple[str, str]:
    """Two values as text, with more digits where fewer would show two numbers as the same."""
    if is_interval(old) or is_interval(new):
        return _interval_texts(old, new, form)
    if _is_number(old) and _is_number(new):
        for digits in range(18):
            pair = _number(old, form, digits), _number(new, form, digits)
            if pair[0] != pair[1]:
                return pair
        shown = _number(old, form, 0)
        return (shown, shown) if same(old, new) else (repr(old), repr(new))
    pair = _scalar(old, form), _scalar(new, form)
    if max(map(len, pair)) <= _LONGEST:
        return pair
    apart = _items_apart(old, new) if isinstance(old, list) and isinstance(new, list) else None
    return apart or _cut(*pair)


def text(value: Any, form: NumberFormat = PLAIN) -> str:
    """One value as text."""
    return texts(value, value, form)[0]


def difference(old: Any, new: Any, form: NumberFormat = PLAIN) -> str:
    """By how much a number or a mean changed, with sign and unit; empty where that is unknown."""
    old, new = (value["mean"] if is_interval(value) else value for value in (old, new))
    if not (_is_number(old) and _is_number(new)) or not math.isfinite(new - old):
        return ""
    if old == new:
        return "0" + form.unit
    apart = new - old
    for digits in range(18):
        shown = _number(apart, NumberFormat(form.places, signed=True), digits)
        if float(shown.replace(",", "")):
            return shown + form.unit
    return f"{apart:+}{form.unit}"


def separate(old: Any, new: Any) -> bool:
    """Whether two intervals have no value in common."""
    if not (is_interval(old) and is_interval(new)):
        return False
    limits = [side.get(key) for side in (old, new) for key in ("low", "high")]
    if not all(_is_number(limit) for limit in limits):
        return False
    return bool(limits[1] < limits[2] or limits[3] < limits[0])


def _interval_texts(old: Any, new: Any, form: NumberFormat) -> tuple[str, str]:
    sides = [side if is_interval(side) else {} for side in (old, new)]
    differ = [
        key
        for key in ("mean", "low", "high")
        if not same(sides[0].get(key, ABSENT), sides[1].get(key, ABSENT))
    ]
    fields: list[dict[str, str]] = []
    for digits in range(18):
        fields = [_limits(side, form, digits) for side in sides]
        if all(fields[0].get(key) != fields[1].get(key) for key in differ):
            break
    shown = [
        f"{side['mean']} ({side.get('low', NOTHING)} to {side.get('high', NOTHING)})"
        if "low" in side or "high" in side
        else side.get("mean", NOTHING)
        for side in fields
    ]
    for key in ("changed", "n", "p"):
        values = [side.get(key, ABSENT) for side in sides]
        if not same(values[0], values[1]):
            shown = [
                f"{before}, {key} {value}" if value != NOTHING else before
                for before, value in zip(shown, texts(values[0], values[1]), strict=True)
            ]
    return (
        shown[0] if is_interval(old) else _scalar(old, form),
        shown[1] if is_interval(new) else _scalar(new, form),
    )


def _limits(side: Mapping[str, Any], form: NumberFormat, digits: int) -> dict[str, str]:
    """Mean, low and high as text, all with the same number of digits."""
    plain = NumberFormat(form.places)
    return {
        key: _number(side[key], form if key == "mean" else plain, digits)
        if _is_number(side[key])
        else _scalar(side[key], form)
        for key in ("mean", "low", "high")
        if key in side
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: float, form: NumberFormat, more: int) -> str:
    """A number with ``more`` digits than its form has."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    sign = "+" if form.signed else ""
    if isinstance(value, int):
        shown = f"{value:{sign},}"
    elif form.places is None:
        shown = f"{value:{sign}.{4 + more}g}"
    else:
        shown = f"{value:{sign}z,.{form.places + more}f}"
    return shown


def _scalar(value: Any, form: NumberFormat) -> str:
    if value is ABSENT:
        return NOTHING
    if isinstance(value, str):
        return value
    if _is_number(value):
        return _number(value, form, 0)
    if isinstance(value, Mapping | list) and not value:
        return "(no items)" if isinstance(value, list) else "(no entries)"
    return json.dumps(value, ensure_ascii=False, default=str)


def _items_apart(old: list[Any], new: list[Any]) -> tuple[str, str] | None:
    """Of two long lists, the items that only one has; None if they have the same."""
    gone = [item for item in old if item not in new]
    added = [item for item in new if item not in old]
    if not gone and not added:
        return None
    shown = [
        f"{', '.join(_scalar(item, PLAIN) for item in items) or 'all of the other'}"
        f" … ({counted(len(every), 'item')})"
        for items, every in ((gone, old), (added, new))
    ]
    return shown[0], shown[1]


def _cut(old: str, new: str) -> tuple[str, str]:
    """Two long texts around the first place where they differ; … stands for the rest."""
    first = next(
        (place for place, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
        min(len(old), len(new)),
    )
    start = 0 if first < _LONGEST - 20 or old == new else first - 20
    return _part(old, start), _part(new, start)


def _part(value: str, start: int) -> str:
    if value == NOTHING:
        return value
    part = value[start : start + _LONGEST]
    more = len(value) - start - len(part)
    return ("…" if start else "") + part + (f"… ({len(value):,} characters)" if more > 0 else "")
