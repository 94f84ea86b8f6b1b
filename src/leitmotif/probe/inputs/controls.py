"""The control registry: what could explain a prediction without foresight.

A control is a class with a name; ``controls.yaml`` says which are used and how. The sound has
frames of its own, at the rate that its file states. Where n of them have ended by the time up to
which a decoder step has read, a control uses frames 0 to n - 1; n is the step as controls count it.

Chroma and onsets are heard in windows that reach past their frame, so each control states its
``reach``: how many seconds past the end of frame n - 1 it may hear. That makes the test stricter,
not laxer, as long as it ends before the nearest horizon begins, which ``refuse_reach`` sees to.
tests/probe/test_controls.py measures it. One number of a whole track besides the file's own is
used: the tuning that chroma is corrected for.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from leitmotif.audio.artifacts import SourceArtifacts
from leitmotif.audio.features import Features
from leitmotif.claims import Horizon
from leitmotif.config import Settings
from leitmotif.errors import ProbeError
from leitmotif.probe.panel.panel import Array, constant_columns, refuse_collinear

CHROMA_REACH = 0.95
"""Seconds that chroma hears past a frame's end: half a window at C1, and the filters between
octaves. Measured on noise: 0.92."""
ONSET_REACH = 0.022
"""1024 samples past the middle of the frame, less the half frame that is its own."""


@dataclass(frozen=True)
class TrackSound:
    """What the features stage measured of one track."""

    features: Features
    artifacts: SourceArtifacts
    frame_rate: float
    """Frames of the features a second."""

    @property
    def frames(self) -> int:
        """Frames of the features."""
        return len(self.features.energy)

    @property
    def seconds(self) -> float:
        """Duration of all frames."""
        return self.frames / self.frame_rate

    def past_mean(
        self, values: NDArray[np.floating], steps: NDArray[np.int64], seconds: float | None = None
    ) -> Array:
        """Means of frames [frames, k] before each step [n], over ``seconds`` or all: [n, k]."""
        width = len(values) if seconds is None else round(seconds * self.frame_rate)
        return past_mean(values, steps, width)


Seconds = Annotated[float, Field(gt=0, le=60)]


def _distinct(lags: tuple[float, ...]) -> tuple[float, ...]:
    if len(set(lags)) < len(lags):
        raise ValueError("named twice")
    return lags


class Control(Settings, ABC):
    """Columns of one kind for the steps of a track; its fields can be set in controls.yaml."""

    name: ClassVar[str]
    reach: ClassVar[float] = 0.0
    """Seconds past the last frame read that it may hear."""

    @abstractmethod
    def columns(self, sound: TrackSound, steps: NDArray[np.int64]) -> dict[str, Array]:
        """Columns [n] by name for steps [n] in frames of the sound, each at least 1."""


REGISTRY: dict[str, type[Control]] = {}


def register(control: type[Control]) -> type[Control]:
    """Make a control known by its name."""
    REGISTRY[control.name] = control
    return control


@register
class Position(Control):
    """Seconds since the context began. The probes also give each place a mean of its own."""

    name = "position"

    def columns(self, sound: TrackSound, steps: NDArray[np.int64]) -> dict[str, Array]:
        """Seconds."""
        return {"seconds": steps / sound.frame_rate}


@register
class TrackLength(Control):
    """Seconds of the whole context: longer music has more room for returns, and sounds different.

    It is a property of the file that is known beforehand, and no feature of the model changes it.
    """

    name = "track_length"

    def columns(self, sound: TrackSound, steps: NDArray[np.int64]) -> dict[str, Array]:
        """One column, constant in a context."""
        return {"seconds": np.full(len(steps), sound.seconds)}


@register
class TrackIdentity(Control):
    """What the track has sounded like so far: means and spreads over all frames read.

    A one-hot code of the track would say nothing of tracks that no fit has seen. A mean over the
    whole track would hold the future.
    """

    name = "track_identity"
    reach = CHROMA_REACH

    def columns(self, sound: TrackSound, steps: NDArray[np.int64]) -> dict[str, Array]:
        """Running means of chroma, energy and onset, and running spreads of the last two."""
        columns = _named("chroma", sound.past_mean(sound.features.chroma.T, steps))
        for name in ("energy", "onset"):
            values = np.asarray(getattr(sound.features, name), np.float64)[:, np.newaxis]
            mean, square = (sound.past_mean(x, steps)[:, 0] for x in (values, values**2))
            columns[f"{name}_mean"] = mean
            columns[f"{name}_spread"] = np.sqrt(np.maximum(square - mean**2, 0))
        return columns


@register
class LocalChroma(Control):
    """Mean chroma over the last ``seconds``."""

    seconds: Seconds = 0.5
    """How far back."""
    name = "local_chroma"
    reach = CHROMA_REACH

    def columns(self, sound: TrackSound, steps: NDArray[np.int64]) -> dict[str, Array]:
        """Twelve pitch classes."""
        return _named("chroma", sound.past_mean(sound.features.chroma.T, steps, self.seconds))


@register
class LocalEnergy(Control):
    """Level in dBFS: of the last frame, and its mean over the last ``seconds``."""

    seconds: Seconds = 0.5
    """How far back."""
    name = "local_energy"

    def columns(self, sound: TrackSound, steps: NDArray[np.int64]) -> dict[str, Array]:
        """Two levels."""
        energy = np.asarray(sound.features.energy, np.float64)[:, np.newaxis]
        return {
            "last": energy[steps - 1, 0],
            "mean": sound.past_mean(energy, steps, self.seconds)[:, 0],
        }


@register
class OnsetDensity(Control):
    """Mean onset strength over the last ``seconds``, and over the last frame."""

    seconds: Seconds = 2.0
    """How far back."""
    name = "onset_density"
    reach = ONSET_REACH

    def columns(self, sound: TrackSound, steps: NDArray[np.int64]) -> dict[str, Array]:
        """Two strengths."""
        onset = np.asarray(sound.features.onset, np.float64)[:, np.newaxis]
        return {
            "last": onset[steps - 1, 0],
            "mean": sound.past_mean(onset, steps, self.seconds)[:, 0],
        }


@register
class SourceArtifact(Control):
    """What the file gives away: cut-off, bit rate, sample rate, channels, clipping, silence.

    All but silence are properties of the whole file. Level and peak are left out: together with the
    past they would tell how loud the future is, and a control that holds the future can make a link
    where there is none (a collider). Silence is counted over the frames read.
    """

    silence_dbfs: Annotated[float, Field(le=0)] = -60.0
    """Frames below this level count as silent."""
    name = "source_artifacts"

    def columns(self, sound: TrackSound, steps: NDArray[np.int64]) -> dict[str, Array]:
        """Six columns, of which five are constant in a track."""
        file = sound.artifacts
        silent = (sound.features.energy < self.silence_dbfs)[:, np.newaxis].astype(np.float64)
        constant = {
            "cutoff_hz": file.cutoff_hz,
            "bit_rate": file.bit_rate,
            "sample_rate": float(file.sample_rate),
            "channels": float(file.channels),
            "clipped": file.clipped,
        }
        columns = {name: np.full(len(steps), value) for name, value in constant.items()}
        return {**columns, "silence": sound.past_mean(silent, steps)[:, 0]}


@register
class Continuity(Control):
    """How the last ``seconds`` resemble what was heard shortly before, at each of ``lags``.

    A loop or a held texture resembles itself at short lags, and whatever is local to it goes on.
    """

    seconds: Seconds = 0.5
    """Length of what is compared."""
    lags: Annotated[
        tuple[Seconds, ...], Field(min_length=1, strict=False), AfterValidator(_distinct)
    ] = (0.5, 1.0, 2.0, 4.0)
    """Seconds back to what the sound is compared with."""
    name = "continuity"
    reach = CHROMA_REACH

    def columns(self, sound: TrackSound, steps: NDArray[np.int64]) -> dict[str, Array]:
        """At each lag the cosine of mean chroma and the change of mean level in dB."""
        chroma = np.asarray(sound.features.chroma.T, np.float64)
        energy = np.asarray(sound.features.energy, np.float64)[:, np.newaxis]
        columns = {}
        for lag in self.lags:
            # Before the track is as long as the lag it is compared with its beginning.
            before = np.maximum(steps - round(lag * sound.frame_rate), 1)
            here, there = (sound.past_mean(chroma, at, self.seconds) for at in (steps, before))
            sizes = np.linalg.norm(here, axis=1) * np.linalg.norm(there, axis=1)
            columns[f"chroma_{lag:g}s"] = (here * there).sum(axis=1) / np.maximum(sizes, 1e-9)
            after, earlier = (
                sound.past_mean(energy, at, self.seconds)[:, 0] for at in (steps, before)
            )
            columns[f"energy_{lag:g}s"] = after - earlier
        return columns


@dataclass(frozen=True)
class ControlTable:
    """The controls of all rows, with a name for each column."""

    values: Array
    """[rows, p]"""
    names: list[str]
    """``control.column`` each"""
    constant: list[str]
    """Columns that say nothing of this corpus and were left out."""

    def without(self, control: str) -> "ControlTable":
        """Return the table less one control, to see what it is worth."""
        kept = [i for i, name in enumerate(self.names) if name.split(".")[0] != control]
        if len(kept) == len(self.names):
            raise ProbeError(
                f"there is no control {control!r} to leave out",
                expected=f"one of {', '.join(sorted({n.split('.')[0] for n in self.names}))}",
            )
        return ControlTable(self.values[:, kept], [self.names[i] for i in kept], self.constant)


def control_table(
    controls: Sequence[Control],
    sounds: Sequence[TrackSound],
    steps: Sequence[NDArray[np.int64]],
) -> ControlTable:
    """Put the controls of several tracks, each at its own steps, one below the other.

    Steps are counted in frames of the sound (``leitmotif.timing.frames.frames_ended``).

    Raises ProbeError for a step outside its track, NaN, and collinear columns.
    """
    for number, (sound, at) in enumerate(zip(sounds, steps, strict=True)):
        if len(at) and not 1 <= at.min() <= at.max() <= sound.frames:
            raise ProbeError(
                "a step has no past in this track",
                found=f"steps {at.min()} to {at.max()} of track {number}",
                expected=f"1 to {sound.frames}, its frames",
            )
    names: list[str] = []
    blocks = []
    for sound, at in zip(sounds, steps, strict=True):
        columns = {
            f"{control.name}.{name}": values
            for control in controls
            for name, values in control.columns(sound, at).items()
        }
        names = list(columns)
        blocks.append(np.column_stack([*columns.values()]) if columns else np.zeros((len(at), 0)))
    values = np.vstack(blocks)
    if not np.isfinite(values).all():
        row, column = (int(place[0]) for place in np.nonzero(~np.isfinite(values)))
        track = int(np.searchsorted(np.cumsum([len(at) for at in steps]), row, side="right"))
        raise ProbeError(
            "a control is NaN or infinite",
            found=f"{names[column]} of track {track}, counted from 0",
            fix="run `dvc repro features`",
        )
    dropped = set(constant_columns(values).tolist())
    kept = [column for column in range(len(names)) if column not in dropped]
    kept_names = [names[column] for column in kept]
    refuse_collinear(values[:, kept], kept_names)
    return ControlTable(values[:, kept], kept_names, [names[column] for column in sorted(dropped)])


def refuse_reach(controls: Sequence[Control], horizons: Sequence[Horizon]) -> None:
    """Raise ProbeError if a control may hear as far as a horizon: it would explain the event away.

    Horizons count from what the codec heard, which is later than the last frame's end.
    """
    nearest = min(horizons, key=lambda horizon: horizon.after)
    far = [control for control in controls if control.reach >= nearest.after]
    if far:
        raise ProbeError(
            f"control {far[0].name} may hear the event itself",
            found=f"it reaches {far[0].reach:g} s ahead; horizon {nearest.name} begins "
            f"{nearest.after:g} s ahead",
            expected="controls that end before the nearest horizon begins",
            fix="begin the horizon later, or leave the control out",
        )


def past_mean(values: NDArray[np.floating], steps: NDArray[np.int64], width: int) -> Array:
    """Means of the last ``width`` of the frames [frames, k] before each step [n]: [n, k]."""
    sums = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
    first = np.maximum(steps - width, 0)
    return np.asarray((sums[steps] - sums[first]) / (steps - first)[:, np.newaxis])


def _named(prefix: str, values: Array) -> dict[str, Array]:
    return {f"{prefix}_{number}": column for number, column in enumerate(values.T)}
