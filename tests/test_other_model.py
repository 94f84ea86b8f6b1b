"""A model of 25 frames a second and 12 codebooks goes through capture, probes and interventions.

Each recording is quiet noise; in half of them a burst sounds, and ``LEAD`` seconds later a motif
returns. Coordinate 0 of the model's states is the step's number, coordinate 1 says that a burst
was among the last four seconds (``tests.other_model``).
"""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from leitmotif.audio.artifacts import SourceArtifacts
from leitmotif.audio.features import HOP, SAMPLE_RATE
from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.hearing import ListeningSettings
from leitmotif.causal.experiment.log import row_of
from leitmotif.causal.experiment.pieces import Pieces, composed_pieces
from leitmotif.causal.experiment.prefixes import Prefix, prefix_of
from leitmotif.causal.experiment.runner import ContinuationSettings
from leitmotif.causal.experiment.sweep import Sweep
from leitmotif.causal.experiment.targets import Coordinates, WholeSite
from leitmotif.claims import Horizon
from leitmotif.config import ActivationsParams, JudgeParams, ModelParams
from leitmotif.corpus.organism.world import load_world
from leitmotif.errors import ProbeError
from leitmotif.files import sha256_file, write_table
from leitmotif.intervals import Interval
from leitmotif.musicgen.intervention import Intervention
from leitmotif.probe.estimators.experiment import ProbeSettings, probe_sites
from leitmotif.probe.inputs.controls import LocalEnergy, Position
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Rows, gather, read_sounds
from leitmotif.probe.study.past import FeatureReading, check_past
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.store.cache.codes import CachedCodec
from leitmotif.store.cache.entries import WorkCache
from leitmotif.store.profile import context_profile
from leitmotif.store.reading import ActivationStore, verify
from leitmotif.store.writing.build import StoreBuilder
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tensors import write_tensors
from leitmotif.timing.frames import Timing
from leitmotif.work.parallel import WORKERS
from tests.causal.test_events import composed
from tests.judge.tiny_judges import save_tiny_clap
from tests.other_model import other_model
from tests.tables.made import label_row, manifest_track

SECONDS, LEAD = 16.0, 6.0
SITES = ["layers.0.residual", "layers.1.self_attention", "layers.1.residual"]
HORIZON = Horizon("3-5s", 3.0, 5.0)
BURSTS = {f"t{i}": 2.0 + i / 2 for i in range(0, 12, 2)}
"""Seconds at which a burst begins, of the tracks that have one."""
MODEL = ModelParams(
    name="other", revision=None, watch="other", device="cpu", dtype="float64",
    text_padding="auto", position_seconds=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="module")
def tracks(corpus: Path) -> list[ManifestTrack]:
    made = []
    for i in range(12):
        random, name = np.random.default_rng(i), f"t{i}"
        samples = 0.01 * random.standard_normal(round(SECONDS * SAMPLE_RATE))
        if name in BURSTS:
            first = round(BURSTS[name] * SAMPLE_RATE)
            time = np.arange(2 * HOP) / SAMPLE_RATE
            samples[first : first + 2 * HOP] = 0.9 * np.sin(2 * np.pi * 1200 * time)
        path = corpus / f"{name}.wav"
        soundfile.write(path, samples, SAMPLE_RATE)
        made.append(
            manifest_track(track_id=name, path=path.name, sha256=sha256_file(path), seconds=SECONDS)
        )
    return made


@pytest.fixture(scope="module")
def store(corpus: Path, tracks: list[ManifestTrack], tmp_path_factory) -> ActivationStore:
    root = tmp_path_factory.mktemp("store")
    builder = StoreBuilder(
        other_model(),
        params=ActivationsParams(sites=SITES, prompt="none", dtype="float16", max_failures=0),
        model_params=MODEL,
        audio_root=corpus,
        cache=WorkCache(root / "work"),
        codec=CachedCodec(other_model(), root / "codes"),
    )
    builder.build(root / "activations", tracks)
    return ActivationStore(root / "activations")


@pytest.fixture(scope="module")
def rows(tracks: list[ManifestTrack], store: ActivationStore, tmp_path_factory) -> Rows:
    """The sound has 50 frames a second, as the features stage writes it."""
    folder = tmp_path_factory.mktemp("features")
    artifacts = []
    for track in tracks:
        count = round(SECONDS * 50)
        energy = energy_of(track.track_id)
        write_tensors(
            folder / f"{track.track_id}.safetensors",
            {
                "chroma": np.ones((12, count), np.float32),
                "energy": energy,
                "onset": np.ones(count, np.float32),
            },
            {"frame_rate": "50"},
        )
        numbers = dict.fromkeys(("peak", "loudness", "clipped", "silence", "dc_offset"), 0.0)
        artifacts.append(
            SourceArtifacts(
                track_id=track.track_id,
                sample_rate=SAMPLE_RATE,
                channels=1,
                bit_rate=256.0,
                cutoff_hz=16_000.0,
                **numbers,
            )
        )
    write_table(folder / "artifacts.jsonl", artifacts)
    covered = {
        **{"source": "score", "labels": 1, "proposals": 1, "pending": 0, "complete": True},
        **{"known": [Span(start_sample=0, samples=SAMPLE_RATE)], "sample_rate": SAMPLE_RATE},
    }
    return gather(
        tracks,
        read_sounds(folder, tracks),
        [label(name, burst + LEAD) for name, burst in BURSTS.items()],
        [Coverage(track_id=track.track_id, **covered) for track in tracks],
        timing=store.timing,
        horizons=[HORIZON],
        settings=ControlSettings([Position(), LocalEnergy()], knots=2, interactions=0),
        start_seconds=1.0,
        stride=5,
        exploratory=False,
    )


