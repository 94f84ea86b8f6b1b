"""What a user's function may be and may return; what is wrong with another is said."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from leitmotif.bench.method import BUILT_IN, MethodFinding, checked, lead_bins, method_of
from leitmotif.causal.experiment.events import Event
from leitmotif.errors import ConfigError, ProbeError
from leitmotif.musicgen import HookedMusicGen
from tests.tiny import tiny_musicgen

CODES = torch.zeros(4, 101, dtype=torch.long)
PIECE = Event("x", 1, True, CODES, CODES, CODES, 100, 100, (0, 1), range(40, 100), range(30, 40))
"""Its gap begins 1.2 s before the event."""
RIGHT: dict[str, Any] = {
    "foresight": True,
    "lead_seconds": 4.5,
    "strengths": {("layers.0.residual", 1.0): 2.0},
}


@pytest.fixture(scope="module")
def model() -> HookedMusicGen:
    return HookedMusicGen.from_transformers(tiny_musicgen(layers=2))


def test_a_finding_that_can_be_scored_passes(model: HookedMusicGen) -> None:
    assert lead_bins([PIECE], model.frame_rate) == [0.0, 0.5, 1.0]
    for change in ({}, {"lead_seconds": None}, {"foresight": False, "lead_seconds": 0.5}):
        finding = MethodFinding(**{**RIGHT, **change})
        found = checked(finding, model, [PIECE])
        assert (found.foresight, found.lead_seconds) == (finding.foresight, finding.lead_seconds)


def test_the_function_on_the_page_can_be_scored(model: HookedMusicGen, repo_root: Path) -> None:
    page = (repo_root / "docs" / "bench.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "docs/bench.md", "exec"), names)
    drawn = torch.randint(64, (2, 4, 101), generator=torch.Generator().manual_seed(0))
    piece = replace(PIECE, codes=drawn[0], counterfactual=drawn[1])
    found = checked(names["look"](model, [piece]), model, [piece])
    assert min(found.strengths.values()) > 0
    assert max(checked(names["look"](model, [PIECE]), model, [PIECE]).strengths.values()) == 0


def test_cells_that_are_left_out_count_as_nothing(model: HookedMusicGen) -> None:
    strengths = checked(MethodFinding(**RIGHT), model, [PIECE]).strengths
    assert len(strengths) == 2 * 3
    assert {cell: s for cell, s in strengths.items() if s} == RIGHT["strengths"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"foresight": 1}, "foresight\n  found:    1"),
        ({"lead_seconds": "4"}, "lead_seconds\n  found:    '4'"),
        ({"lead_seconds": -1.0}, "lead_seconds"),
        ({"lead_seconds": float("nan")}, "lead_seconds"),
        ({"lead_seconds": 2.0}, "found:    2 s\n  expected: 4 s or more"),
        ({"strengths": []}, "found:    list\n  expected: a mapping"),
        ({"strengths": {"layers.0.residual": 1.0}}, "a cell of the map"),
        ({"strengths": {("layers.2.residual", 0.0): 1.0}}, r"one of layers\.0\.residual, layers"),
        ({"strengths": {("layers.0.residual", 0.2): 1.0}}, "one of 0, 0.5, 1"),
        ({"strengths": {("layers.0.residual", 1.5): 1.0}}, "the bin of a cell"),
        ({"strengths": {("layers.0.residual", 0.0): None}}, "expected: a finite number"),
        ({"strengths": {("layers.0.residual", 0.0): float("inf")}}, "found:    inf"),
    ],
)
def test_a_finding_that_cannot_be_scored_is_refused(
    model: HookedMusicGen, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProbeError, match=message):
        checked(MethodFinding(**{**RIGHT, **change}), model, [PIECE])


def test_what_is_no_finding_is_refused(model: HookedMusicGen) -> None:
    with pytest.raises(ProbeError, match="found:    dict"):
        checked(RIGHT, model, [PIECE])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, in which modules are found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in ("mine", "broken"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_methods_are_found(name: str) -> None:
    assert method_of(name).__name__ == name


def test_a_function_in_the_current_folder_is_found(folder: Path) -> None:
    (folder / "mine.py").write_text("number = 3\ndef look(model, pieces):\n    return 'seen'\n")
    assert method_of("mine:look")(None, []) == "seen"  # type: ignore[arg-type, comparison-overlap]
    with pytest.raises(ConfigError, match="mine has no see"):
        method_of("mine:see")
    with pytest.raises(ConfigError, match="number, which is no function"):
        method_of("mine:number")


def test_what_cannot_be_imported_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no method 'interchang'"):
        method_of("interchang")
    with pytest.raises(ConfigError, match="no module nowhere"):
        method_of("nowhere.at_all:look")
    (folder / "broken.py").write_text("import not_installed_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="not_installed_at_all"):
        method_of("broken:look")
