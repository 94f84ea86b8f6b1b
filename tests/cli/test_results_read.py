"""The summary of a run as the command prints it: whose results it takes, and where it prints."""

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from leitmotif.cli.results import as_lines, read_results
from leitmotif.errors import LeitmotifError
from tests.cli.made_results import METRICS, repository, text

PROGRAM = "from leitmotif.cli import main; main()"


def test_recordings_have_no_score_and_labels_wait(tmp_path: Path) -> None:
    metrics = {
        **{stage: METRICS[stage] for stage in ("corpus", "manifest", "features", "activations")},
        "proposals": {**METRICS["proposals"], **dict.fromkeys(("precision", "recall"))},
        "labels": {"labels": 0, "tracks_complete": 0, "decisions": 0},
    }
    shown = text(read_results(repository(tmp_path, metrics, "folder")))
    assert "precision" not in shown
    assert "1,434 proposals, in 0.000" in shown
    assert "run `leitmotif status` for what to do: no track is labelled completely" in shown
    missing = "sae, probes, calibration, interchange, interventions, summary, decoderlens, swaps"
    assert f"missing: {missing}" in shown
    assert "dvc repro" not in shown, "it would stop at the labels"
    assert "leitmotif compare" not in shown


def test_where_nothing_was_run_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(LeitmotifError, match=r"no results .*\n.*no metrics\n.*run `dvc repro`"):
        read_results(repository(tmp_path, {}))


def test_results_of_other_settings_are_not_taken_for_those_of_now(tmp_path: Path) -> None:
    # As after `leitmotif use`: what has not run since is of another experiment.
    root = repository(tmp_path, METRICS)
    lock = """
stages:
  corpus:
    params:
      params.yaml:
        corpus:
          source: organism
          path: models/organism/world.json
          watch: models/organism/world.json
          listings: []
          pieces: 128
          seed: 7
    outs: [{path: data/corpus, md5: a}]
  labels:
    deps: [{path: data/corpus, md5: a}]
    params: {params.yaml: {labels: {source: score, decisions: data/decisions, min_reviewers: 1}}}
    outs: [{path: data/labels.jsonl, md5: b}]
  probes:
    deps: [{path: data/labels.jsonl, md5: b}, {path: controls.yaml, md5: c}]
    outs: [{path: data/candidates.jsonl, md5: d}]
  report:
    deps: [{path: data/candidates.jsonl, md5: d}]
"""
    (root / "dvc.lock").write_text(lock)
    assert read_results(root).outdated == []
    (root / "dvc.lock").write_text(lock.replace("source: score", "source: decisions"))
    results = read_results(root)
    assert results.outdated == ["labels", "probes", "report"]
    assert "outdated, run `dvc repro`: labels, probes, report" in text(results)
    assert "209 labels" not in text(results)
    fresh = {stage: METRICS[stage] for stage in ("corpus", "manifest")}
    assert "tensors" not in text(replace(results, metrics=fresh))
    # Labels that were made anew, and probes that still are of the old ones.
    (root / "dvc.lock").write_text(
        lock.replace("labels.jsonl, md5: b}]\n  probes", "labels.jsonl, md5: e}]\n  probes")
    )
    assert read_results(root).outdated == ["probes", "report"]


def test_without_results_of_these_settings_it_says_so(tmp_path: Path) -> None:
    root = repository(tmp_path, {"corpus": METRICS["corpus"]})
    (root / "dvc.lock").write_text("stages: {corpus: {params: {params.yaml: {corpus: {}}}}}")
    with pytest.raises(LeitmotifError, match="metrics of other settings"):
        read_results(root)


def test_plain_text_in_a_pipe_and_colours_on_a_terminal(tmp_path: Path) -> None:
    root = repository(tmp_path, METRICS)
    command = [sys.executable, "-c", PROGRAM, "results"]
    piped = subprocess.run(
        command, cwd=root, capture_output=True, check=True, timeout=60,
        env={**os.environ, "FORCE_COLOR": "1"},
    ).stdout.decode()  # fmt: skip
    expected = as_lines(replace(read_results(root), pages=False))
    assert piped == "\n".join(expected) + "\n"
    assert "\x1b" not in piped

    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        command, cwd=root, stdout=theirs, env={**os.environ, "TERM": "xterm-256color"}
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # how Linux says that the other side has closed
        pass
    os.close(ours)
    assert done.wait(timeout=60) == 0
    assert b"\x1b[1m" in shown


def test_it_starts_without_torch_or_numpy(tmp_path: Path) -> None:
    root = repository(tmp_path, METRICS)
    program = (
        "import sys; from leitmotif.cli import app; app(['results'], standalone_mode=False)\n"
        "heavy = {'torch', 'transformers', 'numpy', 'pandas', 'dvc'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
