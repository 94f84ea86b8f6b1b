"""Local continuity: what its measures say of sounds that are known, and what the page says."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.continuity import DOSES, continuity, jittered, spliced, told
from leitmotif.audio.reading.samples import Samples

ROOT = Path(__file__).parents[1]
RATE = 32_000
SEMITONE = 2 ** (1 / 12)


def notes(pitches: list[float], seconds: float = 0.16) -> Samples:
    """Decaying notes, one after the other; 0: a rest."""
    time = np.arange(round(seconds * RATE)) / RATE
    decay = np.exp(-12 * time)
    sounds = [
        0.3 * decay * sum(np.sin(2 * np.pi * n * f * time) / n for n in range(1, 5))
        for f in pitches
    ]
    return np.concatenate(sounds).astype(np.float32)


BAR = [220.0, 0.0, 330.0, 220.0]


def test_music_that_goes_on_is_alike_on_both_sides() -> None:
    same = continuity(notes(BAR * 2), notes(BAR * 4), RATE)
    assert same.harmony > 0.99
    assert same.rhythm > 0.99


def test_another_key_is_heard_in_harmony_and_another_beat_in_rhythm() -> None:
    tritone = [pitch * SEMITONE**6 for pitch in BAR]
    other_key = continuity(notes(BAR * 2), notes(tritone * 4), RATE)
    assert other_key.harmony < 0.8
    assert other_key.rhythm > 0.95
    other_beat = continuity(notes(BAR * 2), notes(BAR * 4, seconds=0.21), RATE)
    assert other_beat.harmony > 0.9
    assert other_beat.rhythm < 0.6


def test_a_splice_begins_as_the_other_and_goes_on_as_it_was() -> None:
    own, other = np.zeros(RATE, np.float32), np.ones(2 * RATE, np.float32)
    made = spliced(own, other, 0.25, RATE)
    assert made.tolist() == [1.0] * 8000 + [0.0] * 24_000
    assert len(spliced(own, other, 99.0, RATE)) == RATE


def test_jitter_moves_notes_and_adds_none() -> None:
    own = notes(BAR * 4)
    assert (jittered(own, 0.0, RATE, np.random.default_rng(0)) == own).all()
    moved = jittered(own, 0.04, RATE, np.random.default_rng(0))
    assert len(moved) == len(own)
    assert 0 < np.abs(moved).sum() <= np.abs(own).sum() * (1 + 1e-6)


def test_what_tells_is_a_chance() -> None:
    assert told([1.0, 2.0], [3.0, 4.0]) == 1.0
    assert told([3.0], [1.0, 2.0]) == 0.0
    assert told([1.0, 2.0], [1.0, 2.0]) == 0.5


def rows() -> list[dict[str, Any]]:
    found = json.loads((ROOT / "benchmarks/results/continuity.json").read_text(encoding="utf-8"))
    return list(found["rows"])


def test_the_page_has_what_was_measured() -> None:
    page = (ROOT / "docs/stages/interventions.md").read_text(encoding="utf-8")
    for row in rows():
        cells = [
            f"{row[name]['mean']:.2f} ({row[name]['low']:.2f} to {row[name]['high']:.2f}) | "
            f"{row['told'][name]:.2f}"
            for name in ("harmony", "rhythm")
        ]
        cells += [
            f"{row['told'][name]:.2f}" for name in ("similarity", "nats") if name in row["told"]
        ]
        assert " | ".join(cells) in page, (row["kind"], row["dose"])


def test_likelihood_tells_what_takes_returns_that_local_continuity_does() -> None:
    """So none is asked of verdicts: of what these measures tell, it misses splices alone."""
    file = ROOT / "benchmarks/results/fidelity.json"
    nats = {(row["kind"], row["dose"]): row["nats"] for row in json.loads(file.read_text())["rows"]}
    for row in rows():
        if max(row["told"]["harmony"], row["told"]["rhythm"]) < 0.6 or row["kind"] == "splice":
            continue
        if row["kind"] in DOSES:
            assert nats[row["kind"], row["dose"]]["high"] < nats["redrawn", None]["low"] - 1
        else:
            assert row["told"]["nats"] >= max(row["told"]["harmony"], row["told"]["rhythm"])
