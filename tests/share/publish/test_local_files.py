"""Files here, and their hashes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from leitmotif.errors import StoreError
from leitmotif.files import sha256_file
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.share.publish.local import dvc_hash, is_unchanged, read_local


def test_hashes_are_those_of_dvc(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for name in ("b/x.txt", "b-c.txt", "B.wav", "a/ü.jsonl", "a.bin", "a0/z"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\r\n", newline="")
    (tmp_path / "single").write_bytes(b"one\r\ntwo")
    for arguments in (["init", "--no-scm", "-q"], ["add", "-q", "out", "single"]):
        subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=tmp_path, check=True)
    for name in ("out", "single"):
        (entry,) = parse_yaml((tmp_path / f"{name}.dvc").read_text())["outs"]
        assert dvc_hash(name, read_local(tmp_path, name)) == entry["md5"]


def test_a_committed_table_has_the_hash_of_the_lock(repo_root: Path) -> None:
    locked = parse_yaml((repo_root / "dvc.lock").read_text())["stages"]["manifest"]["outs"]
    (md5,) = (out["md5"] for out in locked if out["path"] == "data/manifest.jsonl")
    files = read_local(repo_root, "data/manifest.jsonl")
    assert dvc_hash("data/manifest.jsonl", files) == md5


def test_files_are_read_once_and_texts_are_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "t.jsonl").write_text(json.dumps({"a": 1}) + "\n")
    (tmp_path / "out" / "s.wav").write_bytes(b"RIFF")
    (tmp_path / "out" / ".t.jsonl.1.partial").write_text("half")
    sound, table = read_local(tmp_path, "out")
    assert (sound.path, sound.text, sound.size) == ("out/s.wav", None, 4)
    assert (table.path, table.text) == ("out/t.jsonl", b'{"a": 1}\n')
    assert sound.sha256 == sha256_file(sound.place)


def test_what_is_not_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"data/x is not here[\s\S]*dvc pull"):
        read_local(tmp_path, "data/x")


@pytest.mark.parametrize("change", ["append", "same length", "replace", "delete"])
def test_a_change_after_reading_is_seen(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    (file,) = read_local(tmp_path, "a.wav")
    assert is_unchanged(file)
    times = path.stat()
    match change:
        case "append":
            path.write_bytes(b"RIFFX")
        case "same length":
            path.write_bytes(b"XXXX")
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        case "replace":
            (tmp_path / "new").write_bytes(b"RIFF")
            (tmp_path / "new").replace(path)
        case "delete":
            path.unlink()
    assert not is_unchanged(file)
