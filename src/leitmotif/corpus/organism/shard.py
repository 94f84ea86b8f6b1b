"""Composed pieces as a shard of MP3 files, in the layout of MTG-Jamendo's low-quality release.

The same code then verifies, unpacks and selects composed and downloaded tracks, so one piece in
six is made for the manifest to leave out: sung, untagged, too short, or without a licence.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile

from leitmotif.corpus.organism.composer import Score, compose, render, sounds, truth
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World
from leitmotif.files import atomic, write_table, write_text
from leitmotif.tables.truth import TRUTH, Truth
from leitmotif.work.parallel import in_processes
from leitmotif.work.progress import progress

TAR = "autotagging_moodtheme_audio-low-00.tar"
TAR_SUMS = "autotagging_moodtheme_audio-low_sha256_tars.txt"
TRACK_SUMS = "autotagging_moodtheme_audio-low_sha256_tracks.txt"
INSTRUMENTS, MOODS = "autotagging_instrument.tsv", "autotagging_moodtheme.tsv"
LICENCES = "audio_licenses.txt"
TWINS = "twins"

_PIECES = 16
"""Pieces that a process renders before it is given others."""
DEFECT_EVERY = 6
DEFECTS = ("voice", "untagged", "short", "unlicensed")
SHORT_BARS = 5
KILOBITS = 256
"""Bit rate of the MP3 files. At 256 kbit/s the organism's codec reads the first codebook as from
the uncompressed samples, and all but 0.6 % of the others."""
SLOWEST, FASTEST = 320, 32
"""Bit rates that libsndfile's compression levels 0 and 1 stand for at 32 kHz."""


@dataclass(frozen=True)
class ShardTrack:
    """One track of a shard."""

    index: int
    """Counted from 0."""
    score: Score
    bars: int
    """Number of bars of the score that are rendered."""
    defect: str | None
    """One of ``DEFECTS``, for which the manifest leaves the track out; None: it is kept."""

    @property
    def number(self) -> int:
        """The track's number; a hundredfold, for folder 00 holds those that end in two zeros."""
        return 100 * (self.index + 1)

    @property
    def track_id(self) -> str:
        """The track's name in the tables."""
        return f"track_{self.number:07d}"

    @property
    def member(self) -> str:
        """Its path in the tar and in the checksum list."""
        return f"00/{self.number}.low.mp3"

    @property
    def path(self) -> str:
        """Its path in the tables, which name the full-quality file."""
        return f"00/{self.number}.mp3"


def draw_piece(world: World, seed: int, index: int) -> ShardTrack:
    """Piece ``index`` of a shard, with its defect if it has one."""
    turn, place = divmod(index, DEFECT_EVERY)
    defect = DEFECTS[turn % len(DEFECTS)] if place == DEFECT_EVERY - 1 else None
    return ShardTrack(
        index=index,
        score=compose(world, seed, index, part="held_out"),
        bars=SHORT_BARS if defect == "short" else world.bars,
        defect=defect,
    )


def write_shard(world: World, out: Path, *, pieces: int, seed: int) -> None:
    """Compose tracks of motifs held out from training and write them as a shard.

    Writes the tar with its checksum lists, the instrument and mood tables, the licences, and
    truth.jsonl with what the score says of each track. The same arguments give the same bytes.

    Parameters
    ----------
    world : what may be drawn from.
    out : folder of the shard.
    pieces : number of tracks, those with a defect included.
    seed : series of the pieces.

    Raises StoreError for a file that cannot be written.
    """
    drawn = [draw_piece(world, seed, index) for index in range(pieces)]
    parts = [drawn[first : first + _PIECES] for first in range(0, pieces, _PIECES)]
    made = in_processes(partial(_encoded, world), parts)
    audio = chain.from_iterable(progress(made, "composing", total=len(parts)))
    with atomic(out / TAR) as temporary:
        sums = [
            f"{hashlib.sha256(mp3).hexdigest()} {piece.member}\n"
            for piece, mp3 in _add_members(temporary, drawn, audio)
        ]
        with temporary.open("rb") as file:
            tar_sum = hashlib.file_digest(file, "sha256").hexdigest()
    write_text(out / TAR_SUMS, f"{tar_sum} {TAR}\n")
    write_text(out / TRACK_SUMS, "".join(sums))
    write_text(out / INSTRUMENTS, _instruments(world, drawn))
    write_text(out / MOODS, _moods(world, drawn))
    write_text(out / LICENCES, _licences(drawn))
    write_table(out / TRUTH, (_truth(world, piece, seed) for piece in drawn))


