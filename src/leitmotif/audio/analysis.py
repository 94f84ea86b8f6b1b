"""Analysis of tracks of the manifest: verify, decode, check and measure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from leitmotif.audio.artifacts import SourceArtifacts, measure_artifacts
from leitmotif.audio.decode import check_audio, read_recording, to_mono, verified
from leitmotif.audio.each import each_recording
from leitmotif.audio.features import HOP, SAMPLE_RATE, Features, extract_features
from leitmotif.errors import AudioError
from leitmotif.tensors import write_tensors

if TYPE_CHECKING:
    from leitmotif.config import FeaturesParams


_TRACKS = 5
"""Number of tracks that a process gets at a time."""


@dataclass(frozen=True)
class TrackAnalysis:
    """All measurements of one track."""

    features: Features
    artifacts: SourceArtifacts


@dataclass(frozen=True)
class RecordingFile:
    """A recording to analyse."""

    path: Path
    track_id: str
    sha256: str
    """SHA-256 that the file must have."""


def analyse_tracks(
    sources: Sequence[RecordingFile], params: "FeaturesParams"
) -> Iterator[TrackAnalysis | AudioError]:
    """Analyse recordings; yields for each, in order, its analysis or the error that prevents it."""
    analyse = partial(_analyse, params)
    return each_recording(analyse, sources, path=attrgetter("path"), size=_TRACKS)


def _analyse(params: "FeaturesParams", source: RecordingFile) -> TrackAnalysis:
    return analyse_track(source.path, track_id=source.track_id, sha256=source.sha256, params=params)


def analyse_track(
    path: Path, *, track_id: str, sha256: str, params: "FeaturesParams"
) -> TrackAnalysis:
    """Analyse one recording.

    Parameters
    ----------
    path
        The recording.
    track_id
        Its id in the manifest.
    sha256
        SHA-256 that the file must have.
    params
        Section ``features`` of params.yaml.

    Raises
    ------
    AudioError
        With the reason ``missing``, ``checksum`` or ``changed``, one of ``check_audio``, or one of
        ``read_recording``.
    """
    with verified(path, sha256):
        recording, size = read_recording(path), path.stat().st_size
    audio = to_mono(recording, SAMPLE_RATE)
    check_audio(
        audio,
        min_seconds=params.min_seconds,
        silence_dbfs=params.silence_dbfs,
        name=str(path),
    )
    artifacts = measure_artifacts(
        recording,
        track_id=track_id,
        file_bytes=size,
        silence_dbfs=params.silence_dbfs,
    )
    return TrackAnalysis(extract_features(audio.samples), artifacts)


def write_features(folder: Path, source: RecordingFile, features: Features, code: str) -> None:
    """Write the features of a recording as ``folder/{track_id}.safetensors``.

    ``code`` is the version of the code that made them.
    """
    write_tensors(
        folder / f"{source.track_id}.safetensors",
        {"chroma": features.chroma, "energy": features.energy, "onset": features.onset},
        {
            "track_id": source.track_id,
            "audio_sha256": source.sha256,
            "frames": str(len(features.energy)),
            "frame_rate": str(SAMPLE_RATE // HOP),
            "sample_rate": str(SAMPLE_RATE),
            "tuning_cents": str(features.tuning_cents),
            "code_version": code,
        },
    )
