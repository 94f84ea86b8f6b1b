"""What a verdict was given on: windows and stretches, with the hashes of what was heard."""

from leitmotif.errors import AudioError
from leitmotif.review.failures import NotFoundError, RefusedError
from leitmotif.review.limits import check_moved, check_stretch
from leitmotif.review.material import ReviewMaterial
from leitmotif.review.queue import QueueItem
from leitmotif.review.requests import Hearing
from leitmotif.review.stretches import Stretch
from leitmotif.tables.base import Span
from leitmotif.tables.decisions import JudgedSpan, Verdict


def judged(
    material: ReviewMaterial, item: QueueItem, motif: Span, recurrence: Span, verdict: Verdict
) -> dict[str, JudgedSpan]:
    """Give the windows of a verdict with the hashes of their clips.

    Raises RefusedError for impossible windows, and for an item that cannot be heard unless the
    verdict rejects it.
    """
    windows = {"motif": motif, "recurrence": recurrence}
    proposed = {"motif": item.motif, "recurrence": item.recurrence}
    try:
        clips = dict(zip(windows, material.prepare(item), strict=True))
    except (AudioError, NotFoundError) as error:
        if verdict != "rejected":
            raise RefusedError(
                "an item that cannot be heard can only be rejected or skipped",
                found=error.what,
                fix="reject or skip it",
            ) from error
        return {name: JudgedSpan(**dict(proposed[name]), sha256=None) for name in windows}
    spans = {}
    for name, window in windows.items():
        check_moved(name, window, proposed[name], item.sample_rate)
        sha256 = material.clips.sha256(clips[name], window, item.sample_rate)
        spans[name] = JudgedSpan(**dict(window), sha256=sha256)
    return spans


def heard(material: ReviewMaterial, stretch: Stretch, hearing: Hearing) -> JudgedSpan:
    """Give what was listened to with the hash of its sound.

    Raises RefusedError for what cannot have been heard: a part beyond the stretch, or absence in a
    recording that cannot be had.
    """
    check_stretch(stretch, hearing.stretch)
    try:
        clip = material.sound(stretch)
    except AudioError as error:
        if hearing.verdict == "nothing_else":
            raise RefusedError(
                "nothing is known of a stretch that cannot be heard",
                found=error.what,
                fix='answer "cannot tell", or skip it',
            ) from error
        return JudgedSpan(**dict(hearing.stretch), sha256=None)
    sha256 = material.clips.sha256(clip, hearing.stretch, stretch.sample_rate)
    return JudgedSpan(**dict(hearing.stretch), sha256=sha256)
