"""Plots for notebooks: each draws on matplotlib's axes and returns them, units on every axis."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from leitmotif.arguments import as_texts
from leitmotif.audio.decode import Audio
from leitmotif.audio.features import SAMPLE_RATE, extract_features
from leitmotif.audio.reading.samples import Clip, as_clip, rate_of
from leitmotif.errors import LeitmotifError
from leitmotif.notebook.arguments import (
    finite_array,
    positive,
    spans_of,
    whole_number,
    whole_numbers,
)
from leitmotif.notebook.extra import from_extra
from leitmotif.recurrence.proposals.engine import Suggestion
from leitmotif.review.pictures import heard, self_similarity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOTIF, RECURRENCE = "#0d6b64", "#b1540f"
"""Colours of the review page, in its light theme."""
_SPANS = (MOTIF, RECURRENCE, "#5b4b9a", "#8a6d00", "#3b6ea5", "#a03d5e")
_COLUMNS = 2000
"""Columns of an outline: more than a screen shows."""
_OCTAVE = 12
"""Semitones, after which chroma is the same again."""


class _Track(NamedTuple):
    heard: NDArray[np.float32]
    seconds: float


def plot_waveform(
    audio: Clip,
    sample_rate: int | None = None,
    *,
    spans: Mapping[str, tuple[float, float]] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the outline of mono audio over seconds, with named spans.

    Parameters
    ----------
    audio: what ``load_audio`` or ``compose`` returned, or samples [n] or [1, n].
    sample_rate: of the samples, in Hz; not for what knows its own.
    spans: (start, end) in seconds, by name.
    ax: where; None for a new figure.

    Returns
    -------
    The axes.

    Raises AudioError for what is no mono audio, and LeitmotifError for a span that is none or ends
    before it starts.

    Example
    -------
    >>> import leitmotif
    >>> [piece] = leitmotif.compose(1, seed=3)
    >>> plot_waveform(piece, spans={"motif": (2.3, 4.3)}).get_xlabel()
    'time (s)'
    """
    rate = rate_of(audio, sample_rate)
    samples = as_clip(audio, rate)
    named = spans_of(spans or {})
    ax = _axes(ax, (9, 2.2))
    width = max(1, -(-len(samples) // _COLUMNS))
    columns = np.pad(samples, (0, -len(samples) % width), mode="edge").reshape(-1, width)
    at = (np.arange(len(columns)) + 0.5) * width / rate
    ax.fill_between(at, columns.min(1), columns.max(1), color="0.35", lw=0.4)
    for (name, start, end), colour in zip(named, cycle(_SPANS), strict=False):
        ax.axvspan(start, end, color=colour, alpha=0.25, lw=0, label=name)
    if named:
        ax.legend(loc="upper right", ncols=len(named), frameon=False)
    ax.set(
        xlim=(0, max(len(samples), 1) / rate),
        xlabel="time (s)",
        ylabel="amplitude (full scale = 1)",
    )
    return ax


def plot_similarity(
    audio: Clip,
    sample_rate: int | None = None,
    *,
    suggestions: Sequence[Suggestion] = (),
    transposition: int = 0,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw how alike each moment of a recording is to each other one, as the review page does.

    A return is a dark line parallel to the diagonal. Right of the diagonal the earlier moment is
    moved up by ``transposition`` semitones, left of it the music is as it sounds.

    Parameters
    ----------
    audio: what ``load_audio`` or ``compose`` returned, or samples [n] or [1, n].
    sample_rate: of the samples, in Hz; not for what knows its own.
    suggestions: of ``propose``, drawn as boxes: the motif on the vertical axis, the recurrence on
        the horizontal one.
    transposition: semitones by which the earlier moment is moved up.
    ax: where; None for a new figure.

    Returns
    -------
    The axes.

    Raises AudioError for what is no mono audio, and LeitmotifError for audio shorter than a frame
    of 20 ms and for more than an octave.

    Example
    -------
    >>> import leitmotif
    >>> [piece] = leitmotif.compose(1, seed=3)
    >>> plot_similarity(piece, suggestions=leitmotif.propose(piece)[:1]).get_xlabel()
    'later moment (s)'
    """
    rate = rate_of(audio, sample_rate)
    semitones = whole_number(transposition, "transposition", least=-_OCTAVE, most=_OCTAVE)
    own = Audio(as_clip(audio, rate), rate, rate, 1).resampled(SAMPLE_RATE)
    features = extract_features(own)
    track = _Track(heard(features.chroma, features.energy), own.seconds)
    matrix = self_similarity(track, semitones) / 255
    ax = _axes(ax, (5.6, 5))
    image = ax.imshow(
        matrix,
        origin="lower",
        extent=(0, own.seconds, 0, own.seconds),
        cmap="Greys",
        vmin=0,
        vmax=1,
        aspect="equal",
    )
    ax.figure.colorbar(image, ax=ax, label="similarity of chroma (median to largest)", shrink=0.8)
    for suggestion in suggestions:
        _draw_box(ax, suggestion)
    ax.set(xlabel="later moment (s)", ylabel="earlier moment (s)")
    return ax


def _draw_box(ax: "Axes", suggestion: Suggestion) -> None:
    """Frame the moments of a motif, upwards, and those of its recurrence, to the right."""
    wide = suggestion.recurrence_end - suggestion.recurrence_start
    high = suggestion.motif_end - suggestion.motif_start
    corner = (suggestion.recurrence_start, suggestion.motif_start)
    box = from_extra("matplotlib.patches").Rectangle(
        corner, wide, high, fill=False, ec=RECURRENCE, lw=1.6
    )
    ax.add_patch(box)


def plot_activations(
    activations: Any,
    frame_rate: float,
    *,
    units: Sequence[int] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw activations over time.

    Parameters
    ----------
    activations: [S, d] or [1, S, d].
    frame_rate: ``model.frame_rate``, in Hz.
    units: drawn as lines, as they are. None draws all units as a picture, each less its mean and in
        units of its own standard deviation.
    ax: where; None for a new figure.

    Returns
    -------
    The axes.

    Raises LeitmotifError for another shape, for what is not a number, and for units that are not
    there.

    Example
    -------
    >>> import numpy as np
    >>> plot_activations(np.random.default_rng(0).normal(size=(100, 8)), 50.0).get_ylabel()
    'unit'
    """
    rate = positive(frame_rate, "frame_rate")
    values = finite_array(activations, "activations")
    values = values[0] if values.ndim == 3 and len(values) == 1 else values
    if values.ndim != 2 or not values.size:
        raise LeitmotifError(
            "these activations cannot be drawn",
            found=f"shape {values.shape}",
            expected="[S, d]: those of one row, such as cache['resid_post', 2][0]",
        )
    steps, width = values.shape
    chosen = None if units is None else whole_numbers(units, "units", count=width)
    ax = _axes(ax, (9, 3))
    if chosen is None:
        _draw_all_units(ax, values, rate)
        return ax
    for unit in chosen:
        ax.plot(np.arange(steps) / rate, values[:, unit], lw=1, label=f"unit {unit}")
    ax.legend(loc="upper right", frameon=False)
    ax.set(xlim=(0, steps / rate), xlabel="time (s)", ylabel="activation")
    return ax


def _draw_all_units(ax: "Axes", values: NDArray[np.floating], rate: float) -> None:
    """Draw activations [S, d] as a picture, each unit in standard deviations from its mean."""
    spread = values.std(0)
    scaled = (values - values.mean(0)) / np.where(spread > 0, spread, 1)
    image = ax.imshow(
        scaled.T,
        origin="lower",
        aspect="auto",
        extent=(0, len(values) / rate, -0.5, values.shape[1] - 0.5),
        cmap="RdBu_r",
        vmin=-3,
        vmax=3,
        interpolation="nearest",
    )
    ax.figure.colorbar(image, ax=ax, label="activation (standard deviations)")
    ax.set(xlabel="time (s)", ylabel="unit")


def plot_attention(
    pattern: Any,
    frame_rate: float,
    *,
    head: int | None = None,
    tokens: Sequence[str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw an attention pattern: which step reads which.

    Colours are by the root of the weight, so that faint attention is seen.

    Parameters
    ----------
    pattern: [heads, S, S] or [1, heads, S, S], such as ``cache["pattern", 2]``.
    frame_rate: ``model.frame_rate``, in Hz.
    head: which; None for the mean of all.
    tokens: of the prompt, for a pattern [heads, S, tokens] of attention to it; the horizontal axis
        then counts them.
    ax: where; None for a new figure.

    Returns
    -------
    The axes.

    Raises LeitmotifError for another shape, NaN, or a head that is not there.

    Example
    -------
    >>> import numpy as np
    >>> pattern = np.tril(np.ones((4, 100, 100)))
    >>> plot_attention(pattern / pattern.sum(-1, keepdims=True), 50.0, head=0).get_xlabel()
    'step that is read (s)'
    """
    rate = positive(frame_rate, "frame_rate")
    weights = _weights_of(pattern, tokens)
    if head is not None:
        head = whole_number(head, "head", least=0, most=len(weights) - 1)
    chosen = weights.mean(0) if head is None else weights[head]
    seconds = chosen.shape[0] / rate
    across = seconds if tokens is None else len(tokens)
    ax = _axes(ax, (5.6, 5))
    image = ax.imshow(
        chosen,
        extent=(0, across, seconds, 0),
        aspect="equal" if tokens is None else "auto",
        cmap="magma",
        norm=from_extra("matplotlib.colors").PowerNorm(0.5, vmin=0),
        interpolation="nearest",
    )
    label = "attention weight" + (", mean of the heads" if head is None else f", head {head}")
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.8)
    ax.set(xlabel="step that is read (s)", ylabel="step that reads (s)")
    if tokens is not None:
        ax.set_xticks(np.arange(len(tokens)) + 0.5, tokens, rotation=45, ha="right")
        ax.set_xlabel("token of the prompt")
    return ax


def _axes(ax: Any, size: tuple[float, float]) -> Any:
    if ax is not None:
        return ax
    return from_extra("matplotlib.pyplot").subplots(figsize=size, layout="constrained")[1]


def _weights_of(pattern: Any, tokens: Sequence[str] | None) -> NDArray[np.floating]:
    """The weights [heads, S, S] or [heads, S, tokens] of a pattern, checked."""
    weights = finite_array(pattern, "the pattern")
    weights = weights[0] if weights.ndim == 4 and len(weights) == 1 else weights
    square = tokens is not None or weights.shape[-2:-1] == weights.shape[-1:]
    if (
        weights.ndim != 3
        or not weights.size
        or not square
        or (tokens is not None and len(as_texts(tokens) or ()) != weights.shape[-1])
    ):
        raise LeitmotifError(
            "this pattern cannot be drawn",
            found=f"shape {weights.shape}"
            + ("" if tokens is None else f", tokens {tokens!r:.100}"),
            expected="[heads, S, S] of one row, or [heads, S, tokens] with the tokens",
        )
    return weights
