"""What the built-in methods find in models of the zoo, and in one that carries nothing."""

from pathlib import Path

import pytest

from leitmotif.bench.method import MethodFinding, checked, method_of
from leitmotif.bench.methods.readings import readings_of
from leitmotif.bench.pieces import composed_pieces
from leitmotif.bench.zoo import Zoo
from leitmotif.causal.experiment.events import Event
from leitmotif.causal.interchange.coordinates import along
from leitmotif.corpus.organism.world import World
from leitmotif.musicgen import HookedMusicGen

PIECES = 20
"""The fewest of which a half can be significant at all sites and leads."""
CARRIED = {(f"layers.{block}.residual", after) for block in (0, 1) for after in (5.0, 5.5, 6.0)}
"""Where the carrier carries the decision on the last slot."""


@pytest.fixture(scope="module")
def models(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, HookedMusicGen]:
    organisms = repo_root / "models" / "organism"
    zoo = Zoo(repo_root / "models" / "zoo", organisms / "codec")
    cache = tmp_path_factory.mktemp("cache")
    folders = {name: zoo.assembled(name, cache) for name in ("carrier.0", "zoo-base.0")}
    folders["planner"] = organisms / "planner"
    return {
        name: HookedMusicGen.from_pretrained(str(folder), device="cpu")
        for name, folder in folders.items()
    }


@pytest.fixture(scope="module")
def pieces(models: dict[str, HookedMusicGen], world: World) -> list[Event]:
    return composed_pieces(models["carrier.0"], world, pieces=PIECES)


@pytest.fixture
def found(
    models: dict[str, HookedMusicGen], pieces: list[Event], request: pytest.FixtureRequest
) -> MethodFinding:
    name, method = request.param
    return checked(method_of(method)(models[name], pieces), models[name], pieces)


@pytest.mark.parametrize(
    "found",
    [("carrier.0", "interchange"), ("carrier.0", "das"), ("carrier.0", "patching")],
    indirect=True,
)
def test_the_carrier_is_found_where_it_is_planted(found: MethodFinding) -> None:
    assert found.foresight
    assert found.lead_seconds is not None
    assert 5.0 <= found.lead_seconds <= 6.0
    strongest = max(found.strengths, key=lambda cell: found.strengths[cell])
    assert strongest in CARRIED


@pytest.mark.parametrize(
    "found",
    [("zoo-base.0", method) for method in ("interchange", "das", "pca", "sae", "probe")],
    indirect=True,
)
def test_a_model_that_looks_back_has_no_foresight(found: MethodFinding) -> None:
    assert (found.foresight, found.lead_seconds) == (False, None)


@pytest.mark.parametrize("found", [("planner", "probe")], indirect=True)
def test_a_probe_reads_the_decision_where_nothing_depends_on_it(found: MethodFinding) -> None:
    assert found.foresight
    inert = [value for (site, _), value in found.strengths.items() if site == "layers.4.residual"]
    assert max(inert) > 0.4


def test_readings_go_on_as_the_model_does(
    models: dict[str, HookedMusicGen], pieces: list[Event]
) -> None:
    site, rows = "layers.1.residual", [2, 0]
    readings = readings_of(models["carrier.0"], pieces[:4])
    odds = readings.odds_from(site, readings.own.at[site][rows], rows)
    assert odds.tolist() == pytest.approx(readings.own.odds[rows].tolist(), abs=1e-3)
    own, donor = readings.own.at[site][0], readings.donors["counterfactual"].at[site][0]
    unit = donor.new_zeros(donor.shape[1])
    unit[5] = 1.0
    moved = own + along(unit[None]).change(own, donor)
    assert moved[:, 5].tolist() == pytest.approx(donor[:, 5].tolist(), abs=1e-5)
    assert moved[:, 6].equal(own[:, 6])
