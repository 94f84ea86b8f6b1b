"""Tracks, encoded features and an autoencoder whose truth is known, for the feature pages."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch

from leitmotif.audio.features import HOP, SAMPLE_RATE
from leitmotif.files import read_table, sha256_file, write_table
from leitmotif.report.features.listening import ListenedContext, Track
from leitmotif.sae.autoencoder.codes import Codes
from leitmotif.sae.autoencoder.encode import FeatureHeader, write_codes
from leitmotif.sae.autoencoder.registry import Hook
from leitmotif.sae.autoencoder.used import UsedSae
from leitmotif.tables.base import Span
from leitmotif.tables.candidates import CandidateRow
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tensors import write_tensors
from leitmotif.timing.frames import Timing
from tests.sae.making import random_sae
from tests.tables.made import label_row, manifest_track

FRAMES = 400
TIMING = Timing(frame_rate=50, hearing_seconds=0.074)


def track(number: int, onsets: Sequence[float] = (), frames: int = FRAMES) -> Track:
    """A track of one context with recurrences at these seconds; no file belongs to it."""
    row = manifest_track(
        track_id=f"track_{number}",
        path=f"audio/{number}.flac",
        sha256="0" * 64,
        seconds=frames / TIMING.frame_rate,
        windows=[Window(start_frame=0, frames=frames)],
    )
    context = ListenedContext(0, frames, 0, np.array(onsets, float), None, TIMING)
    return Track(number, row, [context], [], complete=True)


def label(track_id: str, onset: float) -> Label:
    """A verified return, half a second long, of the track's beginning."""
    half = SAMPLE_RATE // 2
    return label_row(
        track_id=track_id,
        motif=Span(start_sample=0, samples=half),
        recurrence=Span(start_sample=round(onset * SAMPLE_RATE), samples=half),
    )


def coverage(track_id: str) -> Coverage:
    """By the score all is known."""
    return Coverage(
        track_id=track_id,
        source="score",
        labels=1,
        proposals=0,
        pending=0,
        known=[Span(start_sample=0, samples=SAMPLE_RATE)],
        sample_rate=SAMPLE_RATE,
        complete=True,
    )


def write_track(root: Path, number: int, samples: np.ndarray) -> ManifestTrack:
    """Write a recording [n] and features of noise below ``root``."""
    frames = len(samples) // HOP
    path = root / "corpus" / "audio" / f"{number}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, SAMPLE_RATE)
    random = np.random.default_rng(number)
    write_tensors(
        root / "features" / f"track_{number}.safetensors",
        {
            "chroma": random.random((12, frames)).astype(np.float32),
            "energy": np.full(frames, -12, np.float32),
            "onset": random.random(frames).astype(np.float32),
        },
        {"frame_rate": "50"},
    )
    return track(number, frames=frames).row.model_copy(update={"sha256": sha256_file(path)})


def add_features(data: Path, hook: str, features: Sequence[int]) -> None:
    """Give a study in ``data`` what pages of its features need; its tracks become 3-s tones."""
    manifest = read_table(data / "manifest.jsonl", ManifestTrack)
    rows = []
    for number, row in enumerate(manifest):
        tone = 0.3 * np.sin(2 * np.pi * 330 * np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE)
        written = write_track(data, number, tone)
        changed = {"path": written.path, "sha256": written.sha256}
        rows.append(row.model_copy(update=changed))
        (data / "features" / f"track_{number}.safetensors").rename(
            data / "features" / f"{row.track_id}.safetensors"
        )
        activity = np.zeros((150, 1024))
        activity[40 + number, list(features)] = 1 + number
        write_activity(data / "sae" / hook, row.track_id, activity)
    write_table(data / "manifest.jsonl", rows)
    write_table(data / "failures.jsonl", [])
    write_table(data / "labels.jsonl", [label(rows[0].track_id, 2.0)])
    write_table(data / "coverage.jsonl", [coverage(row.track_id) for row in rows])
    write_table(
        data / "candidates.jsonl",
        [candidate(rank, feature, hook=hook) for rank, feature in enumerate(features, start=1)],
    )


def write_activity(folder: Path, track_id: str, activity: np.ndarray) -> None:
    """Write dense activity [rows, d_sae] as the encoded features of a track."""
    rows, features = np.nonzero(activity)
    counts = np.bincount(rows, minlength=len(activity))
    codes = Codes(
        torch.from_numpy(features),
        torch.from_numpy(activity[rows, features].astype(np.float32)),
        torch.from_numpy(np.r_[0, np.cumsum(counts)]),
    )
    header = FeatureHeader(
        hook=folder.name,
        site="layers.1.residual",
        track_id=track_id,
        frames=len(activity),
        frame_rate=50,
        hearing_seconds=0.074,
        d_sae=activity.shape[1],
        weights_sha256="0" * 64,
        activations_address="0" * 64,
        misaligned="",
    )
    write_codes(folder / f"{track_id}.safetensors", codes, header)


def used(name: str, *, seed: int) -> UsedSae:
    """An autoencoder of 64 features with random weights, of which no folder exists."""
    sae = random_sae(width=8, features=64, seed=seed)
    return UsedSae(Hook.model_construct(name=name), sae, "layers.1.residual", None)


def candidate(
    rank: int, feature: int, horizon: str = "4-6s", hook: str | None = "a"
) -> CandidateRow:
    """A row of data/candidates.jsonl."""
    return CandidateRow(
        rank=rank,
        site="layers.1.residual",
        hook=hook,
        feature=feature,
        horizon=horizon,
        effect=0.5,
        low=0.4,
        high=0.6,
        p=0.01,
        q=0.02,
        p_shift=0.01,
        stability=1.0,
        misaligned="",
        active=20,
        exchanges=1024,
        margin=3.5,
        exploratory=False,
    )
