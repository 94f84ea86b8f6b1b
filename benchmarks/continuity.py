"""Does local continuity of harmony and rhythm tell damage that CLAP and likelihood do not?

    python -m benchmarks.continuity        # after `make repro`, whose corpus it reads

Two measures look across the place where a continuation begins, at as much before it as there is, at
most 4 s, and as much after it:

- *harmony*: the cosine of the mean chroma of both sides.
- *rhythm*: the correlation of the autocorrelations of their onset strength, at lags of 80 to 640
  ms.

Continuations of the planner are damaged in the ways of ``benchmarks.fidelity``, and in three more
that are meant to break these measures:

==========  =======================================================================================
splice      so many seconds are those of another piece, which nobody damaged (99: all)
transposed  by so many semitones, by a phase vocoder
jitter      notes of 0.16 s begin too early or too late, by so many seconds (standard deviation)
==========  =======================================================================================

A measure tells a clip from an undamaged one as often as ``told`` says: the chance that a damaged
continuation has less of it than one that the model redrew with other noise (AUROC; half is chance).
What similarity and likelihood say of the kinds of ``benchmarks.fidelity`` is in its results.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from librosa.effects import pitch_shift
from numpy.typing import NDArray

from benchmarks._report import RESULTS, machine
from benchmarks.fidelity import REDRAWN, UNTOUCHED, Damager, Ear, Random, kinds_of
from leitmotif.audio.features import extract_features
from leitmotif.audio.reading.samples import Samples
from leitmotif.causal.experiment.findings import effect_row
from leitmotif.causal.experiment.measures import MeasuredClip
from leitmotif.config import Params, load_params
from leitmotif.files import write_json
from leitmotif.judge.models.checkpoint import Precision
from leitmotif.judge.models.fidelity import fidelities
from leitmotif.judge.models.loading import shared_clap
from leitmotif.stages.studies import study_of
from leitmotif.work.progress import progress

RESULT = RESULTS / "continuity.json"
PIECES, MOST_SECONDS, NOTE_SECONDS = 32, 4.0, 0.16
LAGS = range(4, 33)
"""In frames of 20 ms."""
DOSES = {
    "noise": (0.0, -5.0),
    "dropped": (0.1, 0.2),
    "tokens": (0.05, 0.1),
    "bars": (2.0, 5.0),
}
"""Of the kinds of ``benchmarks.fidelity``: that at which returns are lost, and another."""
MEASURES = ("harmony", "rhythm", "similarity", "nats")
Key = tuple[str, float | None]


@dataclass(frozen=True)
class Continuity:
    """How alike both sides of the place are at which a continuation begins, at most 1."""

    harmony: float
    rhythm: float


def continuity(prefix: Samples, new: Samples, rate: int) -> Continuity:
    """Of a prefix [n] and what follows it [m], mono at 32 kHz."""
    length = int(min(len(prefix), len(new), MOST_SECONDS * rate))
    before, after = _side(prefix[-length:]), _side(new[:length])
    harmony, rhythm = map(_cosine, before, after)
    return Continuity(round(harmony, 4), round(rhythm, 4))


def _side(samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean chroma [12]; autocorrelation of the onset strength [lags], less its mean."""
    features = extract_features(samples.astype(np.float32))
    onset = features.onset.astype(np.float64)
    onset -= onset.mean()
    frames = len(onset)
    alike = [onset[: frames - lag] @ onset[lag:] / (frames - lag) for lag in LAGS]
    return features.chroma.astype(np.float64).mean(1), np.array(alike) - np.mean(alike)


