"""Rows of the stages' tables, of which a test changes what it is about."""

from collections.abc import Sequence
from typing import Any

from leitmotif.tables.alignment import AlignmentRow, AuditRow, TrialRow
from leitmotif.tables.approaches import ApproachRow
from leitmotif.tables.calibration import CalibrationRow
from leitmotif.tables.candidates import CandidateRow, Ranked
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tables.decoderlens import DecoderLensRow, DivergenceRow, SimilarityRow
from leitmotif.tables.effects import EffectRow, VerdictRow
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.tables.interval import IntervalRow
from leitmotif.tables.labels import Label
from leitmotif.tables.probes import HorizonRow, ProbeRow
from leitmotif.tables.proposals import Proposal, proposal_address
from leitmotif.tables.swaps import MeasuredRow, SwapSummaryRow

SITE = "layers.1.residual"


def interval(mean: float, reach: float = 0.05) -> IntervalRow:
    """Of two tracks, as wide on either side."""
    return IntervalRow(mean=mean, low=mean - reach, high=mean + reach, p=0.001, n=2)


def aligned(**changed: Any) -> AlignmentRow:
    """An autoencoder at its site, which passes the audit."""
    values = {
        "hook": "planner-1",
        "site": SITE,
        "fvu": interval(0.04),
        "cosine": interval(0.98),
        "l0": interval(16.0),
        "dead_fraction": 0.0,
        "audit": AuditRow(
            best=SITE,
            margin=interval(0.1),
            chance=interval(0.6),
            of_chance=interval(0.1),
            passed=True,
        ),
        "loss_recovered": interval(0.99, 0.005),
        "encoded": None,
        "misaligned": "",
        "trained": None,
        "trials": [],
    }
    return AlignmentRow(**{**values, **changed})


def tried(**changed: Any) -> AlignmentRow:
    """An autoencoder at a neighbour of its site, caught as it is and with a false declaration."""
    trials = [
        TrialRow(falsified=False, caught=True, best=None),
        TrialRow(falsified=True, caught=True, best=SITE),
    ]
    elsewhere = dict.fromkeys(("audit", "loss_recovered", "misaligned"))
    return aligned(**elsewhere, trials=trials, **changed)


def probe(**changed: Any) -> ProbeRow:
    """A site at which the planner foresees."""
    values = {
        "model": "planner",
        "site": SITE,
        "horizon": "5-7s",
        "after": 5.0,
        "r2_controls": interval(0.3),
        "r2_full": interval(0.7),
        "partial_r2": interval(0.5),
        "robustness": interval(0.6),
        "auroc_controls": None,
        "auroc": None,
        "p": 0.001,
        "over_random_weights": None,
        "naive": None,
        "selectivity": None,
        "exploratory": False,
    }
    return ProbeRow(**{**values, **changed})


def horizon(**changed: Any) -> HorizonRow:
    """The horizon of which claims are made."""
    values = {
        "horizon": "5-7s",
        "after": 5.0,
        "until": 7.0,
        "claimed": True,
        "tracks": 100,
        "rows": 1000,
        "events": 0.5,
        "heard_ahead": 0.07,
        "tested": 1400,
        "chosen": 60,
        "least_chosen": 1,
        "site": SITE,
        "controls": [],
        "constant_controls": [],
    }
    return HorizonRow(**{**values, **changed})


def calibrated(generators: Sequence[str], strengths: Sequence[float]) -> list[CalibrationRow]:
    """Null features that deceive the naive test only, and planted ones."""

    def row(kind: str, **more: Any) -> CalibrationRow:
        rates = {"naive": interval(0.3), "controlled": interval(0.05, 0.01)}
        named = {"generator": None, "strength": None, "horizon": "5-7s", "site": SITE}
        return CalibrationRow(**{"kind": kind, "alpha": 0.05, **named, **rates, **more})

    return [
        row("all"),
        *(row("null", generator=name) for name in generators),
        *(
            row("planted", strength=strength, naive=None, controlled=interval(strength))
            for strength in strengths
        ),
    ]


def effect(**changed: Any) -> EffectRow:
    """What a condition did."""
    values = {
        "model": "planner",
        "candidate": "",
        "name": "patch_ahead",
        "condition": "patch",
        "tested": False,
        "site": None,
        "strength": None,
        "source": None,
        "window": None,
        "delta_recurrence": None,
        "towards_source": None,
        "clap_similarity": interval(0.97, 0.01),
        "loudness_db": None,
        "spectral_db": None,
        "log_likelihood": None,
        "clips": 1,
        "changed": 0,
        "excluded": {},
    }
    return EffectRow(**{**values, **changed})


def exchanged(*, share: float = 0.9, **changed: Any) -> InterchangeRow:
    """What a model expects with a site's residuals of some lead from the counterfactual."""
    values = {
        "model": "planner",
        "site": SITE,
        "donor": "counterfactual",
        "window": "ahead",
        "after": 3.0,
        "until": None,
        "slot": None,
        "events": 32,
        "nats": interval(14 * share).model_copy(update={"p": 0.0001, "n": 16}),
        "over_control": interval(14 * share).model_copy(update={"p": 0.0001, "n": 16}),
        "share": interval(share, 0.02),
        "accuracy": interval(share, 0.02),
        "towards": interval(14 * share),
        "away": interval(14 * share),
    }
    return InterchangeRow.model_validate({**values, **changed})


