"""docs/paper.md: what the paper found, beside what the stages of this repository wrote."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SIMILARITY = "data/layer_similarity.jsonl"


def page(root: Path, repo_root: Path) -> str:
    """The page that the script writes in another folder, which may have a run of its own."""
    for name in ("metrics", "plots"):
        if not (root / name).exists():
            shutil.copytree(repo_root / name, root / name)
    (root / "data").mkdir()
    shutil.copyfile(repo_root / SIMILARITY, root / SIMILARITY)
    shutil.copyfile(repo_root / "params.yaml", root / "params.yaml")
    (root / "models").symlink_to(repo_root / "models")
    (root / "docs").mkdir()
    shutil.copyfile(repo_root / "docs/paper.md", root / "docs/paper.md")
    subprocess.run([sys.executable, repo_root / "scripts/paper.py"], check=True, cwd=root)
    return (root / "docs/paper.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_script_writes(repo_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/paper.py", "--check"],
        check=False, cwd=repo_root, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr or "run `python scripts/paper.py` after the pipeline"


def test_the_numbers_are_those_of_the_run(repo_root: Path, tmp_path: Path) -> None:
    shutil.copytree(repo_root / "metrics", tmp_path / "metrics")
    path = tmp_path / "metrics/swaps.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    metrics["ideal_precision"], metrics["precision"]["replace"]["mlp"] = -0.1, -7.3
    path.write_text(json.dumps(metrics), encoding="utf-8")
    text = page(tmp_path, repo_root)
    assert "MLP -7.3" in text
    assert "ideal -0.1" in text


@pytest.mark.parametrize("technique", ["replace", "adjust"])
def test_what_was_not_run_is_said_and_not_made_up(
    repo_root: Path, tmp_path: Path, technique: str
) -> None:
    shutil.copytree(repo_root / "plots", tmp_path / "plots")
    path = tmp_path / "plots/swaps.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(technique)]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    rows = page(tmp_path, repo_root).splitlines()
    (row,) = [row for row in rows if row.startswith(f"| effect of `{technique}`")]
    assert row.endswith("| not run |  |")


def test_values_that_were_read_off_a_figure_are_marked(repo_root: Path) -> None:
    text = (repo_root / "docs/paper.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert rows[0][3] == "read off its figure"
    read_off = [row[3] for row in rows[1:] if row[3].strip()]
    assert len(read_off) >= 10
    assert all(value.startswith("\N{ALMOST EQUAL TO} ") for value in read_off)


def test_layers_are_compared_by_the_distances_of_the_papers_figure(
    repo_root: Path, tmp_path: Path
) -> None:
    (row,) = [
        line for line in page(tmp_path, repo_root).splitlines() if line.startswith("| likeness")
    ]
    table = [json.loads(line) for line in (repo_root / SIMILARITY).read_text().splitlines()]
    last = max(row["second"] for row in table)
    apart = [
        row["distance"]
        for row in table
        if row["concept"] is None and row["first"] < row["second"] == last
    ]
    assert f"last layer from others {sum(apart) / len(apart):.0f}," in row
