"""Metrics of a run that never was, and a repository that has them."""

import json
from pathlib import Path
from typing import Any

from leitmotif.cli.preset_texts import preset as preset_text
from leitmotif.cli.results import Results, as_lines

ROOT = Path(__file__).parents[2]


def interval(mean: float, low: float, high: float) -> dict[str, float]:
    return {"mean": mean, "low": low, "high": high}


POSSIBLE = {"gaining": 8, "losing": 8, "least": 56.25, "likely": 66.6}
SURE = interval(87.5, 55.77, 96.6) | {"n": 16, "changed": 14, "p": 0.0001}
NULL = interval(0.0, -12.26, 12.76) | {"n": 16, "changed": 0, "p": 1.0}
METRICS: dict[str, Any] = {
    "corpus": {"tracks": 128, "failures": 1},
    "manifest": {"tracks": 100, "excluded": 21},
    "features": {"failures": 1},
    "activations": {"tensors": 500, "failures": 2},
    "proposals": {
        "proposals": 1434,
        "null_any_rate": interval(0.0, 0.0, 0.037),
        "precision": 0.9216,
        "recall": 1.0,
        "precision_distractors": 0.494,
        "recall_distractors": 0.8077,
    },
    "labels": {"labels": 209, "tracks_complete": 100, "decisions": 0},
    "sae": {
        "audits_passed": 5,
        "audits_failed": 0,
        "misalignments_tried": 20,
        "misalignments_caught": 19,
        "least_margin": interval(0.2, 0.1, 0.3),
        "least_loss_recovered": interval(0.9876, 0.98, 0.99),
    },
    "probes": {
        "models": {
            "planner": {"foresight": True, "partial_r2": interval(0.976, 0.972, 0.98)},
            "random_weights": {"foresight": False, "partial_r2": interval(-0.001, -0.02, 0.01)},
        },
        "site": "layers.2.residual",
        "place_r2": 0.5196,
        "candidates": {"tested": 2314, "chosen": 341},
    },
    "calibration": {
        "fpr_naive": interval(0.26887, 0.25918, 0.27874),
        "fpr_controlled": interval(0.05262, 0.04783, 0.05775),
        "power": {"0.05": interval(0.091, 0.07, 0.11), "0.4": interval(0.975, 0.96, 0.98)},
    },
    "interventions": {
        "verdicts": {"blind": "none", "planner": "foresight"},
        "strongest": {"blind": NULL | POSSIBLE, "planner": SURE | POSSIBLE},
        "carriers": {"planner": {"layers.0.residual": SURE}},
        "decodable_not_causal": {"planner": {"layers.5.residual": NULL}},
        "clips": 3120,
        "excluded": 3,
        "identity_changed": 0,
    },
    "summary": {
        "approaches": {
            "aligned and causal": {
                "r2": 0.5469,
                "clap": interval(0.998, 0.99, 1.0),
                "delta_recurrence": SURE,
                "screened": SURE,
                "verdict": "foresight",
            },
            "naive correlation": {
                "r2": 0.582,
                "clap": interval(0.9991, 0.99, 1.0),
                "delta_recurrence": NULL,
                "screened": interval(62.5, 31.0, 81.0),
                "verdict": "decodable, not causal",
            },
        }
    },
    "report": {"pairs": 220},
}


def repository(folder: Path, metrics: dict[str, Any], preset: str = "organism") -> Path:
    """A folder with settings and metrics, and without dvc.lock."""
    (folder / "params.yaml").write_text(preset_text(preset, root=ROOT))
    (folder / "models").symlink_to(ROOT / "models")
    (folder / "metrics").mkdir()
    for stage, values in metrics.items():
        (folder / "metrics" / f"{stage}.json").write_text(json.dumps(values))
    return folder


def text(results: Results) -> str:
    return "\n".join(as_lines(results))
