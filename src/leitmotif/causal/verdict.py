"""What a candidate is, by rules that are the same for every candidate and model.

They were stated before the first measurement, but for one: that an effect needs a small p-value
besides its interval was added after a feature moved 4 of 16 pieces, all one way, which an interval
clear of 0 calls sure and chance does not (p 0.12). It can only take findings away.

An effect is a change of the recurrence rate in points, positive in the direction that was predicted
(towards what the counterfactual would do). It counts for
a claim only if the steps that were changed are far enough ahead of the event: those of the window
``ahead``. ``leitmotif.claims`` says when a candidate is *decodable* at a horizon, which horizons
may carry a claim, from which *lead* a site carries the event, and when an effect *moves* the
recurrence. The p-values of all candidates of a model are one family; ``corrected`` says over how
many of them each is corrected. The rules, in this order:

1. ``entangled``: ahead the effect is clear of 0, either way, and the clips' similarity to their
   baselines, or how much likelier than these the untouched model finds them, is below its
   threshold. Whatever it does, it does by breaking the music.
2. ``foresight``: decodable at a horizon that may carry a claim, and the intervention ahead moves
   the recurrence. It moves it both ways: pieces that lack the event gain it, and pieces that have
   it lose it, each with an interval above 0, because whatever breaks the music can only take
   returns away. Where residuals were exchanged in pieces that are
   read, the site also carries the event from as far ahead as that horizon.
3. ``just in time``: residuals of the site were exchanged, and it carries the event, but not from as
   far ahead as that: the model fetches, or hands on, what decides the event shortly before it.
4. ``causal, not decoded``: not decodable at such a horizon, and yet the intervention ahead moves
   the recurrence as foresight has to. What it holds there decides the event; that it says so
   beforehand was not shown. Few tracks decode nothing, so this is neither finding nor absence.
5. ``local``: not decodable at such a horizon, and either decodable at a shorter one, or the only
   effect is that of the return's own frames: none ahead, none of the cue.
6. ``look-back``: not decodable at such a horizon, no effect ahead, and another cue has one: what
   decides the event does not pass here in the gap. Where residuals were exchanged, the event also
   has to depend on the cue with all later tokens as they were; else it is those that decide it.
   Where that is the strongest verdict on a model, it reads the cue again when it is time; where
   another site is a cause, that one carries it.
7. ``decodable, not causal``: decodable at such a horizon, and nothing ahead moves the recurrence.
8. ``none``: none of these.

Rules 6 to 8, and rule 5 where it rests on effects, say that something has no effect. Where the
pieces, or those of one kind, are too few for any effect to count, that is not known, and the
verdict is ``unknown``; so it is on an approach that found nothing to change.
``leitmotif.causal.possible`` says from which effect on one could have counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from leitmotif.claims import Claims, excludes_zero, is_above_zero
from leitmotif.intervals import Interval
from leitmotif.tables.effects import Verdict

_STRONGEST: tuple[Verdict, ...] = (
    "foresight",
    "causal, not decoded",
    "just in time",
    "look-back",
    "local",
    "decodable, not causal",
    "entangled",
    "unknown",
    "none",
)
assert set(_STRONGEST) == set(get_args(Verdict))


@dataclass(frozen=True)
class VerdictRules:
    """Where the rules draw their lines."""

    claims: Claims
    tried: int
    """Over how many candidates an effect's p-value is corrected: all that were tried in the model,
    or those that do not count beside it (``corrected``)."""
    similarity: float
    """Least mean CLAP similarity to the baseline of a clip that counts as the same music."""
    likelihood: float | None = None
    """Least mean log-likelihood of such a clip under the untouched model, in nats a token more than
    its baseline's; None: it is not asked."""
    seeds: int = 1
    """Continuations of each piece, over which its change is a mean."""


@dataclass(frozen=True)
class Evidence:
    """What was measured of one candidate; None where it was not."""

    decodable: tuple[float, ...]
    """Seconds ahead at which the horizons begin at which it is decodable."""
    ahead: Interval | None
    """Effect of the intervention at the steps that are far enough ahead of the return."""
    over_controls: Interval | None
    """Excess of that over its controls; see ``leitmotif.causal.experiment.effects.contrast``."""
    cue: Interval | None
    """Effect of the counterfactual cue itself."""
    onset: Interval | None
    """Effect of the intervention at the return's own frames."""
    similarity: Interval | None
    """Mean CLAP similarity to the baseline under the intervention ahead."""
    p: float | None
    """The larger of the p-values of ``ahead`` and ``over_controls``."""
    gained: Interval | None
    """The effect on pieces that lack the event."""
    lost: Interval | None
    """The effect on pieces that have it."""
    gaining: int
    """How many pieces that lack the event could show an effect."""
    losing: int
    """How many that have it."""
    lead: float | None = None
    """Seconds ahead of the event from which on the site carries it; None: it does not, or no
    residuals were exchanged."""
    likelihood: Interval | None = None
    """Mean log-likelihood of a token beside the baseline's, in nats, under that intervention."""
    exchanged: bool = False
    """Whether residuals were exchanged, so that a site without a lead does not carry the event."""
    recalled: bool | None = None
    """Whether the event depends on what decides it while all later tokens stay as they were; None:
    that was not asked of the model."""