def energy_of(name: str) -> np.ndarray:
    """Levels of a track at 50 frames a second, by which its frames are told apart."""
    random = np.random.default_rng(int(name[1:]))
    return random.normal(-30, 5, round(SECONDS * 50)).astype(np.float32)


def label(name: str, onset: float) -> Label:
    return label_row(
        track_id=name,
        motif=Span(start_sample=0, samples=SAMPLE_RATE),
        recurrence=Span(start_sample=round(onset * SAMPLE_RATE), samples=SAMPLE_RATE),
    )


def test_what_is_stored_has_the_models_frames_and_says_so(store: ActivationStore) -> None:
    header = store.header(SITES[0], "t0")
    assert (header.frames, header.frame_rate, header.sample_rate) == (400, 25, 24_000)
    assert header.windows == [Window(start_frame=0, frames=400)]
    assert store.timing == Timing(25, 0.0)
    assert verify(store.root, full=True) == []
    for site in SITES:
        array = store.load(site, "t0")
        assert array.shape == (400, 24)
        if site.endswith("residual"):
            assert array[:, 0].tolist() == list(range(400))
    # The burst at 2 s is frame 50, which step 51 has read, and step 151 no longer attends to.
    carried = store.load("layers.0.residual", "t0")[:, 1]
    assert np.flatnonzero(carried > 0.5).tolist() == list(range(51, 151))


def test_a_profile_goes_by_the_stored_rate(store: ActivationStore) -> None:
    levels = [level.second for level in context_profile(store) if level.site == SITES[0]]
    assert levels == list(range(16))


def test_rows_targets_and_sounds_meet_at_the_same_seconds(
    rows: Rows, store: ActivationStore
) -> None:
    X = rows.features(store, "layers.0.residual")
    seconds = X[:, 0] / 25
    assert seconds.min() == 1.0
    for name, burst in BURSTS.items():
        of_track = rows.groups == name
        ahead = burst + LEAD - seconds[of_track]
        assert np.array_equal(rows.targets[of_track, 0] > 0, (ahead > 3) & (ahead <= 5))
    columns = dict(zip(rows.controls.names, rows.controls.values.T, strict=True))
    np.testing.assert_allclose(columns["position.seconds"], seconds)
    for context in rows.contexts:
        # Of 50 frames a second the last one that has ended.
        last = energy_of(context.track_id)[2 * context.steps - 1]
        of_track = rows.groups == context.track_id
        np.testing.assert_allclose(columns["local_energy.last"][of_track], last)


def test_a_probe_finds_what_the_model_carries(rows: Rows, store: ActivationStore) -> None:
    """The burst is 1 s to 3 s past when a return lies 3 s to 5 s ahead, and still remembered."""
    sample = rows.sample([HORIZON], 0)
    settings = ControlSettings([Position(), LocalEnergy()], knots=2, interactions=0)
    probing = ProbeSettings(folds=3, permutations=99, shifts=9, alpha=0.05, seeds=1, seed=0)
    carried = rows.features(store, "layers.0.residual")[:, 1:2]
    fit = probe_sites({"burst": carried}, [sample], settings, probing)["burst"]["3-5s"]
    assert isinstance(fit.partial_r2, Interval)
    assert fit.partial_r2.low > 0.2
    assert fit.p <= 0.05


def test_rows_of_another_rate_are_refused(rows: Rows, store: ActivationStore) -> None:
    with pytest.raises(ProbeError, match="rows at other times"):
        rows.refuse_other_timing(Timing(50, 0.074), rows.contexts[0])


def test_the_leak_check_reads_at_the_models_rate(
    corpus: Path, tracks: list[ManifestTrack], store: ActivationStore
) -> None:
    """The codec codes each frame alone, so that no row hears past its last frame."""
    reading = FeatureReading(other_model(), SITES, "float16")
    heard = check_past(reading, tracks[:2], store, audio_root=corpus, encoded=corpus)
    assert heard <= 0


