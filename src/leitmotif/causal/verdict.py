"""What a candidate is, by rules that are the same for every candidate and model.

They were stated before the first measurement, but for one: that an effect needs a small p-value
besides its interval was added after a feature moved 4 of 16 pieces, all one way, which an interval
clear of 0 calls sure and chance does not (p 0.12). It can only take findings away.

An effect is a change of the recurrence rate in points, positive in the direction that was predicted
(towards what the counterfactual would do). ``leitmotif.claims`` says when a candidate
is *decodable* at a horizon, which horizons may carry a claim, and when an effect *moves* the
recurrence. The rules, in this order:

1. ``entangled``: in the gap the effect is clear of 0, either way, and the clips' similarity to
   their baselines is below the threshold. Whatever it does, it does by breaking the music.
2. ``foresight``: decodable at a horizon that may carry a claim, and the intervention within the gap
   moves the recurrence.
3. ``local``: not decodable at such a horizon, and either decodable at a shorter one, or the only
   effect is that of the return's own frames: none in the gap, none of the cue.
4. ``look-back``: not decodable at such a horizon, no effect in the gap, and the cue's own frames,
   or another cue in their place, have one: the model reads the cue again when it is time.
5. ``decodable, not causal``: decodable at such a horizon, and the gap does not move the recurrence.
6. ``none``: none of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from leitmotif.claims import Claims, excludes_zero, is_above_zero
from leitmotif.intervals import Interval
from leitmotif.tables.effects import Verdict

_STRONGEST: tuple[Verdict, ...] = (
    "foresight",
    "look-back",
    "local",
    "decodable, not causal",
    "entangled",
    "none",
)
assert set(_STRONGEST) == set(get_args(Verdict))


@dataclass(frozen=True)
class VerdictRules:
    """Where the rules draw their lines."""

    claims: Claims
    tried: int
    """Candidates that were tried in the model: the family of the effects' p-values."""
    similarity: float
    """Least mean CLAP similarity to the baseline of a clip that counts as the same music."""


@dataclass(frozen=True)
class Evidence:
    """What was measured of one candidate; None where it was not."""

    decodable: tuple[float, ...]
    """Seconds ahead at which the horizons begin at which it is decodable."""
    gap: Interval | None
    """Effect of the intervention between cue and return."""
    over_random: Interval | None
    """By how much that exceeds the same intervention on matched random features."""
    cue: Interval | None
    """Effect of the intervention at the cue's own frames, or of the counterfactual cue itself."""
    onset: Interval | None
    """Effect of the intervention at the return's own frames."""
    similarity: Interval | None
    """Mean CLAP similarity to the baseline under the intervention in the gap."""
    p: float | None
    """The larger of the p-values of ``gap`` and ``over_random``."""


def verdict(evidence: Evidence, thresholds: VerdictRules) -> Verdict:
    """Apply the rules of this module to one candidate."""
    claims = thresholds.claims
    far = any(claims.may_carry(seconds) for seconds in evidence.decodable)
    in_gap, of_cue = excludes_zero(evidence.gap), is_above_zero(evidence.cue)
    broken = evidence.similarity is not None and evidence.similarity.mean < thresholds.similarity
    if in_gap and broken:
        return "entangled"
    if far:
        sure = evidence.p is not None and evidence.p <= claims.level(thresholds.tried)
        moves = sure and is_above_zero(evidence.gap) and is_above_zero(evidence.over_random)
        return "foresight" if moves else "decodable, not causal"
    if evidence.decodable or (is_above_zero(evidence.onset) and not in_gap and not of_cue):
        return "local"
    return "look-back" if of_cue and not in_gap else "none"


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """What a model is, by its candidates: the strongest of their verdicts; ``none`` of no one.

    >>> overall(["none", "decodable, not causal", "foresight"])
    'foresight'
    """
    return min(verdicts, key=_STRONGEST.index, default="none")
