"""Clips that are listened to: whether there is music in them, and which motifs return.

What of a clip returns can be kept, because several stages ask it of the same clips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from leitmotif.audio.decode import Audio, check_audio
from leitmotif.audio.reading.samples import Samples
from leitmotif.causal.experiment.prefixes import sha256_codes
from leitmotif.causal.experiment.runner import Clip
from leitmotif.errors import AudioError
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.recurrence.continuation import Listener, Return
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.store.cache.results import ResultFormat, Tensors, computed_by
from leitmotif.tables.base import Span

FULL_SCALE = 0.999
CLIPPED_SHARE = 0.01
"""A clip with more samples than this at full scale or beyond counts as clipped."""

Returns = tuple[Return, ...]
"""One for each motif of the prefix, ``start`` in seconds of the clip."""
_COLUMNS = ("recurs", "start", "transposition", "score", "p")


@dataclass(frozen=True)
class ListeningSettings:
    """How clips are heard."""

    search: SearchSettings
    """Settings of the engine that looks for returns."""
    motifs: Mapping[str, Sequence[Span]]
    """Windows in samples of each track's prefix."""
    heard: Mapping[str, Span] = field(default_factory=dict)
    """Samples of each track's continuation in which a return counts; all of it where none is
    given. One that begins at the least horizon of a claim counts distant returns only."""
    p: float = 0.05
    min_score: float = 0.5
    window_seconds: float = 2.0
    """Length of the windows of the comparison with the baseline."""
    silence_dbfs: float = -60.0


class ClipListener:
    """Listens to clips of one track and seed.

    There is one listener a prefix: what follows changes the last milliseconds of its sound alone.
    """

    def __init__(self, model: MusicModel, listening: ListeningSettings) -> None:
        self.model, self.listening = model, listening
        self._listeners: dict[str, Listener] = {}

    def decoded(self, clip: Clip) -> Samples:
        """Samples [n] of prefix and continuation."""
        # Alone: in a batch, other clips would decide the last digits.
        return self.model.decode_audio(clip.codes[None])[0].cpu().numpy()

    def unusable(self, clip: Clip, samples: Samples) -> str | None:
        """Why a clip cannot be heard: non_finite, silent, clipped; None if it can be."""
        rate = self.model.sample_rate
        continuation = samples[self._start(clip) :]
        if not clip.finite:
            return "non_finite"
        try:
            check_audio(
                Audio(continuation, rate, rate, 1),
                min_seconds=0.0,
                silence_dbfs=self.listening.silence_dbfs,
                name=f"clip {clip.id}",
            )
        except AudioError as error:
            return "clipped" if error.reason == "out_of_range" else error.reason
        clipped = float((np.abs(continuation) >= FULL_SCALE).mean()) > CLIPPED_SHARE
        return "clipped" if clipped else None

    def returns(self, clip: Clip, samples: Samples) -> Returns:
        """Which motifs of its prefix a clip returns, where that counts.

        Raises LeitmotifError for a motif outside of the prefix.
        """
        start, first = self._start(clip), 0
        continuation = samples[start:]
        if span := self.listening.heard.get(clip.prefix.track_id):
            first = span.start_sample
            continuation = continuation[first : first + span.samples]
        before = (start + first) / self.model.sample_rate
        return tuple(
            heard if heard.start is None else replace(heard, start=before + heard.start)
            for heard in self._listener(clip, samples[:start]).returns(continuation)
        )

    def _start(self, clip: Clip) -> int:
        return clip.prefix_frames * self.model.samples_per_frame

    def _listener(self, clip: Clip, prefix: Samples) -> Listener:
        name = sha256_codes(clip.codes[:, : clip.prefix_frames])
        if name not in self._listeners:
            self._listeners[name] = Listener(
                prefix,
                self.listening.motifs.get(clip.prefix.track_id, ()),
                sample_rate=self.model.sample_rate,
                search=self.listening.search,
                p=self.listening.p,
                min_score=self.listening.min_score,
            )
        return self._listeners[name]


def returns_of(model: MusicModel, listening: ListeningSettings, clip: Clip) -> Returns | None:
    """Which of the motifs that ``listening`` has a clip returns; None if it cannot be heard."""
    listener = ClipListener(model, listening)
    samples = listener.decoded(clip)
    return None if listener.unusable(clip, samples) else listener.returns(clip, samples)


def returns_decided_by(model: MusicModel, listening: ListeningSettings) -> dict[str, object]:
    """What decides ``returns_of`` besides the clip, as JSON."""
    return {
        "format": "leitmotif-returns/1",
        "search": asdict(listening.search),
        "p": listening.p,
        "min_score": listening.min_score,
        "silence_dbfs": listening.silence_dbfs,
        **computed_by(model, __name__),
    }


def returns_form(listening: ListeningSettings) -> ResultFormat[Clip, Returns | None]:
    """How ``returns_of`` a clip is kept."""

    def motifs_of(clip: Clip) -> Sequence[Span]:
        return listening.motifs.get(clip.prefix.track_id, ())

    def keys(clip: Clip) -> list[object]:
        heard = listening.heard.get(clip.prefix.track_id)
        spans = [[span.start_sample, span.samples] for span in motifs_of(clip)]
        within = heard and [heard.start_sample, heard.samples]
        return [[sha256_codes(clip.codes), clip.prefix_frames, clip.finite, spans, within]]

    def tensors(_: Clip, returns: Returns | None) -> list[Tensors]:
        of_motifs = returns or ()
        starts = [np.nan if heard.start is None else heard.start for heard in of_motifs]
        return [
            {
                "heard": np.array(returns is not None, np.uint8),
                "recurs": np.array([heard.recurs for heard in of_motifs], np.uint8),
                "start": np.array(starts, np.float64),
                "transposition": np.array([heard.transposition for heard in of_motifs], np.int64),
                "score": np.array([heard.score for heard in of_motifs], np.float64),
                "p": np.array([heard.p for heard in of_motifs], np.float64),
            }
        ]

    def result(clip: Clip, parts: Sequence[Tensors]) -> Returns | None:
        (kept,) = parts
        if not kept["heard"]:
            return None
        columns = [kept[name].tolist() for name in _COLUMNS]
        return tuple(
            Return(motif, bool(recurs), None if np.isnan(start) else start, *rest)
            for motif, recurs, start, *rest in zip(motifs_of(clip), *columns, strict=True)
        )

    return ResultFormat(keys, tensors, result)
