import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from official_layout import sha256, tar_of

from leitmotif.corpus.sources.archive import unpack
from leitmotif.errors import CorpusError

MEMBERS = {"00/1.low.mp3": b"one" * 400, "00/2.low.mp3": b"two" * 400}
EXPECTED = {name: sha256(content) for name, content in MEMBERS.items()}


def unpack_bytes(
    content: bytes, root: Path, *, max_member_bytes: int = 10_000, max_total_bytes: int = 10_000
) -> Path:
    archive = root / "shard.tar"
    archive.write_bytes(content)
    unpack(
        [archive],
        root / "audio",
        expected=EXPECTED,
        max_member_bytes=max_member_bytes,
        max_total_bytes=max_total_bytes,
    )
    return root / "audio"


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def entry(name: str, *, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def with_entry(info: tarfile.TarInfo, content: bytes = b"") -> bytes:
    """The good archive with one more entry at its end."""
    file = io.BytesIO(tar_of(MEMBERS))
    with tarfile.open(fileobj=file, mode="a") as tar:
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def test_the_official_files_come_out(tmp_path: Path) -> None:
    assert tree(unpack_bytes(tar_of(MEMBERS), tmp_path)) == MEMBERS


def test_a_folder_that_was_there_is_replaced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "old.mp3").write_bytes(b"old")
    assert tree(unpack_bytes(tar_of(MEMBERS), tmp_path)) == MEMBERS


@pytest.mark.fault("archive", "modes and owners of a stranger", outcome="not taken over")
def test_modes_and_owners_are_not_taken_over(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in MEMBERS.items():
            info = entry(name)
            info.size, info.mode, info.uid = len(content), 0o7777, 12345
            tar.addfile(info, io.BytesIO(content))
    audio = unpack_bytes(file.getvalue(), tmp_path)
    assert all(path.stat().st_mode & 0o7111 == 0 for path in audio.rglob("*.mp3"))


HOSTILE = {
    "parent": (entry("00/../../escaped"), "../../escaped"),
    "absolute": (entry("/tmp/leitmotif-escaped"), "/tmp/leitmotif-escaped"),
    "symbolic link": (entry("00/3.low.mp3", kind=tarfile.SYMTYPE, link="/etc/passwd"), "00/3"),
    "link named as a track": (entry("00/2.low.mp3", kind=tarfile.SYMTYPE, link="../x"), "00/2"),
    "hard link": (entry("00/3.low.mp3", kind=tarfile.LNKTYPE, link="00/1.low.mp3"), "00/3"),
    "device": (entry("00/3.low.mp3", kind=tarfile.CHRTYPE), "00/3"),
    "block device": (entry("00/3.low.mp3", kind=tarfile.BLKTYPE), "00/3"),
    "named pipe": (entry("00/3.low.mp3", kind=tarfile.FIFOTYPE), "00/3"),
    "folder": (entry("elsewhere", kind=tarfile.DIRTYPE), "elsewhere"),
    "folder outside": (entry("../elsewhere", kind=tarfile.DIRTYPE), "../elsewhere"),
    "twice": (entry("00/1.low.mp3"), "00/1.low.mp3 comes twice"),
    "not in the list": (entry("00/3.low.mp3"), "00/3.low.mp3 is not in the official list"),
    "written otherwise": (entry("./00/1.low.mp3"), "./00/1.low.mp3"),
}


@pytest.mark.fault(
    "archive", "links, devices, paths that leave the folder", outcome="refused, nothing remains"
)
@pytest.mark.parametrize("case", HOSTILE)
def test_whatever_is_not_on_the_list_stops_it_and_nothing_remains(
    tmp_path: Path, case: str
) -> None:
    info, named = HOSTILE[case]
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(CorpusError) as caught:
        unpack_bytes(with_entry(info), root)
    assert named in str(caught.value)
    assert str(root / "shard.tar") in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    assert [path.name for path in root.iterdir()] == ["shard.tar"]
    assert not Path("/tmp/leitmotif-escaped").exists()


@pytest.mark.fault(
    "archive", "a link that carries a later member outside", outcome="refused, nothing remains"
)
def test_a_link_does_not_carry_a_later_member_outside(tmp_path: Path) -> None:
    file = io.BytesIO()
    outside = tmp_path / "outside"
    outside.mkdir()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(entry("00", kind=tarfile.SYMTYPE, link=str(outside)))
        for name, content in MEMBERS.items():
            info = entry(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with pytest.raises(CorpusError, match="00 is not a regular file"):
        unpack_bytes(file.getvalue(), tmp_path)
    assert list(outside.iterdir()) == []


@pytest.mark.fault("archive", "another track than the official one", outcome="refused by name")
def test_a_wrong_track_stops_it(tmp_path: Path) -> None:
    changed = MEMBERS | {"00/2.low.mp3": b"TWO" * 400}
    with pytest.raises(CorpusError, match=r"00/2\.low\.mp3 is not the file of the official list"):
        unpack_bytes(tar_of(changed), tmp_path)
    assert not (tmp_path / "audio").exists()


@pytest.mark.fault("archive", "a track that is missing", outcome="refused by name")
def test_a_missing_track_stops_it(tmp_path: Path) -> None:
    only_one = {"00/1.low.mp3": MEMBERS["00/1.low.mp3"]}
    with pytest.raises(CorpusError, match=r"no 00/2\.low\.mp3"):
        unpack_bytes(tar_of(only_one), tmp_path)
    assert not (tmp_path / "audio").exists()


@pytest.mark.fault("archive", "a bomb: many or large members", outcome="refused")
@pytest.mark.parametrize(
    "limits",
    [{"max_member_bytes": 1199}, {"max_total_bytes": 2399}],
    ids=["one member", "all together"],
)
def test_sizes_are_limited(tmp_path: Path, limits: dict[str, int]) -> None:
    with pytest.raises(CorpusError, match="is larger than it may be"):
        unpack_bytes(tar_of(MEMBERS), tmp_path, **limits)
    assert not (tmp_path / "audio").exists()


@pytest.mark.fault("archive", "other content than a tar file", outcome="refused by name")
@pytest.mark.parametrize("content", [b"", b"not a tar file" * 100, tar_of({})])
def test_what_is_no_archive_of_tracks_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CorpusError, match=r"shard\.tar cannot be used"):
        unpack_bytes(content, tmp_path)


def test_a_failure_leaves_the_old_folder_as_it_was(tmp_path: Path) -> None:
    unpack_bytes(tar_of(MEMBERS), tmp_path)
    with pytest.raises(CorpusError):
        unpack_bytes(with_entry(entry("00/3.low.mp3")), tmp_path)
    assert tree(tmp_path / "audio") == MEMBERS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audio", "shard.tar"]


@pytest.mark.fault("archive", "cut anywhere", outcome="all or nothing")
@given(data=st.data())
def test_a_truncated_archive_gives_all_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = tar_of(MEMBERS)
    # Folder, header, content padded to blocks of 512 bytes, header, content.
    end_of_content = 512 + 512 + 1536 + 512 + 1200
    length = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))
    root = tmp_path_factory.mktemp("truncated")
    message = ""
    try:
        unpack_bytes(whole[:length], root)
    except CorpusError as error:
        message = str(error)
    if length < end_of_content:
        assert str(root / "shard.tar") in message
    if message:
        assert [path.name for path in root.iterdir()] == ["shard.tar"]
    else:
        assert tree(root / "audio") == MEMBERS


