"""The sounds of the pages: a clip around each moment, and the whole context of the highest one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.audio.decode import load_audio, verified
from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.report.clips import ReportClip
from leitmotif.report.features.listening import ListenedContext, Track
from leitmotif.report.features.moments import Moment
from leitmotif.report.folder import Folder
from leitmotif.review.clips import to_pcm
from leitmotif.work.progress import progress

BEFORE_SECONDS, AFTER_SECONDS = 3.0, 1.0
"""Length of a clip before and after the moment, within the context."""


@dataclass(frozen=True, order=True)
class Excerpt:
    """A section of a context, in its frames."""

    track: int
    """Number of the track."""
    context: int
    first: int
    end: int

    def seconds(self, context: ListenedContext) -> float:
        """Duration; ``context`` is the one that it is a stretch of."""
        return (self.end - self.first) / context.timing.frame_rate


def around(moment: Moment, context: ListenedContext) -> Excerpt:
    """Return the stretch that is played of a moment."""
    rate = context.timing.frame_rate
    first = max(0, moment.step - round(BEFORE_SECONDS * rate))
    end = min(context.frames, moment.step + round(AFTER_SECONDS * rate))
    return Excerpt(moment.track, moment.context, first, end)


def whole(moment: Moment, context: ListenedContext) -> Excerpt:
    """Return the whole context of a moment."""
    return Excerpt(moment.track, moment.context, 0, context.frames)


def write_clips(
    folder: Folder, corpus: Path, tracks: Sequence[Track], excerpts: Iterable[Excerpt]
) -> Mapping[Excerpt, ReportClip]:
    """Write the clip of each excerpt once, and decode one track at a time.

    Parameters
    ----------
    folder
        The report.
    corpus
        Folder of the recordings.
    tracks
        All tracks of the manifest, so that a track's number is its index.
    excerpts
        Sections to write.

    Raises
    ------
    AudioError
        If a recording cannot be used.
    """
    wanted: dict[int, list[Excerpt]] = {}
    for excerpt in sorted(set(excerpts)):
        wanted.setdefault(excerpt.track, []).append(excerpt)
    written = {}
    for number, of_track in progress([*wanted.items()], "moments", total=len(wanted)):
        row = tracks[number].row
        with verified(corpus / row.path, row.sha256):
            samples = to_pcm(load_audio(corpus / row.path, sample_rate=SAMPLE_RATE).samples)
        for excerpt in of_track:
            context = tracks[number].contexts[excerpt.context]
            first, end = (
                round((context.start_frame + frame) * SAMPLE_RATE / context.timing.frame_rate)
                for frame in (excerpt.first, excerpt.end)
            )
            part = samples[first:end]
            written[excerpt] = folder.clip(part, SAMPLE_RATE)
    return written
