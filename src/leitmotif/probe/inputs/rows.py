"""The rows of an experiment: which steps of which tracks, with their targets and controls.

A row is one decoder step of one context (window) of one track. All models, sites and horizons of a
run use the same rows, so that their figures compare; the models must have one frame rate. Targets
and the sound that controls describe are found by the seconds of audio that a step has read.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from leitmotif.audio.artifacts import SourceArtifacts
from leitmotif.audio.features import Features
from leitmotif.claims import Horizon
from leitmotif.errors import ProbeError, counted
from leitmotif.files import read_table
from leitmotif.files.restoring import how_to_restore
from leitmotif.probe.inputs.controls import ControlTable, TrackSound, control_table, refuse_reach
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.targets import Spans, events_of, known_spans, known_tracks, target
from leitmotif.probe.panel.arguments import refuse_not_finite
from leitmotif.probe.panel.panel import Array
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tensors import read_tensors
from leitmotif.timing.frames import Timing, first_frame_from, frames_ended
from leitmotif.timing.windows import end_seconds, windows_at


@dataclass(frozen=True)
class Context:
    """One window of a track, as the model read it; frames and steps are the model's."""

    track_id: str
    start_frame: int
    frames: int
    first_row: int
    """First row of the window in the track's stored tensor."""
    steps: NDArray[np.int64]
    """Decoder steps that are rows of the experiment."""


@dataclass(frozen=True)
class Sample:
    """The rows on which one horizon's target is put to the test."""

    horizon: Horizon
    inside: NDArray[np.bool_]
    """[rows], which of all rows they are."""
    y: Array
    """[n]"""
    groups: NDArray[np.str_]
    """[n], each row's track."""
    controls: Array
    """[n, p]"""
    control_names: list[str]
    """``control.column`` each"""

    @property
    def tracks(self) -> tuple[slice, ...]:
        """The rows of each track."""
        counts = Counter(self.groups.tolist())  # in order of appearance
        ends = np.cumsum([*counts.values()])
        return tuple(
            slice(int(end - n), int(end)) for end, n in zip(ends, counts.values(), strict=True)
        )


@dataclass(frozen=True)
class Rows:
    """Rows, track by track and in order of time."""

    contexts: list[Context]
    groups: NDArray[np.str_]
    """[rows], each row's track."""
    targets: Array
    """[rows, H], one column a horizon."""
    controls: ControlTable
    """[rows, p]"""
    timing: Timing
    """Where steps lie in the audio."""

    def sample(
        self, horizons: Sequence[Horizon], number: int, *, tracks: Collection[str] | None = None
    ) -> Sample:
        """Rows for one of the horizons that the targets were made for, of some tracks or of all.

        Places in the track at which all tracks have the same target are left out: the place alone
        says all there is to know there. Kept, they would only show how far a control model without
        interactions of place and sound is from the truth, and any feature that knows the sound
        would seem to foresee. Raises ProbeError if no place is left.
        """
        y = self.targets[:, number]
        starts = np.flatnonzero(np.r_[True, self.groups[1:] != self.groups[:-1]])
        lengths = np.diff(np.r_[starts, len(y)])
        places = np.arange(len(y)) - np.repeat(starts, lengths)
        chosen = np.full(len(y), True) if tracks is None else np.isin(self.groups, [*tracks])
        least, most = np.full(places.max() + 1, np.inf), np.full(places.max() + 1, -np.inf)
        np.minimum.at(least, places[chosen], y[chosen])
        np.maximum.at(most, places[chosen], y[chosen])
        inside = (most > least)[places] & chosen
        if not inside.any():
            raise ProbeError(
                f"horizon {horizons[number].name} has the same target in all tracks",
                found=f"{y[chosen].min():g} to {y[chosen].max():g} over all rows",
                expected="recurrences in some tracks and none in others at the same time",
                fix="choose another horizon, or more tracks",
            )
        return Sample(
            horizon=horizons[number],
            inside=inside,
            y=y[inside],
            groups=self.groups[inside],
            controls=self.controls.values[inside],
            control_names=self.controls.names,
        )

    def features(self, store: ActivationStore, site: str) -> Array:
        """Activations of these rows at a site: [rows, d].

        Raises StoreError, and ProbeError for tensors that hold NaN and for those whose rows lie
        elsewhere in the audio.
        """
        by_track: dict[str, NDArray[np.floating]] = {}
        blocks = []
        for context in self.contexts:
            if context.track_id not in by_track:
                self.refuse_other_timing(store.header(site, context.track_id).timing, context)
                by_track = {context.track_id: store.load(site, context.track_id)}
            stored = by_track[context.track_id]
            chosen = stored[context.first_row + context.steps].astype(np.float64)
            refuse_not_finite(chosen, f"activations of {site}, track {context.track_id},")
            blocks.append(chosen)
        return np.vstack(blocks)

    def refuse_other_timing(self, timing: Timing, context: Context) -> None:
        """Raise ProbeError unless ``timing``, of stored rows of a context's track, is the rows'."""
        if timing != self.timing:
            raise ProbeError(
                f"what is stored of track {context.track_id} has rows at other times",
                found=f"{timing.frame_rate:g} a second, hearing {timing.hearing_seconds:g} s ahead",
                expected=f"{self.timing.frame_rate:g} a second, hearing "
                f"{self.timing.hearing_seconds:g} s ahead, as the experiment's model",
                fix="compare models of one codec only",
            )


