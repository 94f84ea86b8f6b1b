import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.audio.artifacts import SourceArtifacts
from leitmotif.audio.features import HOP, SAMPLE_RATE, Features, extract_features
from leitmotif.claims import Horizon
from leitmotif.errors import ProbeError
from leitmotif.probe.inputs.controls import (
    REGISTRY,
    Continuity,
    LocalChroma,
    LocalEnergy,
    OnsetDensity,
    Position,
    SourceArtifact,
    TrackIdentity,
    TrackLength,
    TrackSound,
    control_table,
    past_mean,
    refuse_reach,
)
from leitmotif.probe.study.leak import look_ahead, refuse_leak

RANDOM = np.random.default_rng(0)
STEPS = np.arange(1, 201)


def artifacts(**changes: float) -> SourceArtifacts:
    values = {
        "track_id": "a",
        "sample_rate": 44_100,
        "channels": 2,
        "bit_rate": 128.0,
        "cutoff_hz": 16_000.0,
        "peak": 0.9,
        "loudness": -14.0,
        "clipped": 0.001,
        "silence": 0.5,
        "dc_offset": 0.0,
    }
    return SourceArtifacts(**{**values, **changes})


def sound(frames: int = 200, **changes: float) -> TrackSound:
    return TrackSound(
        Features(
            chroma=RANDOM.random((12, frames)).astype(np.float32),
            energy=RANDOM.normal(-30, 5, frames).astype(np.float32),
            onset=RANDOM.gamma(2, size=frames).astype(np.float32),
            tuning_cents=0.0,
        ),
        artifacts(**changes),
        frame_rate=50,
    )


def test_means_are_over_the_frames_read() -> None:
    values = RANDOM.normal(size=(30, 2))
    steps = np.array([1, 7, 30])
    whole = np.stack([values[:s].mean(0) for s in steps])
    assert past_mean(values, steps, len(values)) == pytest.approx(whole)
    recent = np.stack([values[max(0, s - 5) : s].mean(0) for s in steps])
    assert past_mean(values, steps, 5) == pytest.approx(recent)


@given(step=st.integers(1, 120), seed=st.integers(0, 9))
@pytest.mark.parametrize("name", REGISTRY)
def test_no_control_uses_a_frame_that_was_not_read(name: str, step: int, seed: int) -> None:
    """What chroma and onset hear past their frame is measured below; this is about the columns."""
    random, read = np.random.default_rng(seed), sound(120)
    changed = sound(120)
    for field in ("chroma", "energy", "onset"):
        values = getattr(read.features, field)
        other = getattr(changed.features, field)
        other[..., :step] = values[..., :step]
        other[..., step:] = random.normal(size=other[..., step:].shape)
    steps = np.array([step])
    expected = REGISTRY[name]().columns(read, steps)
    for column, values in REGISTRY[name]().columns(changed, steps).items():
        assert values == pytest.approx(expected[column]), column


def test_position_is_time() -> None:
    assert Position().columns(sound(), np.array([1, 50]))["seconds"].tolist() == [0.02, 1.0]


def test_track_length_is_one_number_of_the_context() -> None:
    assert TrackLength().columns(sound(200), STEPS)["seconds"].tolist() == [4.0] * len(STEPS)


def test_track_identity_is_what_was_heard_so_far() -> None:
    track = sound()
    columns = TrackIdentity().columns(track, STEPS)
    assert len(columns) == 16
    assert columns["chroma_3"][99] == pytest.approx(track.features.chroma[3, :100].mean())
    assert columns["energy_spread"][99] == pytest.approx(
        track.features.energy[:100].std(), rel=1e-4
    )


def test_local_sound_is_that_of_the_last_moments() -> None:
    track = sound()
    chroma = LocalChroma(seconds=0.2).columns(track, STEPS)
    assert chroma["chroma_0"][99] == pytest.approx(track.features.chroma[0, 90:100].mean())
    energy = LocalEnergy(seconds=0.2).columns(track, STEPS)
    assert energy["last"][99] == pytest.approx(track.features.energy[99])
    assert energy["mean"][99] == pytest.approx(track.features.energy[90:100].mean())
    onset = OnsetDensity(seconds=0.2).columns(track, STEPS)
    assert onset["mean"][99] == pytest.approx(track.features.onset[90:100].mean())