def verdict(**changed: Any) -> VerdictRow:
    """A whole site that carries the return."""
    values = {
        "model": "planner",
        "candidate": SITE,
        "site": SITE,
        "hook": None,
        "features": [],
        "verdict": "foresight",
        "effect": interval(80.0),
        "over_controls": interval(80.0),
        "gained": None,
        "lost": None,
        "lead": None,
        "clap_similarity": interval(0.97, 0.01),
        "log_likelihood": interval(-0.02, 0.01),
        "effect_per_fidelity_lost": None,
        "dose_response": None,
        "match_distance": None,
        "exploratory": False,
    }
    return VerdictRow(**{**values, **changed})


def approach(**changed: Any) -> ApproachRow:
    """An approach that took one feature."""
    values = {
        "name": "aligned and causal",
        "model": "models/organism/planner",
        "horizon": "5-7s",
        "site": SITE,
        "hook": "planner-1",
        "features": [9],
        "r2": 0.7,
        "partial_r2": interval(0.7),
        "clap_similarity": interval(0.97, 0.01),
        "delta_recurrence": interval(87.5),
        "over_controls": interval(87.5),
        "verdict": "foresight",
        "screened": {"site": SITE, "delta_recurrence": interval(87.5)},
        "by_site": [],
        "lead": 2,
        "otherwise": {
            "near": 0.01,
            "site": SITE,
            "delta_recurrence": interval(87.5),
            "verdict": "foresight",
            "stable": True,
        },
        "exploratory": False,
    }
    return ApproachRow(**{**values, **changed})


def nothing_found(name: str) -> ApproachRow:
    """An approach without a feature."""
    empty = ("site", "hook", "r2", "partial_r2", "clap_similarity", "delta_recurrence")
    absent = dict.fromkeys((*empty, "over_controls", "screened", "lead", "otherwise"))
    return approach(name=name, **absent, features=[], verdict="none")


def ranked(**changed: Any) -> Ranked:
    """A feature that may foresee."""
    values = {
        "site": SITE,
        "hook": None,
        "feature": 0,
        "horizon": "5-7s",
        "effect": 0.6,
        "low": 0.5,
        "high": 0.7,
        "p": 0.001,
        "q": 0.01,
        "p_shift": 0.001,
        "stability": 1.0,
    }
    return Ranked(**{**values, **changed})


def candidate(**changed: Any) -> CandidateRow:
    """The row of such a feature."""
    named = {"rank": 1, "exploratory": False}
    return CandidateRow(**{**dict(ranked()), **named, **changed})


def recognised(**changed: Any) -> DecoderLensRow:
    """All concepts of a slot, in what the first layer would play next."""
    values = {
        "slot": "instrument",
        "concept": None,
        "layer": 0,
        "lens": "plain",
        "heard": "read",
        "ndcg": interval(0.5),
        "chance": 0.4,
        "within": interval(0.9),
        "chance_within": 0.6,
        "agreement": None,
    }
    return DecoderLensRow(**{**values, **changed})


def diverging(**changed: Any) -> DivergenceRow:
    """The first layer from the model, in the first codebook."""
    values = {"layer": 0, "codebook": 0, "lens": "plain", "nats": interval(2.0)}
    return DivergenceRow(**{**values, **changed})


def similar(**changed: Any) -> SimilarityRow:
    """Two layers over all prompts."""
    values = {
        "concept": None, "first": 0, "second": 5, "distance": 3.0, "cka": 0.5, "cka_biased": 0.6,
    }  # fmt: skip
    return SimilarityRow(**{**values, **changed})


def measured_swap(effect: float = 2.0) -> MeasuredRow:
    """A swap that takes away as much as it puts in."""
    return MeasuredRow(
        effect=interval(effect),
        original=interval(effect / 2),
        desired=interval(effect / 2),
        precision=interval(-0.5),
    )


def swapped(**changed: Any) -> SwapSummaryRow:
    """The first layer's MLP over all pairs, with one control."""
    values = {
        "technique": "replace",
        "component": "mlp",
        "layers": [0],
        "frames": (0, 40),
        "swap": measured_swap(),
        "ideal_precision": -0.8,
        "controls": {"random": measured_swap(0.5)},
        "strongest": "random",
        "excess": interval(1.5),
        "scope": "all",
        "original_slot": None,
        "desired_slot": None,
        "depth": None,
        "pairs": 12,
        "p": 0.001,
        "q": 0.004,
        "agreement": None,
    }
    return SwapSummaryRow(**{**values, **changed})


def manifest_track(**changed: Any) -> ManifestTrack:
    """A track without tags or licence, of which one window from its start is read."""
    values = {
        "path": f"audio/{changed.get('track_id')}.wav",
        "sha256": "a" * 64,
        "tags": [],
        "licence": None,
        "windows": [Window(start_frame=0, frames=round(50 * changed["seconds"]))],
    }
    return ManifestTrack(**{**values, **changed})


def label_row(**changed: Any) -> Label:
    """A verified return at the same pitch, known by the score."""
    values = {
        "sample_rate": 32_000,
        "transposition": 0,
        "strength": 1.0,
        "source": "score",
        "reviewers": [],
        "pair": None,
    }
    return Label(**{**values, **changed})


def proposal_row(**changed: Any) -> Proposal:
    """The proposal of two windows at the same pitch."""
    track, motif, recurrence = (changed[name] for name in ("track_id", "motif", "recurrence"))
    values = {
        "proposal_id": proposal_address(track, motif, recurrence, engine="test"),
        "sample_rate": 32_000,
        "transposition": 0,
        "score": 0.5,
        "p": 0.01,
        "texture": 0.0,
        "rank": 1,
    }
    return Proposal(**{**values, **changed})
