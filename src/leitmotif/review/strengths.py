"""Strengths of pairs that people added: their likeness, as the engine of the proposals hears it."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from leitmotif.audio.decode import load_audio
from leitmotif.audio.each import each_recording
from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.errors import AudioError
from leitmotif.recurrence.likeness import GivenPair, WindowLikeness, likeness_of
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.review.known import at_rate
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Label
from leitmotif.timing.windows import end_seconds

_Asked = tuple[ManifestTrack, list[GivenPair]]


def strengths_in(
    labels: Sequence[Label],
    tracks: Sequence[ManifestTrack],
    search: SearchSettings,
    *,
    audio_root: Path,
) -> list[float]:
    """Strength of each label; raises AudioError for a recording that cannot be read.

    ``audio_root`` is where the paths of ``tracks`` begin.
    """
    given: dict[str, list[GivenPair]] = {}
    for label in labels:
        motif, recurrence = (
            at_rate(span, label.sample_rate, SAMPLE_RATE)
            for span in (label.motif, label.recurrence)
        )
        pair = GivenPair(motif, recurrence, label.transposition)
        given.setdefault(label.track_id, []).append(pair)
    alike = {name: iter(row) for name, row in likenesses_in(given, tracks, search, audio_root)}
    return [next(alike[label.track_id]).likeness for label in labels]


def likenesses_in(
    pairs: Mapping[str, list[GivenPair]],
    tracks: Sequence[ManifestTrack],
    search: SearchSettings,
    audio_root: Path,
) -> list[tuple[str, list[WindowLikeness]]]:
    """Likeness of pairs by track, the tracks side by side; windows are at SAMPLE_RATE."""
    asked = [(track, pairs[track.track_id]) for track in tracks if pairs.get(track.track_id)]
    results = []
    listened = each_recording(
        partial(_listened, search, audio_root), asked, path=partial(_path, audio_root)
    )
    for (track, _), outcome in zip(asked, listened, strict=True):
        if isinstance(outcome, AudioError):
            raise outcome
        results.append((track.track_id, outcome))
    return results


def _path(audio_root: Path, asked: _Asked) -> Path:
    return audio_root / asked[0].path


def _listened(search: SearchSettings, audio_root: Path, asked: _Asked) -> list[WindowLikeness]:
    track, pairs = asked
    # What the engine searched, or more where people listened past it.
    latest = max(_end(pair.recurrence) for pair in pairs) / SAMPLE_RATE
    seconds = max(end_seconds(track.windows), latest)
    audio = load_audio(audio_root / track.path, sample_rate=SAMPLE_RATE, seconds=seconds)
    return likeness_of(audio.samples, SAMPLE_RATE, pairs, search)


def _end(span: Span) -> int:
    return span.start_sample + span.samples
