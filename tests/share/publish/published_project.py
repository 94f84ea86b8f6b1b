"""A small checkout whose outputs can be published: six tracks, each under another licence."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from leitmotif.files import sha256_json, write_table
from leitmotif.files.yaml_files import EditableYaml
from leitmotif.store.reading import ActivationStore
from leitmotif.store.reading.header import Header, TensorOrigin, address_of, shard_metadata
from leitmotif.store.reading.index import IndexRow, ShardRow, file_of, write_index
from leitmotif.store.reading.layout import shard_file, shard_of
from leitmotif.tables.corpus import Licence, ManifestTrack, Window
from leitmotif.tensors import serialise, write_tensors
from tests.tables.made import manifest_track

COMMONS = "https://creativecommons.org/licenses"
LICENCES = {
    "free": Licence(
        name="CC0 1.0",
        url="https://creativecommons.org/publicdomain/zero/1.0/",
        attribution="Free Player",
    ),
    "credited": Licence(name="CC BY 4.0", url=f"{COMMONS}/by/4.0/", attribution="A | B <script>"),
    "alike": Licence(
        name="CC BY-NC-SA 3.0", url=f"{COMMONS}/by-nc-sa/3.0/", attribution="Alike Player"
    ),
    "fixed": Licence(
        name="CC BY-NC-ND 3.0", url=f"{COMMONS}/by-nc-nd/3.0/", attribution="Fixed Player"
    ),
    "strange": Licence(name="CC0 1.0", url="https://example.org/l", attribution="Strange Player"),
    "bare": None,
}
SHARED = ("free", "credited", "alike")
KEPT_BACK = ("fixed", "strange", "bare")
SITES = ("layers.0.residual", "layers.1.residual")
CLIPS = {
    "a": ("free",),
    "b": ("credited", "alike"),
    "c": ("fixed",),
    "d": ("free", "bare"),
    "lost": (),
}
"""Clips, by the tracks whose lines in the log name them."""
FOLDERS = ("activations", "features", "sae", "clips", "lens", "swap_clips")
FILES = ("interventions.jsonl", "swaps.jsonl", "swap_summary.jsonl")
GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.org")
UNSIGNED = ("-c", "commit.gpgsign=false")


def recording(track: str) -> bytes:
    """What stands for a track's recording."""
    return f"recording of {track}".encode()


def make_project(root: Path, repo_root: Path) -> Path:
    """Write the checkout into the new folder ``root`` and commit it."""
    root.mkdir()
    for name in ("artifacts.yaml", "hooks.yaml"):
        shutil.copy(repo_root / name, root)
    params = EditableYaml((repo_root / "params.yaml").read_text(encoding="utf-8"))
    params.values["sae"]["hooks"] = ["planner-0"]
    params.values["activations"]["sites"] = list(SITES)
    (root / "params.yaml").write_text(str(params), encoding="utf-8")
    used = Path("models/organism/sae/layers.0.residual")
    shutil.copytree(repo_root / used, root / used)
    write_outputs(root / "data")
    (root / ".gitignore").write_text("".join(f"/data/{name}\n" for name in (*FOLDERS, *FILES)))
    lock(root)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=root, check=True)
    commit(root)
    return root


def commit(root: Path) -> None:
    """Commit all that git does not ignore."""
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    subprocess.run([*GIT, *UNSIGNED, "commit", "-q", "-m", "State"], cwd=root, check=True)


def lock(root: Path) -> None:
    """Write dvc.yaml and dvc.lock for what lies in ``root``."""
    outs = [f"data/{name}" for name in (*FOLDERS, *FILES)]
    stage: dict[str, Any] = {
        "cmd": "make",
        "outs": [*outs, {"data/manifest.jsonl": {"cache": False}}],
    }
    (root / "dvc.yaml").write_text(json.dumps({"stages": {"all": stage}}))
    locked = [{"path": path, **entry(root, path)} for path in (*outs, "data/manifest.jsonl")]
    stages = {"all": {"cmd": "make", "outs": locked}}
    (root / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))


def entry(root: Path, path: str) -> dict[str, Any]:
    """What DVC writes of an output into dvc.lock, by its documentation."""
    place = root / path
    if place.is_file():
        return {"hash": "md5", "md5": md5(place.read_bytes()), "size": place.stat().st_size}
    files = sorted(file for file in place.rglob("*") if file.is_file())
    names = sorted((file.relative_to(place).as_posix(), md5(file.read_bytes())) for file in files)
    listed = json.dumps([{"md5": digest, "relpath": name} for name, digest in names])
    size = sum(file.stat().st_size for file in files)
    name = f"{md5(listed.encode())}.dir"
    return {"hash": "md5", "md5": name, "size": size, "nfiles": len(files)}


