"""Every sentence that is made of a finding, with the condition under which it may be said.

Report and printed summary take them from here, so that no page says more than was measured. A
sentence that something has no effect says beside it what could have been found. It is never said
of an interval that is clear of 0, nor where in so few pieces no effect could have counted.
A sentence on one candidate says nothing of the model, which may do elsewhere what it does not
do here; what a model does is said of all its candidates together.
``tests/report/test_sentences.py`` holds them to that over generated findings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leitmotif.claims import excludes_zero, is_above_zero
from leitmotif.errors import counted
from leitmotif.report.words import interval_words, number

if TYPE_CHECKING:
    from leitmotif.tables.effects import PossibleRow, Verdict, VerdictRow
    from leitmotif.tables.interval import IntervalRow

FINDING: "Verdict" = "foresight"


@dataclass(frozen=True)
class Sentence:
    """What may be said of a finding, if it holds."""

    holds: Callable[["VerdictRow"], bool]
    text: str
    """The sentence, with ``{effect}`` for what was measured and ``{why}`` for what is missing."""


def _is_moved(finding: "VerdictRow") -> bool:
    return excludes_zero(finding.effect)


def _is_still(finding: "VerdictRow") -> bool:
    return finding.effect is not None and not excludes_zero(finding.effect)


def _is_unmeasured(finding: "VerdictRow") -> bool:
    return finding.effect is None


def _has_no_piece(finding: "VerdictRow") -> bool:
    return finding.possible is not None and not _count(finding.possible)


def _always(finding: "VerdictRow") -> bool:
    return True


_MOVED = "Changing it ahead of the return changed the recurrence rate by {effect} points"
_STILL = "No effect of changing it ahead of the return was found: {effect} points."
_NOT_HERE = "so what decides the return is read again when it is due, or carried by something else"
_UNMEASURED = "The effect of changing it was not measured."

OF_CANDIDATES: dict["Verdict", tuple[Sentence, ...]] = {
    "foresight": (
        Sentence(
            _always,
            "It predicts that the motif will return, and changing it between cue and return "
            "changes whether it does: {effect} points.",
        ),
    ),
    "causal, not decoded": (
        Sentence(
            _always,
            f"{_MOVED}, both ways and more than its control. No prediction that far ahead was "
            "found, without which this is no finding.",
        ),
    ),
    "decodable, not causal": (
        Sentence(_is_moved, f"It predicts the return ahead of time. {_MOVED}, but {{why}}."),
        Sentence(_is_still, f"It predicts the return ahead of time. {_STILL}"),
        Sentence(_is_unmeasured, f"It predicts the return ahead of time. {_UNMEASURED}"),
    ),
    "just in time": (
        Sentence(
            _always,
            "The return depends on what it holds shortly before, and not from as far ahead as a "
            "claim needs.",
        ),
    ),
    "look-back": (
        Sentence(_is_still, f"{_STILL} Another cue or opening has one, {_NOT_HERE}."),
        Sentence(_always, f"Another cue or opening has an effect, {_NOT_HERE}."),
    ),
    "local": (
        Sentence(
            _is_moved,
            f"It does not predict the return as far ahead as a claim needs. {_MOVED}, which alone "
            "is no finding.",
        ),
        Sentence(
            _always,
            "It predicts only the near future, or has an effect at the frames of the return only.",
        ),
    ),
    "unknown": (
        Sentence(
            _has_no_piece,
            "Too few pieces to tell: there is none in which an effect could show.",
        ),
        Sentence(
            _is_unmeasured, "Too few pieces to tell: no effect could be measured in {pieces}."
        ),
        Sentence(
            _always,
            "Too few pieces to tell: in {pieces} no effect can count, however large. What was "
            "measured is {effect} points.",
        ),
    ),
    "none": (
        Sentence(
            _is_moved,
            f"No prediction ahead of time was found. {_MOVED}, which without a prediction is no "
            "finding.",
        ),
        Sentence(_is_still, f"No prediction ahead of time was found. {_STILL}"),
        Sentence(_is_unmeasured, f"No prediction ahead of time was found. {_UNMEASURED}"),
    ),
    "entangled": (
        Sentence(
            _always,
            "It changes the recurrence rate by {effect} points, and damages the music: fidelity "
            "fell below the threshold. This is never a finding.",
        ),
    ),
}
"""Sentences of each verdict; the first that holds is said."""

TITLES: dict["Verdict", tuple[str, str]] = {
    "foresight": (
        "Findings: foresight",
        "They predict that the motif will return, and changing them between cue and return changes "
        "whether it does.",
    ),
    "causal, not decoded": (
        "Causal, not decoded",
        "Changing them ahead of the return changes whether the motif returns. No prediction that "
        "far ahead was found, which in few tracks says little.",
    ),
    "decodable, not causal": (
        "Decodable, not causal",
        "They predict the return ahead of time. What changing them did does not pass as a cause.",
    ),
    "just in time": (
        "Just in time",
        "The return depends on what they hold shortly before it, and not from as far ahead as a "
        "claim needs.",
    ),
    "look-back": (
        "Look-back",
        "Another cue or opening has an effect, and none of changing these in the gap was found. "
        "What decides the return is read again when it is due, or carried by something else: the "
        "verdict on the model, over all that was tried, says which.",
    ),
    "local": (
        "Local",
        "They predict only the near future, or have an effect at the frames of the return only.",
    ),
    "unknown": (
        "Unknown",
        "Too few pieces were continued to tell: no effect could have counted, however large.",
    ),
    "none": (
        "None",
        "No prediction ahead of time was found, so that an effect, where there is one, is no "
        "finding.",
    ),
    "entangled": (
        "Entangled (not findings)",
        "They change the return by damaging the music: fidelity fell below the threshold. This is "
        "never a finding, however large the effect.",
    ),
}
"""Title and meaning of each group, in the order in which a report has them. A meaning follows from
the rules of the verdict, whatever was measured."""


def of_candidate(finding: "VerdictRow") -> str:
    """What is said of one candidate."""
    sentence = next(each for each in OF_CANDIDATES[finding.verdict] if each.holds(finding))
    text = sentence.text.format(
        effect=interval_words(finding.effect),
        why=_what_is_missing(finding),
        pieces=_pieces(finding.possible),
    )
    return f"{text} {of_possible(finding.possible)}".strip() if _says_absence(finding) else text


def _says_absence(finding: "VerdictRow") -> bool:
    """Whether the verdict says that something was looked for and not found."""
    return finding.verdict in ("decodable, not causal", "look-back", "none", "unknown")


def of_possible(possible: "PossibleRow | None") -> str:
    """What could have been found; nothing where that is not known, or no effect can count."""
    if possible is None or possible.least is None:
        return ""
    return (
        f"With {_pieces(possible)}, no change of less than {number(possible.least, 1)} points "
        f"could count, and one of {number(possible.likely, 1)} would be found in 80 % of "
        "experiments."
    )


def _pieces(possible: "PossibleRow | None") -> str:
    if possible is None:
        return "so few pieces"
    return (
        f"{counted(_count(possible), 'piece')} ({possible.gaining} that "
        f"{'lacks' if possible.gaining == 1 else 'lack'} the return, {possible.losing} that "
        f"{'has' if possible.losing == 1 else 'have'} it)"
    )


def _count(possible: "PossibleRow") -> int:
    return possible.gaining + possible.losing


def _what_is_missing(finding: "VerdictRow") -> str:
    """Which of a cause's grounds an effect that is clear of 0 lacks."""
    effect, over = finding.effect, finding.over_controls
    if effect is None or not excludes_zero(effect):
        return ""
    level = None if finding.possible is None else finding.possible.level
    largest = max((row.p for row in (effect, over) if row and row.p is not None), default=None)
    if not is_above_zero(effect):
        return "away from what the source would do"
    if not is_above_zero(over):
        return f"not clearly more than under its control (by {interval_words(over)})"
    if level is not None and largest is not None and largest > level:
        return f"its p-value exceeds {level:.3g}, the level beside all else that was tried"
    if not all(map(is_above_zero, (finding.gained, finding.lost))):
        return (
            f"not clearly both ways: pieces gained the return by {interval_words(finding.gained)} "
            f"and lost it by {interval_words(finding.lost)}"
        )
    return "what it holds so far ahead does not carry the event where it is exchanged"


