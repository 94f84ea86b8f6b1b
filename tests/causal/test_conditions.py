"""Conditions: one formula, and refusals of what makes no sense."""

import pytest
import torch

from leitmotif.causal.experiment.conditions import Condition, conditions_of
from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.targets import WholeSite
from leitmotif.errors import ModelError

SITE = WholeSite("layers.1.residual", torch.zeros(4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "remove", "target": SITE}, "expected: baseline"),
        ({"kind": "baseline", "target": SITE}, "target"),
        ({"kind": "ablate", "strength": 0.0}, "no target"),
        ({"kind": "ablate", "target": SITE}, "strength"),
        ({"kind": "zero_effect", "target": SITE, "strength": 2.0}, "strength"),
        ({"kind": "scale", "target": SITE, "strength": 1.0}, "zero_effect"),
        ({"kind": "scale", "target": SITE, "strength": float("nan")}, "finite"),
        ({"kind": "patch", "target": SITE}, "another prefix"),
        ({"kind": "counterfactual"}, "another prefix"),
        ({"kind": "ablate", "target": SITE, "strength": 0.0, "source": "twin"}, "none"),
        ({"kind": "zero_effect", "target": SITE, "steps": range(4, 4)}, "start < stop"),
        ({"kind": "zero_effect", "target": SITE, "steps": range(0, 8, 2)}, "start < stop"),
        ({"kind": "position_shift"}, "1 step or more"),
        ({"kind": "position_shift", "shift": -1}, "1 step or more"),
        ({"kind": "position_shift", "shift": 5, "target": SITE}, "target"),
        ({"kind": "position_shift", "shift": 5, "source": "twin"}, "none"),
        ({"kind": "baseline", "shift": 5}, "else 0"),
        ({"kind": "patch", "target": SITE, "source": "twin", "shift": 5}, "else 0"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Condition(**arguments)


def test_controls_are_treated_as_the_candidate_is() -> None:
    other = WholeSite("layers.0.residual", torch.zeros(4))
    made = conditions_of(
        "c", SITE, doses=[-1, 2], source="twin", control="same", random=[other], local=other
    )
    assert [(condition.kind, condition.source) for condition in made] == [
        ("zero_effect", None),
        ("ablate", None),
        ("scale", None),
        ("scale", None),
        ("patch", "twin"),
        ("control", "same"),
        ("random_feature", "twin"),
        ("local_feature", "twin"),
    ]
    assert made[4].target is made[5].target
    without = conditions_of("c", SITE, doses=[], random=[other])
    assert [(condition.kind, condition.strength) for condition in without] == [
        ("zero_effect", 1.0),
        ("ablate", 0.0),
        ("random_feature", 0.0),
    ]


def test_only_a_shift_of_positions_is_described_by_one() -> None:
    """What is described decides where a clip is kept: others must keep their places."""
    prefix = Prefix("t", torch.zeros(4, 3, dtype=torch.long))
    others = ["kind", "target", "strength", "source", "steps"]
    assert list(Condition("baseline").describe(prefix)) == others
    shifted = Condition("position_shift", shift=5)
    assert shifted.describe(prefix) == {
        **Condition("baseline").describe(prefix),
        "kind": "position_shift",
        "shift": 5,
    }
    assert (shifted.dose, Condition("baseline").dose) == (5.0, None)
    assert Condition("ablate", target=SITE, strength=0.0).dose == 0.0