def md5(content: bytes) -> str:
    """MD5 as hex digits."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def write_outputs(data: Path) -> None:
    """Write all outputs but the recordings."""
    for name in FOLDERS:
        (data / name).mkdir(parents=True)
    tracks = [manifest_row(track) for track in LICENCES]
    write_table(data / "manifest.jsonl", tracks)
    index = [tensor(data / "activations", site, track) for site in SITES for track in tracks]
    write_table(data / "activations" / "index.jsonl", index)
    write_lines(data / "activations" / "failures.jsonl", [])
    for seed, track in enumerate(LICENCES):
        for folder in ("features", "sae/planner-0"):
            values = np.random.default_rng(seed).random((3, 4), dtype=np.float32)
            (data / folder).mkdir(exist_ok=True)
            write_tensors(data / folder / f"{track}.safetensors", {"x": values}, {"of": folder})
    artifacts = [{"track_id": track, "peak": 0.5} for track in LICENCES]
    write_lines(data / "features" / "artifacts.jsonl", artifacts)
    pairs = [{"track_id": "free", "other": "fixed", "similarity": 0.9}]
    write_lines(data / "features" / "near_duplicates.jsonl", pairs)
    write_lines(data / "sae" / "hooks.jsonl", [{"name": "planner-0"}])
    for name in CLIPS:
        (data / "clips" / f"{name}.wav").write_bytes(f"RIFF clip {name}".encode())
    log: list[dict[str, Any]] = [
        {"clip_id": name, "track_id": track, "file": f"clips/{name}.wav", "condition": "baseline"}
        for name, named in CLIPS.items()
        for track in named
    ]
    log.append({"clip_id": "silent", "track_id": "free", "file": None, "condition": "patch"})
    write_lines(data / "interventions.jsonl", log)
    (data / "lens" / "0.wav").write_bytes(b"RIFF lens")
    (data / "swap_clips" / "1.wav").write_bytes(b"RIFF swap")
    for name in ("swaps", "swap_summary"):
        write_lines(data / f"{name}.jsonl", [{"component": "mlp", "layers": [0]}])


def in_shards(root: Path) -> Path:
    """Give the checkout a store with shards of two digits, commit it, and return the store.

    Shard 10 has a track that may leave and two that may not, 01 one that may not, 00 and 11 one
    each that may.
    """
    store = root / "data/activations"
    loose = ActivationStore(store)
    tensors = {site: dict(loose.items(site)) for site in SITES}
    rows = []
    for site, arrays in tensors.items():
        headers = {track: loose.header(site, track) for track in arrays}
        for shard in sorted({shard_of(track, 2) for track in arrays}):
            tracks = sorted(track for track in arrays if shard_of(track, 2) == shard)
            file = serialise(
                {track: arrays[track] for track in tracks},
                shard_metadata(headers[track] for track in tracks),
            )
            file.write(store / shard_file(site, shard))
            rows.append(
                ShardRow(
                    site=site, file=shard_file(site, shard), bytes=file.bytes, sha256=file.sha256,
                    width=4, dtype="float16", tracks=tracks, frames=[5] * len(tracks),
                )
            )  # fmt: skip
    for track in LICENCES:
        for site in SITES:
            (store / file_of(site, track)).unlink()
    (store / "index.jsonl").unlink()
    write_index(store, rows)
    lock(root)
    commit(root)
    return store


def manifest_row(track: str) -> ManifestTrack:
    """A row of data/manifest.jsonl."""
    return manifest_track(
        track_id=track,
        path=f"audio/{track}.mp3",
        sha256=hashlib.sha256(recording(track)).hexdigest(),
        seconds=8.0,
        tags=["instrument---guitar"],
        licence=LICENCES[track],
        windows=[Window(start_frame=0, frames=5)],
    )


def tensor(store: Path, site: str, track: ManifestTrack) -> IndexRow:
    """Write one stored tensor [5, 4] and return its row of the index."""
    origin = TensorOrigin(
        model="models/organism/planner",
        revision="",
        model_fingerprint="1" * 64,
        site=site,
        track_id=track.track_id,
        audio_sha256=track.sha256,
        windows=track.windows,
        prompt="",
        text_padding="auto",
        forward_dtype="float64",
        dtype="float16",
        device="cpu",
        versions="none",
        code_version="2" * 64,
    )
    header = Header(
        **origin.model_dump(),
        frames=5,
        frame_rate=50,
        hearing_seconds=0.0,
        sample_rate=32_000,
        address=address_of(origin),
    )
    seed = int(sha256_json([site, track.track_id])[:8], 16)
    values = np.random.default_rng(seed).random((5, 4)).astype(np.float16)
    file = serialise({"activations": values}, header.to_metadata())
    path = store / file_of(site, track.track_id)
    path.parent.mkdir(exist_ok=True)
    file.write(path)
    return IndexRow(
        site=site,
        track_id=track.track_id,
        file=file_of(site, track.track_id),
        bytes=file.bytes,
        sha256=file.sha256,
        shape=(5, 4),
        dtype="float16",
        address=header.address,
    )


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a table of any rows."""
    lines = [json.dumps(row, sort_keys=True) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
