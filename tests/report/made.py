"""A tiny study, as the stages before the report leave it: two models, tones for clips."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from leitmotif.causal.experiment.log import write_log
from leitmotif.files import sha256_json, write_table
from leitmotif.pipeline import INTERVENTIONS, MANIFEST
from leitmotif.tables.corpus import Licence, ManifestTrack
from leitmotif.tables.effects import EffectRow, Kind, Verdict, VerdictRow
from leitmotif.tables.interventions import InterventionRow, OpeningRow
from tests.tables.made import (
    SITE,
    aligned,
    approach,
    calibrated,
    effect,
    exchanged,
    interval,
    manifest_track,
    nothing_found,
    probe,
    verdict,
)

RATE = 32_000
BEFORE_HZ, AFTER_HZ = 440.0, 660.0
MARKUP = "<img src=x onerror=alert(1)>"
GAP = (50, 100)
TRACKS = ("piece_1", "piece_2")
PREFIX_FRAMES, FRAMES = 50, 100
MOTIF = {"start_sample": 0, "samples": 16_000}
TABLES = (
    *("alignment", "probes", "calibration", "interchange"),
    *("effects", "verdicts", "approaches"),
)
HORIZONS = ("1-3s", "4-6s")


def tone(hertz: float, *, seed: int) -> np.ndarray:
    """A second of rising motif, two of one tone; ``seed`` makes it another piece's."""
    time = np.arange(RATE * 3) / RATE
    pitch = np.where(time < 1, 220 * (1 + np.floor(time * 4) / 8), hertz) * (1 + seed / 50)
    return np.round(9000 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)).astype(np.int16)


def condition(kind: Kind, moved: float, **changed: Any) -> EffectRow:
    """What a condition did: it moved the recurrence by so many points."""
    return effect(
        condition=kind,
        name=f"{kind}_ahead",
        site=SITE,
        source="twin.slot0" if kind == "patch" else None,
        strength=1.0,
        window="ahead",
        delta_recurrence=interval(-moved),
        towards_source=interval(moved),
        **changed,
    )


def untouched(kind: Kind, moved: float) -> EffectRow:
    """Of a baseline or counterfactual, in which nothing is changed."""
    row = condition(kind, moved)
    return row.model_copy(update={"name": kind, "site": None, "strength": None, "window": None})


CANDIDATES: tuple[tuple[str, Verdict, float, tuple[int, ...]], ...] = (
    (SITE, "foresight", 80.0, ()),
    (f"{MARKUP}:7", "decodable, not causal", 0.0, (7,)),
    ("planner-1:9", "entangled", 90.0, (9,)),
)


