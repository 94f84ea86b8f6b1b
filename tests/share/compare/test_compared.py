"""A comparison of two revisions, section by section, and what it says of odd ones."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.errors import LeitmotifError, TargetError
from leitmotif.share.compare import MARKER, compare, to_markdown
from leitmotif.share.compare.writing import Targets, compared_to
from tests.share.compare.memory_revision import memory


def text_of(old: dict[str, Any], new: dict[str, Any]) -> str:
    return to_markdown(compare(memory("base", old), memory("head", new)))


def test_the_same_revision_has_no_changes() -> None:
    files = {"metrics/a.json": {"x": float("nan")}, "data/probes.jsonl": [{"model": "a"}]}
    assert text_of(files, files).endswith("Nothing changed.\n")


def test_settings_are_compared_leaf_by_leaf() -> None:
    text = text_of(
        {"params.yaml": "probes: {folds: 5, alpha: 0.05}\n", "hooks.yaml": "hooks: [{name: a}]"},
        {"params.yaml": "probes: {folds: 10, alpha: 0.05}\n", "hooks.yaml": "hooks: [{name: b}]"},
    )
    assert "| `params.yaml: probes.folds` | 5 | 10 | +5 |" in text
    assert "| `hooks.yaml: hooks.b.name` | - | b | **new** |" in text
    assert "| `hooks.yaml: hooks.a.name` | a | - | **gone** |" in text
    assert "alpha" not in text
    assert "3 settings changed; 3 changes in all." in text


def test_conclusions_come_before_numbers() -> None:
    def metrics(verdict: str, mean: float) -> dict[str, Any]:
        return {
            "metrics/interventions.json": {
                "carriers": {"planner": {"layers.0.residual": {"mean": mean}}},
                "verdicts": {"planner": verdict},
            },
            "data/verdicts.jsonl": [{"model": "planner", "candidate": "a", "verdict": verdict}],
        }

    text = text_of(metrics("none", 0.0), metrics("foresight", 93.75))
    first = text.index("| verdict of planner | none | foresight |")
    second = text.index("| carrier `layers.0.residual` of planner | +0.0 | +93.8 | +93.8 points |")
    assert first < second
    assert "Verdicts now: planner: foresight." in text
    assert "| `planner · a` | none | foresight |" in text
    assert "[listen](data/report/pairs/planner-a-" in text


def approach(mean: float, **other: Any) -> dict[str, Any]:
    effect = {"mean": mean, "low": mean - 10, "high": mean + 10}
    return {"metrics/summary.json": {"approaches": {"naive correlation": {
        "delta_recurrence": effect, "r2": 0.74, **other}}}}  # fmt: skip


def test_approaches_say_where_intervals_separate() -> None:
    separate = text_of(approach(0.0), approach(56.25))
    assert "+0.0 (-10.0 to 10.0) →<br>+56.2 (46.2 to 66.2) **separate**" in separate
    together = text_of(approach(0.0), approach(5.0))
    assert "+0.0 (-10.0 to 10.0) →<br>+5.0 (-5.0 to 15.0) |" in together
    assert "| naive correlation | 0.74 | - |" in together


def test_an_approach_that_became_unstable_says_so() -> None:
    text = text_of(approach(0.0, stable=True, verdict="none"), approach(0.0, stable=False))
    assert "| none →<br>-, stable: true →<br>false |" in text


DVC = "stages: {one: {outs: [data/clips], plots: [plots/p.csv: {cache: false}]}}\n"


def lock(md5: str, weights: str = "w") -> str:
    return (
        "schema: '2.0'\nstages:\n  one:\n"
        f"    deps: [{{path: models/planner, md5: {weights}}}, {{path: src/a.py, md5: {md5}}}]\n"
        f"    outs: [{{path: data/clips, md5: {md5}.dir, size: 1200, nfiles: 3}}]\n"
    )


def test_what_dvc_keeps_is_compared_by_its_hash() -> None:
    old, new = ({"dvc.yaml": DVC, "dvc.lock": lock(md5, md5)} for md5 in ("aa", "bb"))
    text = text_of(old, new)
    assert "1 output in DVC&#x27;s cache changed" in text
    assert "| `data/clips` | changed | 1,200 bytes in 3 files → 1,200 bytes in 3 files |" in text
    assert "| `models/planner` | aa | bb |" in text
    assert "src/a.py" not in text


def test_a_base_without_a_lock_cannot_be_compared_and_says_so() -> None:
    text = text_of({"dvc.yaml": DVC}, {"dvc.yaml": DVC, "dvc.lock": lock("aa")})
    assert "| `data/clips` | no hash in the old dvc.lock |" in text


def test_a_base_without_a_pipeline_has_everything_new() -> None:
    text = text_of({}, {"dvc.yaml": DVC, "dvc.lock": lock("aa"), "metrics/a.json": {"x": 1}})
    assert "| `data/clips` | new |" in text
    assert "| `a: x` | - | 1 | **new** |" in text


@pytest.mark.fault(
    "leitmotif compare", "a file of one revision is torn or no text", outcome="named, rest compared"
)
@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("metrics/a.json", b'{"x": 1', "not readable"),
        ("metrics/a.json", b"\xff\xfe", "not readable"),
        ("metrics/a.json", b'{"x": 1, "x": 2}', "a key is given twice"),
        ("metrics/a.json", b"[" * 100_000, "nested too deeply"),
        ("data/probes.jsonl", b'{"a": 1}\n[]\n', "line 2 is no object"),
        ("plots/p.csv", b"a,b\n1\n", "line 2 has 1 columns"),
        ("plots/p.csv", b"a,a\n1,2\n", "same name"),
        ("params.yaml", b"a: [", "not readable"),
        ("dvc.yaml", b"stages: [1]", "Outputs are not all known"),
        ("dvc.lock", b"stages: {one: {outs: 3}}", "Outputs are not all known"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(path: str, content: bytes, said: str) -> None:
    good = {"metrics/b.json": {"x": 1}, "dvc.yaml": DVC, "dvc.lock": lock("aa")}
    for old, new in (({}, {path: content}), ({path: content}, {})):
        text = text_of(good | old, {**good, "metrics/b.json": {"x": 2}} | new)
        assert said in text
        assert "| `b: x` | 1 | 2 | +1 |" in text


def test_other_bytes_with_the_same_values_are_said() -> None:
    text = text_of({"metrics/a.json": b'{"x": 1}'}, {"metrics/a.json": b'{"x":  1}'})
    assert "| `metrics/a.json` | other bytes with the same values |" in text


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits, tagged old and new, in which a metric and a plot change."""
    root = tmp_path / "repository"
    (root / "metrics").mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    for tag, value in (("old", 1), ("new", 2)):
        (root / "metrics" / "a.json").write_text(f'{{"x": {value}}}')
        git(root, "add", ".")
        git(root, "commit", "--quiet", "-m", tag)
        git(root, "tag", tag)
    monkeypatch.chdir(root)
    return root


