"""One track of the manifest: verified, decoded, checked, and measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from leitmotif.audio.artifacts import SourceArtifacts, measure_artifacts
from leitmotif.audio.decode import check_audio, read_recording, to_mono, verify_audio
from leitmotif.audio.features import SAMPLE_RATE, Features, extract_features
from leitmotif.audio.source import named_failure
from leitmotif.errors import AudioError
from leitmotif.parallel import in_processes

if TYPE_CHECKING:
    from leitmotif.config import FeaturesParams


_TRACKS = 5
"""That a process measures before it is given others."""


@dataclass(frozen=True)
class TrackAnalysis:
    """All that is measured of one track."""

    features: Features
    artifacts: SourceArtifacts


@dataclass(frozen=True)
class Source:
    """A recording that is to be measured."""

    path: Path
    track_id: str
    sha256: str
    """That the file must have."""


def analyse_tracks(
    sources: Sequence[Source], params: "FeaturesParams"
) -> Iterator[TrackAnalysis | AudioError]:
    """What is measured of each recording, in their order, or why nothing can be."""
    parts = [sources[first : first + _TRACKS] for first in range(0, len(sources), _TRACKS)]
    return chain.from_iterable(in_processes(partial(_analyse, params), parts))


def _analyse(
    params: "FeaturesParams", sources: Sequence[Source]
) -> list[TrackAnalysis | AudioError]:
    found: list[TrackAnalysis | AudioError] = []
    for one in sources:
        try:
            with named_failure(one.path):
                found.append(
                    analyse_track(one.path, track_id=one.track_id, sha256=one.sha256, params=params)
                )
        except AudioError as error:
            found.append(error)
    return found


def analyse_track(
    path: Path, *, track_id: str, sha256: str, params: "FeaturesParams"
) -> TrackAnalysis:
    """Measure the recording at ``path``, which must have this hash.

    Raises AudioError with one of the reasons missing, checksum, non_finite, too_short and silent,
    or one of ``read_recording``.
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
    return TrackAnalysis(extract_features(audio.samples), artifacts)
