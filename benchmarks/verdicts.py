"""How often the rules call damage foresight, and how often they find what is there.

    python -m benchmarks.verdicts

Pieces are simulated: each has the event or lacks it, and a treatment changes that. Every verdict is
reached by the code of the pipeline (intervals, p-values, rules), of one of nine candidates that are
all decodable, at alpha 0.05. The controls are inert, but where the table says otherwise.

==============  ===================================================================================
destructive     half of all events are lost, and none is gained
misheard        nothing happens, but a tenth of the clips is misheard, baselines and controls too
fatal           all events are lost, and none is gained
carried         the event follows the counterfactual in 9 of 10 pieces
half            it does in half of the pieces
redrawn         the model forgets what was decided, and half of the pieces have the event, whatever
                they had; so it does with the control
redrawn alone   the same, but the control is inert
features        as redrawn, of features: random ones are a second control, which is inert
==============  ===================================================================================

The first three, ``redrawn`` and ``features`` are nulls: the share that is called foresight must not
exceed alpha, at any number of pieces that have the event. ``carried`` and ``half`` show the power,
and ``redrawn alone`` what the rules cannot tell from them: what makes the model forget moves pieces
both ways, and only the control says whether anything else would. The peer is the rule that was used
before: the mean over all pieces had to be clear of 0, and pieces did not have to move both ways.
The share of the destructive null at each balance is copied into metrics/validity.json.

Then all nine candidates are simulated together, with 16 pieces of each kind. In some the event
follows the counterfactual in a third of the pieces, and the others are as ``redrawn``. ``false`` is
the share of such families in which one of the others is called foresight, which must not exceed
alpha, and ``found`` the share of the first that are. The peer corrects all of them over all nine
(Bonferroni).
"""

import argparse
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._report import RESULTS, machine, record
from leitmotif.causal.experiment.effects import ByTrack, contrast
from leitmotif.causal.experiment.findings import both_ways, interval_by_track, largest_p
from leitmotif.causal.experiment.pieces import Piece, Pieces
from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.possible import MOST
from leitmotif.causal.verdict import Evidence, VerdictRules, corrected, verdict
from leitmotif.claims import Claims, is_above_zero
from leitmotif.files import write_json

PIECES, TRIED = 32, 9
HAVING = (32, 26, 16, 6)
"""Pieces that have the event."""
TRUE = (0, 1, 4, 8)
"""Candidates of nine that carry the event in a third of the pieces."""
CLAIMS = Claims.of_horizons([[4, 6]], minimum_seconds=4, alpha=0.05)
RULES = VerdictRules(CLAIMS, tried=TRIED, similarity=0.8)
Outcomes = NDArray[np.bool_]
Treatment = Callable[[Outcomes, np.random.Generator], Outcomes]


def destructive(has: Outcomes, random: np.random.Generator) -> Outcomes:
    """Half of all events are lost."""
    return has & (random.random(len(has)) < 0.5)


def fatal(has: Outcomes, random: np.random.Generator) -> Outcomes:
    """All events are lost."""
    return np.zeros_like(has)


def misheard(has: Outcomes, random: np.random.Generator) -> Outcomes:
    """A tenth of the clips is heard wrongly."""
    return has ^ (random.random(len(has)) < 0.1)


def carried(has: Outcomes, random: np.random.Generator) -> Outcomes:
    """The event follows the counterfactual in 9 of 10 pieces."""
    return has ^ (random.random(len(has)) < 0.9)


def half(has: Outcomes, random: np.random.Generator) -> Outcomes:
    """The event follows the counterfactual in half of the pieces."""
    return has ^ (random.random(len(has)) < 0.5)


def third(has: Outcomes, random: np.random.Generator) -> Outcomes:
    """It does in a third of the pieces."""
    return has ^ (random.random(len(has)) < 1 / 3)


def redrawn(has: Outcomes, random: np.random.Generator) -> Outcomes:
    """Half of the pieces have the event, whatever they had."""
    return random.random(len(has)) < 0.5


def redrawn_alone(has: Outcomes, random: np.random.Generator) -> Outcomes:
    """The same, where the control changes nothing."""
    return redrawn(has, random)


def features(has: Outcomes, random: np.random.Generator) -> Outcomes:
    """The same, where it is done to features."""
    return redrawn(has, random)


TREATMENTS: dict[str, Treatment] = {
    "destructive": destructive,
    "fatal": fatal,
    "misheard": misheard,
    "carried": carried,
    "half": half,
    "redrawn": redrawn,
    "redrawn alone": redrawn_alone,
    "features": features,
}
NULLS = ("destructive", "fatal", "misheard", "redrawn", "features")