@pytest.fixture(scope="module")
def pieces(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Pieces:
    """Two composed pieces at the world's 32 kHz."""
    root = tmp_path_factory.mktemp("p")
    tracks, twins = composed(load_world(repo_root / "models/organism/world.json"), root, 2)
    return composed_pieces(other_model(), tracks, root, twins, horizon=3.0)


def test_composed_pieces_have_the_models_steps_and_samples(pieces: Pieces) -> None:
    """A bar is 0.64 s: 16 frames of 960 samples."""
    onsets = []
    for piece in pieces.pieces:
        onset = piece.prefix.windows["slot"].start
        onsets.append(onset)
        assert piece.prefix.codes.shape == (12, 32)
        assert {codes.shape for codes in piece.prefix.sources.values()} == {(12, 32)}
        # The cue is read with the second step that the later codebooks take.
        assert piece.prefix.windows == {
            "ahead": range(34, onset - 75),
            "slot": range(onset, onset + 16),
        }
        assert piece.heard is not None
        start = (onset - 32) * 960
        assert piece.heard.start_sample == start - round(0.32 * 24_000)
        assert piece.heard.start_sample + piece.heard.samples == start + 16 * 960
        for codes in piece.prefix.sources.values():
            assert torch.equal(codes[:, :15], piece.prefix.codes[:, :15])  # before the cue
    assert set(onsets) == {192}  # the last slot


def test_a_prefix_is_cut_at_the_models_rate(corpus: Path, tracks: list[ManifestTrack]) -> None:
    late = tracks[0].model_copy(update={"windows": [Window(start_frame=100, frames=500)]})
    prefix = prefix_of(other_model(), late, corpus, seconds=1.0)
    assert prefix.codes.shape == (12, 25)
    assert int(prefix.codes[0, 0]) == 15  # the burst at 2 s


def test_interventions_make_clips_of_the_models_length_and_they_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKERS, "1")
    codes = torch.randint(13, 16, (4, 12, 50), generator=torch.Generator().manual_seed(1))
    prefixes = [Prefix(f"p{i}", codes[i], sources={"other": codes[i + 2]}) for i in range(2)]
    site = "layers.1.residual"
    whole = WholeSite(site, torch.zeros(24))
    late = range(90, 94)
    given = [
        Condition("baseline"),
        Condition("counterfactual", source="other"),
        Condition("zero_effect", "site", whole),
        Condition("patch", "all", whole, source="other", steps=range(200)),
        Condition("scale", "late", whole, -4.0, steps=late),
        Condition("ablate", "one", Coordinates(site, (1,), torch.tensor([0.5])), 0.0),
    ]
    clap = str(save_tiny_clap(tmp_path / "clap"))
    sweep = Sweep(
        load=other_model,
        judge=JudgeParams(
            clap=clap,
            clap_revision=None,
            tagger=clap,
            tagger_revision=None,
            second_tagger=None,
            second_tagger_revision=None,
            watch=clap,
            device="cpu",
        ),
        continuation=ContinuationSettings(seconds=2.0),
        listening=ListeningSettings(
            search=SearchSettings(lengths=(0.64,), min_lag=1.0, tempo=0.0, texture_seconds=0.16),
            motifs={"p0": [Span(start_sample=0, samples=15_360)]},
        ),
        cache=tmp_path / "clips",
        rows=8,
        kept=frozenset({"p0"}),
    )
    measured = list(sweep.run(prefixes, given))
    by_kind = {clip.clip.condition: clip for clip in measured if clip.clip.prefix is prefixes[0]}
    baseline, other, same, patched, scaled, _ = by_kind.values()
    for made in measured:
        assert made.excluded is None
        assert made.clip.codes.shape == (12, 50 + 50)
        if made.samples is not None:
            assert len(made.samples) == 100 * 960
    assert same.tokens_sha256 == baseline.tokens_sha256
    assert same.metrics.log_likelihood == 0
    # The last block's residual decides the tokens: patched at all steps, it is the other run's.
    assert torch.equal(patched.clip.codes[:, 50:], other.clip.codes[:, 50:])
    assert not torch.equal(patched.clip.codes[:, 50:], baseline.clip.codes[:, 50:])
    # Step 90 predicts frame 90 of the first codebook and frame 89 of all others.
    first = (scaled.clip.codes != baseline.clip.codes).int()
    assert not first[0, :90].any()
    assert not first[1:, :89].any()
    assert first[0, 90:94].any()
    assert first[1:, 89:93].any()
    (motif,) = baseline.returns
    assert motif.start is None or 2.0 <= motif.start <= 4.0
    row = row_of(
        scaled,
        sweep.continuation,
        name="scale_late_-4",
        model="other",
        model_fingerprint=other_model().fingerprint,
        sample_rate=24_000,
    )
    assert (row.prefix_frames, row.frames, row.steps) == (50, 50, (90, 94))


def test_the_model_does_not_differ_from_run_to_run() -> None:
    """What a work cache relies on; and interventions in a pass act as they do in generation."""
    model = other_model()
    prefix = torch.randint(16, (1, 12, 30), generator=torch.Generator().manual_seed(2))
    edit = Intervention("layers.0.residual", torch.tanh, steps=range(20, 50))
    clip = model.generate(seconds=1.0, prefix=prefix, interventions=[edit], capture=SITES[2:])
    _, cache = model.run_with_cache(clip.codes, sites=SITES[2:], interventions=[edit])
    torch.testing.assert_close(cache[SITES[2]][:, :55], clip.activations[SITES[2]][:, :55])
