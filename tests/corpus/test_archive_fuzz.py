"""A few hundred damaged tar files: the official files come out, or nothing, with a named error."""

import hashlib
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from leitmotif.corpus.sources.archive import unpack
from leitmotif.errors import CorpusError

SEED = 20_261_125
EACH = 200
FILES = {f"00/{number}.mp3": bytes([number]) * (700 * number + 1) for number in range(4)}
EXPECTED = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Bytes flipped, cut, repeated, or a field of a member's header changed, its sum mended."""
    changed, at = bytearray(content), chance.randrange(len(content))
    match chance.randrange(5):
        case 0:
            changed[at] ^= 1 << chance.randrange(8)
        case 1:
            del changed[at:]
        case 2:
            changed[at:at] = chance.randbytes(chance.randint(1, 1024))
        case 3:
            del changed[at : at + chance.randint(1, 1024)]
        case _:
            start, length = chance.choice([(0, 100), (100, 8), (124, 12), (156, 1), (157, 100)])
            place = start + chance.randrange(length)
            changed[place] = chance.choice([0x80, 0xFF, *b"\x000123456789LSKx/."])
            changed[148:156] = b" " * 8
            changed[148:156] = f"{sum(changed[:512]):06o}\0 ".encode()
    return bytes(changed)


@pytest.mark.fault(
    "tar file",
    "bytes flipped, cut or added, or a member's header changed",
    outcome="the official files, or an error that names the archive and no folder",
)
def test_damage_gives_the_official_files_or_a_named_error(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance, whole = random.Random(SEED), archive()
    record_property("inputs", EACH)
    refused = 0
    for number in range(EACH):
        path, out = tmp_path / "shard.tar", tmp_path / f"out{number}"
        path.write_bytes(damaged(whole, chance))
        try:
            unpack(
                [path], out, expected=EXPECTED, max_member_bytes=1 << 20, max_total_bytes=1 << 22
            )
        except CorpusError as error:
            refused += "shard.tar" in error.what and not out.exists()
        else:
            unpacked = {name: (out / name).read_bytes() for name in EXPECTED}
            assert unpacked == FILES
            refused += 1
    assert refused == EACH
    assert not list(tmp_path.glob(".*"))