def test_artifacts_are_the_files_but_silence_is_only_of_the_past() -> None:
    track = sound(cutoff_hz=11_000.0)
    track.features.energy[50:] = -90
    columns = SourceArtifact().columns(track, STEPS)
    assert set(columns["cutoff_hz"]) == {11_000.0}
    assert columns["silence"][49] == 0
    assert columns["silence"][99] == pytest.approx(0.5)
    assert not {"loudness", "peak"} & set(columns)


def test_continuity_sees_a_loop_at_its_period() -> None:
    track = sound()
    track.features.chroma[:] = np.tile(RANDOM.random((12, 50)) ** 4, 4)
    columns = Continuity(seconds=0.1, lags=(1.0, 0.5)).columns(track, STEPS[110:])
    assert columns["chroma_1s"] == pytest.approx(np.ones(90), abs=1e-6)
    assert columns["chroma_0.5s"].max() < 0.99
    assert columns["energy_1s"][0] == pytest.approx(
        track.features.energy[106:111].mean() - track.features.energy[56:61].mean(), abs=1e-4
    )


def test_the_table_names_columns_and_leaves_out_constant_ones() -> None:
    controls = [Position(), LocalEnergy(), SourceArtifact()]
    table = control_table(controls, [sound(), sound(bit_rate=192.0)], [STEPS[:50], STEPS])
    assert table.values.shape == (250, len(table.names))
    assert "local_energy.last" in table.names
    assert "source_artifacts.bit_rate" in table.names
    assert "source_artifacts.cutoff_hz" in table.constant
    less = table.without("local_energy")
    assert [name for name in less.names if name.startswith("local_energy")] == []
    assert less.values[:, 0] == pytest.approx(table.values[:, 0])
    with pytest.raises(ProbeError, match="no control 'chroma'"):
        table.without("chroma")


def test_controls_that_say_the_same_are_named() -> None:
    with pytest.raises(ProbeError, match=r"collinear(?s:.)*source_artifacts\.(bit_rate|cutoff_hz)"):
        control_table(
            [Position(), SourceArtifact()],
            [sound(), sound(bit_rate=64.0, cutoff_hz=11_000.0)],
            [STEPS, STEPS],
        )


def test_steps_outside_the_track_are_refused() -> None:
    for steps in ([0, 1], [200, 201]):
        with pytest.raises(ProbeError, match="expected: 1 to 200"):
            control_table([Position()], [sound()], [np.array(steps)])


def test_a_control_that_might_hear_the_event_is_refused() -> None:
    refuse_reach([LocalChroma(), Position()], [Horizon("local", 1, 3)])
    with pytest.raises(ProbeError, match="local_chroma may hear the event"):
        refuse_reach([Position(), LocalChroma()], [Horizon("near", 0.5, 3), Horizon("far", 5, 9)])


@pytest.mark.parametrize("name", REGISTRY)
def test_no_control_hears_further_than_it_says(name, monkeypatch) -> None:
    # The tuning is one number of the whole track; here it is known beforehand.
    monkeypatch.setattr("librosa.estimate_tuning", lambda **_: 0.0)
    frames = 150
    audio = (RANDOM.normal(size=frames * HOP) * 0.1).astype(np.float32)
    steps = np.arange(1, frames + 1)
    control = REGISTRY[name]()

    def extract(samples):
        columns = control.columns(TrackSound(extract_features(samples), artifacts(), 50), steps)
        return np.column_stack([*columns.values()])

    ahead = look_ahead(
        extract, audio, sample_rate=SAMPLE_RATE, instants=steps * HOP / SAMPLE_RATE, cuts=[1.7]
    )
    refuse_leak(ahead, allowed=control.reach)
