import numpy as np
import pytest

from leitmotif.errors import ProbeError
from leitmotif.probe.estimators.selectivity import control_task, selectivity, sound_types
from tests.probe.made import made


def test_each_type_has_one_of_the_targets_values() -> None:
    types = np.random.default_rng(0).integers(8, size=500)
    y = np.random.default_rng(1).gamma(2, size=500)
    task = control_task(types, y, seed=0)
    assert all(len(np.unique(task[types == kind])) == 1 for kind in range(8))
    assert np.isin(task, y).all()
    assert task.mean() == pytest.approx(y.mean(), rel=0.3)
    rare = np.r_[1.0, np.zeros(499)]
    assert len(np.unique(control_task(types, rare))) == 2
    with pytest.raises(ProbeError, match="two values"):
        control_task(types, np.zeros(500))


def test_a_probe_of_the_sound_is_not_selective_and_one_of_the_future_is() -> None:
    rows = made(0, tracks=40, planted=1.5)
    types = sound_types(rows.Z, types=6)
    chances = np.eye(6)[types] + 0.01 * np.random.default_rng(0).normal(size=(len(types), 6))
    settings = {"groups": rows.groups, "folds": 5, "seed": 0}
    assert selectivity(chances, rows.y, types, **settings).r2_control_task > 0.9
    assert selectivity(chances, rows.y, types, **settings).selectivity < 0
    assert selectivity(rows.X[:, :1], rows.y, types, **settings).selectivity > 0
