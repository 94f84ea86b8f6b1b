"""Nothing in the gap tells what the slots will do; and a classifier that could know, would."""

import numpy as np

from leitmotif.corpus.organism.world import World
from training.estimates import estimate
from training.leak import leak


def test_the_gap_does_not_leak_the_decision_and_the_cue_does(world: World) -> None:
    for name, hits in leak(world, train=300, test=300).items():
        # Four standard errors of guessing.
        assert abs(np.mean(hits) - 0.5) < 4 * 0.5 / np.sqrt(len(hits)), name
    for name, hits in leak(world, train=300, test=100, with_cue=True).items():
        assert np.mean(hits) > 0.98, name


def test_an_estimate_states_mean_interval_and_number() -> None:
    interval = estimate([0.0, 1.0] * 200)
    assert interval["mean"] == 0.5
    assert interval["n"] == 400
    # The interval of a proportion is 1.96 standard errors either way.
    assert abs(interval["high"] - interval["low"] - 2 * 1.96 * 0.5 / 20) < 0.02
    # Two slots of a piece that always agree are one observation, not two.
    twice = estimate([0.0, 1.0] * 200, [piece // 2 for piece in range(400)])
    assert (twice["mean"], twice["low"], twice["high"]) == (0.5, 0.5, 0.5)
    alike = [float(piece % 2) for piece in range(200) for _ in range(2)]
    wide = estimate(alike, [piece for piece in range(200) for _ in range(2)])
    assert (wide["n"], wide["pieces"]) == (400, 200)
    assert abs(wide["high"] - wide["low"] - 2 * 1.96 * 0.5 / np.sqrt(200)) < 0.02
    # Pieces of which more is known weigh more.
    assert estimate([1.0, 1.0, 1.0, 0.0], [0, 0, 0, 1])["mean"] == 0.75
    assert estimate([-0.0, 0.0]) == {"mean": 0.0, "low": 0.0, "high": 0.0, "n": 2}
