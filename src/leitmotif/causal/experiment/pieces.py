"""The pieces of an experiment: where each goes on, what is patched in, what is listened for.

A piece has one event, the recurrence that is listened for, and steps named by their lead:

=========  =======================================================================================
``ahead``  from which the event is further away than the nearest horizon of which a claim is made
``slot``   those that predict the event's own frames
=========  =======================================================================================

Of composed music the truth is known. The prefix ends with the cue; the event is the last slot,
which is furthest from it; patches come from the twin whose cue says the opposite of the event, and
their control from a twin whose cue says the opposite of another slot. For recordings see
``resampled``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leitmotif.causal.experiment.beginnings import beginning_of
from leitmotif.causal.experiment.prefixes import Prefix, prefix_of
from leitmotif.causal.experiment.twins import Planted, Twins, source_name
from leitmotif.errors import ConfigError, ProbeError
from leitmotif.musicgen.protocol import AudioEncoder, MusicModel
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Label
from leitmotif.tables.openings import OpenedRecording

COUNTERFACTUAL, CONTROL = "counterfactual", "control"
LEAD_SECONDS = 0.32
"""Heard before a slot: a return found a little early still counts."""
AHEAD, SLOT = "ahead", "slot"
WRITTEN_BACK = 4
"""Pieces in which activations are written back as they were read. That this changes nothing is a
property of the code and the site, not a rate: more pieces would say nothing new of it."""


@dataclass(frozen=True)
class Piece:
    """One track of the experiment, and its event."""

    prefix: Prefix
    motifs: Sequence[Span]
    """Motifs of the prefix, in samples."""
    heard: Span | None
    """Samples of the continuation in which a return counts; None for all of it."""
    towards: int
    """+1 if the patches' source has the motif return where this piece has not, -1 if the other way.
    """


@dataclass(frozen=True)
class Pieces:
    """All of them, and what patches and their controls are called."""

    pieces: Sequence[Piece]
    source: str
    control: str
    """A source that differs as much, but says nothing of what is listened for."""
    openings: Sequence[OpenedRecording] = ()
    """What the openings of recordings say, those without a piece included; none of composed music.
    """

    @property
    def prefixes(self) -> list[Prefix]:
        """What the runner takes."""
        return [piece.prefix for piece in self.pieces]

    @property
    def written_back(self) -> frozenset[str]:
        """Tracks in which activations are written back as they were read."""
        return frozenset(piece.prefix.track_id for piece in self.pieces[:WRITTEN_BACK])

    @property
    def towards(self) -> dict[str, int]:
        """Predicted direction by track."""
        return {piece.prefix.track_id: piece.towards for piece in self.pieces}

    @property
    def windows(self) -> list[str]:
        """Names of the steps that every piece has."""
        each = [piece.prefix.windows for piece in self.pieces]
        first = each[0] if each else {AHEAD: range(0)}
        return [name for name in first if all(name in windows for windows in each)]


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
        planted = twins.known(track.track_id, model)
        slot = len(planted.slots) - 1
        if not slot:
            raise ConfigError(
                f"{track.track_id} has no control",
                found="one slot",
                expected="two slots or more: the twin of another slot is the control",
                fix="compose music whose world has more than one of slot_bars",
            )
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


def recordings_with_motifs(
    codec: AudioEncoder,
    tracks: Sequence[ManifestTrack],
    audio_root: Path,
    labels: Sequence[Label],
    *,
    most: int,
    seconds: float,
    longest: float,
    prompt: bool,
) -> list[tuple[Prefix, list[Span]]]:
    """The beginnings of the first ``most`` tracks that have one (``beginning_of``), and the motifs.

    Of a track's windows the first is taken that lasts ``seconds`` and has a verified motif in them.
    Motifs longer than ``longest`` seconds, which no continuation could return, do not count.
    ``prompt`` makes a sentence of a track's tags. Raises AudioError, and ProbeError where no track
    has such a motif.
    """
    rate = codec.sample_rate
    recordings: list[tuple[Prefix, list[Span]]] = []
    for track in tracks:
        if len(recordings) == most:
            break
        beginning = beginning_of(track, labels, seconds=seconds, longest=longest)
        if beginning is None:
            continue
        prefix = prefix_of(
            codec, track, audio_root, seconds=seconds, window=beginning.window, prompt=prompt
        )
        spans = [
            Span(start_sample=round(start * rate), samples=round(length * rate))
            for start, length in beginning.motifs
        ]
        recordings.append((prefix, spans))
    if not recordings:
        raise ProbeError(
            "no track has a verified motif at the beginning of a window",
            found=f"{len(labels)} labels in {len(tracks)} tracks",
            expected=f"a motif of at most {longest:g} s within the first {seconds:g} s of a window",
            fix="label more recurrences with `leitmotif review`, or lengthen "
            "interventions.prefix_seconds or interventions.seconds",
        )
    return recordings
