"""The conditions under which a piece is continued: what is done to the model, and what is not.

=================  ==============================================================================
baseline           nothing
counterfactual     nothing, but the piece goes on from another prefix: where patches come from
zero_effect        the activation is read and written back; takes the path of every other edit
ablate             to rest: 0 of a feature, the resting value of a coordinate or site
scale              times a strength, a dose of either sign
patch              the activation that a run on another prefix has at the same step
control            the same patch from a run that differs as much and says the same of the event
random_feature     one of these edits at a feature of like rate and norm (see ``matching``)
local_feature      one of these edits at the best feature of the short horizon
position_shift     nothing, but positions are moved: the prefix begins later
=================  ==============================================================================

All edits are one formula: a' = strength * a, or with a source a' = a + strength * (a_source - a).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.targets import Target
from leitmotif.errors import ModelError
from leitmotif.tables.effects import Kind

_UNTOUCHED = ("baseline", "counterfactual", "position_shift")
"""Kinds that change no activation."""
_WITH_SOURCE = ("patch", "control", "counterfactual")
_WITHOUT_SOURCE = ("baseline", "zero_effect", "ablate", "scale", "position_shift")


@dataclass(frozen=True, eq=False)
class Condition:
    """One way to continue a piece. Raises ModelError if the fields do not agree."""

    kind: Kind
    candidate: str = ""
    """Candidate whose condition it is; empty for a baseline."""
    target: Target | None = None
    strength: float = 1.0
    source: str | None = None
    """Name of the other prefix whose run gives the activations; see ``Prefix.sources``."""
    steps: range | None = None
    """Decoder steps of prefix and continuation, counted from the prefix's start. None: those of
    ``window``, or else all steps that have read a token of the continuation. Earlier ones belong to
    the prefix, which the conditions then cannot share: that is correct, and slower."""
    window: str | None = None
    """Name of the steps, which each prefix has its own of (``Prefix.windows``)."""
    shift: int = 0
    """Decoder steps by which the positions of prefix and continuation are moved."""
    tracks: frozenset[str] | None = None
    """Ids of the tracks that are continued under it; None: all."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise self._error("condition", self.kind, ", ".join(get_args(Kind)))
        if (self.target is None) != (self.kind in _UNTOUCHED):
            found = "no target" if self.target is None else f"a target at {self.target.site}"
            raise self._error("target", found, f"one, but none for {', '.join(_UNTOUCHED)}")
        if not math.isfinite(self.strength):
            raise self._error("strength", self.strength, "a finite number")
        needed = {"zero_effect": 1.0, "ablate": 0.0, **dict.fromkeys(_UNTOUCHED, 1.0)}
        if self.strength != needed.get(self.kind, self.strength):
            raise self._error("strength", self.strength, str(needed[self.kind]))
        if self.kind == "scale" and self.strength in (0.0, 1.0):
            raise self._error("strength", self.strength, "neither 0 (ablate) nor 1 (zero_effect)")
        if self.kind in _WITH_SOURCE and self.source is None:
            raise self._error("source", None, "the name of another prefix")
        if self.kind in _WITHOUT_SOURCE and self.source is not None:
            raise self._error("source", self.source, "none")
        if self.shift < 0 or (self.shift > 0) != (self.kind == "position_shift"):
            raise self._error("shift", self.shift, "1 step or more for position_shift, else 0")
        steps = self.steps
        if steps is not None and self.window is not None:
            raise self._error("window", f"{self.window} besides {steps}", "steps or a window")
        if steps is not None and (steps.step != 1 or steps.start < 0 or not len(steps)):
            raise self._error("steps", steps, "range(start, stop) with 0 <= start < stop")

    def _error(self, what: str, found: object, expected: str) -> ModelError:
        return ModelError(
            f"{what} of a {self.kind} condition", found=repr(found), expected=expected
        )

    @property
    def dose(self) -> float | None:
        """How strong the change is: of activations ``strength``, of positions steps; None: none."""
        if self.shift:
            return float(self.shift)
        return None if self.target is None else self.strength

    def treats(self, prefix: Prefix) -> bool:
        """Whether this prefix is continued under it."""
        return self.tracks is None or prefix.track_id in self.tracks

    def steps_of(self, prefix: Prefix) -> range | None:
        """Decoder steps at which this prefix is treated; None: all of the continuation.

        Raises ModelError for a window that the prefix lacks.
        """
        if self.window is None:
            return self.steps
        try:
            return prefix.windows[self.window]
        except KeyError:
            raise ModelError(
                f"{prefix.track_id} has no steps called {self.window}",
                found=", ".join(prefix.windows) or "none",
                fix="name one of these, or give the steps themselves",
            ) from None

    def describe(self, prefix: Prefix) -> dict[str, object]:
        """What decides a clip of a prefix besides its codes and its noise, as plain data."""
        at = self.steps_of(prefix)
        steps = None if at is None else [at.start, at.stop]
        shifted = {"shift": self.shift} if self.shift else {}
        return {
            "kind": self.kind,
            "target": None if self.target is None else self.target.describe(),
            "strength": self.strength,
            "source": self.source,
            "steps": steps,
            **shifted,
        }


def conditions_of(
    candidate: str,
    target: Target,
    *,
    doses: Sequence[float],
    source: str | None = None,
    control: str | None = None,
    random: Sequence[Target] = (),
    local: Target | None = None,
    window: str | None = None,
    written_back: frozenset[str] | None = None,
) -> list[Condition]:
    """Every condition of a candidate but the baseline, which all candidates share.

    ``written_back`` are the tracks in which the activation is written back; None: all.
    With a ``source`` the candidate is patched too, from there and from its ``control``, and the
    random and local features are treated as the candidate is in the condition that counts: patched
    if there is a source, else ablated.
    """

    def condition(
        kind: Kind,
        of: Target,
        strength: float = 1.0,
        source: str | None = None,
        tracks: frozenset[str] | None = None,
    ) -> Condition:
        return Condition(kind, candidate, of, strength, source, window=window, tracks=tracks)

    def as_the_candidate(kind: Kind) -> Callable[[Target], Condition]:
        return lambda of: condition(kind, of, 0.0 if source is None else 1.0, source)

    return [
        condition("zero_effect", target, tracks=written_back),
        condition("ablate", target, 0.0),
        *(condition("scale", target, dose) for dose in doses),
        *([] if source is None else [condition("patch", target, 1.0, source)]),
        *([] if control is None else [condition("control", target, 1.0, control)]),
        *map(as_the_candidate("random_feature"), random),
        *([] if local is None else [as_the_candidate("local_feature")(local)]),
    ]
