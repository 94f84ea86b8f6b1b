"""Texts for numbers, conditions and verdicts."""

from leitmotif.tables.effects import EffectRow, Verdict
from leitmotif.tables.interval import IntervalRow

FINDING: Verdict = "foresight"
DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"

VERDICTS: dict[Verdict, tuple[str, str]] = {
    "foresight": (
        "Findings: foresight",
        "They predict that the motif will return, and changing them between cue and return changes "
        "whether it does.",
    ),
    "decodable, not causal": (
        "Decodable, not causal",
        "The return can be decoded from them ahead of time, but changing them has no effect.",
    ),
    "just in time": (
        "Just in time",
        "The return depends on what they hold shortly before it, and not on what they hold as far "
        "ahead as a claim needs.",
    ),
    "look-back": (
        "Look-back",
        "Nothing is carried between cue and return, but another cue or opening has an effect: the "
        "model reads it again when the return is due.",
    ),
    "local": (
        "Local",
        "They have an effect only at the frames of the return, or predict only the near future.",
    ),
    "unknown": (
        "Unknown",
        "Too few pieces were continued for any effect to count, so whether there is "
        "one is not known.",
    ),
    "none": ("None", "The return cannot be decoded ahead of time, and no change has an effect."),
    "entangled": (
        "Entangled (not findings)",
        "They change the return by damaging the music: fidelity fell below the threshold. This is "
        "never a finding, however large the effect.",
    ),
}
"""Title and meaning of each group, in the order in which a report has them."""

WINDOWS = {
    "ahead": "in the gap, far ahead of the return",
    "slot": "at the frames of the return",
}


def condition_words(row: EffectRow, *, whole_site: bool, composed: bool) -> str:
    """What was done, such as ``ablated in the gap between cue and return``.

    Parameters
    ----------
    row
        The condition.
    whole_site
        Whether a whole site was changed, not single features.
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
        "random_feature": "control: patched from "
        + (
            "a twin that differs only in the other slot"
            if composed
            else "the run after an opening that says the same"
        )
        if whole_site
        else f"control: matched random features{f' ({number})' if number else ''}",
        "local_feature": "control: the best feature of the short horizon",
        "zero_effect": "control: read and written back",
        "counterfactual": f"the piece continues from the other {'cue' if composed else 'opening'}",
    }[kind]
    return f"{done} {window}".rstrip()


_CONTROLS = ("random_feature", "local_feature")


def interval_words(row: IntervalRow | None, digits: int = 1, *, sign: bool = True) -> str:
    """An interval such as ``+87.5 (68.8 to 100.0)``; a dash if nothing was measured.

    Of a change of a rate it goes on with the number of pieces that changed.
    """
    if row is None:
        return DASH
    plus = sign and round(row.mean, digits) > 0
    mean = f"{row.mean:{'+' if plus else ''}.{digits}f}".replace("-", MINUS)
    ends = f"{row.low:.{digits}f} to {row.high:.{digits}f}".replace("-", MINUS)
    changed = "" if row.changed is None else f", {row.changed} of {row.n} changed"
    return f"{mean} ({ends}){changed}"


def mean_words(row: IntervalRow | None, digits: int) -> str:
    """The estimate without its interval; a dash if nothing was measured."""
    return number(None if row is None else row.mean, digits)


def number(value: float | None, digits: int = 2) -> str:
    """A rounded number; a dash for None."""
    return DASH if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:g}".replace("-", MINUS)
