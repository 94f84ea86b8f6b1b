"""A corpus of short recordings, a tiny model with random weights, and a store made of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from leitmotif.config import ActivationsParams, ModelParams
from leitmotif.files import sha256_file
from leitmotif.musicgen import HookedMusicGen
from leitmotif.musicgen.protocol import AudioEncoder
from leitmotif.store.cache.entries import WorkCache
from leitmotif.store.reading.index import write_index
from leitmotif.store.reading.layout import StoreLayout
from leitmotif.store.writing.build import Build, StoreBuilder
from leitmotif.store.writing.parts import StoreReading, built
from leitmotif.tables.corpus import ManifestTrack, Window
from tests.store.sharding import SHARDED, MakeBuilder, MakeTrack, Write
from tests.tables.made import manifest_track
from tests.tiny import tiny_musicgen, tiny_tokenizer

SITES = ["layers.0.residual", "layers.1.mlp", "layers.2.residual"]
MODEL = ModelParams(
    name="tiny",
    revision=None,
    watch="tiny",
    device="cpu",
    dtype="float32",
    text_padding="auto",
    position_seconds=0.0,
)


@pytest.fixture(scope="session")
def model() -> HookedMusicGen:
    torch.set_num_threads(1)
    return HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer())


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    return tmp_path / "corpus"


@pytest.fixture
def make_track(audio: Path) -> Callable[..., ManifestTrack]:
    """Write a recording of noise and return its row of the manifest."""

    def make(
        track_id: str, seconds: float = 0.5, seed: int = 0, windows: list[Window] | None = None
    ) -> ManifestTrack:
        path = audio / f"{track_id}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * 32_000))
        soundfile.write(path, samples, 32_000)
        return manifest_track(
            track_id=track_id,
            path=path.name,
            sha256=sha256_file(path),
            seconds=seconds,
            tags=["instrument---guitar", "mood/theme---calm"],
            windows=windows or [Window(start_frame=0, frames=int(seconds * 50))],
        )

    return make


@pytest.fixture
def make_builder(model: HookedMusicGen, audio: Path, tmp_path: Path) -> Callable[..., StoreBuilder]:
    """Make a builder over the same work cache, with settings of one's choice."""

    def make(
        changed_model: HookedMusicGen | None = None,
        model_params: ModelParams = MODEL,
        codec: AudioEncoder | None = None,
        **settings: object,
    ) -> StoreBuilder:
        values = {"sites": SITES, "prompt": "none", "dtype": "float16", "max_failures": 0}
        return StoreBuilder(
            changed_model or model,
            params=ActivationsParams.model_validate(values | settings),
            model_params=model_params,
            audio_root=audio,
            cache=WorkCache(tmp_path / "work"),
            codec=codec,
        )

    return make


@pytest.fixture
def tracks(make_track: MakeTrack) -> list[ManifestTrack]:
    """Six recordings of 0.1 to 0.35 s."""
    names = ["b", "1", "11", "track_2", "A", "z-9"]
    return [make_track(name, 0.1 + 0.05 * n, seed=n) for n, name in enumerate(names)]


@pytest.fixture
def write(
    model: HookedMusicGen,
    make_builder: MakeBuilder,
    audio: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Write:
    """Write a store as the stage does, in this process; its work cache is that of the test."""
    monkeypatch.setenv("LEITMOTIF_WORKERS", "1")

    def write(
        out: Path,
        tracks: Sequence[ManifestTrack],
        layout: StoreLayout = SHARDED,
        cache: Path = tmp_path / "work",
        **changes: object,
    ) -> Build:
        params = make_builder(**changes).params
        reading = StoreReading(lambda: model, MODEL, params, audio, cache)
        done = Build()
        for part in built(reading, out, tracks, shown="activations", layout=layout):
            done.rows += part.rows
            done.captured += part.captured
            done.failures += part.failures
        write_index(out, done.rows)
        return done

    return write


@pytest.fixture
def store(tracks: list[ManifestTrack], write: Write, tmp_path: Path) -> Path:
    """A store of shards."""
    write(tmp_path / "store", tracks, sites=["layers.1.residual", "layers.2.mlp"])
    return tmp_path / "store"
