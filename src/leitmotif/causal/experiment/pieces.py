"""The pieces of an experiment: where each goes on, what is patched in, what is listened for.

Of composed music the truth is known: the prefix ends with the cue, the twin under the other cue is
where patches come from, and the gap and the slot's own frames are named steps. Of any other corpus
a prefix has the length that is asked for, patches come from the next track, and the motifs are
those of verified recurrences that lie in the prefix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from leitmotif.causal.experiment.prefixes import Prefix, prefix_of
from leitmotif.causal.experiment.twins import Twins, source_name
from leitmotif.errors import ProbeError
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.store.cache.codes import AudioEncoder
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Label
from leitmotif.timing.windows import start_seconds

SLOT = 0
"""The slot that is listened to; the other one's twin is the control."""
TWIN, OTHER_TWIN = source_name(0), source_name(1)
NEXT_TRACK = "next_track"
LEAD_SECONDS = 0.32
"""Heard before a slot: a return found a little early still counts."""


@dataclass(frozen=True)
class Piece:
    """One track of the experiment."""

    prefix: Prefix
    motifs: Sequence[Span]
    """Of the prefix, in samples."""
    heard: Span | None
    """Samples of the continuation in which a return counts; None for all of it."""
    towards: int
    """+1 if the patches' source has the motif return where this piece has not, -1 if the other way;
    +1 where nothing is known."""
    windows: Mapping[str, range | None] = field(default_factory=dict)
    """Named decoder steps; None for all steps of the continuation."""


@dataclass(frozen=True)
class Pieces:
    """All of them, and what patches and their controls are called."""

    pieces: Sequence[Piece]
    source: str
    control: str | None
    """A source that differs as much, but says nothing of what is listened for."""

    @property
    def known(self) -> bool:
        """Whether the source is a counterfactual: what it would do is then known."""
        return self.source != NEXT_TRACK

    @property
    def prefixes(self) -> list[Prefix]:
        """What the runner takes."""
        return [piece.prefix for piece in self.pieces]

    @property
    def towards(self) -> dict[str, int]:
        """Predicted direction by track."""
        return {piece.prefix.track_id: piece.towards for piece in self.pieces}

    def window(self, name: str) -> range | None:
        """The steps of a named window, which all pieces share; raises ProbeError if they do not."""
        windows = {piece.windows[name] for piece in self.pieces}
        if len(windows) != 1:
            raise ProbeError(f"the pieces do not agree on where the {name} is", found=windows)
        return windows.pop()

    def named(self, steps: range | None) -> str:
        """Name of the window that has these steps; raises KeyError."""
        for name, window in self.pieces[0].windows.items():
            if window == steps:
                return name
        raise KeyError(steps)


def composed_pieces(
    model: MusicModel,
    tracks: Sequence[ManifestTrack],
    audio_root: Path,
    twins: Twins,
    *,
    codec: AudioEncoder | None = None,
) -> Pieces:
    """Pieces of composed music, up to the end of the cue.

    ``codec`` gives the codes, the model itself by default.
    Raises AudioError, CorpusError, and ProbeError for a track whose truth is not known.
    """
    pieces, codec = [], codec or model
    for track in tracks:
        known = twins.planted(track.track_id, model)
        if known is None:
            raise ProbeError(f"nothing is known of {track.track_id}", expected="a composed track")
        sources = {}
        for slot, name in enumerate((TWIN, OTHER_TWIN)):
            codes = twins.counterfactual(codec, track.track_id, slot)
            assert codes is not None
            sources[name] = codes
        rate = codec.sample_rate
        prefix = prefix_of(
            codec, track, audio_root, seconds=known.prefix_samples / rate, sources=sources
        )
        slot_span, lead = known.slots[SLOT], round(LEAD_SECONDS * rate)
        start = max(0, slot_span.start_sample - lead)
        pieces.append(
            Piece(
                prefix=prefix,
                motifs=known.motifs[:1],
                heard=Span(
                    start_sample=start,
                    samples=slot_span.start_sample + slot_span.samples - start,
                ),
                towards=-1 if known.returns[SLOT] else 1,
                windows={
                    "cue": known.cue_steps,
                    "gap": known.gap_steps(SLOT),
                    "slot": known.slot_steps(SLOT),
                },
            )
        )
    return Pieces(pieces, TWIN, OTHER_TWIN)


def recorded_pieces(
    codec: AudioEncoder,
    tracks: Sequence[ManifestTrack],
    audio_root: Path,
    labels: Sequence[Label],
    *,
    seconds: float,
    horizon: float,
    prompt: bool,
) -> Pieces:
    """Pieces of any other music: ``seconds`` of each track that has a verified motif in them.

    A return counts from ``horizon`` seconds into the continuation on. Raises AudioError, and
    ProbeError for fewer than two tracks.
    """
    chosen: list[tuple[ManifestTrack, list[Span]]] = []
    for track in tracks:
        motifs = _motifs(track, labels, seconds, codec.sample_rate)
        if motifs:
            chosen.append((track, motifs))
    if len(chosen) < 2:
        raise ProbeError(
            "too few tracks have a verified motif at their beginning",
            found=len(chosen),
            expected=f"2 or more with a motif within their first {seconds:g} s",
            fix="label more recurrences with `leitmotif review`, or lengthen "
            "interventions.prefix_seconds",
        )
    plain = [
        prefix_of(codec, track, audio_root, seconds=seconds, prompt=prompt) for track, _ in chosen
    ]
    heard_from = round(horizon * codec.sample_rate)
    pieces = []
    for number, (prefix, (_, motifs)) in enumerate(zip(plain, chosen, strict=True)):
        other = plain[(number + 1) % len(plain)]
        whole = replace(
            prefix, sources={NEXT_TRACK: other.codes}, tracks={NEXT_TRACK: other.track_id}
        )
        heard = Span(start_sample=heard_from, samples=1 << 40)
        pieces.append(Piece(whole, motifs, heard, 1, {"gap": None}))
    return Pieces(pieces, NEXT_TRACK, None)


def _motifs(
    track: ManifestTrack, labels: Sequence[Label], seconds: float, sample_rate: int
) -> list[Span]:
    """Distinct verified motifs within the first seconds of a track's window, at ``sample_rate``."""
    start, spans = start_seconds(track.windows[0]), set()
    for label in labels:
        at = label.motif.start_sample / label.sample_rate - start
        length = label.motif.samples / label.sample_rate
        if label.track_id == track.track_id and at >= 0 and at + length <= seconds:
            spans.add((round(at * sample_rate), round(length * sample_rate)))
    return [Span(start_sample=at, samples=length) for at, length in sorted(spans)]
