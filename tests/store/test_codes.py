"""Codes kept: each recording encoded once, by whichever reader comes first."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leitmotif.audio.decode import load_audio
from leitmotif.causal.experiment.prefixes import prefix_of
from leitmotif.errors import AudioError
from leitmotif.musicgen import HookedMusicGen
from leitmotif.probe.compared.baseline import shuffle_weights
from leitmotif.probe.study.past import FeatureReading
from leitmotif.sae.audit.splice import read_codes_of
from leitmotif.store.cache.codes import FOLDER, CachedCodec
from leitmotif.store.reading import ActivationStore
from leitmotif.store.writing.build import StoreBuilder
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.work.parallel import in_processes
from tests.tiny import tiny_musicgen, tiny_tokenizer

SITE = "layers.2.residual"
MakeBuilder = Callable[..., StoreBuilder]
MakeTrack = Callable[..., ManifestTrack]


class Counting:
    """A model that counts the recordings that its codec encodes."""

    def __init__(self, model: HookedMusicGen) -> None:
        self.model, self.encoded = model, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode_audio(self, samples: Any) -> torch.Tensor:
        self.encoded += 1
        return self.model.encode_audio(samples)


def fresh(*, dtype: str = "float32", **sizes: int) -> HookedMusicGen:
    model = HookedMusicGen.from_transformers(tiny_musicgen(**sizes), tiny_tokenizer())
    return model.to(dtype=dtype)


def noise(seconds: float = 0.5, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).standard_normal(round(seconds * 32_000))
    return (0.1 * samples).astype(np.float32)


def entries(root: Path) -> list[Path]:
    return sorted((root / FOLDER).glob("*.safetensors"))


def test_the_codes_are_the_codecs_own_and_are_made_once(
    model: HookedMusicGen, tmp_path: Path
) -> None:
    counting, samples = Counting(model), noise()
    codes = [CachedCodec(counting, tmp_path).encode_audio(samples) for _ in range(3)]
    assert counting.encoded == 1
    for code in codes:
        assert torch.equal(code, model.encode_audio(samples))
        assert (code.shape, code.dtype) == ((1, 4, 25), torch.int64)


def test_other_samples_are_other_codes(model: HookedMusicGen, tmp_path: Path) -> None:
    """A prefix's codes are not the first of the whole recording's: the encoder hears ahead."""
    counting, samples = Counting(model), noise()
    codec = CachedCodec(counting, tmp_path)
    changed = samples.copy()
    changed[-1] += 1e-3
    for audio in (samples, samples[: 20 * 640], samples[:-1], samples[640:], changed):
        assert torch.equal(codec.encode_audio(audio), model.encode_audio(audio))
    assert counting.encoded == 5


def test_all_readers_of_a_track_share_its_codes(
    model: HookedMusicGen,
    make_track: MakeTrack,
    make_builder: MakeBuilder,
    audio: Path,
    tmp_path: Path,
) -> None:
    """Activations of two models, spliced loss, the leak check and a prefix of the whole track."""
    track = make_track("1", windows=[Window(start_frame=0, frames=25)])
    own, other = Counting(model), Counting(shuffle_weights(fresh(), seed=1))
    stores = []
    for number, cached in enumerate((own, other)):
        builder = make_builder(cached.model, codec=CachedCodec(cached, tmp_path))
        assert builder.build(tmp_path / f"out{number}", [track]).captured == 3
        stores.append(ActivationStore(tmp_path / f"out{number}"))
    assert (own.encoded, other.encoded) == (1, 0), "their codec is the same"
    assert not np.array_equal(stores[0].load(SITE, "1"), stores[1].load(SITE, "1"))
    (codes,) = read_codes_of(CachedCodec(own, tmp_path), track, audio)
    prefix = prefix_of(CachedCodec(own, tmp_path), track, audio, seconds=0.5)
    samples = load_audio(audio / track.path, sample_rate=32_000).samples
    reading = FeatureReading(own.model, [SITE], "float16", codec=CachedCodec(own, tmp_path))
    states = reading(samples, None)[SITE].toarray()
    np.testing.assert_array_equal(states, stores[0].load(SITE, "1"))
    assert torch.equal(prefix.codes, codes[0])
    assert torch.equal(codes, model.encode_audio(samples))
    assert own.encoded == 1


@pytest.mark.fault("codes in the work cache", "bytes changed", outcome="made again")
@pytest.mark.parametrize("damage", ["a flipped bit", "a lost end", "nothing left"])
def test_a_damaged_entry_is_made_again(damage: str, model: HookedMusicGen, tmp_path: Path) -> None:
    counting, samples = Counting(model), noise()
    codec = CachedCodec(counting, tmp_path)
    expected = codec.encode_audio(samples)
    (entry,) = entries(tmp_path)
    whole = entry.read_bytes()
    flipped = bytes([*whole[:-1], whole[-1] ^ 1])
    entry.write_bytes({"a flipped bit": flipped, "a lost end": whole[:-4]}.get(damage, b""))
    assert torch.equal(codec.encode_audio(samples), expected)
    assert counting.encoded == 2
    assert [path.read_bytes() for path in entries(tmp_path)] == [whole]
    assert torch.equal(codec.encode_audio(samples), expected)
    assert counting.encoded == 2


def test_two_codecs_do_not_mix(tmp_path: Path) -> None:
    """Other weights, another precision and another setting of the codec; not another decoder."""
    small, bigger, wide = fresh(), fresh(layers=2, width=16), fresh(dtype="float64")
    other, padded = fresh(), fresh()
    bigger.codec = small.codec
    with torch.no_grad():
        next(other.codec.encodec.encoder.parameters()).mul_(1.5)
    padded.codec.encodec.config.pad_mode = "constant"
    counted = [Counting(model) for model in (small, bigger, wide, other, padded)]
    samples = noise()
    for counting in counted:
        codes = CachedCodec(counting, tmp_path).encode_audio(samples)
        assert torch.equal(codes, counting.model.encode_audio(samples))
    assert [counting.encoded for counting in counted] == [1, 0, 1, 1, 1]
    assert len(entries(tmp_path)) == 4


@pytest.mark.fault(
    "codes in the work cache", "process killed", outcome="nothing half written is read"
)
def test_a_killed_run_leaves_nothing_that_is_read(model: HookedMusicGen, tmp_path: Path) -> None:
    samples = noise()
    CachedCodec(model, tmp_path).encode_audio(samples)
    (entry,) = entries(tmp_path)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    half = entry.with_name(f".{entry.name}.{gone.pid}.partial")
    half.write_bytes(entry.read_bytes()[:100])
    entry.unlink()
    counting = Counting(model)
    codes = CachedCodec(counting, tmp_path).encode_audio(samples)
    assert torch.equal(codes, model.encode_audio(samples))
    assert (counting.encoded, half.exists()) == (1, False)


def test_nothing_is_kept_of_audio_that_cannot_be_encoded(
    model: HookedMusicGen, tmp_path: Path
) -> None:
    for _ in range(2):
        with pytest.raises(AudioError, match="no numbers"):
            CachedCodec(model, tmp_path).encode_audio(np.full(1000, np.nan, np.float32))
    assert entries(tmp_path) == []


def _encode_all(root: Path, _: int) -> list[list[int]]:
    codec = CachedCodec(fresh(), root)
    return [codec.encode_audio(noise(seed=seed)).flatten().tolist() for seed in range(8)]


def test_processes_that_encode_the_same_audio_at_once_agree(tmp_path: Path) -> None:
    first, other = in_processes(partial(_encode_all, tmp_path), [0, 1], workers=2)
    assert first == other == _encode_all(tmp_path / "apart", 0)
    assert len(entries(tmp_path)) == 8