def test_the_working_tree_is_compared_if_no_head_is_named(repository: Path) -> None:
    (repository / "metrics" / "a.json").write_text('{"x": 3}')
    done = CliRunner().invoke(app, ["compare", "old"], catch_exceptions=False)
    assert "Comparison of working tree with old" in done.output
    assert "1    3    +2" in " ".join(done.output.split("\n"))
    done = CliRunner().invoke(app, ["compare", "old", "new"], catch_exceptions=False)
    assert "1    2    +1" in " ".join(done.output.split("\n"))


def test_the_markdown_is_written_and_written_over_when_asked(repository: Path) -> None:
    out = repository / "comparison.md"
    assert CliRunner().invoke(app, ["compare", "old", "new", "--md", str(out)]).exit_code == 0
    assert out.read_text(encoding="utf-8").startswith(MARKER)
    with pytest.raises(TargetError, match="--replace"):
        compared_to("old", "new", Targets(out))
    compared_to("old", "old", Targets(out), over=True)
    assert "Nothing changed." in out.read_text(encoding="utf-8")
    out.write_text("mine")
    with pytest.raises(TargetError, match="did not write"):
        compared_to("old", "new", Targets(out), over=True)


def test_a_hash_is_shown_by_its_beginning(repository: Path) -> None:
    full = subprocess.run(
        ["git", "rev-parse", "old"], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()
    assert to_markdown(compared_to(full, "new", Targets())).count(full[:10]) == 1
    assert full not in to_markdown(compared_to(full, "new", Targets()))


@pytest.mark.fault("leitmotif compare", "a shallow clone", outcome="refused: says what to fetch")
def test_a_shallow_clone_says_what_it_needs(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", str(clone))
    with pytest.raises(LeitmotifError, match="git fetch --depth=1 origin old"):
        compared_to("old", None, Targets(), root=clone)
    git(clone, "fetch", "--quiet", "--depth=1", "origin", "tag", "old")
    assert compared_to("old", None, Targets(), root=clone).changes == 1


def test_a_comment_has_no_relative_links(repository: Path) -> None:
    verdicts = [{"model": "planner", "candidate": "a", "verdict": "foresight"}]
    (repository / "data").mkdir()
    write_table_of(repository / "data" / "verdicts.jsonl", verdicts)
    out = repository / "comment.md"
    compared_to("old", None, Targets(out, comment=True))
    text = out.read_text(encoding="utf-8")
    assert "](" not in text
    assert "`data/report/pairs/planner-a-" in text
    url = "https://example.org/report/"
    compared_to("old", None, Targets(out, comment=True, report_url=url), over=True)
    assert f"[listen]({url}pairs/planner-a-" in out.read_text(encoding="utf-8")


def write_table_of(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_a_comment_refuses_pictures_without_a_url(repository: Path) -> None:
    with pytest.raises(LeitmotifError, match="--assets-url"):
        compared_to("old", None, Targets(assets=repository / "pictures", comment=True))
    assert not (repository / "pictures").exists()


def test_pictures_say_what_to_install(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(LeitmotifError, match=r"leitmotif\[compare\]"):
        compared_to("old", None, Targets(assets=tmp_path / "pictures"))
    assert not (tmp_path / "pictures").exists()


def test_many_models_leave_room_for_the_rest() -> None:
    def metrics(verdict: str) -> dict[str, Any]:
        names = [f"model {number} {'a' * 90}" for number in range(2_000)]
        return {"metrics/interventions.json": {"verdicts": dict.fromkeys(names, verdict)}}

    text = text_of(metrics("none"), metrics("foresight"))
    assert ", and 1,990 more models." in text
    assert "Of 2,000 changes" in text


def test_metrics_of_the_same_name_in_two_folders_are_both_compared() -> None:
    old, new = (
        {
            "metrics/a.json": {"x": value},
            "data/a.json": {"y": value},
            "dvc.yaml": "stages: {one: {metrics: [data/a.json: {cache: false}]}}\n",
        }
        for value in (1, 2)
    )
    text = text_of(old, new)
    assert "| `a: x` | 1 | 2 | +1 |" in text
    assert "| `a: y` | 1 | 2 | +1 |" in text


def test_settings_of_a_new_file_are_folded() -> None:
    text = text_of({"params.yaml": "a: 1\n"}, {"params.yaml": "a: 2\n", "new.yaml": "b: 1\nc: 2\n"})
    assert "<details><summary><code>new.yaml</code>: new, 2 settings</summary>" in text
    assert text.index("`params.yaml: a`") < text.index("`new.yaml: b`")


def test_rows_of_a_table_in_the_local_cache_are_compared(repository: Path) -> None:
    """DVC keeps the content of an output under its hash, those of other revisions too."""
    rows = [{"technique": "replace", "component": "mlp", "layers": [0], "original": "a"}]
    for value in (1, 2):
        row = {**rows[0], "desired": "b", "excess": value}
        content = json.dumps(row).encode() + b"\n"
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        place = repository / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        out = "{path: data/swaps.jsonl, md5: " + md5 + "}"
        (repository / "dvc.yaml").write_text("stages: {one: {outs: [data/swaps.jsonl]}}\n")
        (repository / "dvc.lock").write_text(f"stages: {{one: {{outs: [{out}]}}}}\n")
        git(repository, "add", "dvc.yaml", "dvc.lock")
        git(repository, "commit", "--quiet", "-m", str(value))
    text = to_markdown(compared_to("HEAD~1", "HEAD", Targets()))
    assert "<code>swaps</code>: 1 changed of 1 row, 1 value" in text
    assert "`replace · mlp · layers [0] · a · b` | changed | excess 1 → 2 |" in text
    assert "| `data/swaps.jsonl` | changed |" in text
    place.unlink()
    assert "<code>swaps</code>" not in to_markdown(compared_to("HEAD~1", "HEAD", Targets()))
