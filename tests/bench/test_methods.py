"""What the built-in methods find in organisms whose mechanism is known."""

from pathlib import Path

import pytest

from leitmotif.bench.method import Finding, checked, method_of
from leitmotif.bench.methods.features import Direction
from leitmotif.bench.methods.readings import Readings
from leitmotif.bench.pieces import composed_pieces
from leitmotif.causal.experiment.events import Event
from leitmotif.corpus.organism.world import World
from leitmotif.musicgen import HookedMusicGen

CARRIER = ("layers.0.residual", 4.5)
"""In the planner the decision on the last slot is here."""


def organism(repo_root: Path, name: str) -> HookedMusicGen:
    return HookedMusicGen.from_pretrained(str(repo_root / "models/organism" / name), device="cpu")


@pytest.fixture(scope="module")
def pieces(repo_root: Path, world: World) -> list[Event]:
    return composed_pieces(organism(repo_root, "planner"), world, pieces=32)


@pytest.fixture(scope="module")
def found(repo_root: Path, pieces: list[Event], request: pytest.FixtureRequest) -> Finding:
    name, method = request.param
    model = organism(repo_root, name)
    return checked(method_of(method)(model, pieces), model, pieces)


@pytest.mark.slow
@pytest.mark.parametrize(
    "found",
    [("planner", "interchange"), ("planner", "patching"), ("planner", "das")],
    indirect=True,
)
def test_the_planners_carrier_is_found(found: Finding) -> None:
    assert (found.foresight, found.lead_seconds) == (True, 4.5)
    far = {cell: value for cell, value in found.strengths.items() if cell[1] >= 4.0}
    assert max(far, key=lambda cell: far[cell]) == CARRIER


@pytest.mark.slow
@pytest.mark.parametrize(
    "found",
    [("reader", "interchange"), ("reader", "das"), ("reader", "pca"), ("reader", "sae")],
    indirect=True,
)
def test_the_reader_has_no_foresight(found: Finding) -> None:
    assert (found.foresight, found.lead_seconds) == (False, None)


@pytest.mark.slow
@pytest.mark.parametrize("found", [("planner", "probe")], indirect=True)
def test_a_probe_reads_the_decision_where_nothing_depends_on_it(found: Finding) -> None:
    assert found.foresight
    inert = [value for (site, _), value in found.strengths.items() if site == "layers.3.residual"]
    assert max(inert) > 0.4


@pytest.mark.slow
@pytest.mark.parametrize("found", [("reader", "probe")], indirect=True)
def test_a_probe_reads_nothing_in_the_reader(found: Finding) -> None:
    assert not found.foresight


@pytest.mark.slow
def test_readings_go_on_as_the_model_does(repo_root: Path, pieces: list[Event]) -> None:
    model = organism(repo_root, "planner")
    site = "layers.1.residual"
    readings = Readings(model, pieces[:4], [site])
    rows = [2, 0]
    odds = readings.odds_from(site, readings.own[site][rows], rows)
    assert odds.tolist() == pytest.approx(readings.odds[rows].tolist(), abs=1e-3)
    own, donor = readings.own[site][0], readings.donors["counterfactual"][site][0]
    unit = donor.new_zeros(donor.shape[1])
    unit[5] = 1.0
    moved = own + Direction(unit).change(own, donor)
    assert moved[:, 5].tolist() == pytest.approx(donor[:, 5].tolist(), abs=1e-5)
    assert moved[:, 6].equal(own[:, 6])
