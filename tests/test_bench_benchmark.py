"""The table of methods on the pages is that of the results, and the metrics are too."""

import json
from pathlib import Path

import pytest

from benchmarks.bench import OURS, RESULT, score_metrics, table_of
from leitmotif.bench.method import BUILT_IN
from leitmotif.tables.bench import BenchScore

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def scores() -> list[BenchScore]:
    rows = json.loads(RESULT.read_text(encoding="utf-8"))["rows"]
    return [BenchScore.model_validate(row) for row in rows]


@pytest.mark.parametrize("page", ["README.md", "docs/bench.md"])
def test_the_table_is_that_of_the_results(page: str, scores: list[BenchScore]) -> None:
    assert table_of(scores) in (ROOT / page).read_text(encoding="utf-8")


def test_all_methods_were_scored_on_the_whole_zoo(scores: list[BenchScore]) -> None:
    truths = (ROOT / "models" / "zoo" / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    assert [score.method for score in scores] == [*BUILT_IN]
    assert {score.models for score in scores} == {len(truths)}


def test_the_metrics_are_those_of_this_projects_method(scores: list[BenchScore]) -> None:
    (ours,) = [score for score in scores if score.method == OURS]
    validity = json.loads((ROOT / "metrics" / "validity.json").read_text(encoding="utf-8"))
    assert validity["zoo"] == score_metrics(ours)
