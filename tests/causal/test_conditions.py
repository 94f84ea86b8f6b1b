"""Conditions: one formula, and refusals of what makes no sense."""

import pytest
import torch

from leitmotif.causal.experiment.conditions import Condition, conditions_of
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
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Condition(**arguments)


def test_controls_are_treated_as_the_candidate_is() -> None:
    other = WholeSite("layers.0.residual", torch.zeros(4))
    made = conditions_of("c", SITE, doses=[-1, 2], source="twin", random=[other], local=other)
    kinds = ["zero_effect", "ablate", "scale", "scale", "patch", "random_feature", "local_feature"]
    assert [condition.kind for condition in made] == kinds
    assert {condition.source for condition in made[4:]} == {"twin"}
    without = conditions_of("c", SITE, doses=[], random=[other])
    assert [(condition.kind, condition.strength) for condition in without] == [
        ("zero_effect", 1.0),
        ("ablate", 0.0),
        ("random_feature", 0.0),
    ]
