"""DVC's experiments on the organism, and the table of what they changed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from leitmotif.errors import LeitmotifError
from leitmotif.share.experiments import Experiment, as_lines, read_experiments

START = {
    ("settings", "sae.hooks"): ["planner-0", "planner-1"],
    ("settings", "seed"): 1,
    ("summary", "approaches", "aligned", "r2"): 0.4495,
    ("summary", "approaches", "aligned", "delta"): {"mean": 56.25, "low": 24.8, "high": 76.62},
    ("summary", "approaches", "aligned", "verdict"): "foresight",
    ("corpus", "tracks"): 128,
}


def other(name: str, values: Mapping[tuple[str, ...], Any], state: str = "done") -> Experiment:
    return Experiment(name, state, {**START, **values})


BASE = Experiment("main", "done", START)
CHANGED = other(
    "without-planner-0",
    {
        ("settings", "sae.hooks"): ["planner-1", "planner-2"],
        ("summary", "approaches", "aligned", "delta"): {"mean": 6.25, "low": -8.94, "high": 24.62},
        ("summary", "approaches", "aligned", "verdict"): "decodable, not causal",
    },
)


def test_values_that_differ_are_rows_and_words_come_first() -> None:
    assert as_lines([BASE, CHANGED], 100) == [
        "             main                                       without-planner-0",
        "settings",
        "  sae.hooks  planner-0, planner-1                       without planner-0, with planner-2",
        "summary / approaches / aligned",
        "  verdict    foresight                                  decodable, not causal",
        "  delta      56.25 (24.8 to 76.62)                      6.25 (-8.94 to 24.62)",
        "",
        "2 metrics are the same in all of them",
    ]


def test_what_has_not_run_shows_its_state_and_no_metric_of_before() -> None:
    settings = {key: value for key, value in START.items() if key[0] == "settings"}
    waiting = Experiment("waiting", "queued", settings | {("settings", "seed"): 2})
    lines = as_lines([BASE, CHANGED, waiting], 120)
    cells = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert cells["state"] == ["done", "done", "queued"]
    assert cells["seed"] == ["1", "1", "2"]
    assert cells["verdict"][-1] == "-"
    # The state of one is no difference of a metric.
    assert not any(line.startswith("  r2") for line in lines)


def test_a_metric_that_is_new_or_gone_is_a_row() -> None:
    fewer = {key: value for key, value in START.items() if key[-1] != "tracks"}
    lines = as_lines([BASE, Experiment("fewer", "done", fewer | {("corpus", "failures"): 0})])
    cells = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert cells["tracks"] == ["128", "-"]
    assert cells["failures"] == ["-", "0"]


def test_nothing_to_show_is_said() -> None:
    assert "main has no experiments" in as_lines([BASE])[0]
    assert as_lines([BASE, other("same", {})]) == ["nothing differs between main and 1 experiment"]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("number", [1, 2, 5, 9])
def test_every_experiment_is_shown_within_the_width(width: int, number: int) -> None:
    others = [
        other(f"experiment-{n}-" + "x" * 30 * n, {("settings", "seed"): n + 2})
        for n in range(number)
    ]
    lines = as_lines([BASE, *others], width)
    assert max(map(len, lines)) <= width
    text = "".join("".join(lines).split())
    assert all(str(n + 2) in text for n in range(number))
    rows = [line.split()[1:] for line in lines if line.startswith("  seed")]
    assert [cell for row in rows for cell in row[1:]] == [str(n + 2) for n in range(number)]
    assert {row[0] for row in rows} == {"1"}  # the commit stands beside each of them


def tool(root: Path, *command: str, fails: bool = False) -> str:
    """What a command prints, run with the checkout's own sources and this environment."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": places, "PYTHONPATH": "src", "COLUMNS": "120"}
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def checkout(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed copy of this repository, with eight pieces, run as far as the manifest."""
    root = tmp_path_factory.mktemp("checkout")
    listed = tool(repo_root, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (repo_root / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repo_root / name, root / name)
    tool(root, "git", "init", "--quiet", "--initial-branch", "main")
    tool(root, "git", "config", "user.name", "A")
    tool(root, "git", "config", "user.email", "a@example.org")
    small = ("--set", "corpus.pieces=8", "--set", "manifest.tracks=6")
    tool(root, sys.executable, "-m", "leitmotif", "use", "organism", *small, "--force")
    tool(root, "dvc", "repro", "manifest")
    tool(root, "git", "add", ".")
    tool(root, "git", "commit", "--quiet", "--message", "A small experiment")
    return root


def test_experiments_run_here_and_in_a_queue_and_are_compared(checkout: Path) -> None:
    queue = ("dvc", "exp", "run", "--queue", "manifest")
    tool(checkout, *queue, "--name", "five", "--set-param", "manifest.tracks=5")
    tool(checkout, *queue, "--name", "none", "--set-param", "manifest.min_seconds=90")
    queued = read_experiments(root=checkout)
    assert {one.name: one.state for one in queued} == {
        "main": "done",
        "five": "queued",
        "none": "queued",
    }
    # A queued experiment has the sources of when it was queued, wherever the checkout goes on.
    with (checkout / "src/leitmotif/corpus/manifest.py").open("a", encoding="utf-8") as file:
        file.write("raise SystemExit('not the sources that were queued')\n")
    tool(checkout, "dvc", "exp", "run", "--run-all", "--jobs", "2")
    tool(checkout, "git", "restore", "src")
    tool(checkout, "dvc", "exp", "run", "manifest", "--name", "four", "-S", "manifest.tracks=4")

    found = {one.name: one for one in read_experiments(root=checkout)}
    tracks = {name: one.values.get(("manifest", "tracks")) for name, one in found.items()}
    assert tracks == {"main": 6, "five": 5, "four": 4, "none": None}
    assert {name: one.state for name, one in found.items() if one.state != "done"} == {
        "none": "failed"
    }
    printed = tool(checkout, sys.executable, "-m", "leitmotif", "experiments", "--width", "120")
    assert max(map(len, printed.splitlines())) <= 120
    assert all(name in printed for name in found)
    rows = [line.split() for line in printed.splitlines() if line.split()[:1] == ["tracks"]]
    assert {cell for row in rows for cell in row[1:]} == {"6", "5", "4", "-"}
    # What DVC itself shows of two experiments is about settings and metrics that differ.
    differing = tool(checkout, "dvc", "exp", "diff", "five", "four")
    assert "manifest.tracks" in differing
    assert max(map(len, differing.splitlines())) <= 120
    # The run in the checkout is applied there, with params.yaml laid out as before.
    changed = tool(checkout, "git", "diff", "--numstat", "params.yaml")
    assert changed.split() == ["1", "1", "params.yaml"]


def test_a_commit_that_there_is_not_is_named(checkout: Path) -> None:
    with pytest.raises(LeitmotifError, match="experiments of nowhere") as refused:
        read_experiments("nowhere", checkout)
    assert "unknown Git revision" in str(refused.value.found)
