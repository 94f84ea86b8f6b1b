"""Scores of verdicts whose agreement with the truth is known by construction."""

import pytest

from leitmotif.bench.scoring import auroc, lead_error, score_of
from leitmotif.corpus.organism.world import World
from leitmotif.errors import LeitmotifError
from leitmotif.tables.bench import BenchVerdict, CellStrength, ZooTruth
from training.zoo import truth_of

SITES = [f"layers.{block}.residual" for block in range(4)]
BINS = [n / 2 for n in range(13)]
CARRIED = {(site, after) for site in SITES[:2] for after in (5.0, 5.5, 6.0)}
"""Cells of a carrier: its early steps lie 5.14 to 6.32 s ahead of the last slot."""


def verdict(
    model: str,
    *,
    foresight: bool = True,
    lead: float | None = None,
    strong: set[tuple[str, float]] | None = None,
) -> BenchVerdict:
    """A verdict whose map is 1 in some cells and 0 in all others."""
    return BenchVerdict(
        method="m",
        model=model,
        weights="0" * 64,
        foresight=foresight,
        lead_seconds=lead,
        strengths=[
            CellStrength(site=site, after=after, strength=float((site, after) in (strong or set())))
            for site in SITES
            for after in BINS
        ],
        seconds=2.0,
    )


@pytest.fixture(scope="module")
def truths(world: World) -> list[ZooTruth]:
    names = ("carrier.0", "handoff.0", "late.0", "inert.0", "looker.0", "deaf.0")
    return [truth_of(name, world) for name in names]


def test_maps_are_compared_with_planted_cells(truths: list[ZooTruth]) -> None:
    carrier, handoff, late, inert = truths[:4]
    assert auroc(verdict("carrier.0", strong=CARRIED), carrier) == 1.0
    assert auroc(verdict("carrier.0"), carrier) == 0.5
    others = {(site, after) for site in SITES for after in BINS} - CARRIED
    assert auroc(verdict("carrier.0", strong=others), carrier) == 0.0
    # A block hands over to the next: early cells of block 0, and of block 1 later ones.
    handed = {(SITES[0], a) for a in (5.0, 5.5, 6.0)} | {(SITES[1], a) for a in (2.5, 3.0, 3.5)}
    assert auroc(verdict("handoff.0", strong=handed), handoff) == 1.0
    assert auroc(verdict("late.0", strong={(s, 0.0) for s in SITES[:2]}), late) == 1.0
    assert auroc(verdict("inert.0", strong=CARRIED), inert) is None


def test_a_lead_is_wrong_by_its_distance_from_the_cells(truths: list[ZooTruth]) -> None:
    carrier, late = truths[0], truths[2]
    assert lead_error(verdict("carrier.0", lead=5.5), carrier) == 0.0
    assert lead_error(verdict("carrier.0", lead=4.5), carrier) == pytest.approx(0.64)
    assert lead_error(verdict("carrier.0", lead=7.0), carrier) == pytest.approx(0.68)
    assert lead_error(verdict("carrier.0"), carrier) is None
    assert lead_error(verdict("late.0", lead=4.5), late) is None


def test_misses_and_false_findings_are_named(truths: list[ZooTruth]) -> None:
    said = {"carrier.0": True, "handoff.0": False, "late.0": True}
    rows = [verdict(t.model, foresight=said.get(t.model, False)) for t in truths]
    score = score_of(rows, truths)
    assert (score.missed, score.false) == (["handoff.0"], ["late.0"])
    assert score.sensitivity is not None
    assert (score.sensitivity.mean, score.sensitivity.n) == (0.5, 2)
    assert score.specificity is not None
    assert (score.specificity.mean, score.specificity.n) == (0.75, 4)
    assert score.specificity.low < 0.75 < score.specificity.high
    assert score.seconds == 2.0


def test_of_no_models_with_foresight_nothing_is_said_of_sensitivity(
    truths: list[ZooTruth],
) -> None:
    score = score_of([verdict("inert.0", foresight=False)], truths)
    assert (score.sensitivity, score.auroc, score.lead_error) == (None, None, None)
    assert score.specificity is not None
    assert score.specificity.low < 0.5  # one model proves little


def test_models_of_which_nothing_is_planted_are_refused(truths: list[ZooTruth]) -> None:
    with pytest.raises(LeitmotifError, match=r"found:    other\.0"):
        score_of([verdict("other.0")], truths)
    with pytest.raises(LeitmotifError, match="found:    none"):
        score_of([], truths)
