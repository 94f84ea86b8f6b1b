"""Texts for numbers and conditions.

This module and ``sentences`` need neither numpy nor torch, so that the printed summary of a run can
say things as the report does.
"""

from typing import TYPE_CHECKING

from leitmotif.errors import counted

if TYPE_CHECKING:
    from leitmotif.tables.effects import EffectRow
    from leitmotif.tables.interval import IntervalRow

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


WINDOWS = {
    "ahead": "in the gap, far ahead of the return",
    "slot": "at the frames of the return",
}


def condition_words(row: "EffectRow", *, composed: bool) -> str:
    """What was done, such as ``ablated in the gap between cue and return``.

    Parameters
    ----------
    row
        The condition.
    composed
        Whether the counterfactual is composed music; of recordings the model itself made it.
    """
    kind = row.condition
    rest = row.name.removeprefix(f"{kind}_")
    window = WINDOWS.get(rest.split("_")[0], "")
    number = rest.rsplit("_", 1)[1] if kind in _CONTROLS and rest[-1:].isdigit() else ""
    done = {
        "patch": "patched from the run "
        + ("under the other cue" if composed else "after the other opening"),
        "ablate": "ablated",
        "scale": f"scaled by {_signed(row.strength)}",
        "control": "control: patched from "
        + (
            "a twin that differs only in the other slot"
            if composed
            else "the run after an opening that says the same"
        ),
        "random_feature": f"control: matched random features{f' ({number})' if number else ''}",
        "local_feature": "control: the best feature of the short horizon",
        "zero_effect": "control: read and written back",
        "position_shift": f"control: nothing but positions, moved by {row.strength or 0:g} steps",
        "counterfactual": f"the piece continues from the other {'cue' if composed else 'opening'}",
    }[kind]
    return f"{done} {window}".rstrip()


_CONTROLS = ("random_feature", "local_feature")


def interval_words(
    row: "IntervalRow | None",
    digits: int = 1,
    *,
    of: str = "piece",
    sign: bool = True,
    tested: bool = True,
) -> str:
    """An interval such as ``+87.5 (68.8 to 100.0; 16 pieces, p 0.0001)``; a dash for None.

    ``of`` is what the estimate is over. Without ``tested`` p is left out: that a likeness is not 0
    is no question. Of a change of a rate it says how many changed.
    """
    if row is None:
        return DASH
    plus = "+" if sign and round(row.mean, digits) > 0 else ""
    mean, low, high = (f"{value:.{digits}f}" for value in (row.mean, row.low, row.high))
    p = row.p if tested else None
    text = framed(plus + mean, low, high, n=row.n, p=p, changed=row.changed, of=of)
    return text.replace("-", MINUS)


def framed(
    mean: str,
    low: str,
    high: str,
    *,
    n: int | None,
    p: float | None,
    changed: int | None = None,
    of: str,
) -> str:
    """An estimate in the one form in which intervals are written, with what is known of it."""
    known = [counted(n, of)] if n is not None else []
    known += [f"{changed} changed"] if changed is not None else []
    known += [f"p {p:.3g}"] if p is not None else []
    return f"{mean} ({low} to {high}{'; ' if known else ''}{', '.join(known)})"


def mean_words(row: "IntervalRow | None", digits: int) -> str:
    """The estimate without its interval; a dash if nothing was measured."""
    return number(None if row is None else row.mean, digits)


def number(value: float | None, digits: int = 2) -> str:
    """A rounded number; a dash for None."""
    return DASH if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:g}".replace("-", MINUS)
