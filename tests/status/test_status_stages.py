"""The state of each stage, and what ``dvc repro`` would run."""

from pathlib import Path
from typing import Any

from leitmotif.status.stages import states_of, waiting

STAGES: dict[str, Any] = {
    "one": {"outs": ["a"]},
    "two": {"deps": ["a"], "outs": ["b"]},
    "three": {"deps": ["b"], "outs": ["c"]},
    "apart": {"outs": ["d"]},
}


def test_what_follows_an_outdated_stage_is_outdated(tmp_path: Path) -> None:
    for out in "abcd":
        (tmp_path / out).touch()
    states = states_of(STAGES, [*STAGES], ["two"], tmp_path)
    assert states == {"one": "done", "two": "outdated", "three": "outdated", "apart": "done"}
    assert waiting(states, STAGES) == ["two", "three"]


def test_a_stage_that_never_ran_is_not_outdated(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    states = states_of(STAGES, ["one"], ["one"], tmp_path)
    assert states == {"one": "outdated", "two": "not run", "three": "not run", "apart": "not run"}


def test_an_output_may_be_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    states = states_of(STAGES, ["one", "apart"], [], tmp_path)
    assert states["one"] == "done"
    assert states["apart"] == "not here"


def test_a_goal_waits_for_what_leads_to_it_only(tmp_path: Path) -> None:
    states = states_of(STAGES, [], [], tmp_path)
    assert waiting(states, STAGES, "two") == ["one", "two"]
