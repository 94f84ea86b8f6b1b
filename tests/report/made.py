"""A tiny study, as the stages before the report leave it: two models, tones for clips."""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from leitmotif.causal.log import InterventionRow, write_log
from leitmotif.corpus.tables import Licence, ManifestTrack, Window
from leitmotif.files import sha256_json, write_json, write_table
from leitmotif.report.material import Files

RATE = 32_000
BEFORE_HZ, AFTER_HZ = 440.0, 660.0
MARKUP = "<img src=x onerror=alert(1)>"
SITE = "layers.1.residual"
GAP = (50, 100)
TRACKS = ("piece_1", "piece_2")
PREFIX_FRAMES, FRAMES = 50, 100
MOTIF = {"start_sample": 0, "samples": 16_000}
HORIZONS = ("1-3s", "5-7s")


def interval(mean: float, reach: float = 0.05) -> dict[str, Any]:
    return {"mean": mean, "low": mean - reach, "high": mean + reach, "p": 0.001, "n": 2}


def tone(hertz: float, *, seed: int) -> np.ndarray:
    """A second of rising motif, two of one tone; ``seed`` makes it another piece's."""
    time = np.arange(RATE * 3) / RATE
    pitch = np.where(time < 1, 220 * (1 + np.floor(time * 4) / 8), hertz) * (1 + seed / 50)
    return np.round(9000 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)).astype(np.int16)


def condition(kind: str, moved: float, *, steps: Any = GAP, strength: Any = 1.0) -> dict[str, Any]:
    return {
        "condition": kind,
        "site": SITE,
        "source": "twin.slot0" if kind == "patch" else None,
        "strength": strength,
        "steps": None if steps is None else list(steps),
        "delta_recurrence": interval(-moved),
        "towards_source": interval(moved),
        "clap_similarity": interval(0.97, 0.01),
        "excluded": {},
    }


def candidate(verdict: str, moved: float, features: tuple[int, ...] = ()) -> dict[str, Any]:
    return {
        "site": SITE,
        "hook": "planner-1" if features else None,
        "features": list(features),
        "verdict": verdict,
        "effect": interval(moved),
        "over_random": interval(moved),
        "clap_similarity": interval(0.97, 0.01),
        "conditions": {
            "patch_gap": condition("patch", moved),
            "zero_effect_gap": condition("zero_effect", 0.0),
            "random_feature_gap_1": condition("random_feature", 0.0),
            "random_feature_gap_2": condition("random_feature", 0.0),
        },
    }


CANDIDATES = {
    SITE: candidate("foresight", 80.0),
    f"{MARKUP}:7": candidate("decodable, not causal", 0.0, (7,)),
    "planner-1:9": candidate("entangled", 90.0, (9,)),
}


def study(candidates: dict[str, Any]) -> dict[str, Any]:
    return {
        "verdict": "foresight",
        "candidates": candidates,
        "counterfactual": condition("counterfactual", 90.0, steps=None, strength=None),
        "baseline": condition("baseline", 0.0, steps=None, strength=None),
        "identity": {"clips": 4, "changed": 0},
    }