def called_foresight(
    treatment: Treatment, having: int, random: np.random.Generator
) -> tuple[bool, bool]:
    """Whether one simulated candidate is foresight, by the rules and by the mean alone."""
    evidence = simulated(treatment, having, random)
    by_mean = evidence.p is not None and evidence.p <= CLAIMS.level(TRIED)
    return verdict(evidence, RULES) == "foresight", (
        by_mean and is_above_zero(evidence.ahead) and is_above_zero(evidence.over_controls)
    )


def of_family(true: int, random: np.random.Generator) -> tuple[list[bool], list[bool]]:
    """Which of nine candidates are foresight, step by step and over all of them.

    The first ``true`` of them are as ``third``, the others as ``redrawn``.
    """
    family = [
        simulated(third if number < true else redrawn, PIECES // 2, random)
        for number in range(TRIED)
    ]
    stepped = zip(family, corrected(family, RULES), strict=True)
    return (
        [verdict(evidence, rules) == "foresight" for evidence, rules in stepped],
        [verdict(evidence, RULES) == "foresight" for evidence in family],
    )


def simulated(treatment: Treatment, having: int, random: np.random.Generator) -> Evidence:
    """What is measured of one candidate."""
    has = np.arange(PIECES) < having
    heard = misheard if treatment is misheard else lambda outcomes, _: outcomes
    baseline, control = heard(has, random), heard(has, random)
    if treatment in (redrawn, features):
        control = redrawn(has, random)
    changed = treatment(has, random)
    codes = torch.zeros(1, 1)
    pieces = Pieces(
        [
            Piece(Prefix(f"t{n}", codes), [], None, -1 if event else 1)
            for n, event in enumerate(has)
        ],
        "counterfactual",
        "control",
    )

    def moved(outcomes: Outcomes) -> ByTrack:
        return {
            track: 100.0 * sign * (float(after) - float(before))
            for (track, sign), after, before in zip(
                pieces.towards.items(), outcomes, baseline, strict=True
            )
        }

    towards = moved(changed)
    inert = [moved(baseline)] if treatment is features else []
    over = contrast(towards, [[moved(control)], inert])
    gained, lost = both_ways(towards, pieces)
    return Evidence(
        decodable=(4.0,),
        ahead=interval_by_track(towards, MOST),
        over_controls=interval_by_track(over, MOST),
        cue=None,
        onset=None,
        similarity=None,
        p=largest_p(towards, over),
        gained=interval_by_track(gained, MOST),
        lost=interval_by_track(lost, MOST),
        gaining=len(gained),
        losing=len(lost),
    )


def families(true: int, repeats: int) -> dict[str, object]:
    """How often one of the others is called foresight, and how many of the true ones are."""
    random = np.random.default_rng([true, TRIED])
    ours, peer = np.array([of_family(true, random) for _ in range(repeats)]).transpose(1, 0, 2)
    return {
        "true": true,
        "others": TRIED - true,
        "false": _share(ours[:, true:].any(1)),
        "false_by_peer": _share(peer[:, true:].any(1)),
        "found": _share(ours[:, :true]) if true else None,
        "found_by_peer": _share(peer[:, :true]) if true else None,
        "peer_name": "over all candidates (Bonferroni)",
        "repeats": repeats,
    }


def _share(called: Outcomes) -> float:
    return round(float(called.mean()), 4)


def main() -> None:
    """Simulate, print, and write benchmarks/results/verdicts.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    rows = []
    for name, treatment in TREATMENTS.items():
        for having in HAVING:
            random = np.random.default_rng([having, list(TREATMENTS).index(name)])
            called = [called_foresight(treatment, having, random) for _ in range(repeats)]
            ours, peer = np.mean(called, axis=0)
            rows.append(
                {
                    "case": name,
                    "null": name in NULLS,
                    "pieces": PIECES,
                    "having": having,
                    "ours": round(float(ours), 4),
                    "peer": round(float(peer), 4),
                    "peer_name": "the mean over all pieces alone",
                    "repeats": repeats,
                }
            )
            print(rows[-1], flush=True)
    together = [families(true, repeats // 4) for true in TRUE]
    print(*together, sep="\n")
    write_json(
        RESULTS / "verdicts.json", {"machine": machine(), "rows": rows, "families": together}
    )
    rates = {
        f"{row['having']} of {PIECES}": row["ours"] for row in rows if row["case"] == "destructive"
    }
    record("destructive_null", rates)


if __name__ == "__main__":
    main()
