"""One track of the manifest: verified, decoded, checked, and measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leitmotif.audio.artifacts import SourceArtifacts, measure_artifacts
from leitmotif.audio.decode import check_audio, read_recording, to_mono, verify_audio
from leitmotif.audio.features import SAMPLE_RATE, Features, extract_features

if TYPE_CHECKING:
    from leitmotif.config import FeaturesParams


@dataclass(frozen=True)
class TrackAnalysis:
    """All that is measured of one track."""

    features: Features
    artifacts: SourceArtifacts
    seconds: float
    """Decoded duration."""


def analyse_track(
    path: Path, *, track_id: str, sha256: str, params: "FeaturesParams"
) -> TrackAnalysis:
    """Measure the recording at ``path``, which must have this hash.

    Raises AudioError with one of the reasons missing, checksum, undecodable, truncated,
    non_finite, too_short and silent.
    """
    verify_audio(path, sha256)
    recording = read_recording(path)
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
        file_bytes=path.stat().st_size,
        silence_dbfs=params.silence_dbfs,
    )
    return TrackAnalysis(extract_features(audio.samples), artifacts, audio.seconds)