class Made:
    """The study's files below a folder, written by ``write``; change what it holds before."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kept = True
        self.opening: OpeningRow | None = None
        self.verdicts: list[VerdictRow] = []
        self.effects: list[EffectRow] = []
        for name, judged, moved, features in CANDIDATES:
            self._add("planner", name, judged, moved, features)
        self._add("reader", SITE, "look-back", 0.0, ())
        self.probes = [
            probe(model=model, site=site, horizon=horizon)
            for model in ("planner", "reader", "random_weights")
            for site in (SITE, "layers.3.residual")
            for horizon in HORIZONS
        ]
        self.calibration = calibrated(["linear", "label"], [0.1, 0.4])
        self.interchange = [
            exchanged(model=model, site=site, after=after, share=share)
            for model, site, shares in (
                ("planner", SITE, (0.98, 0.97, 0.5)),
                ("planner", "layers.3.residual", (0.01, 0.0, 0.0)),
                ("reader", SITE, (0.0, 0.0, 0.0)),
            )
            for after, share in zip((0.0, 2.0, 4.0), shares, strict=True)
        ]
        self.alignment = [aligned()]
        here = {"site": SITE, "delta_recurrence": interval(87.5, 12.0)}
        elsewhere = {"site": "layers.3.residual", "delta_recurrence": interval(62.0, 10.0)}
        self.approaches = [
            approach(
                name="naive correlation",
                r2=0.58,
                delta_recurrence=interval(0.0, 0.0),
                screened=elsewhere,
                verdict="decodable, not causal",
            ),
            approach(
                name="aligned and causal",
                r2=0.71,
                delta_recurrence=interval(87.5, 12.0),
                screened=here,
                verdict="foresight",
            ),
            nothing_found("misaligned autoencoder"),
        ]

    def _add(
        self, model: str, name: str, judged: Verdict, moved: float, features: tuple[int, ...]
    ) -> None:
        if model not in {row.model for row in self.effects}:
            for row in (untouched("baseline", 0.0), untouched("counterfactual", 90.0)):
                self.effects.append(row.model_copy(update={"model": model}))
        hook = "planner-1" if features else None
        whose = {"model": model, "candidate": name}
        self.verdicts.append(
            verdict(
                **whose,
                hook=hook,
                features=[*features],
                verdict=judged,
                effect=interval(moved),
                over_controls=interval(moved),
            )
        )
        tried = [
            condition("patch", moved, tested=True),
            condition("zero_effect", 0.0),
            *(
                condition("random_feature", 0.0).model_copy(
                    update={"name": f"random_feature_ahead_{number}"}
                )
                for number in (1, 2)
            ),
        ]
        self.effects += [row.model_copy(update=whose) for row in tried]

    def record(self) -> None:
        """Make it a study of recordings, after each of which the model went on in its own ways."""
        self.interchange = []
        self.opening = OpeningRow(seed=100_000, frames=10)

    def shift(self) -> None:
        """Add the control of positions: every model's pieces at positions 50 steps later."""
        changed = {"strength": 50.0, "clips": 4, "changed": 2}
        for model in dict.fromkeys(row.model for row in self.effects):
            row = untouched("position_shift", 5.0)
            self.effects.append(row.model_copy(update={"model": model, **changed}))

    def rejudge(self, candidate: str, judged: Verdict) -> None:
        """Give the planner's candidate another verdict."""
        self.verdicts = [
            row.model_copy(update={"verdict": judged})
            if (row.model, row.candidate) == ("planner", candidate)
            else row
            for row in self.verdicts
        ]

    def write(self) -> Path:
        for name in TABLES:
            write_table(self.root / f"data/{name}.jsonl", getattr(self, name))
        write_table(self.root / MANIFEST, map(track, TRACKS))
        write_log(self.root / INTERVENTIONS, self.rows())
        return self.root

    def rows(self) -> list[InterventionRow]:
        moving = {
            (row.model, row.candidate)
            for row in self.verdicts
            if row.verdict in ("foresight", "entangled")
        }
        rows = []
        for number, track_id in enumerate(TRACKS):
            for feature, what in enumerate(self.effects):
                seed = number if what.model == "planner" else number + 10
                moves = what.name == "patch_ahead" and (what.model, what.candidate) in moving
                moves = moves or what.condition == "counterfactual"
                hertz = AFTER_HZ if moves else BEFORE_HZ
                rows.append(self.row(track_id, seed, what, hertz, feature))
        return rows

    def row(
        self,
        track_id: str,
        seed: int,
        what: EffectRow,
        hertz: float,
        feature: int,
    ) -> InterventionRow:
        samples, untreated = tone(hertz, seed=seed), tone(BEFORE_HZ, seed=seed)
        digest = hashlib.sha256(samples.tobytes()).hexdigest()
        file = f"clips/{digest[:16]}.wav"
        if self.kept:
            path = self.root / "data" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples, RATE, subtype="PCM_16")
        address = sha256_json([what.model, track_id, what.candidate, what.condition, feature])
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
                "model": f"models/organism/{what.model}",
                "model_fingerprint": "a" * 64,
                "candidate": what.candidate,
                "name": what.name,
                "condition": what.condition,
                "site": what.site,
                "feature": feature,
                "sae": None,
                "sae_sha256": None,
                "strength": what.strength,
                "source": what.source and f"source_of_{track_id}",
                "steps": None if what.window is None else GAP,
                "seed": 0,
                "sampling": {
                    "temperature": 1.0,
                    "top_k": 50,
                    "top_p": None,
                    "guidance_scale": 1.0,
                    "prompt": None,
                },
                "prefix_sha256": ("e" if what.condition == "counterfactual" else "b") * 64,
                "prefix_frames": PREFIX_FRAMES,
                "opening": self.opening,
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
    return manifest_track(
        track_id=track_id,
        path=f"{track_id}.wav",
        sha256="d" * 64,
        seconds=3.0,
        licence=Licence(
            name="CC BY 4.0", url="https://creativecommons.org/licenses/by/4.0/", attribution=MARKUP
        ),
    )


def page_data(path: Path) -> list[dict[str, Any]]:
    """The pairs that a page holds."""
    text = path.read_text(encoding="utf-8")
    start = text.index('class="pairs">') + len('class="pairs">')
    return json.loads(text[start : text.index("</script>", start)])