def _cosine(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(x @ y / max(float(np.linalg.norm(x) * np.linalg.norm(y)), 1e-12))


def spliced(own: Samples, other: Samples, seconds: float, rate: int) -> Samples:
    """A continuation that begins as that of another piece."""
    length = int(min(seconds * rate, len(own), len(other)))
    return np.concatenate([other[:length], own[length:]])


def transposed(own: Samples, semitones: float, rate: int) -> Samples:
    """A continuation at another pitch."""
    shifted = pitch_shift(own.astype(np.float64), sr=rate, n_steps=semitones)
    return np.asarray(shifted, own.dtype)


def jittered(own: Samples, seconds: float, rate: int, random: Random) -> Samples:
    """A continuation whose notes begin at other times."""
    step = round(NOTE_SECONDS * rate)
    notes = own[: len(own) // step * step].reshape(-1, step)
    late = random.normal(0, seconds * rate, len(notes)).astype(int)
    starts = np.clip(np.arange(len(notes)) * step + late, 0, len(own) - step)
    new = np.zeros_like(own)
    for start, note in zip(starts, notes, strict=True):
        new[start : start + step] = note
    return new


def damaged(
    damager: Damager, own: MeasuredClip, other: MeasuredClip, seeds: tuple[int, int]
) -> Iterator[tuple[Key, Samples]]:
    """Damaged continuations of a clip; ``other`` is the baseline of another piece."""
    rate, new = damager.study.model.sample_rate, damager.new(own)
    damage: Callable[..., Samples]
    for index, (kind, dose, damage) in enumerate(kinds_of(damager)):
        if dose in DOSES[kind]:
            yield (kind, dose), damage(own, dose, np.random.default_rng([*seeds, index]))
    for seconds in (0.32, 1.28, 99.0):
        yield ("splice", seconds), spliced(new, damager.new(other), seconds, rate)
    for semitones in (1.0, 3.0):
        yield ("transposed", semitones), transposed(new, semitones, rate)
    for index, seconds in enumerate((0.02, 0.04)):
        random = np.random.default_rng([*seeds, 90 + index])
        yield ("jitter", seconds), jittered(new, seconds, rate, random)


def measured(params: Params) -> dict[Key, dict[str, dict[str, float]]]:
    """By kind and dose: the measures of each track."""
    study = study_of(params, params.model.name)
    damager, seed = Damager(study), params.interventions.seed
    ear = Ear(damager, params)
    dtype: Precision = "float64" if study.model.dtype_beside == torch.float64 else "float32"
    clap, rate = shared_clap(params.judge, dtype), study.model.sample_rate
    clips = {
        (clip.clip.prefix.track_id, clip.clip.seed): clip
        for clip in study.run([], tried=1).clips
        if clip.excluded is None and str(clip.clip.condition.kind) == "baseline"
    }
    tracks = [piece.prefix.track_id for piece in study.pieces.pieces]
    found: dict[Key, dict[str, dict[str, float]]] = {}
    for number, track in enumerate(progress(tracks, "damaged clips", total=len(tracks))):
        own, redrawn = clips[track, seed], clips[track, seed + 1]
        other = clips[tracks[(number + 1) % len(tracks)], seed]
        made: dict[Key, Samples] = {
            (UNTOUCHED, None): damager.new(own),
            (REDRAWN, None): damager.new(redrawn),
        }
        made |= dict(damaged(damager, own, other, (seed, number)))
        assert own.samples is not None
        prefix = own.samples[: damager.start(own)]
        asked = [key for key in made if key[0] not in DOSES]
        likeness = fidelities(clap, [made[key] for key in asked], damager.new(own), rate)
        for key, new in made.items():
            found.setdefault(key, {})[track] = asdict(continuity(prefix, new, rate))
        own_nats = ear.nats(prefix, damager.new(own), own)
        for key, like in zip(asked, likeness, strict=True):
            found[key][track] |= {
                "similarity": float(like.similarity.mean()),
                "nats": ear.nats(prefix, made[key], own) - own_nats,
            }
    return found


def row_of(
    key: Key,
    by_track: Mapping[str, Mapping[str, float]],
    redrawn: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """One kind and dose: mean of each measure with its interval, and how well it tells."""
    row: dict[str, Any] = {"kind": key[0], "dose": key[1], "told": {}}
    for measure in MEASURES:
        if key[0] in DOSES and measure not in ("harmony", "rhythm"):
            continue
        values = {track: heard[measure] for track, heard in by_track.items()}
        effect = effect_row(values, 3)
        row[measure] = None if effect is None else effect.model_dump(mode="json", exclude={"p"})
        row["told"][measure] = told(
            [*values.values()], [heard[measure] for heard in redrawn.values()]
        )
    return row


def told(damaged: list[float], undamaged: list[float]) -> float:
    """Chance that a damaged clip has less than an undamaged one; ties count half.

    >>> told([0.1, 0.5], [0.5, 0.9])
    0.875
    """
    less = np.subtract.outer(undamaged, damaged)
    return round(float(np.mean((less > 0) + 0.5 * (less == 0))), 3)


def main() -> None:
    """Damage, measure, print, and write benchmarks/results/continuity.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", type=int, default=PIECES)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    params = load_params()
    settings = {"tracks": given.pieces, "kept_tracks": given.pieces, "seeds": 2}
    interventions = params.interventions.model_copy(update=settings)
    found = measured(params.model_copy(update={"interventions": interventions}))
    redrawn = found[REDRAWN, None]
    rows = [row_of(key, by, redrawn) for key, by in found.items() if key[0] != UNTOUCHED]
    write_json(given.out, {"machine": machine(), "rows": rows})
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