def verdict(evidence: Evidence, thresholds: VerdictRules) -> Verdict:
    """Apply the rules of this module to one candidate."""
    claims, near = thresholds.claims, evidence.lead
    far = any(claims.may_carry(seconds) for seconds in evidence.decodable)
    if excludes_zero(evidence.ahead) and is_damaged(evidence, thresholds):
        return "entangled"
    if far and moves(evidence, thresholds) and _carried(evidence, claims):
        return "foresight"
    if near is not None and not claims.may_carry(near):
        return "just in time"
    if not far and moves(evidence, thresholds) and _carries_far(evidence, claims):
        return "causal, not decoded"
    if evidence.decodable and not far:
        return "local"
    return _without_effect(evidence, thresholds, far=far)


def corrected(family: Sequence[Evidence], thresholds: VerdictRules) -> list[VerdictRules]:
    """The rules for each of a model's candidates, all given (rule 10 of ``leitmotif.claims``).

    One that breaks the music, or does not carry the event from far enough ahead, eases no other.
    """
    claims = thresholds.claims
    sure = [
        evidence.p
        if all(map(is_above_zero, _intervals(evidence)))
        and _carries_far(evidence, claims)
        and not is_damaged(evidence, thresholds)
        else None
        for evidence in family
    ]
    return [replace(thresholds, tried=tests) for tests in claims.corrected_over(sure)]


def is_damaged(evidence: Evidence, thresholds: VerdictRules) -> bool:
    """Whether the clips count as other music, by one of the measures that are asked."""
    asked = [(evidence.similarity, thresholds.similarity)]
    if thresholds.likelihood is not None:
        asked.append((evidence.likelihood, thresholds.likelihood))
    return any(measured is not None and measured.mean < least for measured, least in asked)


def _without_effect(evidence: Evidence, thresholds: VerdictRules, *, far: bool) -> Verdict:
    """Of a candidate without a cause; ``far``: it is decodable as far ahead as a claim needs."""
    if untested(evidence.gaining, evidence.losing, thresholds) == "unknown":
        return "unknown"
    return "decodable, not causal" if far else _of_effects(evidence)


def untested(gaining: int, losing: int, thresholds: VerdictRules) -> Verdict:
    """Of nothing that could be changed: ``none``, or ``unknown`` where no effect could count."""
    possible = thresholds.claims.can_show(gaining=gaining, losing=losing, tried=thresholds.tried)
    return "none" if possible else "unknown"


def moves(evidence: Evidence, thresholds: VerdictRules) -> bool:
    """Whether the intervention ahead moves the recurrence, both ways and more than its control."""
    return thresholds.claims.moves(evidence.p, _intervals(evidence), tried=thresholds.tried)


def _intervals(evidence: Evidence) -> tuple[Interval | None, ...]:
    """Those that have to lie above 0 where the recurrence is moved."""
    return (evidence.ahead, evidence.over_controls, evidence.gained, evidence.lost)


def _of_effects(evidence: Evidence) -> Verdict:
    """Of a candidate that is decodable nowhere, with pieces enough."""
    is_moved = excludes_zero(evidence.ahead)
    of_cue = is_above_zero(evidence.cue) and evidence.recalled is not False
    if is_above_zero(evidence.onset) and not is_moved and not of_cue:
        return "local"
    return "look-back" if of_cue and not is_moved else "none"


def _carried(evidence: Evidence, claims: Claims) -> bool:
    """Whether the site carries the event from as far as some horizon at which it is decodable."""
    if not evidence.exchanged:
        return True
    far = [seconds for seconds in evidence.decodable if claims.may_carry(seconds)]
    return evidence.lead is not None and min(far) <= evidence.lead


def _carries_far(evidence: Evidence, claims: Claims) -> bool:
    """Whether the site carries the event from as far as a claim needs, if that was asked."""
    if not evidence.exchanged:
        return True
    return evidence.lead is not None and claims.may_carry(evidence.lead)


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """What a model is, by its candidates: the strongest of their verdicts; ``none`` of no one.

    >>> overall(["none", "decodable, not causal", "foresight"])
    'foresight'
    """
    return min(verdicts, key=_STRONGEST.index, default="none")