def gather(
    tracks: Sequence[ManifestTrack],
    sounds: Mapping[str, TrackSound],
    labels: Sequence[Label],
    coverage: Iterable[Coverage],
    *,
    timing: Timing,
    horizons: Sequence[Horizon],
    settings: ControlSettings,
    start_seconds: float,
    stride: int,
    exploratory: bool,
) -> Rows:
    """Choose the rows of an experiment and measure their targets and controls.

    By the score everything is known, so that past a piece's end nothing returns; by people's
    decisions, what they listened to.

    Parameters
    ----------
    tracks : manifest rows; those of which nothing is known are left out.
    sounds : what the features stage wrote, by track.
    labels, coverage : verified recurrences, and where each track has no others.
    timing : of the model under study.
    horizons : a row is kept if all of them are known there.
    settings : which controls there are, and how they are bent.
    start_seconds, stride : every ``stride``-th step from there on is a row.
    exploratory : take all that was searched for known.

    Raises ProbeError if no row is left, if nothing is known of any track, or if a control could
    hear the nearest horizon.
    """
    refuse_reach(settings.controls, horizons)
    coverage = list(coverage)
    chosen = set(known_tracks([t.track_id for t in tracks], coverage, exploratory=exploratory))
    covered = {row.track_id: row for row in coverage}
    contexts, targets, heard, groups = [], [], [], []
    for track in tracks:
        if track.track_id not in chosen:
            continue
        sound, steps = sounds[track.track_id], (start_seconds, stride)
        searched = min(end_seconds(track.windows), sound.seconds)
        known = known_spans(covered[track.track_id], searched, exploratory=exploratory)
        for context, y in _contexts(track, sound, labels, timing, horizons, steps, known):
            contexts.append(context)
            targets.append(y)
            heard.append(_part(sound, context, timing.frame_rate))
            groups.append(np.full(len(y), track.track_id))
    if not contexts:
        raise _nothing_known(len(chosen), start_seconds, horizons)
    heard_steps = [
        frames_ended(context.steps, timing.frame_rate, sound.frame_rate)
        for context, sound in zip(contexts, heard, strict=True)
    ]
    table = control_table(settings.controls, heard, heard_steps)
    return Rows(contexts, np.concatenate(groups), np.vstack(targets), table, timing)


def _nothing_known(tracks: int, start_seconds: float, horizons: Sequence[Horizon]) -> ProbeError:
    return ProbeError(
        "no row's horizons are all known",
        found=f"{counted(tracks, 'track')}, rows from {start_seconds:g} s on",
        expected="stretches, known throughout, that reach "
        f"{start_seconds + max(h.until for h in horizons):g} s or further into a window",
        fix="listen to more with `leitmotif review`, or use nearer horizons or longer windows",
    )