def write_twins(world: World, out: Path, *, pieces: int, seed: int) -> None:
    """Write the counterfactual twins of a shard's whole pieces to ``out / TWINS``.

    ``track_0000100.slot1.mp3`` is the piece, had its cue said the opposite of its second slot.
    The parameters are those that ``write_shard`` was given. Raises StoreError for a file that
    cannot be written.
    """
    bank = SoundBank(world)
    for index in progress(range(pieces), "composing twins", total=pieces):
        piece = draw_piece(world, seed, index)
        if piece.bars < world.bars:
            continue
        for slot in range(len(world.slot_bars)):
            samples = render(bank, sounds(world, piece.score.twin(slot)))
            with atomic(out / TWINS / f"{piece.track_id}.slot{slot}.mp3") as temporary:
                temporary.write_bytes(encode_mp3(samples, world.sample_rate))


def encode_mp3(samples: np.ndarray[tuple[int], np.dtype[np.float32]], sample_rate: int) -> bytes:
    """Samples [n] in [-1, 1] at a rate in Hz as a mono MP3 at a constant ``KILOBITS``.

    Decoding it gives the samples back in place.

    LAME writes how much silence it prepended, and libsndfile's decoder removes it again. Samples
    are rounded to 16 bits first, so that a last-digit difference between machines is not encoded.
    """
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        np.round(samples * 32767).astype(np.int16),
        sample_rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=(SLOWEST - KILOBITS) / (SLOWEST - FASTEST),
    )
    return buffer.getvalue()


def _encoded(world: World, pieces: Sequence[ShardTrack]) -> list[bytes]:
    bank = SoundBank(world)
    return [encode_mp3(_samples(world, bank, piece), world.sample_rate) for piece in pieces]


def _samples(
    world: World, bank: SoundBank, piece: ShardTrack
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    events = sounds(world, piece.score)[: piece.bars * world.notes_per_bar]
    return render(bank, events)


def _add_members(
    path: Path, pieces: list[ShardTrack], audio: Iterator[bytes]
) -> Iterator[tuple[ShardTrack, bytes]]:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for piece, mp3 in zip(pieces, audio, strict=True):
            member = tarfile.TarInfo(piece.member)
            member.size = len(mp3)
            tar.addfile(member, io.BytesIO(mp3))
            yield piece, mp3


def _instruments(world: World, pieces: list[ShardTrack]) -> str:
    rows = []
    for piece in pieces:
        tags = [f"instrument---{piece.score.instrument}"]
        if piece.defect == "voice":
            tags.append("instrument---voice")
        if piece.defect != "untagged":
            rows.append(_row(world, piece, tags))
    return _table(rows)


def _moods(world: World, pieces: list[ShardTrack]) -> str:
    return _table(_row(world, piece, [f"mood/theme---{piece.score.mood}"]) for piece in pieces)


def _table(rows: Iterator[str] | list[str]) -> str:
    return "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\n" + "".join(rows)


def _row(world: World, piece: ShardTrack, tags: list[str]) -> str:
    seconds = piece.bars * world.samples_per_bar / world.sample_rate
    cells = [piece.track_id, "artist_000001", "album_000001", piece.path, f"{seconds:.1f}", *tags]
    return "\t".join(cells) + "\n"


def _licences(pieces: list[ShardTrack]) -> str:
    return "".join(
        f"{piece.path}\n"
        f"Piece {piece.number} by Leitmotif's composer\n"
        "Available under a Creative Commons Zero license: "
        "https://creativecommons.org/publicdomain/zero/1.0/\n\n"
        for piece in pieces
        if piece.defect != "unlicensed"
    )


def _truth(world: World, piece: ShardTrack, seed: int) -> Truth:
    return truth(
        world,
        piece.score,
        track_id=piece.track_id,
        seed=seed,
        index=piece.index,
        bars=piece.bars,
    )
