"""Rows edited together are rows edited alone: the plain formula, row by row."""

import pytest
import torch
from torch import Tensor

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.edits import Treated, interventions, joint_edit
from leitmotif.causal.experiment.targets import Coordinates, SaeFeatures, Target, WholeSite
from tests.sae.making import random_sae

SITE = WholeSite("layers.1.residual", torch.zeros(8))
X = torch.randn(6, 3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
SAE = random_sae().double()


def features(*indices: int) -> SaeFeatures:
    return SaeFeatures(SAE, indices, "tiny", "0" * 64)


def alone(condition: Condition, x: Tensor, source: Tensor | None = None) -> Tensor:
    """What one condition makes of one row [n, d]."""
    target = condition.target
    assert target is not None
    before = target.read(x)
    if source is None:
        return target.moved(x, condition.strength * before - before)
    return target.moved(x, condition.strength * (target.read(source) - before))


@pytest.mark.parametrize(("kind", "strength"), [("ablate", 0.0), ("scale", -2.0)])
def test_strengths_scale_the_activation(kind: str, strength: float) -> None:
    out = joint_edit([Condition(kind, "c", SITE, strength)] * 6, [None] * 6)(X)
    torch.testing.assert_close(out, strength * X)


@pytest.mark.parametrize(
    "target", [SITE, features(3, 17), Coordinates(SITE.site, (2,), X[0, 0, :1])]
)
def test_no_change_leaves_every_bit(target: Target) -> None:
    out = joint_edit([Condition("zero_effect", "c", target)] * 6, [None] * 6)(X)
    assert torch.equal(out, X)


def test_a_patch_copies_each_rows_own_source_in_both_halves_of_the_guidance() -> None:
    # Two halves of one source row and two rows that read from it.
    patch = Condition("patch", "c", SITE, source="twin")
    out = joint_edit([patch, patch], [0, 0], sources=1)(X)
    for half in (0, 3):
        assert torch.equal(out[half], X[half])
        for row in (1, 2):
            torch.testing.assert_close(out[half + row], X[half])
    halfway = Condition("patch", "c", SITE, 0.5, source="twin")
    out = joint_edit([halfway], [1], sources=2)(X[:3])
    torch.testing.assert_close(out[2], (X[2] + X[1]) / 2)


def test_different_features_of_an_autoencoder_are_edited_as_if_alone() -> None:
    conditions = [
        Condition("zero_effect", "a", features(3, 17)),
        Condition("ablate", "a", features(40), 0.0),
        Condition("scale", "b", features(17, 5, 9), -3.0),
        Condition("patch", "b", features(3, 40), source="twin"),
        Condition("random_feature", "b", features(9), 0.5, source="other"),
    ]
    x = torch.cat([X, X.flip(0)])[:7]
    out = joint_edit(conditions, [None, None, None, 1, 0], sources=2)(x)
    assert torch.equal(out[:2], x[:2])
    for row, (condition, source) in enumerate(
        zip(conditions, [None, None, None, x[1], x[0]], strict=True), start=2
    ):
        torch.testing.assert_close(out[row], alone(condition, x[row], source))
    assert torch.equal(out[2], x[2])


def test_a_row_without_numbers_harms_no_other() -> None:
    broken = X.clone()
    broken[0, 0, 0] = float("nan")
    conditions = [Condition("ablate", "a", features(3, 17), 0.0)] * 6
    out, whole = (joint_edit(conditions, [None] * 6)(x) for x in (broken, X))
    assert torch.equal(out[1:], whole[1:])
    assert out[0, 0, 0].isnan()


def test_one_intervention_serves_a_family_in_a_window() -> None:
    gap = range(20, 30)
    treated = [
        Treated(2, Condition("ablate", "a", features(3), 0.0), None),
        Treated(3, Condition("patch", "a", features(4), source="twin"), 0),
        Treated(4, Condition("patch", "a", features(4), source="twin"), 1, gap),
        Treated(5, Condition("patch", "s", SITE, source="twin"), 1, gap),
        Treated(6, Condition("baseline"), None),
    ]
    made = list(interventions(treated, range(11, 50)))
    assert [(intervention.rows, intervention.steps) for intervention in made] == [
        ([0, 2, 3], range(11, 50)),
        ([1, 4], gap),
        ([1, 5], gap),
    ]