class Made:
    """The study's files below a folder, written by ``write``; change what it holds before."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = Files(
            log=root / "data/interventions.jsonl",
            manifest=root / "data/manifest.jsonl",
            metrics=root / "metrics",
        )
        self.kept = True
        reader = {SITE: candidate("look-back", 0.0)}
        self.interventions: dict[str, Any] = {
            "exploratory": False,
            "tracks": 2,
            "models": {
                "planner": study(copy.deepcopy(CANDIDATES)),
                "reader": study(reader),
            },
        }
        cell = {"partial_r2": interval(0.5)}
        of_model = {
            SITE: dict.fromkeys(HORIZONS, cell),
            "layers.3.residual": dict.fromkeys(HORIZONS, cell),
        }
        self.probes: dict[str, Any] = {
            "misaligned": [],
            "models": dict.fromkeys(("planner", "reader", "random_weights"), of_model),
        }
        rates = {"fpr_naive": interval(0.3), "fpr_controlled": interval(0.05, 0.01)}
        self.calibration: dict[str, Any] = {
            **rates,
            "alpha": 0.05,
            "by_generator": {"linear": rates, "label": rates},
            "power": {"0.1": interval(0.2), "0.4": interval(0.95, 0.02)},
        }
        row = {"site": SITE, "hook": "planner-1", "features": [9], "clap": 0.97}
        here = {"site": SITE, "delta_recurrence": interval(87.5, 12.0)}
        elsewhere = {"site": "layers.3.residual", "delta_recurrence": interval(62.0, 10.0)}
        self.summary: dict[str, Any] = {
            "exploratory": False,
            "model": "models/organism/planner",
            "horizon": "5-7s",
            "approaches": [
                {
                    **row,
                    "name": "naive correlation",
                    "r2": 0.58,
                    "partial_r2": interval(0.5),
                    "delta_recurrence": interval(0.0, 0.0),
                    "screened": elsewhere,
                    "verdict": "decodable, not causal",
                },
                {
                    **row,
                    "name": "aligned and causal",
                    "r2": 0.71,
                    "partial_r2": interval(0.7),
                    "delta_recurrence": interval(87.5, 12.0),
                    "screened": here,
                    "verdict": "foresight",
                },
                {
                    **dict.fromkeys(
                        ("site", "hook", "r2", "partial_r2", "clap", "delta_recurrence")
                    ),
                    "name": "misaligned autoencoder",
                    "features": [],
                    "screened": None,
                    "verdict": "none",
                },
            ],
            **rates,
            "verdicts": {"planner": "foresight", "reader": "look-back"},
        }

    def record(self) -> None:
        """Make it a study of recordings: no truth is known, and another track is patched from."""
        for model in self.interventions["models"].values():
            model["counterfactual"] = None
            for one in model["candidates"].values():
                changed = {"patch_gap": condition("patch", 0.0, steps=None)}
                if one["features"]:
                    changed["ablate_gap"] = condition("ablate", 40.0, steps=None, strength=0.0)
                    for number in (1, 2):
                        control = condition("random_feature", 0.0, steps=None, strength=0.0)
                        changed[f"random_feature_gap_{number}"] = control
                one["conditions"] = changed

    def write(self) -> Files:
        for name in ("summary", "interventions", "probes", "calibration"):
            write_json(self.files.metrics / f"{name}.json", getattr(self, name))
        write_table(self.files.manifest, map(track, TRACKS))
        write_log(self.files.log, self.rows())
        return self.files

    def rows(self) -> list[InterventionRow]:
        found = []
        for number, track_id in enumerate(TRACKS):
            for model, one in self.interventions["models"].items():
                seed = number if model == "planner" else number + 10
                before = self.row(model, track_id, seed, "", condition("baseline", 0, steps=None))
                found.append(before)
                if one["counterfactual"] is not None:
                    other = condition("counterfactual", 0, steps=None)
                    found.append(self.row(model, track_id, seed, "", other, AFTER_HZ))
                for name, tried in one["candidates"].items():
                    moves = tried["verdict"] in ("foresight", "entangled")
                    for feature, (key, what) in enumerate(tried["conditions"].items()):
                        hertz = AFTER_HZ if key == "patch_gap" and moves else BEFORE_HZ
                        found.append(self.row(model, track_id, seed, name, what, hertz, feature))
        return found

    def row(
        self,
        model: str,
        track_id: str,
        seed: int,
        name: str,
        what: dict[str, Any],
        hertz: float = BEFORE_HZ,
        feature: int | None = None,
    ) -> InterventionRow:
        samples, untreated = tone(hertz, seed=seed), tone(BEFORE_HZ, seed=seed)
        digest = hashlib.sha256(samples.tobytes()).hexdigest()
        file = f"clips/{digest[:16]}.wav"
        if self.kept:
            path = self.files.log.parent / file
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples, RATE, subtype="PCM_16")
        kind = what["condition"]
        address = sha256_json([model, track_id, name, kind, feature])
        returns = {
            "motif": MOTIF,
            "start_sample": 64_000,
            "transposition": 0,
            "score": 0.9 if hertz == BEFORE_HZ else 0.1,
            "p": 0.01,
            "recurs": hertz == BEFORE_HZ,
        }
        return InterventionRow.model_validate(
            {
                "clip_id": address[:16],
                "track_id": track_id,
                "model": f"models/organism/{model}",
                "model_fingerprint": "a" * 64,
                "candidate": name,
                "condition": kind,
                "site": what["site"],
                "feature": feature,
                "sae": None,
                "sae_sha256": None,
                "strength": what["strength"],
                "source": what["source"] and f"source_of_{track_id}",
                "steps": what["steps"],
                "seed": 0,
                "sampling": {
                    "temperature": 1.0,
                    "top_k": 50,
                    "top_p": None,
                    "guidance_scale": 1.0,
                    "prompt": None,
                },
                "prefix_sha256": "b" * 64,
                "prefix_frames": PREFIX_FRAMES,
                "frames": FRAMES,
                "tokens_sha256": "c" * 64,
                "baseline_audio_sha256": hashlib.sha256(untreated.tobytes()).hexdigest(),
                "audio_sha256": digest,
                "file": file if self.kept else None,
                "metrics": {"recurrence": 1.0, "clap_similarity": 0.97},
                "heard": {"start_sample": 60_000, "samples": 1 << 40},
                "returns": [returns],
                "excluded": None,
            }
        )


def track(track_id: str) -> ManifestTrack:
    return ManifestTrack(
        track_id=track_id,
        path=f"{track_id}.wav",
        sha256="d" * 64,
        seconds=3.0,
        tags=[],
        licence=Licence(
            name="CC BY 4.0", url="https://creativecommons.org/licenses/by/4.0/", attribution=MARKUP
        ),
        windows=[Window(start_frame=0, frames=150)],
    )


def page_data(path: Path) -> list[dict[str, Any]]:
    """The pairs that a page holds."""
    text = path.read_text(encoding="utf-8")
    start = text.index('class="pairs">') + len('class="pairs">')
    return json.loads(text[start : text.index("</script>", start)])