def _contexts(
    track: ManifestTrack,
    sound: TrackSound,
    labels: Sequence[Label],
    timing: Timing,
    horizons: Sequence[Horizon],
    steps: tuple[float, int],
    known: Spans | None,
) -> Iterator[tuple[Context, Array]]:
    """The windows of a track in which there are rows, with the rows' targets [rows, H].

    A track's rows end at the first whose horizons are not all known, so that row n of every track
    stands at the same place: means by place and exchanges between tracks rest on that. ``steps``
    are the seconds at which rows begin, and how many steps apart they are; ``known`` are seconds of
    the track.
    """
    rate, (start_seconds, stride) = timing.frame_rate, steps
    heard_frames = int(frames_ended(sound.frames, sound.frame_rate, rate))
    first = max(first_frame_from(1, sound.frame_rate, rate), round(start_seconds * rate))
    first_row = 0
    for window in windows_at(track.windows, rate):
        frames = min(window.frames, heard_frames - window.start_frame)
        candidates = np.arange(first, frames, stride)
        start = window.start_frame / rate
        events = events_of(labels, track.track_id, start_seconds=start)
        spans = None if known is None else [(a - start, b - start) for a, b in known]
        now = timing.now(candidates)
        by_horizon = [target(now, events, horizon, known=spans) for horizon in horizons]
        known_rows = np.logical_and.reduce([mask for _, mask in by_horizon])
        count = len(candidates) if known_rows.all() else int(known_rows.argmin())
        if count:
            kept = candidates[:count]
            context = Context(track.track_id, window.start_frame, frames, first_row, kept)
            yield context, np.column_stack([y for y, _ in by_horizon])[:count]
        if count < len(candidates):
            break
        first_row += frames


def read_sounds(folder: Path, tracks: Iterable[ManifestTrack]) -> dict[str, TrackSound]:
    """Read what the features stage wrote of each track.

    Raises ProbeError where a track has none.
    """
    artifacts = {
        row.track_id: row for row in read_table(folder / "artifacts.jsonl", SourceArtifacts)
    }
    sounds = {}
    for track in tracks:
        path = folder / f"{track.track_id}.safetensors"
        if track.track_id not in artifacts or not path.exists():
            raise ProbeError(
                f"track {track.track_id} has no features",
                expected=str(path),
                fix=how_to_restore("features"),
            )
        sounds[track.track_id] = _read_sound(path, artifacts[track.track_id])
    return sounds


def _read_sound(path: Path, artifacts: SourceArtifacts) -> TrackSound:
    try:
        arrays, header = read_tensors(path)
        chroma, energy, onset = (arrays[name] for name in ("chroma", "energy", "onset"))
        rate = float(header["frame_rate"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise _no_features(path, error) from error
    if (
        chroma.ndim != 2
        or not chroma.shape[1:] == energy.shape == onset.shape
        or not 0 < rate < 1e6
    ):
        found = (
            f"chroma {chroma.shape}, energy {energy.shape}, onset {onset.shape}, {rate:g} a second"
        )
        raise _no_features(path, found)
    return TrackSound(Features(chroma, energy, onset, tuning_cents=0.0), artifacts, rate)


def _no_features(path: Path, found: object) -> ProbeError:
    return ProbeError(
        f"{path} does not hold a track's features",
        found=found,
        expected="chroma [12, frames], energy [frames], onset [frames], and their rate",
        fix=how_to_restore("features"),
    )


def _part(sound: TrackSound, context: Context, rate: float) -> TrackSound:
    """The sound of one context alone, as the model has read nothing from before it.

    ``rate`` is that of the context's frames.
    """
    end = context.start_frame + context.frames
    frames = slice(
        first_frame_from(context.start_frame, rate, sound.frame_rate),
        int(frames_ended(end, rate, sound.frame_rate)),
    )
    whole = sound.features
    part = Features(
        whole.chroma[:, frames], whole.energy[frames], whole.onset[frames], whole.tuning_cents
    )
    return TrackSound(part, sound.artifacts, sound.frame_rate)
