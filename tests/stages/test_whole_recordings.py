"""A recording of 70 s in three windows: nothing of it is lost between them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from leitmotif.claims import Claims
from leitmotif.config import Params, load_params
from leitmotif.feasibility.lengths import known_throughout
from leitmotif.files import read_table, write_table
from leitmotif.pipeline import (
    ACTIVATIONS,
    CONTROLS,
    CORPUS,
    COVERAGE,
    FEATURES,
    LABELS,
    MANIFEST,
    PROPOSALS,
)
from leitmotif.probe.inputs.registry import load_controls
from leitmotif.probe.inputs.rows import Rows, gather, read_sounds
from leitmotif.stages.activations import activations
from leitmotif.stages.corpus import corpus
from leitmotif.stages.features import features
from leitmotif.stages.manifest import manifest
from leitmotif.stages.proposals import proposals
from leitmotif.stages.studies import study_of
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Label
from leitmotif.tables.proposals import read_proposals
from tests.recurrence.melodies import NOTE, RATE, tones, walk
from tests.status.half_made import folder_experiment
from tests.tables.made import label_row

SITE = "layers.0.residual"
PAIRS = ((4.0, 46.0), (33.0, 63.0))
"""Starts of motifs of 4 s and of their returns: each pair lies in two windows."""
LENGTH = 4.0


def long_recording() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """70 s of notes that are heard once, but for two motifs of 16 notes."""
    pitches = walk(round(70 / NOTE), 3)
    for number, starts in enumerate(PAIRS):
        motif = walk(round(LENGTH / NOTE), 100 + number)
        for start in starts:
            place = round(start / NOTE)
            pitches[place : place + len(motif)] = motif
    return tones(pitches)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A folder in which the stages have run; not to be written to."""
    root = tmp_path_factory.mktemp("whole") / "repository"
    settings = (
        "manifest.windows=all",
        f"activations.sites=[{SITE}]",
        "calibration.site=layers.0.residual",
        "features.max_failures=0",
    )
    folder_experiment(root, repo_root, *settings)
    soundfile.write(root / "music/long.wav", long_recording(), RATE)
    for name in ("controls.yaml", "hooks.yaml"):
        (root / name).write_bytes((repo_root / name).read_bytes())
    (root / "models").symlink_to(repo_root / "models")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        params = load_params()
        for stage in (corpus, manifest, features, proposals, activations):
            stage(params)
    return root


@pytest.fixture
def params(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The finished folder is the working directory, for tests that only read."""
    monkeypatch.chdir(finished)
    return load_params()


def the_track() -> ManifestTrack:
    (track,) = read_table(MANIFEST, ManifestTrack)
    return track


def labels() -> list[Label]:
    """The planted pairs, as people would have called them."""
    spans = [
        [Span(start_sample=round(at * RATE), samples=round(LENGTH * RATE)) for at in pair]
        for pair in PAIRS
    ]
    return [
        label_row(
            track_id=the_track().track_id,
            sample_rate=RATE,
            motif=motif,
            recurrence=recurrence,
            source="decisions",
            reviewers=["ana"],
        )
        for motif, recurrence in spans
    ]


def test_windows_cover_the_recording(params: Params) -> None:
    windows = [(window.start_frame, window.frames) for window in the_track().windows]
    assert windows == [(0, 1500), (1500, 1500), (3000, 500)]
    store = ActivationStore(ACTIVATIONS)
    assert len(store.load(SITE, the_track().track_id)) == 3500


@pytest.mark.parametrize("pair", PAIRS)
def test_pairs_across_windows_are_proposed(pair: tuple[float, float], params: Params) -> None:
    starts = [
        tuple(span.start_sample / row.sample_rate for span in (row.motif, row.recurrence))
        for row in read_proposals(PROPOSALS)
    ]
    lag = pair[1] - pair[0]
    near = [
        start
        for start in starts
        if abs(start[0] - pair[0]) <= LENGTH / 2 and abs(start[1] - start[0] - lag) <= 0.2
    ]
    assert near, starts


@pytest.fixture
def rows(params: Params) -> Rows:
    track = the_track()
    return gather(
        [track],
        read_sounds(FEATURES, [track]),
        labels(),
        [known_throughout(track, "decisions")],
        timing=ActivationStore(ACTIVATIONS).timing,
        horizons=Claims.of(params.probes).horizons,
        settings=load_controls(CONTROLS),
        start_seconds=params.probes.start_seconds,
        stride=params.probes.stride,
        exploratory=False,
    )


def test_rows_look_ahead_across_windows_and_stop_at_the_end(rows: Rows, params: Params) -> None:
    (number,) = [n for n, h in enumerate(Claims.of(params.probes).horizons) if h.name == "5-15s"]
    assert set(rows.groups.tolist()) == {the_track().track_id}
    assert [context.start_frame for context in rows.contexts] == [0, 1500]
    now = np.concatenate(
        [context.start_frame / 50 + rows.timing.now(context.steps) for context in rows.contexts]
    )
    ahead = [
        any(5 < recurrence - instant <= 15 for _, recurrence in PAIRS) for instant in now.tolist()
    ]
    assert ((rows.targets[:, number] > 0) == ahead).all()
    assert any(29 < instant < 41 for instant in now[np.array(ahead)])
    assert now.max() <= 70 - 15  # past it the furthest horizon is not known
    assert now.max() > 54
    # No row of a window knows the audio before it: position counts from the window's start.
    place = rows.controls.names.index("position.seconds")
    starts = np.concatenate([c.steps / 50 for c in rows.contexts])
    assert np.allclose(rows.controls.values[:, place], starts, atol=0.1)


def test_features_are_those_of_the_own_window(rows: Rows) -> None:
    track_id, store = the_track().track_id, ActivationStore(ACTIVATIONS)
    stored, features_ = store.load(SITE, track_id), rows.features(store, SITE)
    first, second = rows.contexts
    expected = [*first.steps, *(1500 + second.steps)]
    assert np.array_equal(features_, stored[expected].astype(np.float64))


def test_a_later_window_is_continued(
    params: Params, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its beginning, and its motif at the place that it has there."""
    late = [row for row in labels() if row.motif.start_sample >= 30 * RATE]
    lengths = params.interventions.model_copy(update={"prefix_seconds": 8.0})
    params = params.model_copy(update={"interventions": lengths})
    write_table(finished / LABELS, late)
    write_table(finished / COVERAGE, [known_throughout(the_track(), "decisions")])
    recordings = []
    monkeypatch.setattr(
        "leitmotif.causal.experiment.resampled.Resampling.pieces",
        lambda _, given, _tell: (
            recordings.extend(given) or SimpleNamespace(openings=[], source="other")
        ),
    )
    study = study_of(params, params.model.name)
    (recorded,) = recordings
    (motif,) = recorded.motifs
    assert motif.start_sample == 3 * study.model.sample_rate
    samples, _ = soundfile.read(CORPUS / the_track().path, dtype="float32")
    own = study.model.encode_audio(_resampled(samples[30 * RATE : 38 * RATE], study.model))
    assert recorded.prefix.codes.shape[1] == 400
    agreement = (recorded.prefix.codes == own[0][:, :400]).double().mean()
    assert agreement > 0.9  # but for the resampler's edges


def _resampled(samples: np.ndarray, model: object) -> np.ndarray:
    import librosa

    return librosa.resample(samples, orig_sr=RATE, target_sr=model.sample_rate)  # type: ignore[attr-defined]
