"""The composed shard: the real one's layout, the same bytes each time, and audio in its place."""

import hashlib
import io
import tarfile
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from leitmotif.corpus.organism.composer import render, score_of, sounds
from leitmotif.corpus.organism.shard import (
    DEFECTS,
    INSTRUMENTS,
    LICENCES,
    MOODS,
    TAR,
    TAR_SUMS,
    TRACK_SUMS,
    TWINS,
    draw_piece,
    write_shard,
    write_twins,
)
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World
from leitmotif.errors import CorpusError
from leitmotif.files import read_table, sha256_file
from leitmotif.tables.base import Span
from leitmotif.tables.truth import TRUTH, Truth


@pytest.fixture(scope="session")
def world(varied: World) -> World:
    """Here, the world in which motifs return in every way."""
    return varied


def decoded(shard: Path) -> dict[str, NDArray[np.float32]]:
    tracks = {}
    with tarfile.open(shard / TAR) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            samples, rate = soundfile.read(io.BytesIO(file.read()), dtype="float32")
            assert rate == 32_000
            number = int(member.name.removeprefix("00/").removesuffix(".low.mp3"))
            tracks[f"track_{number:07d}"] = samples
    return tracks


def rows_of(path: Path) -> dict[str, list[str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
    return {line.split("\t")[0]: line.split("\t")[1:] for line in lines[1:]}


def test_two_runs_write_the_same_bytes(world: World, shard: Path, tmp_path: Path) -> None:
    write_shard(world, tmp_path, pieces=24, seed=7)
    names = {path.name for path in shard.iterdir()}
    assert names == {TAR, TAR_SUMS, TRACK_SUMS, INSTRUMENTS, MOODS, LICENCES, TRUTH}
    for name in names:
        assert sha256_file(tmp_path / name) == sha256_file(shard / name), name


def test_another_seed_is_another_shard(world: World, shard: Path, tmp_path: Path) -> None:
    write_shard(world, tmp_path, pieces=2, seed=8)
    ours, theirs = (read_table(folder / TRUTH, Truth)[:2] for folder in (shard, tmp_path))
    assert [row.track_id for row in ours] == [row.track_id for row in theirs]
    assert sha256_file(tmp_path / TAR) != sha256_file(shard / TAR)


def test_the_checksum_lists_name_every_file(shard: Path) -> None:
    assert (shard / TAR_SUMS).read_text() == f"{sha256_file(shard / TAR)} {TAR}\n"
    listed = dict(
        reversed(line.split(" ")) for line in (shard / TRACK_SUMS).read_text().splitlines()
    )
    with tarfile.open(shard / TAR) as tar:
        members = tar.getmembers()
        assert all(member.isreg() and member.mtime == 0 for member in members)
        files = {
            member.name: hashlib.sha256(tar.extractfile(member).read()).hexdigest()  # type: ignore[union-attr]
            for member in members
        }
    assert listed == files
    assert len(files) == 24


def test_each_defect_is_where_it_was_put(world: World, shard: Path) -> None:
    instruments, moods = rows_of(shard / INSTRUMENTS), rows_of(shard / MOODS)
    licences = (shard / LICENCES).read_text(encoding="utf-8").split("\n\n")
    licensed = {block.splitlines()[0] for block in licences if block}
    pieces = [draw_piece(world, 7, index) for index in range(24)]
    assert [piece.defect for piece in pieces if piece.defect] == list(DEFECTS)
    for piece in pieces:
        tags = instruments.get(piece.track_id, ["", "", "", "", ""])[4:]
        assert ("instrument---voice" in tags) == (piece.defect == "voice")
        assert (f"instrument---{piece.score.instrument}" in tags) == (piece.defect != "untagged")
        assert (float(moods[piece.track_id][3]) < 8) == (piece.defect == "short")
        assert (piece.path in licensed) == (piece.defect != "unlicensed")


def test_the_default_shard_has_enough_eligible_pieces_and_balanced_returns(world: World) -> None:
    pieces = [draw_piece(world, 7, index) for index in range(128)]
    sound = [piece for piece in pieces if piece.defect is None]
    assert len(sound) >= 100
    returns = [decision for piece in sound for decision in piece.score.returns]
    assert 0.4 < np.mean(returns) < 0.6


def test_the_audio_is_where_the_score_puts_it(world: World, shard: Path) -> None:
    bank, tracks = SoundBank(world), decoded(shard)
    for index in range(24):
        piece = draw_piece(world, 7, index)
        exact = render(bank, sounds(world, piece.score)[: piece.bars * world.notes_per_bar])
        heard = tracks[piece.track_id]
        assert len(heard) == len(exact)
        reach = 50
        middle = exact[reach:-reach]
        match = [
            float(middle @ heard[reach + shift : len(heard) - reach + shift])
            for shift in range(-reach, reach + 1)
        ]
        assert np.argmax(match) - reach == 0
        error = float(np.square(heard - exact).sum() / np.square(exact).sum())
        assert error < 0.01


@pytest.fixture(scope="session")
def chroma_similarity(world: World, shard: Path) -> dict[bool, list[float]]:
    tracks = decoded(shard)
    cosines: dict[bool, list[float]] = {True: [], False: []}
    for row in read_table(shard / TRUTH, Truth):
        chroma = librosa.feature.chroma_cqt(
            y=tracks[row.track_id],
            sr=world.sample_rate,
            hop_length=world.samples_per_frame,
            fmin=librosa.note_to_hz("C4"),
            n_octaves=3,
            bins_per_octave=36,
        )

        def window(span: Span, chroma: NDArray[np.float32] = chroma) -> NDArray[np.float32]:
            start = span.start_sample // world.samples_per_frame
            part = chroma[:, start + 1 : start + span.samples // world.samples_per_frame - 1]
            return (part - part.mean(1, keepdims=True)).ravel()

        motif = window(row.motif)
        for slot in row.slots:
            other = window(slot, np.roll(chroma, -slot.transposition, axis=0))
            norms = np.linalg.norm(motif) * np.linalg.norm(other)
            cosines[slot.returns].append(float(motif @ other / norms))
    return cosines


def test_the_truth_can_be_heard_after_mp3(chroma_similarity: dict[bool, list[float]]) -> None:
    # Exact returns are above 0.99; grace notes and the other instrument's overtones cost some.
    assert min(chroma_similarity[True]) > 0.7
    assert np.median(chroma_similarity[True]) > 0.9
    assert np.median(chroma_similarity[False]) < 0.3
    assert max(chroma_similarity[False]) < min(chroma_similarity[True])


def test_the_truth_of_a_short_piece_stops_where_the_piece_does(world: World, shard: Path) -> None:
    tracks = decoded(shard)
    for row in read_table(shard / TRUTH, Truth):
        spans = [row.motif, row.cue, *row.statements, *row.slots]
        assert all(s.start_sample + s.samples <= len(tracks[row.track_id]) for s in spans)
        short = draw_piece(world, row.seed, row.index).defect == "short"
        assert len(row.slots) == (0 if short else 2)


def test_the_truth_leads_back_to_the_score(world: World, shard: Path) -> None:
    rows = read_table(shard / TRUTH, Truth)
    assert [score_of(world, row) for row in rows] == [
        draw_piece(world, 7, index).score for index in range(24)
    ]
    other = world.model_copy(update={"ostinato": 0.0})
    with pytest.raises(CorpusError, match="not what this world's composer says"):
        [score_of(other, row) for row in rows]


def test_twins_differ_in_one_slot_and_its_cue(world: World, shard: Path, tmp_path: Path) -> None:
    write_twins(world, tmp_path, pieces=6, seed=7)
    files = sorted((tmp_path / TWINS).iterdir())
    tracks = decoded(shard)
    rows = {row.track_id: row for row in read_table(shard / TRUTH, Truth)}
    assert len(files) == 12
    for file in files:
        track, slot = file.name.removesuffix(".mp3").split(".slot")
        samples, _ = soundfile.read(file, dtype="float32")
        decided = rows[track].slots[int(slot)]
        apart = np.abs(samples - tracks[track])
        changed = np.zeros(len(apart), dtype=bool)
        for span in (decided.cue, decided):
            changed[span.start_sample : span.start_sample + span.samples] = True
        # MP3 smears a change by a frame or two.
        near = np.convolve(changed, np.ones(4801), mode="same") > 0
        assert apart[~near].max() < 0.02
        assert apart[changed].max() > 0.1