def of_model(
    verdict: "Verdict", findings: Sequence["VerdictRow"]
) -> tuple[str, str, "VerdictRow | None"]:
    """What is said of a model whose strongest verdict this is; ``findings`` are all of its own.

    The second text says what could have been found, by the ``possible`` of the finding beside it:
    of those that are told of the one that could show least, of those that are not the one with most
    pieces. It is empty where nothing is to be said of that.
    """
    name = _OF_MODELS[verdict]
    if verdict in _ALONE and any(_is_moved(finding) for finding in findings):
        name = _ALONE[verdict]
    untold = [finding for finding in findings if finding.verdict == "unknown"]
    some = f"of {len(untold)} of the {len(findings)} that were tried"
    if verdict == "unknown":
        row = max(untold, key=lambda row: _count(row.possible) if row.possible else 0)
        if len(untold) < len(findings):
            name += f" {some}"
        if _has_no_piece(row):
            return f"This model {name}: there is none in which an effect could show.", "", row
        words = f"in {_pieces(row.possible)} no effect can count, however large."
        return f"This model {name}:", words, row
    if untold and verdict != FINDING:
        name += f", but {some} too few pieces were continued to tell"
    told = [(f.possible.least, f) for f in findings if f.possible and f.possible.least is not None]
    if verdict not in ("decodable, not causal", "look-back", "none") or not told:
        return f"This model {name}.", "", None
    row = max(told, key=lambda pair: pair[0])[1]
    return f"This model {name}.", of_possible(row.possible), row


