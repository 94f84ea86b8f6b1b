"""metrics/validity.json repeats results of benchmarks, by the code that enters it there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import as_recordings, heads, nulls, verdicts
from benchmarks._report import RESULTS, VALIDITY, record
from leitmotif.tables.heads import HeadRow


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def rows(name: str) -> list[dict[str, Any]]:
    return list(read(RESULTS / f"{name}.json")["rows"])


def test_measures_are_those_of_the_results() -> None:
    metrics = read(VALIDITY)
    of_heads = [HeadRow.model_validate(row) for row in rows("heads")]
    assert metrics["heads"] == heads.carrying(of_heads)
    assert metrics["nulls_above"] == len(nulls.above(rows("nulls")))  # type: ignore[arg-type]
    null = {
        f"{r['having']} of {r['pieces']}": r["ours"]
        for r in rows("verdicts")
        if r["case"] == "destructive"
    }
    assert metrics["destructive_null"] == null
    recorded = read(as_recordings.RESULT)
    assert metrics["as_recordings"] == {name: row["verdict"] for name, row in recorded.items()}


def test_families_of_candidates_hold_their_level_and_lose_nothing_by_its_steps() -> None:
    families = read(RESULTS / "verdicts.json")["families"]
    assert [family["true"] for family in families] == list(verdicts.TRUE)
    for family in families:
        assert family["false"] <= verdicts.CLAIMS.alpha
        assert family["false"] >= family["false_by_peer"]
        assert not family["true"] or family["found"] >= family["found_by_peer"]
    stepped, over_all = verdicts.of_family(8, np.random.default_rng(0))
    assert sum(stepped[:8]) > 0
    assert all(now for now, before in zip(stepped, over_all, strict=True) if before)


def test_receivers_without_enough_heads_are_left_out() -> None:
    carried = heads.carrying([HeadRow.model_validate(row) for row in rows("heads")])
    assert carried["blind"] == {}
    assert set(carried["planner"]) == {"gap"}
    assert set(carried["reader"]) == {"slot"}


def test_a_null_is_above_the_limit_by_a_test_that_should_hold_its_level_alone() -> None:
    def null(name: str, rate: float, strength: float = 0.0) -> Any:
        rates = {test: {"mean": 0.05} for test in nulls.TESTS} | {name: {"mean": rate}}
        return {"strength": strength, "rates": rates}

    cases = [null("PartialEffects", 0.08), null("shifts", 0.5), null("NestedRidge", 0.07)]
    assert nulls.above([*cases, null("PartialEffects", 0.9, strength=0.1)]) == cases[:1]


def test_a_measure_is_entered_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "validity.json"
    monkeypatch.setattr("benchmarks._report.VALIDITY", path)
    record("first", 1)
    record("second", {"third": 2})
    record("first", 3)
    assert read(path) == {"first": 3, "second": {"third": 2}}
