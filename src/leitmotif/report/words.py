"""Numbers, conditions and verdicts in plain words."""

from leitmotif.tables.effects import EffectRow, Verdict
from leitmotif.tables.interval import IntervalRow

FINDING: Verdict = "foresight"
DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"

VERDICTS: dict[Verdict, tuple[str, str]] = {
    "foresight": (
        "Findings: foresight",
        "They say ahead of time that the motif will return, and changing them between cue and "
        "return moves the return.",
    ),
    "decodable, not causal": (
        "Decodable, not causal",
        "The return can be read from them ahead of time, but changing them moves nothing.",
    ),
    "look-back": (
        "Look-back",
        "Nothing is carried between cue and return; another cue does move it: the model reads the "
        "cue again when it is time.",
    ),
    "local": ("Local", "They matter at the return's own frames, or say only what is near."),
    "none": ("Nothing", "Neither readable ahead of time, nor moved by anything."),
    "entangled": (
        "Apart: entangled",
        "They move the motif by breaking the music: fidelity fell below the threshold. Never a "
        "finding, whatever the effect.",
    ),
}
"""Title and meaning of each group, in the order in which a report has them."""

WINDOWS = {
    "cue": "at the cue",
    "gap": "in the gap between cue and return",
    "slot": "at the return's own frames",
}


def condition_words(row: EffectRow, *, whole_site: bool, known: bool) -> str:
    """What was done, such as ``patched from the other cue's run at the cue``.

    ``known``: whether the truth is, so that a patch comes from a counterfactual.
    """
    kind = row.condition
    rest = row.name.removeprefix(f"{kind}_")
    window = WINDOWS.get(rest.split("_")[0], "") if known else "throughout the continuation"
    number = rest.rsplit("_", 1)[1] if kind in _CONTROLS and rest[-1:].isdigit() else ""
    done = {
        "patch": f"patched from {'the other cue' if known else 'another track'}'s run",
        "ablate": "taken to rest",
        "scale": f"times {_signed(row.strength)}",
        "random_feature": "control: patched from a twin that differs elsewhere"
        if whole_site
        else f"control: random features like these{f' ({number})' if number else ''}",
        "local_feature": "control: the best feature of the short horizon",
        "zero_effect": "control: read and written back",
        "counterfactual": "the piece goes on from the other cue",
    }[kind]
    return f"{done} {window}".rstrip()


_CONTROLS = ("random_feature", "local_feature")


def interval_words(row: IntervalRow | None, digits: int = 1, *, sign: bool = True) -> str:
    """Such as ``+87.5 (68.8 to 100.0)``; a dash where nothing was measured."""
    if row is None:
        return DASH
    plus = sign and round(row.mean, digits) > 0
    mean = f"{row.mean:{'+' if plus else ''}.{digits}f}".replace("-", MINUS)
    ends = f"{row.low:.{digits}f} to {row.high:.{digits}f}".replace("-", MINUS)
    return f"{mean} ({ends})"


def mean_words(row: IntervalRow | None, digits: int) -> str:
    """The estimate alone; a dash where nothing was measured."""
    return number(None if row is None else row.mean, digits)


def number(value: float | None, digits: int = 2) -> str:
    """Rounded; a dash for none."""
    return DASH if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:g}".replace("-", MINUS)
