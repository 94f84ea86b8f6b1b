from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.corpus.sources.metadata import (
    metadata_path,
    read_checksums,
    read_licences,
    read_tags,
    track_id,
)
from leitmotif.errors import CorpusError

HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\n"
ROW = "track_0000382\tartist_000020\talbum_000046\t82/382.mp3\t211.1\tinstrument---voice\n"
SUM = "0f" * 32


def test_the_official_tag_file(shared_data: Path) -> None:
    rows = read_tags(shared_data / "mtg_jamendo" / "autotagging_instrument.tsv")
    assert len(rows) == 25_135
    first = rows[0]
    assert (first.track_id, first.path, first.seconds) == ("track_0000382", "82/382.mp3", 211.1)
    assert first.tags == ("instrument---voice",)
    assert max(len(row.tags) for row in rows) == 31
    assert all(track_id(row.path) == row.track_id for row in rows)


def test_the_official_checksums(shared_data: Path) -> None:
    folder = shared_data / "mtg_jamendo"
    tars = read_checksums(folder / "autotagging_moodtheme_audio-low_sha256_tars.txt")
    assert len(tars) == 100
    tracks = read_checksums(folder / "autotagging_moodtheme_audio-low_sha256_tracks.txt")
    per_shard = Counter(name.split("/")[0] for name in tracks)
    assert per_shard["00"] == 202
    assert len(per_shard) == 100


def test_the_official_licences(shared_data: Path) -> None:
    path = shared_data / "mtg_jamendo" / "audio_licenses.example.txt"
    licences = read_licences(path, {"00/7400.mp3", "00/80500.mp3", "99/1.mp3"})
    assert set(licences) == {"00/7400.mp3", "00/80500.mp3"}
    licence = licences["00/7400.mp3"]
    assert licence.name == "CC BY-NC-ND 3.0"
    assert licence.url == "http://creativecommons.org/licenses/by-nc-nd/3.0/"
    assert licence.attribution == (
        "Untitled # 2 by Spleen-Musical from Jamendo: http://www.jamendo.com/track/7400"
    )


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://creativecommons.org/licenses/by/2.0/fr/", "CC BY 2.0 FR"),
        ("https://creativecommons.org/licenses/by-sa/4.0/", "CC BY-SA 4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0 1.0"),
        ("http://artlibre.org/licence/lal", "Licence Art Libre"),
    ],
)
def test_licence_names(tmp_path: Path, address: str, name: str) -> None:
    path = tmp_path / "audio_licenses.txt"
    path.write_text(
        f"00/1.mp3\nA by B\nAvailable under a Licence Art Libre license: {address}\n--\n"
    )
    assert read_licences(path, {"00/1.mp3"})["00/1.mp3"].name == name


def test_odd_blocks_stop_it_only_where_they_matter(tmp_path: Path) -> None:
    path = tmp_path / "audio_licenses.txt"
    path.write_bytes(
        b"00/1.mp3\n\xff by \xfe\n\nAvailable under a X license: http://x/\n00/2.mp3\nnothing\n"
    )
    assert read_licences(path, {"00/1.mp3"})["00/1.mp3"].attribution == r"\xff by \xfe"
    with pytest.raises(CorpusError, match=r"audio_licenses\.txt:5 "):
        read_licences(path, {"00/2.mp3"})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("TRACK_ID\tPATH\n" + ROW, 1),
        (HEADER + ROW.replace("\tinstrument---voice", ""), 2),
        (HEADER + ROW + ROW.replace("instrument---voice", ""), 3),
        (HEADER + ROW + ROW, 3),
        (HEADER + ROW.replace("211.1", "3:31"), 2),
        (HEADER + ROW.replace("211.1", "nan"), 2),
        (HEADER + ROW.replace("82/382.mp3", "../382.mp3"), 2),
        (HEADER + ROW.replace("82/382.mp3", "/82/382.mp3"), 2),
        (HEADER + ROW.replace("82/382.mp3", "82/382.wav"), 2),
        (HEADER + ROW.replace("track_0000382", "382"), 2),
        (HEADER + ROW + "\n" + ROW, 3),
    ],
)
def test_a_bad_line_of_tags_is_named(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "tags.tsv"
    path.write_text(text)
    with pytest.raises(CorpusError, match=rf"tags\.tsv:{line} "):
        read_tags(path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{SUM} a.tar\n{SUM}  b.tar\n", 2),
        (f"{SUM[:-1]} a.tar\n", 1),
        (f"{SUM.upper()} a.tar\n", 1),
        (f"{SUM} ../a.tar\n", 1),
        (f"{SUM} /a.tar\n", 1),
        (f"{SUM} ./a.tar\n", 1),
        (f"{SUM} a.tar\n{SUM} a.tar\n", 2),
        (f"{SUM}\n", 1),
    ],
)
def test_a_bad_line_of_checksums_is_named(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "sums.txt"
    path.write_text(text)
    with pytest.raises(CorpusError, match=rf"sums\.txt:{line} "):
        read_checksums(path)


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tags.tsv"
    path.write_bytes(HEADER.encode() + b"\xff\n")
    with pytest.raises(CorpusError, match=r"tags\.tsv is not UTF-8"):
        read_tags(path)


WORD = st.text(st.characters(exclude_characters="\t\r\n\0", exclude_categories=["Cs"]), min_size=1)


@given(
    tags=st.lists(st.lists(WORD, min_size=1, max_size=4), max_size=6), end=st.sampled_from("\r ")
)
def test_any_tags_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, tags: list[list[str]], end: str
) -> None:
    path = tmp_path_factory.mktemp("tags") / "tags.tsv"
    rows = [
        "\t".join([f"track_{number:07d}", "a", "b", f"00/{number}.mp3", "1.5", *words])
        for number, words in enumerate(tags)
    ]
    text = HEADER + "".join(f"{row}\n" for row in rows)
    path.write_bytes(text.replace("\n", end.strip(" ") + "\n").encode())
    assert [list(row.tags) for row in read_tags(path)] == tags


@given(number=st.integers(min_value=0, max_value=10**7))
def test_names_of_members_and_tracks_agree(number: int) -> None:
    assert metadata_path(f"82/{number}.low.mp3") == metadata_path(f"82/{number}.mp3")
    assert track_id(f"82/{number}.low.mp3") == f"track_{number:07d}"


def test_a_member_without_a_number_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"00/cover\.mp3"):
        track_id("00/cover.mp3")
