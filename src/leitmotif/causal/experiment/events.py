"""Recurrences as events: what was decided, when it shows, and what the alternative is.

An event is one recurrence of one piece that may happen or not: an occasion on which the motif
returns, or does not. Everything that is said of it (decodable, causal, heard) is said by *lead*: a
step t that predicts frame t stands ``(onset - t) / frame_rate`` seconds before the event, and has
read nothing of it.

Of composed music a slot of the score is an event. Its counterfactual is the same piece whose cue
says the opposite of this slot; the control's cue says the opposite of another slot, so it differs
as much and says nothing of the event.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from leitmotif.causal.experiment.prefixes import prefix_of
from leitmotif.causal.experiment.twins import Twins
from leitmotif.musicgen.protocol import AudioEncoder, MusicModel
from leitmotif.tables.corpus import ManifestTrack


@dataclass(frozen=True, eq=False)
class Event:
    """One recurrence that the piece has or lacks, with a counterfactual in which it is otherwise.

    All codes are [K, T] up to the last frame that is read, and steps correspond.
    """

    track_id: str
    slot: int
    """Which of the track's events it is, from 0."""
    returns: bool
    """Whether the motif returns in the piece as it is."""
    codes: Tensor
    """The piece."""
    counterfactual: Tensor
    """The same notes after what decides the event otherwise."""
    control: Tensor | None
    """The same notes after a change as large that says nothing of the event."""
    onset: int
    """Step that predicts the event's first frame."""
    frame: int
    """First frame from there on at which return and no return are told apart by their tokens."""
    tokens: tuple[int, int]
    """Tokens of the first codebook in that frame: if the motif returns, and if not."""
    gap: range
    """Steps after what decides the event has been read, and before ``onset``."""
    deciding: range
    """Steps that read what decides the event."""
    ending: tuple[int, ...] = ()
    """Tokens of the first codebook from ``frame`` on, of which the log-probability is read instead
    of the log-odds of ``tokens``; none: those are read."""

    @property
    def read(self) -> range:
        """Frames of which tokens are read."""
        return range(self.frame, self.frame + max(1, len(self.ending)))

    @property
    def sign(self) -> int:
        """1 where the counterfactual has the event, -1 where it lacks it."""
        return -1 if self.returns else 1

    def steps(self, frame_rate: float, after: float, until: float | None) -> range:
        """Steps of the gap at which the event lies in (after, until] seconds ahead; None: any more.

        Empty where the gap has no such steps.
        """
        stop = min(self.gap.stop, self.onset - round(after * frame_rate))
        start = self.gap.start
        if until is not None:
            start = max(start, self.onset - round(until * frame_rate))
        return range(start, max(start, stop))


def composed_events(
    model: MusicModel,
    tracks: Sequence[ManifestTrack],
    audio_root: Path,
    twins: Twins,
    *,
    codec: AudioEncoder | None = None,
) -> list[Event]:
    """Every slot of every track, in this order.

    Slots in which filler and motif have the same tokens show nothing and are left out. ``codec``
    gives the codes, the model itself by default. Raises AudioError, CorpusError, and ProbeError for
    a track whose truth is not known.
    """
    return [
        event
        for track in tracks
        for event in _of_track(model, track, audio_root, twins, codec or model)
    ]


def _of_track(
    model: MusicModel,
    track: ManifestTrack,
    audio_root: Path,
    twins: Twins,
    codec: AudioEncoder,
) -> Iterator[Event]:
    known = twins.known(track.track_id, model)
    ends = [slot.start_sample + slot.samples for slot in known.truth.slots]
    seconds = max(ends, default=0) / known.sample_rate
    codes = prefix_of(codec, track, audio_root, seconds=seconds).codes
    heard = {
        slot: twins.counterfactual(codec, track.track_id, slot)
        for slot in range(len(known.truth.slots))
    }
    for slot, returns in enumerate(known.returns):
        twin = twins.counterfactual_piece(codec, track.track_id, slot)
        assert twin is not None
        onset, book = known.onset_step(slot), model.delays.index(0)
        differs = (codes[book] != twin[book, : codes.shape[1]]).nonzero().flatten()
        shown = [int(frame) for frame in differs if frame in known.slot_steps(slot)]
        if not shown:
            continue
        frame = shown[0]
        own, other = int(codes[book, frame]), int(twin[book, frame])
        others = [number for number in heard if number != slot]
        yield Event(
            track_id=track.track_id,
            slot=slot,
            returns=returns,
            codes=codes[:, : frame + 1],
            counterfactual=_after(heard[slot], codes, frame),
            control=_after(heard[others[0]], codes, frame) if others else None,
            onset=onset,
            frame=frame,
            tokens=(own, other) if returns else (other, own),
            gap=known.gap_steps(slot),
            deciding=known.cue_steps,
        )


def _after(prefix: Tensor | None, codes: Tensor, frame: int) -> Tensor:
    """The codes up to ``frame`` with another beginning: [K, frame + 1]."""
    assert prefix is not None
    return torch.cat([prefix, codes[:, prefix.shape[1] : frame + 1]], dim=1)


def balanced(
    tracks: Sequence[ManifestTrack], decisions: Mapping[str, Sequence[bool]], count: int
) -> list[ManifestTrack]:
    """Take ``count`` tracks of which as many have each combination of decisions as can be.

    Combinations take turns, and within one the tracks keep their order, so that no decision goes
    with another or with the place in the manifest. Fewer are returned where there are fewer.
    """
    groups: dict[tuple[bool, ...], list[ManifestTrack]] = {}
    for track in tracks:
        groups.setdefault(tuple(decisions[track.track_id]), []).append(track)
    ordered = [groups[key] for key in sorted(groups, reverse=True)]
    longest = max((len(group) for group in ordered), default=0)
    turns = [group[turn] for turn in range(longest) for group in ordered if turn < len(group)]
    return turns[:count]
