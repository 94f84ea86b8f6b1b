import json
from pathlib import Path

import pytest
from official_layout import (
    LICENCES,
    REVISION,
    TAR,
    TSV,
    Fault,
    Official,
    Web,
    publish,
    sha256,
    tar_of,
)

from leitmotif.corpus.sources.kinds import build_corpus
from leitmotif.corpus.sources.mtg_jamendo import fetch_mtg_jamendo, load_release
from leitmotif.errors import CorpusError
from leitmotif.files import read_table
from leitmotif.tables.corpus import CorpusTrack, Failure, Licence


@pytest.fixture
def official(web: Web, tmp_path: Path) -> Official:
    return publish(web, tmp_path / "pin")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return tmp_path / "data" / "corpus"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def expect_refusal(official: Official, corpus: Path, work: Path, pattern: str) -> None:
    """The corpus is refused with a message that names the file; nothing of it is left."""
    with pytest.raises(CorpusError, match=pattern):
        build_corpus(official.settings, corpus, work)
    assert list(corpus.parent.iterdir()) == []


def test_a_shard_becomes_a_corpus(official: Official, corpus: Path, work: Path) -> None:
    tracks, failures, notes = build_corpus(official.settings, corpus, work)
    assert failures == notes == []
    assert read_table(corpus / "tracks.jsonl", CorpusTrack) == tracks
    assert read_table(corpus / "failures.jsonl", Failure) == []
    # The order of the tag file, then the tracks that it does not have.
    assert [track.track_id for track in tracks] == [
        "track_0000300",
        "track_0001100",
        "track_0012000",
        "track_0000500",
    ]
    for track in tracks:
        content = (corpus / track.path).read_bytes()
        assert content == official.members[track.path.removeprefix("audio/")]
        assert (track.sha256, track.bytes) == (sha256(content), len(content))
    piano, voice, guitar, untagged = tracks
    assert piano.tags == ["instrument---piano", "instrument---bass"]
    assert untagged.tags == []
    assert [track.seconds for track in tracks] == [1.0, 1.5, 2.0, 0.5]
    assert piano.licence == Licence(
        name="CC BY-NC 3.0",
        url="http://creativecommons.org/licenses/by-nc/3.0/",
        attribution="Tone by Örjan from Jamendo: http://www.jamendo.com/track/300",
    )
    assert voice.licence is not None
    assert voice.licence.name == "CC BY 2.0 FR"
    assert guitar.licence is None


def test_a_second_run_downloads_nothing_and_gives_the_same(
    official: Official, corpus: Path, work: Path
) -> None:
    first = build_corpus(official.settings, corpus, work)
    requests = len(official.web.requests)
    assert build_corpus(official.settings, corpus, work) == first
    assert len(official.web.requests) == requests


@pytest.mark.fault("corpus stage", "connection lost", outcome="resumed by the next run")
def test_a_shard_cut_short_is_resumed_by_the_next_run(
    official: Official, corpus: Path, work: Path
) -> None:
    official.web.faults[official.tar_path] = [Fault(send=10_000)]
    expect_refusal(official, corpus, work, f"{TAR} could not be downloaded")
    build_corpus(official.settings, corpus, work)
    assert official.web.ranges_asked(official.tar_path) == [None, "bytes=10000-"]


def test_a_shard_that_is_not_the_official_one(official: Official, corpus: Path, work: Path) -> None:
    official.web.files[official.tar_path] = tar_of({"00/evil.mp3": b"x"})
    expect_refusal(official, corpus, work, f"{TAR} .* is not the file that was promised")


def test_a_metadata_file_that_is_not_the_pinned_one(
    official: Official, corpus: Path, work: Path
) -> None:
    path = f"/metadata/{REVISION}/data/autotagging_instrument.tsv"
    official.web.files[path] = TSV.replace("voice", "piano").encode()
    expect_refusal(official, corpus, work, r"autotagging_instrument\.tsv .* not the file")
    assert official.tar_path not in {asked for asked, _ in official.web.requests}


def republish(official: Official, tar: bytes) -> None:
    """Let the official list vouch for another tar file, as an intruder at the source could."""
    official.web.files[official.tar_path] = tar
    path = f"data/download/{TAR.removesuffix('-00.tar')}_sha256_tars.txt"
    text = f"{sha256(tar)} {TAR}\n".encode()
    official.web.files[f"/metadata/{REVISION}/{path}"] = text
    pin = Path(official.settings.path)
    release = json.loads(pin.read_text())
    release["tar_checksums"]["sha256"] = sha256(text)
    pin.write_text(json.dumps(release))


def test_a_track_that_is_not_the_official_one(official: Official, corpus: Path, work: Path) -> None:
    republish(official, tar_of(official.members | {"00/300.low.mp3": b"other"}))
    expect_refusal(official, corpus, work, r"00/300\.low\.mp3 is not the file of the official list")


def test_a_track_that_is_missing(official: Official, corpus: Path, work: Path) -> None:
    members = {name: content for name, content in official.members.items() if "300" not in name}
    republish(official, tar_of(members))
    expect_refusal(official, corpus, work, r"no 00/300\.low\.mp3")


@pytest.mark.fault("corpus stage", "a shard cut short", outcome="named error")
def test_a_truncated_shard(official: Official, corpus: Path, work: Path) -> None:
    tar = official.web.files[official.tar_path]
    republish(official, tar[: len(tar) // 2])
    expect_refusal(official, corpus, work, f"{TAR} cannot be used")


def test_a_shard_that_the_release_does_not_have(
    official: Official, corpus: Path, work: Path
) -> None:
    official.settings = official.settings.model_copy(update={"shards": [0, 7]})
    expect_refusal(official, corpus, work, r"has no autotagging_moodtheme_audio-low-07\.tar")


@pytest.mark.fault("corpus stage", "bytes of a download changed", outcome="fetched again")
def test_a_damaged_download_is_replaced(official: Official, corpus: Path, work: Path) -> None:
    build_corpus(official.settings, corpus, work)
    tar = next(work.rglob(TAR))
    tar.write_bytes(b"damaged")
    build_corpus(official.settings, corpus, work)
    assert tar.read_bytes() == official.web.files[official.tar_path]


def test_the_unpinned_file_is_reported(
    official: Official, corpus: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch_mtg_jamendo(official.settings, corpus, work)
    assert f"audio_licenses.txt: SHA-256 {sha256(LICENCES.encode())}" in capsys.readouterr().err


def test_the_committed_pin_is_that_of_the_official_files(
    repo_root: Path, shared_data: Path
) -> None:
    release = load_release(repo_root / "data" / "sources" / "mtg_jamendo.json")
    for file in (release.tags, release.tar_checksums, release.track_checksums):
        content = (shared_data / "mtg_jamendo" / Path(file.path).name).read_bytes()
        assert sha256(content) == file.sha256


@pytest.mark.fault("pin file", "other content", outcome="refused by name")
@pytest.mark.parametrize("content", ["{}", "not JSON", '{"revision": "main"}'])
def test_a_bad_pin_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "pin.json").write_text(content)
    with pytest.raises(CorpusError, match=r"pin\.json (does not describe|is not JSON)"):
        load_release(tmp_path / "pin.json")
    with pytest.raises(CorpusError, match=r"none\.json.* does not exist"):
        load_release(tmp_path / "none.json")