@pytest.mark.fault("archive", "bytes changed", outcome="the right bytes or a named error")
@given(
    flips=st.lists(st.integers(min_value=0, max_value=5 * 512 - 1), min_size=1, max_size=4),
    values=st.lists(st.integers(min_value=0, max_value=255), min_size=4, max_size=4),
)
def test_a_damaged_archive_never_gives_other_bytes(
    tmp_path_factory: pytest.TempPathFactory, flips: list[int], values: list[int]
) -> None:
    damaged = bytearray(tar_of(MEMBERS))
    for position, value in zip(flips, values, strict=False):
        damaged[position] = value
    root = tmp_path_factory.mktemp("damaged")
    try:
        audio = unpack_bytes(bytes(damaged), root)
    except CorpusError:
        assert [path.name for path in root.iterdir()] == ["shard.tar"]
    else:
        assert tree(audio) == MEMBERS


@pytest.mark.fault("archive", "an official list that leads outside", outcome="refused")
@pytest.mark.parametrize("name", ["../escaped", "00/../../escaped", "/tmp/leitmotif-escaped"])
def test_not_even_the_official_list_leads_outside(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "shard.tar").write_bytes(tar_of({name: b"x"}, folders=()))
    with pytest.raises(CorpusError, match="outside the target"):
        unpack(
            [root / "shard.tar"],
            root / "audio",
            expected={name: sha256(b"x")},
            max_member_bytes=10,
            max_total_bytes=10,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    assert [path.name for path in root.iterdir()] == ["shard.tar"]
    assert not Path("/tmp/leitmotif-escaped").exists()
