"""Proposals for one recording, from samples or a file."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

import leitmotif
from leitmotif.audio.decode import Audio
from leitmotif.errors import AudioError, LeitmotifError
from tests.recurrence.melodies import RATE, SEARCH, piece


def test_a_file_and_its_samples_give_the_recurrence_that_is_there(tmp_path: Path) -> None:
    samples = piece()
    soundfile.write(tmp_path / "piece.wav", samples, RATE, subtype="FLOAT")
    from_samples = leitmotif.propose(samples, RATE, search=SEARCH)
    best = from_samples[0]
    assert best.motif_start == pytest.approx(4, abs=0.3)
    assert best.recurrence_start == pytest.approx(14, abs=0.3)
    for path in (tmp_path / "piece.wav", str(tmp_path / "piece.wav")):
        assert leitmotif.propose(path, search=SEARCH)[0].recurrence_start == best.recurrence_start


def test_integers_and_what_knows_its_rate_give_the_same() -> None:
    whole = np.round(piece() * 32767).astype(np.int16)
    expected = leitmotif.propose(whole / 32768, RATE, search=SEARCH)
    assert expected
    assert leitmotif.propose(whole, RATE, search=SEARCH) == expected
    assert leitmotif.propose(Audio(whole / 32768, RATE, 44_100, 2), search=SEARCH) == expected


def test_what_is_not_significant_is_left_out_unless_asked_for() -> None:
    samples = piece(returns=False)
    assert leitmotif.propose(samples, RATE, search=SEARCH, p=1e-4) == []
    everything = leitmotif.propose(samples, RATE, search=SEARCH, p=1e-4, everything=True)
    assert min(suggestion.p for suggestion in everything) > 1e-4


def test_a_recording_too_short_for_a_recurrence_has_none() -> None:
    assert leitmotif.propose(np.zeros(RATE), RATE, search=SEARCH) == []


def test_samples_that_cannot_be_searched_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LeitmotifError, match="None"):
        leitmotif.propose(piece())
    with pytest.raises(LeitmotifError, match=r"shape \(2, 16000\)"):
        leitmotif.propose(np.zeros((2, RATE)), RATE)
    with pytest.raises(AudioError, match="divide what was 16-bit integers"):
        leitmotif.propose(piece() * 32767, RATE)
    with pytest.raises(AudioError, match="another sample rate"):
        leitmotif.propose(Audio(piece(), RATE, RATE, 1), 2 * RATE)
    with pytest.raises(LeitmotifError, match="1 NaN or infinite"):
        leitmotif.propose(np.append(piece(), np.nan), RATE)
    with pytest.raises(AudioError, match="cannot be read"):
        leitmotif.propose(tmp_path / "absent.wav")
