"""The table of methods on the pages is that of the results, and the metrics are too."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from benchmarks import bench
from benchmarks.bench import OURS, RESULT, VERDICTS, score_metrics, table_of, verdicts_of
from leitmotif.bench.method import BUILT_IN
from leitmotif.bench.scoring import score_of
from leitmotif.bench.study import Bench
from leitmotif.bench.zoo import Zoo
from leitmotif.files import read_table
from leitmotif.tables.bench import BenchScore, BenchVerdict

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


def test_the_scores_are_those_of_the_verdicts_on_the_packed_weights(
    scores: list[BenchScore],
) -> None:
    zoo = Zoo(ROOT / "models" / "zoo", ROOT / "models" / "organism" / "codec")
    for score in scores:
        verdicts = read_table(VERDICTS / f"{score.method}.jsonl", BenchVerdict)
        assert {row.model: row.weights for row in verdicts} == {
            name: zoo.weights(name) for name in zoo.names
        }
        assert score_of(verdicts, zoo.truths()) == score


class _Weighed:
    """A bench of models whose weights are named, that counts what it is asked for."""

    def __init__(self, weights: dict[str, str]) -> None:
        self.zoo, self.names, self.asked = self, sorted(weights), list[str]()
        self.weights = weights.__getitem__

    def verdicts(self, method: str, models: Sequence[str]) -> Iterator[BenchVerdict]:
        for model in models:
            self.asked.append(model)
            yield BenchVerdict(
                method=method,
                model=model,
                weights=self.weights(model),
                foresight=False,
                lead_seconds=None,
                strengths=[],
                seconds=0.0,
            )


def test_only_models_whose_weights_have_no_verdict_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "VERDICTS", tmp_path)

    def asked(weights: dict[str, str], *, keep: bool) -> list[str]:
        weighed = _Weighed(weights)
        rows = verdicts_of("probe", cast(Bench, weighed), keep=keep)
        assert {row.model: row.weights for row in rows} == weights
        return weighed.asked

    first = {"a.0": "0" * 64, "b.0": "1" * 64}
    assert asked(first, keep=True) == ["a.0", "b.0"]
    later = {"b.0": "2" * 64, "a.0": "0" * 64, "c.0": "3" * 64}
    assert asked(later, keep=True) == ["b.0", "c.0"]
    assert asked(later, keep=False) == ["a.0", "b.0", "c.0"]


def test_a_methods_code_is_that_of_the_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = [bench.code_of(name) for name in ("interchange", "patching")]
    assert same[0] == same[1] != bench.code_of("probe")
    room = tmp_path / "bench"
    room.mkdir()
    method, other = room / "method.py", tmp_path / "other.py"
    monkeypatch.setattr(bench, "ROOM", room)
    monkeypatch.setattr(bench, "import_closure", lambda *modules: [method, other])
    codes = []
    for mine, yours in [("1", "1"), ("1", "2"), ("2", "2")]:
        method.write_text(mine)
        other.write_text(yours)
        codes.append(bench.code_of("probe"))
    assert codes[0] == codes[1] != codes[2]
