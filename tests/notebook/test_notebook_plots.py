"""Plots and players of ``import leitmotif``."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

import leitmotif
from leitmotif.errors import AudioError, LeitmotifError
from leitmotif.notebook.pieces import ComposedPiece
from tests.recurrence.melodies import RATE, SEARCH
from tests.recurrence.melodies import piece as melody

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def piece() -> ComposedPiece:
    [made] = leitmotif.compose(1, seed=3)
    return made


def drawn(ax: Axes) -> tuple[str, str]:
    ax.figure.canvas.draw()
    return ax.get_xlabel(), ax.get_ylabel()


def test_a_waveform_has_seconds_amplitude_and_named_spans(piece: ComposedPiece) -> None:
    ax = leitmotif.plot_waveform(piece, spans={"cue": (1.0, 2.0), "slot": (6.4, 7.2)})
    assert drawn(ax) == ("time (s)", "amplitude (full scale = 1)")
    assert ax.get_xlim() == (0, pytest.approx(8.32))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["cue", "slot"]
    low, high = ax.dataLim.intervaly
    assert (low, high) == (pytest.approx(piece.samples.min()), pytest.approx(piece.samples.max()))
    again = leitmotif.plot_waveform(np.int16(piece.samples * 32768), 32_000, ax=ax)
    assert again is ax
    with pytest.raises(LeitmotifError, match="span cue"):
        leitmotif.plot_waveform(piece, spans={"cue": (2.0, 1.0)})
    with pytest.raises(AudioError, match="not mono"):
        leitmotif.plot_waveform(np.zeros((2, 100)), 32_000)


def test_a_return_is_dark_where_a_suggestion_draws_its_box() -> None:
    samples = melody()
    best = leitmotif.propose(samples, RATE, search=SEARCH)[0]
    ax = leitmotif.plot_similarity(samples, RATE, suggestions=[best])
    assert drawn(ax) == ("later moment (s)", "earlier moment (s)")
    (box,) = ax.patches
    assert box.get_xy() == (best.recurrence_start, best.motif_start)
    matrix = ax.images[0].get_array()
    scale = len(matrix) * RATE / len(samples)
    length = best.motif_end - best.motif_start
    along = np.linspace(0.1, 0.9, 20) * length
    rows = ((best.motif_start + along) * scale).astype(int)
    columns = ((best.recurrence_start + along) * scale).astype(int)
    assert matrix[rows, columns].mean() > matrix.mean() + 0.3


def test_activations_are_a_picture_of_all_units_or_lines_of_some() -> None:
    values = torch.randn(100, 6, generator=torch.Generator().manual_seed(0))
    values[:, 2] = 3  # one that never changes
    ax = leitmotif.plot_activations(values[None], 50)
    assert drawn(ax) == ("time (s)", "unit")
    assert ax.get_xlim() == (0, 2)
    assert ax.get_ylim() == (-0.5, 5.5)
    shown = ax.images[0].get_array()
    assert shown.shape == (6, 100)
    assert not shown[2].any()
    lines = leitmotif.plot_activations(values.numpy(), 50, units=[4, 1])
    assert drawn(lines) == ("time (s)", "activation")
    np.testing.assert_allclose(lines.lines[0].get_ydata(), values[:, 4])
    with pytest.raises(LeitmotifError, match="one row"):
        leitmotif.plot_activations(torch.zeros(2, 100, 6), 50)
    with pytest.raises(LeitmotifError, match=r"0\.\.5"):
        leitmotif.plot_activations(values, 50, units=[6])


def test_attention_shows_who_reads_whom() -> None:
    pattern = torch.zeros(1, 3, 50, 50)
    pattern[0, 1, 40, 10] = 1.0
    ax = leitmotif.plot_attention(pattern, 50, head=1)
    assert drawn(ax) == ("step that is read (s)", "step that reads (s)")
    assert ax.images[0].get_array()[40, 10] == 1
    assert ax.get_ylim() == (1, 0)
    mean = leitmotif.plot_attention(pattern, 50).images[0].get_array()
    assert mean[40, 10] == pytest.approx(1 / 3)
    to_text = leitmotif.plot_attention(pattern[..., :2], 50, tokens=["calm", "</s>"])
    assert drawn(to_text)[0] == "token of the prompt"
    assert [label.get_text() for label in to_text.get_xticklabels()] == ["calm", "</s>"]
    two_rows = pattern.repeat(2, 1, 1, 1)
    for bad in (pattern[0, 0], pattern[..., :2], two_rows):
        with pytest.raises(LeitmotifError, match="cannot be drawn"):
            leitmotif.plot_attention(bad, 50)
    for given in ({"tokens": ["a"]}, {"head": 3}):
        with pytest.raises(LeitmotifError):
            leitmotif.plot_attention(pattern, 50, **given)


def test_a_player_plays_as_loud_as_it_is(piece: ComposedPiece) -> None:
    loud, quiet = (leitmotif.listen(piece.samples[None] * by, 32_000) for by in (1.0, 0.5))
    sizes = [np.abs(np.frombuffer(x.data, np.int16)[22:].astype(int)).max() for x in (loud, quiet)]
    assert sizes[0] == pytest.approx(2 * sizes[1], abs=2)
    assert "<audio" in leitmotif.listen(piece)._repr_html_()
    leitmotif.listen(np.array([0.0, 1.5, -1.5] * 100), 32_000)  # clipped
    with pytest.raises(LeitmotifError, match="no sample rate"):
        leitmotif.listen(piece.samples)


@pytest.mark.parametrize(("hidden", "call"), [
    ("matplotlib", "leitmotif.plot_waveform(np.zeros(640), 32000)"),
    ("IPython", "leitmotif.listen(np.zeros(640), 32000)"),
])  # fmt: skip
def test_without_the_extra_they_say_what_to_install(hidden: str, call: str) -> None:
    code = f"import sys; sys.modules['{hidden}'] = None; import numpy as np, leitmotif; {call}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'leitmotif[notebook]'" in done.stderr