_OF_MODELS: dict["Verdict", str] = {
    "foresight": "carries information about the return ahead of time, and it causes the return",
    "causal, not decoded": "holds ahead of time what decides the return; no prediction that far "
    "ahead was found, without which this is no finding",
    "just in time": "fetches what decides the return shortly before it is due",
    "look-back": "looks back at the cue when the return is due; no effect of changing anything in "
    "the gap was found",
    "local": "reacts at the frames of the return only, or predicts the near future only",
    "decodable, not causal": "lets the return be decoded ahead of time, and no effect of changing "
    "that was found",
    "entangled": "reacts where the music is damaged",
    "unknown": "was continued in too few pieces to tell",
    "none": "showed neither a prediction nor an effect",
}
_ALONE: dict["Verdict", str] = {
    "look-back": "looks back at the cue when the return is due; what changes in the gap did is "
    "no finding",
    "decodable, not causal": "lets the return be decoded ahead of time, and what changing it did "
    "does not pass as a cause",
    "none": "showed no prediction; what changing it did is, without one, no finding",
}
"""Said instead where some effect is clear of 0."""


def headline(findings: Sequence["VerdictRow"]) -> str | None:
    """What the first page says where there is no finding; None where there is one."""
    verdicts = {finding.verdict for finding in findings}
    if FINDING in verdicts:
        return None
    if verdicts == {"unknown"}:
        return (
            "Too few pieces to tell: no effect could have counted in them, however large. That "
            "nothing was found says nothing of the model."
        )
    return (
        f"No finding: nothing that was tried is foresight.{_untold(findings)} Everything that was "
        "tried is listed below, with what could have been found."
    )


def _untold(findings: Sequence["VerdictRow"]) -> str:
    """Of which models too few pieces were continued to tell, of all or of some that was tried."""
    untold: dict[str, set[bool]] = {}
    for finding in findings:
        untold.setdefault(finding.model, set()).add(finding.verdict == "unknown")
    whole = [model for model, which in untold.items() if which == {True}]
    part = [model for model, which in untold.items() if len(which) == 2]
    said = [
        f"{what} tried in {' and '.join(models)}"
        for what, models in (("all that was", whole), ("some of what was", part))
        if models
    ]
    return f" Too few pieces were continued to tell of {', and of '.join(said)}." if said else ""


def in_short(least: float | None, likely: float | None) -> str:
    """What could have been found, for a column of a table; both None: no effect, however large."""
    if least is None or likely is None:
        return "too few pieces to tell"
    return f"counts from {least:.1f}, likely from {likely:.1f}"


def of_probes(
    partial_r2: "IntervalRow", least: float | None, site: str, *, decodable: bool
) -> tuple[str, str, str]:
    """What is said of a model's probes: before, the largest partial R², and after it."""
    shown = interval_words(partial_r2, 2, of="track", sign=False)
    if decodable:
        return "The return can be decoded ahead of time: partial R² ", shown, f" at {site}."
    before = "No site is decodable as far ahead as a claim needs. The largest partial R² is "
    if least is None:
        return before, shown, ". With so few exchanges of tracks none could have been."
    if partial_r2.mean >= least:
        return before, shown, ", which does not pass every test."
    if least > 1:
        return before, shown, ". With so few tracks it would have to exceed 1, and it cannot."
    return before, shown, f". None of less than {number(least)} could have been."
