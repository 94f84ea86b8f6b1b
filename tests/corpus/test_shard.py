from pathlib import Path

import pytest
from official_layout import LICENCES, TAR, TSV, sha256, tar_of, tone

from leitmotif.corpus.sources.shard import Shards, archive_name, unpack_shards
from leitmotif.errors import CorpusError

MEMBERS = {"00/300.low.mp3": tone(1.0, 220), "00/12000.low.mp3": b"no MP3, but officially so"}


@pytest.fixture
def shards(tmp_path: Path) -> Shards:
    """A shard that lies here already, as the composer leaves it."""
    tar = tar_of(MEMBERS)
    (tmp_path / TAR).write_bytes(tar)
    texts = {
        "tars.txt": f"{sha256(tar)} {TAR}\n",
        "tracks.txt": "".join(f"{sha256(content)} {name}\n" for name, content in MEMBERS.items()),
        "tags.tsv": TSV,
        "licences.txt": LICENCES,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return Shards(
        dataset="autotagging_moodtheme",
        data_type="audio-low",
        archives={0: tmp_path / TAR},
        tar_checksums=tmp_path / "tars.txt",
        track_checksums=tmp_path / "tracks.txt",
        tags=tmp_path / "tags.tsv",
        licences=tmp_path / "licences.txt",
    )


def test_names_of_archives() -> None:
    assert archive_name("autotagging_moodtheme", "audio-low", 0) == TAR


@pytest.mark.fault(
    "MTG-Jamendo shard", "a track that is no audio", outcome="no duration, and a note that says why"
)
def test_durations_are_what_was_decoded(shards: Shards, tmp_path: Path) -> None:
    shards.tags.write_text(TSV.replace("\t1.0\t", "\t1.1\t"))
    tracks, notes = unpack_shards(shards, tmp_path / "corpus")
    assert {track.track_id: track.seconds for track in tracks} == {
        "track_0000300": 1.0,
        "track_0012000": None,
    }
    assert [(note.track_id, note.reason) for note in notes] == [("track_0012000", "undecodable")]


def test_a_local_archive_is_checked_before_it_is_opened(shards: Shards, tmp_path: Path) -> None:
    archive = shards.archives[0]
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(CorpusError, match=f"{TAR} is not the official"):
        unpack_shards(shards, tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


def test_a_list_without_tracks_of_the_shard_is_refused(shards: Shards, tmp_path: Path) -> None:
    shards.track_checksums.write_text(f"{'0' * 64} 01/1.low.mp3\n")
    with pytest.raises(CorpusError, match="has no track of shard 00"):
        unpack_shards(shards, tmp_path / "corpus")
