"""The pieces of an experiment: where each goes on, what is patched in, what is listened for.

A piece has one event, the recurrence that is listened for, and steps named by their lead:

=========  =======================================================================================
``ahead``  from which the event is further away than the nearest horizon of which a claim is made
``slot``   those that predict the event's own frames
=========  =======================================================================================

Of composed music the truth is known. The prefix ends with the cue; the event is the last slot,
which is furthest from it; patches come from the twin whose cue says the opposite of the event, and
their control from a twin whose cue says the opposite of another slot. Of any other corpus a prefix
has the length that is asked for, patches come from the next track, the motifs are those of verified
recurrences that lie in the prefix, and the event is any return that is far enough ahead of the
steps that are treated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leitmotif.causal.experiment.prefixes import Prefix, prefix_of
from leitmotif.causal.experiment.twins import Planted, Twins, source_name
from leitmotif.errors import ConfigError, ProbeError
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.store.cache.codes import AudioEncoder
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Label
from leitmotif.timing.windows import start_seconds

COUNTERFACTUAL, CONTROL = "counterfactual", "control"
NEXT_TRACK = "next_track"
LEAD_SECONDS = 0.32
"""Heard before a slot: a return found a little early still counts."""
AHEAD, SLOT = "ahead", "slot"


@dataclass(frozen=True)
class Piece:
    """One track of the experiment, and its event."""

    prefix: Prefix
    motifs: Sequence[Span]
    """Of the prefix, in samples."""
    heard: Span | None
    """Samples of the continuation in which a return counts; None for all of it."""
    towards: int
    """+1 if the patches' source has the motif return where this piece has not, -1 if the other way;
    +1 where nothing is known."""


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

    @property
    def windows(self) -> list[str]:
        """Names of the steps that every piece has."""
        each = [piece.prefix.windows for piece in self.pieces]
        return [name for name in each[0] if all(name in windows for windows in each)]


def composed_pieces(
    model: MusicModel,
    tracks: Sequence[ManifestTrack],
    audio_root: Path,
    twins: Twins,
    *,
    horizon: float,
    codec: AudioEncoder | None = None,
) -> Pieces:
    """Pieces of composed music, up to the end of the cue.

    ``horizon`` is the distance of a claim in seconds, and ``codec`` gives the codes, the model
    itself by default. Raises AudioError, CorpusError, ProbeError for a track whose truth is not
    known, and ConfigError where no step is far enough ahead of the event.
    """
    codec = codec or model
    pieces = []
    for track in tracks:
        planted = _planted(twins, track, model)
        slot = len(planted.slots) - 1
        other = (slot + 1) % len(planted.slots)
        named = {COUNTERFACTUAL: slot, CONTROL: other}
        sources = {}
        for name, of_slot in named.items():
            codes = twins.counterfactual(codec, track.track_id, of_slot)
            assert codes is not None
            sources[name] = codes
        rate = codec.sample_rate
        prefix = prefix_of(
            codec, track, audio_root, seconds=planted.prefix_samples / rate, sources=sources
        )
        span, lead = planted.slots[slot], round(LEAD_SECONDS * rate)
        start = max(0, span.start_sample - lead)
        pieces.append(
            Piece(
                prefix=replace(
                    prefix,
                    tracks={name: source_name(of_slot) for name, of_slot in named.items()},
                    windows=_windows(planted, slot, model, horizon),
                ),
                motifs=planted.motifs[:1],
                heard=Span(start_sample=start, samples=span.start_sample + span.samples - start),
                towards=-1 if planted.returns[slot] else 1,
            )
        )
    return Pieces(pieces, COUNTERFACTUAL, CONTROL)


def _planted(twins: Twins, track: ManifestTrack, model: MusicModel) -> Planted:
    planted = twins.planted(track.track_id, model)
    if planted is None:
        raise ProbeError(f"nothing is known of {track.track_id}", expected="a composed track")
    return planted


def _windows(planted: Planted, slot: int, model: MusicModel, horizon: float) -> dict[str, range]:
    gap, event = planted.gap_steps(slot), planted.slot_steps(slot)
    split = event.start - round(horizon * model.frame_rate)
    if not gap.start < split:
        raise ConfigError(
            "no step between cue and slot is far enough ahead for a claim",
            found=f"slot {slot} comes {len(gap) / model.frame_rate:.2f} s after the cue",
            expected=f"more than {horizon:g} s, the nearest horizon of which a claim is made",
            fix="choose a nearer horizon (probes.minimum_seconds), or music with a longer gap",
        )
    return {AHEAD: range(gap.start, split), SLOT: event}


def recorded_pieces(
    codec: AudioEncoder,
    tracks: Sequence[ManifestTrack],
    audio_root: Path,
    labels: Sequence[Label],
    *,
    prefix_seconds: float,
    seconds: float,
    horizon: float,
    prompt: bool,
) -> Pieces:
    """Pieces of any other music: the beginning of each track that has a verified motif in it.

    The steps that are treated are the first of the continuation, as many as leave room for a return
    that begins ``horizon`` seconds after the last of them: half of what the continuation of
    ``seconds`` is longer than that. A return counts from there on. Raises AudioError, ConfigError
    for too short a continuation, and ProbeError for fewer than two tracks.
    """
    treated = (seconds - horizon) / 2
    if round(treated * codec.frame_rate) < 1:
        raise ConfigError(
            "the continuation is too short for a return that far ahead",
            found=f"interventions.seconds {seconds:g}",
            expected=f"more than {horizon:g} s, the nearest horizon of which a claim is made",
            fix="continue for longer, or choose a nearer horizon (probes.minimum_seconds)",
        )
    chosen: list[tuple[ManifestTrack, list[Span]]] = []
    for track in tracks:
        motifs = _motifs(track, labels, prefix_seconds, codec.sample_rate)
        if motifs:
            chosen.append((track, motifs))
    if len(chosen) < 2:
        raise ProbeError(
            "too few tracks have a verified motif at their beginning",
            found=len(chosen),
            expected=f"2 or more with a motif within their first {prefix_seconds:g} s",
            fix="label more recurrences with `leitmotif review`, or lengthen "
            "interventions.prefix_seconds",
        )
    plain = [
        prefix_of(codec, track, audio_root, seconds=prefix_seconds, prompt=prompt)
        for track, _ in chosen
    ]
    heard = Span(start_sample=round((treated + horizon) * codec.sample_rate), samples=1 << 40)
    steps = round(treated * codec.frame_rate)
    pieces = []
    for number, (prefix, (_, motifs)) in enumerate(zip(plain, chosen, strict=True)):
        other, first = plain[(number + 1) % len(plain)], prefix.codes.shape[1] + 1
        whole = replace(
            prefix,
            sources={NEXT_TRACK: other.codes},
            tracks={NEXT_TRACK: other.track_id},
            windows={AHEAD: range(first, first + steps)},
        )
        pieces.append(Piece(whole, motifs, heard, 1))
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
