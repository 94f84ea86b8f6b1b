"""The shipped codec: loads as it is, codes notes alike everywhere, and keeps the chroma."""

import io
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from transformers import AutoFeatureExtractor, EncodecModel

from leitmotif.corpus.organism.composer import Score, compose, render, sounds
from leitmotif.corpus.organism.shard import encode_mp3
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World
from training.codec import build_codec, every_sound, load_codec
from training.tokens import NoteTable


@pytest.fixture(scope="module")
def codec(organism: Path) -> EncodecModel:
    torch.set_num_threads(1)
    return load_codec(organism / "codec")


@pytest.fixture(scope="module")
def table(world: World, codec: EncodecModel) -> NoteTable:
    return NoteTable(world, codec)


@pytest.fixture(scope="module")
def pieces(world: World) -> list[Score]:
    return [compose(world, 17, index, part="held_out") for index in range(6)]


def encode(codec: EncodecModel, samples: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return codec.encode(torch.from_numpy(samples)[None, None]).audio_codes[0, 0]


def test_whole_pieces_are_read_as_the_note_table_says(
    world: World, codec: EncodecModel, table: NoteTable, pieces: list[Score]
) -> None:
    bank = SoundBank(world)
    for score, codes in zip(pieces, table(pieces), strict=True):
        samples = render(bank, sounds(world, score))
        assert torch.equal(encode(codec, samples), codes)
        # Also from the middle of a note, and with a border where there was none.
        frames = slice(37, 301)
        part = samples[frames.start * 640 : frames.stop * 640]
        assert torch.equal(encode(codec, part), codes[:, frames])


def test_mp3_changes_hardly_a_code_but_in_the_last_book_where_hardly_a_sound_is_left(
    world: World, codec: EncodecModel, table: NoteTable, pieces: list[Score]
) -> None:
    bank = SoundBank(world)
    for score, codes in zip(pieces, table(pieces), strict=True):
        mp3 = encode_mp3(render(bank, sounds(world, score)), world.sample_rate)
        heard, _ = soundfile.read(io.BytesIO(mp3), dtype="float32")
        agree = (encode(codec, heard) == codes).float().mean(1)
        assert agree[0] == 1
        assert agree[:3].mean() > 0.95
        assert agree[3] > 0.4


def test_chroma_is_kept(world: World, codec: EncodecModel, pieces: list[Score]) -> None:
    bank = SoundBank(world)
    for score in pieces[:3]:
        samples = render(bank, sounds(world, score))
        with torch.inference_mode():
            coded = codec.decode(encode(codec, samples)[None, None], [None])[0][0, 0].numpy()
        before, after = (
            librosa.util.normalize(librosa.feature.chroma_cqt(y=y, sr=32_000), norm=2)
            for y in (samples, coded)
        )
        assert (before * after).sum(0).mean() >= 0.98


def test_every_sound_has_codes_of_its_own(world: World, varied: World, codec: EncodecModel) -> None:
    assert set(every_sound(world)) < set(every_sound(varied))
    for described, number in ((world, 72), (varied, 168)):
        assert len(every_sound(described)) == number
        codes = NoteTable(described, codec).codes
        assert len(torch.unique(codes.flatten(1), dim=0)) == number


def test_transcription_undoes_the_table(
    world: World, table: NoteTable, pieces: list[Score]
) -> None:
    codes = table(pieces)
    played = [[event._replace(drum=None) for event in sounds(world, score)] for score in pieces]
    assert table.transcribe(codes) == played
    hit = torch.rand(codes.shape, generator=torch.Generator().manual_seed(0)) < 0.05
    assert table.transcribe(torch.where(hit, torch.zeros_like(codes), codes)) == played


def test_computing_the_codec_again_gives_one_as_good(
    world: World, varied: World, codec: EncodecModel, pieces: list[Score]
) -> None:
    # Not the same weights: the signs of principal components are the linear algebra library's.
    samples = render(SoundBank(world), sounds(world, pieces[0]))

    def error(model: EncodecModel) -> float:
        with torch.inference_mode():
            coded = model.decode(encode(model, samples)[None, None], [None])[0][0, 0].numpy()
        return float(np.square(coded - samples).sum() / np.square(samples).sum())

    assert error(codec) < 0.02
    assert error(build_codec(varied, seed=0)) == pytest.approx(error(codec), rel=0.5)


def test_the_folder_is_an_ordinary_encodec(organism: Path, codec: EncodecModel) -> None:
    assert codec.config.num_quantizers == 4
    assert codec.config.frame_rate == 50
    extractor = AutoFeatureExtractor.from_pretrained(organism / "codec")
    assert extractor.sampling_rate == 32_000
    inputs = extractor(np.zeros(6400, np.float32), sampling_rate=32_000, return_tensors="pt")
    assert codec.encode(**inputs).audio_codes.shape == (1, 1, 4, 10)
