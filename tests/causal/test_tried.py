"""Which features are tried, and where the probes call a candidate decodable."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from leitmotif.causal.experiment.candidates import Candidate
from leitmotif.causal.experiment.pieces import Piece, Pieces
from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.tried import FeaturesTried, decodable_at, leads_of, sites_tried
from leitmotif.claims import Claims
from leitmotif.config import InterventionsParams, load_params
from leitmotif.errors import StageError
from leitmotif.tables.candidates import CandidateRow, Ranked
from tests.tables.made import SITE, candidate, exchanged, probe, ranked

CLAIMS = Claims.of_horizons([[1, 3], [5, 7]], minimum_seconds=5, alpha=0.05)
ROOT = Path(__file__).parents[2]
PIECES = Pieces([], "twin", None)
ELSEWHERE = "layers.3.residual"


class Making:
    """Notes what candidates are asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[Ranked], dict[str, Any]]] = []

    def candidate(self, chosen: Sequence[Ranked], pieces: Pieces, **more: Any) -> Candidate:
        self.asked.append((chosen, more))
        return Candidate("made", chosen[0].site, None, (0,), [])


def asked(rows: Sequence[CandidateRow], claims: Claims = CLAIMS, **changed: Any) -> Any:
    settings: InterventionsParams = load_params(ROOT / "presets" / "organism.yaml").interventions
    making = Making()
    tried = FeaturesTried(making, settings.model_copy(update=changed), claims)  # type: ignore[arg-type]
    tried(rows, PIECES)
    return making.asked


def test_the_surest_are_tried_one_by_one_and_those_of_the_fullest_site_together() -> None:
    rows = [candidate(feature=0), *(candidate(site=ELSEWHERE, feature=n) for n in (1, 2, 3))]
    groups = [[f.feature for f in chosen] for chosen, _ in asked(rows, candidates=2, together=2)]
    assert groups == [[0], [1], [1, 2]]
    assert [[f.feature for f in chosen] for chosen, _ in asked(rows, candidates=2, together=0)] == [
        [0],
        [1],
    ]


def test_random_features_are_none_of_those_chosen_at_the_site() -> None:
    rows = [candidate(feature=0), candidate(feature=4), candidate(site=ELSEWHERE, feature=7)]
    (_, more), *_ = asked(rows)
    assert sorted(more["avoid"]) == [0, 4]


def test_the_local_control_is_the_surest_near_feature_that_is_not_far_too() -> None:
    near = [candidate(horizon="1-3s", feature=n) for n in (0, 5, 6)]
    (_, more), *_ = asked([candidate(feature=0), *near])
    assert more["local"].feature == 5
    (_, more), *_ = asked([candidate(feature=0)])
    assert more["local"] is None


def test_where_the_nearest_horizon_is_the_claimed_one_nothing_is_local() -> None:
    alone = Claims.of_horizons([[5, 7]], minimum_seconds=5, alpha=0.05)
    (_, more), *_ = asked([candidate(feature=0), candidate(feature=5)], alone)
    assert more["local"] is None


def test_a_site_is_written_back_in_a_few_pieces_and_patched_in_all() -> None:
    codes, ahead = torch.zeros(4, 3, dtype=torch.int64), {"ahead": range(4, 6)}
    prefixes = [Prefix(f"track_{n}", codes, windows=ahead) for n in range(9)]
    pieces = Pieces([Piece(prefix, [], None, 1) for prefix in prefixes], "twin", "control")
    (tried,) = sites_tried([SITE], 8, pieces)
    treated = {c.kind: [p.track_id for p in prefixes if c.treats(p)] for c in tried.conditions}
    assert treated == {
        "patch": [f"track_{n}" for n in range(9)],
        "control": [f"track_{n}" for n in range(9)],
        "zero_effect": ["track_0", "track_1", "track_2", "track_3"],
    }


def site(name: str) -> Candidate:
    return Candidate(name, name, None, (), [])


def test_a_site_is_decodable_where_the_rule_says_so() -> None:
    rows = [
        probe(),
        probe(after=1.0, p=0.9),
        probe(site=ELSEWHERE, p=0.9),
        probe(site=ELSEWHERE, after=1.0, p=0.02),
        probe(model="reader", p=0.9),
    ]
    at = {
        name: decodable_at(site(name), rows, model="planner", claims=CLAIMS)
        for name in (SITE, ELSEWHERE)
    }
    assert at == {SITE: [5.0], ELSEWHERE: [1.0]}
    assert decodable_at(site(SITE), rows, model="reader", claims=CLAIMS) == []
    with pytest.raises(StageError, match=r"blind was not probed(?s:.)*planner, reader"):
        decodable_at(site(SITE), rows, model="blind", claims=CLAIMS)


@pytest.mark.parametrize(("low", "high", "at"), [(0.1, 0.9, [5.0]), (-0.1, 0.9, [])])
def test_features_are_decodable_at_the_claimed_horizon_if_the_rule_says_so(
    low: float, high: float, at: list[float]
) -> None:
    chosen = [ranked(), ranked(feature=1, low=low, high=high)]
    features = Candidate("planner-1:0,1", SITE, None, (0, 1), [], chosen)
    assert decodable_at(features, [], model="planner", claims=CLAIMS) == at


def test_nothing_is_known_of_the_leads_of_a_model_that_was_not_read() -> None:
    rows = [exchanged(model="reader")]
    assert leads_of(rows, model="reader", claims=CLAIMS) is not None
    assert leads_of(rows, model="planner", claims=CLAIMS) is None
    assert leads_of([], model="planner", claims=CLAIMS) is None
