"""Does anything in the gap tell what the slots will do? A classifier that hears all of it says.

The planted truth is worth nothing if harmony, loudness or accompaniment betray the decision: a
model could then foresee a return without having carried anything from the cue.
"""

import librosa
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leitmotif.corpus.organism.composer import Part, compose, render, sounds
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World

BANDS = 32
SEEDS: dict[Part, int] = {"training": 200, "held_out": 201}


def leak(world: World, *, train: int, test: int, with_cue: bool = False) -> dict[str, list[float]]:
    """For each classifier, 1 for every held-out slot whose decision it names and 0 for the others.

    It hears every note before the slot from the second statement on as ``BANDS`` mel levels and a
    loudness in decibels. ``with_cue`` adds the cue, which tells all: the classifiers' own check.
    """
    heard = {
        part: _heard(world, count, part, with_cue)
        for part, count in (("training", train), ("held_out", test))
    }
    right: dict[str, list[float]] = {}
    for slot, bar in enumerate(world.slot_bars):
        notes = bar * world.notes_per_bar
        (fit, wanted), (held_out, truth) = (
            (levels[:, :notes].reshape(len(levels), -1), decisions[:, slot])
            for levels, decisions in (heard["training"], heard["held_out"])
        )
        for name, classifier in {
            "linear": make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=500)),
            "boosted_trees": HistGradientBoostingClassifier(max_iter=60, random_state=0),
        }.items():
            named = classifier.fit(fit, wanted).predict(held_out)
            right.setdefault(name, []).extend((named == truth).astype(float).tolist())
    return right


def _heard(
    world: World, count: int, part: Part, with_cue: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Levels (pieces, notes, BANDS + 1), zero where nothing is heard; decisions (pieces, slots)."""
    bank = SoundBank(world)
    mel = librosa.filters.mel(sr=world.sample_rate, n_fft=world.samples_per_note, n_mels=BANDS)
    levels, decisions = [], []
    for index in range(count):
        score = compose(world, SEEDS[part], index, part=part)
        notes = render(bank, sounds(world, score)).reshape(-1, world.samples_per_note)
        power = np.abs(np.fft.rfft(notes, axis=1)) ** 2
        bands = np.concatenate([power @ mel.T, power.sum(1, keepdims=True)], axis=1)
        deaf = world.cue_bar if with_cue else world.cue_bar + 1
        bands[: deaf * world.notes_per_bar] = 1.0
        levels.append(10 * np.log10(bands + 1e-6))
        decisions.append(score.returns)
    return np.stack(levels).astype(np.float32), np.array(decisions)
