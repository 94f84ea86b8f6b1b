import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from official_layout import sha256

from leitmotif.config import FolderCorpus
from leitmotif.corpus.sources.folder import copy_folder, track_ids
from leitmotif.corpus.sources.kinds import build_corpus
from leitmotif.errors import CorpusError


def record(path: Path, seconds: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.sin(np.arange(round(seconds * 8000)) / 10)
    # soundfile goes by the ending; capital letters are ours to accept.
    soundfile.write(path, samples, 8000, format=path.suffix[1:].upper())
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return tmp_path / "data" / "corpus"


def test_recordings_of_every_format_are_copied_in_order_of_path(source: Path, corpus: Path) -> None:
    for name in ("b.flac", "a/z.ogg", "a/Élan vital.MP3", "c.wav", "deep/er/d.Wav"):
        record(source / name, seconds=0.5)
    (source / "notes.txt").write_text("no recording")
    record(source / ".hidden.wav")
    record(source / ".cache" / "e.wav")
    tracks, failures, _ = copy_folder(source, corpus)
    assert failures == []
    assert [track.track_id for track in tracks] == [
        "a_z",
        "a_Elan_vital",
        "b",
        "c",
        "deep_er_d",
    ]
    for track in tracks:
        content = (source / track.path.removeprefix("audio/")).read_bytes()
        assert (corpus / track.path).read_bytes() == content
        assert (track.sha256, track.bytes) == (sha256(content), len(content))
        assert track.seconds == pytest.approx(0.5)
        assert (track.tags, track.licence) == ([], None)


@pytest.mark.fault(
    "corpus stage, folder",
    "pipe, broken and outward links, name not in UTF-8, cut and empty files",
    outcome="each in failures.jsonl with its reason; the others are done",
)
def test_what_cannot_be_used_is_listed_and_the_rest_goes_on(
    source: Path, corpus: Path, tmp_path: Path
) -> None:
    record(source / "good.wav")
    outside = record(tmp_path / "outside" / "secret.wav")
    (source / "link.wav").symlink_to(outside)
    (source / "inside.wav").symlink_to(source / "good.wav")
    (source / "broken.wav").symlink_to(source / "nothing.wav")
    (source / "circle.wav").symlink_to(source / "circle.wav")
    (source / "linked").symlink_to(outside.parent)
    (source / "empty.wav").write_bytes(b"")
    (source / "text.mp3").write_text("no recording at all")
    (source / "folder.wav").mkdir()
    os.mkfifo(source / "pipe.wav")
    bad_name = os.fsencode(source) + b"/\xff.wav"
    os.link(source / "good.wav", bad_name)
    (source / "cut.wav").write_bytes((source / "good.wav").read_bytes()[:4000])
    (source / ("n" * 251 + ".wav")).write_bytes(b"RIFF")

    tracks, failures, _ = copy_folder(source, corpus)
    assert [track.track_id for track in tracks] == ["good", "inside"]
    assert {failure.path: failure.reason for failure in failures} == {
        "link.wav": "outside_folder",
        "broken.wav": "unreadable",
        "circle.wav": "unreadable",
        "empty.wav": "undecodable",
        "text.mp3": "undecodable",
        "pipe.wav": "unreadable",
        "\\udcff.wav": "bad_name",
        "cut.wav": "truncated",
        "n" * 251 + ".wav": "undecodable",
    }
    copied = {path.name for path in corpus.rglob("*") if path.is_file()}
    assert copied == {"good.wav", "inside.wav"}
    assert not any(path.is_symlink() for path in corpus.rglob("*"))


def test_a_folder_without_recordings_is_refused(source: Path, corpus: Path) -> None:
    with pytest.raises(CorpusError, match="recordings holds no recording"):
        copy_folder(source, corpus)
    with pytest.raises(CorpusError, match="missing is not a folder"):
        copy_folder(source / "missing", corpus)
    (source / "a.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"no recording in [^$]* of 1[^$]*a\.wav"):
        copy_folder(source, corpus)


def test_a_folder_that_holds_the_corpus_itself_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "a.wav")
    settings = FolderCorpus(
        source="folder",
        path=str(tmp_path),
        watch="data/sources/recordings.jsonl",
        listings=["folder"],
    )
    with pytest.raises(CorpusError, match="where the corpus is written"):
        build_corpus(settings, tmp_path / "data" / "corpus", tmp_path / "work")
    assert not (tmp_path / "data" / "corpus").exists()


def test_real_recordings(shared_data: Path, corpus: Path) -> None:
    tracks, failures, _ = copy_folder(shared_data / "recordings", corpus)
    assert failures == []
    assert len(tracks) == 6
    assert min(track.seconds or 0 for track in tracks) == pytest.approx(5.333, abs=1e-3)
    assert max(track.seconds or 0 for track in tracks) == pytest.approx(132.989, abs=1e-3)


def test_names_that_become_alike_are_told_apart() -> None:
    ids = track_ids(["a/b.wav", "a_b.wav", "A B.mp3", "音.wav", "楽.wav", "c.wav"])
    assert len({identifier.casefold() for identifier in ids}) == 6
    assert ids[-1] == "c"
    assert ids[0].startswith("a_b--")
    assert ids[3].startswith("track--")


@given(
    names=st.lists(
        st.text(st.sampled_from("aAbé/ ._-音\udcff"), min_size=1, max_size=8).map(
            lambda text: text + ".wav"
        ),
        unique=True,
        max_size=12,
    ),
    data=st.data(),
)
def test_ids_are_safe_distinct_and_independent_of_the_order(
    names: list[str], data: st.DataObject
) -> None:
    ids = track_ids(names)
    assert len({identifier.casefold() for identifier in ids}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}", identifier) for identifier in ids)
    shuffled = data.draw(st.permutations(names))
    assert dict(zip(shuffled, track_ids(shuffled), strict=True)) == dict(
        zip(names, ids, strict=True)
    )


def test_long_names_stay_within_the_limit() -> None:
    ids = track_ids(["x" * 300 + "1.wav", "x" * 300 + "2.wav"])
    assert len(set(ids)) == 2
    assert max(map(len, ids)) <= 200


@pytest.mark.fault(
    "corpus stage, folder",
    "one recording under two names and in two containers",
    outcome="copies are marked, and the manifest leaves them out",
)
def test_equal_samples_are_marked_as_duplicates(source: Path, corpus: Path) -> None:
    record(source / "b.wav")
    (source / "c.wav").write_bytes((source / "b.wav").read_bytes())
    samples, rate = soundfile.read(source / "b.wav", dtype="int16")
    soundfile.write(source / "a.flac", samples, rate)
    record(source / "other.wav", seconds=0.6)
    tracks, failures, _ = copy_folder(source, corpus)
    assert failures == []
    assert {track.track_id: track.duplicate_of for track in tracks} == {
        "a": None,
        "b": "a",
        "c": "a",
        "other": None,
    }


@pytest.mark.fault(
    "corpus stage, folder",
    "FLAC whose header says 0 samples",
    outcome="its samples are counted by decoding, and notes.jsonl says length_unknown",
)
def test_a_length_that_the_header_does_not_say_is_decoded(source: Path, corpus: Path) -> None:
    content = bytearray(record(source / "a.flac").read_bytes())
    content[21], content[22:26] = content[21] & 0xF0, bytes(4)
    (source / "a.flac").write_bytes(content)
    (track,), failures, (note,) = copy_folder(source, corpus)
    assert (track.seconds, failures, note.reason) == (0.5, [], "length_unknown")
