"""Stores with shards: the same arrays as with a file for each tensor, however large the shards."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from leitmotif.errors import LeitmotifError, StoreError
from leitmotif.files import write_table
from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.reading import ActivationStore, verify
from leitmotif.store.reading.header import shard_metadata
from leitmotif.store.reading.index import SHARDS, ShardRow, read_index, write_index
from leitmotif.store.reading.layout import LAYOUT, Layout, shard_file, shard_of
from leitmotif.store.writing.build import Build, StoreBuilder
from leitmotif.store.writing.parts import StoreReading, built
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tensors import serialise
from tests.store.conftest import MODEL, SITES

MakeTrack = Callable[..., ManifestTrack]
MakeBuilder = Callable[..., StoreBuilder]
Write = Callable[..., Build]

SHARDED = Layout(sharded_above=0, shard_seconds=0.5)
"""Six tracks of 0.1 to 0.35 s: two digits."""


@pytest.fixture
def tracks(make_track: MakeTrack) -> list[ManifestTrack]:
    names = ["b", "1", "11", "track_2", "A", "z-9"]
    return [make_track(name, 0.1 + 0.05 * n, seed=n) for n, name in enumerate(names)]


@pytest.fixture
def write(model: HookedMusicGen, make_builder: MakeBuilder, audio: Path, tmp_path: Path) -> Write:
    """Write a store as the stage does, in this process; its work cache is that of the test."""

    def write(
        out: Path,
        tracks: Sequence[ManifestTrack],
        layout: Layout = SHARDED,
        cache: Path = tmp_path / "work",
        **changes: object,
    ) -> Build:
        params = make_builder(**changes).params
        reading = StoreReading(lambda: model, MODEL, params, audio, cache)
        done = Build()
        for part in built(reading, out, tracks, shown="activations", layout=layout):
            done.rows += part.rows
            done.captured += part.captured
            done.failures += part.failures
        write_index(out, done.rows)
        return done

    return write


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITMOTIF_WORKERS", "1")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def arrays(root: Path) -> dict[tuple[str, str], np.ndarray]:
    store = ActivationStore(root)
    return {(s, t): array for s in store.sites for t, array in store.items(s)}


def test_a_small_store_has_a_file_for_each_tensor(
    tracks: list[ManifestTrack], write: Write, make_builder: MakeBuilder, tmp_path: Path
) -> None:
    write(tmp_path / "out", tracks, LAYOUT)
    make_builder().build(tmp_path / "plain", tracks)
    assert contents(tmp_path / "out") == contents(tmp_path / "plain")


def test_shards_hold_what_the_files_of_tensors_hold(
    tracks: list[ManifestTrack], write: Write, tmp_path: Path
) -> None:
    write(tmp_path / "files", tracks, LAYOUT)
    done = write(tmp_path / "shards", tracks)
    assert verify(tmp_path / "shards", full=True) == []
    plain, sharded = arrays(tmp_path / "files"), arrays(tmp_path / "shards")
    assert plain.keys() == sharded.keys()
    for key, array in plain.items():
        np.testing.assert_array_equal(sharded[key], array)
        assert sharded[key].dtype == array.dtype
    ours, theirs = ActivationStore(tmp_path / "shards"), ActivationStore(tmp_path / "files")
    assert ours.sites == theirs.sites == SITES
    assert ours.tracks(SITES[0]) == sorted(theirs.tracks(SITES[0]))
    assert ours.header(SITES[1], "z-9") == theirs.header(SITES[1], "z-9")
    assert ours.timing == theirs.timing
    assert "18 tensors" in repr(ours)
    assert done.captured == 0, "the loose tensors of the first store were packed"
    assert len(done.rows) < len(plain)


def test_without_this_package_a_shard_is_a_safetensors_file(
    tracks: list[ManifestTrack], write: Write, tmp_path: Path
) -> None:
    write(tmp_path / "out", tracks)
    row = read_index(tmp_path / "out")[0]
    assert isinstance(row, ShardRow)
    with safe_open(tmp_path / "out" / row.file, framework="pt") as file:
        assert sorted(file.keys()) == row.tracks
        about = json.loads(file.metadata()[row.tracks[0]])
    assert (about["site"], about["track_id"]) == (row.site, row.tracks[0])


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seconds=st.floats(0.01, 3.0), data=st.data())
def test_whatever_the_size_of_shards_the_arrays_are_the_same(
    seconds: float,
    data: st.DataObject,
    tracks: list[ManifestTrack],
    write: Write,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
) -> None:
    if not (tmp_path / "plain").exists():
        write(tmp_path / "plain", tracks, LAYOUT)
    chosen = data.draw(st.permutations(tracks))
    out, layout = tmp_path_factory.mktemp("out"), Layout(0, seconds)
    write(out, chosen, layout)
    assert verify(out, full=True) == []
    plain, sharded = arrays(tmp_path / "plain"), arrays(out)
    assert plain.keys() == sharded.keys()
    assert all(np.array_equal(plain[key], sharded[key]) for key in plain)
    digits = layout.digits_for(chosen, len(SITES))
    wanted = {shard_file(s, shard_of(t.track_id, digits)) for s in SITES for t in tracks}
    assert contents(out).keys() == {SHARDS, *wanted}


@given(
    tracks=st.integers(1, 60_000),
    sites=st.integers(1, 200),
    seconds=st.floats(0.02, 1e8, allow_nan=False),
)
def test_the_number_of_shards_follows_the_formula(tracks: int, sites: int, seconds: float) -> None:
    digits = LAYOUT.digits(tracks=tracks, sites=sites, seconds=seconds)
    if tracks * sites <= 10_000:
        assert digits == 0
        return
    assert digits >= 1
    assert seconds / 2**digits <= 4_096
    assert digits == 1 or seconds / 2 ** (digits - 1) > 4_096


def test_a_tracks_shard_depends_on_its_id_alone_and_splits_in_two() -> None:
    names = [f"{number}" for number in range(4_000)]
    shards = [shard_of(name, 5) for name in names]
    assert set(map(len, shards)) == {5}
    assert len(set(shards)) == 32
    assert all(shard_of(name, 6)[:-1] == shard for name, shard in zip(names, shards, strict=True))
    sizes = [shards.count(shard) for shard in set(shards)]
    assert 80 < min(sizes) <= max(sizes) < 175  # 125 on average, with a deviation of 11


def test_a_changed_track_changes_its_shards_alone_and_is_captured_alone(
    tracks: list[ManifestTrack], make_track: MakeTrack, write: Write, tmp_path: Path
) -> None:
    write(tmp_path / "before", tracks)
    changed = [*tracks[:2], make_track("11", 0.2, seed=77), *tracks[3:]]
    again = write(tmp_path / "after", changed)
    assert again.captured == len(SITES)
    assert verify(tmp_path / "after", full=True) == []
    before, after = contents(tmp_path / "before"), contents(tmp_path / "after")
    assert before.keys() == after.keys()
    differ = {name for name in before if before[name] != after[name]}
    assert differ == {SHARDS} | {shard_file(site, shard_of("11", 2)) for site in SITES}


def test_what_is_packed_is_used_by_shards_of_another_size_and_with_another_site(
    tracks: list[ManifestTrack], write: Write, tmp_path: Path
) -> None:
    assert write(tmp_path / "0", tracks).captured == 18
    assert write(tmp_path / "1", tracks).captured == 0
    assert write(tmp_path / "2", tracks, Layout(0, 0.1)).captured == 0
    assert write(tmp_path / "3", tracks, Layout(0, 9.0)).captured == 0
    assert write(tmp_path / "4", tracks, sites=[*SITES, "layers.0.mlp"]).captured == 6
    assert contents(tmp_path / "0") == contents(tmp_path / "1")
    assert list((tmp_path / "work/activations").iterdir()) == []


def test_a_track_that_fails_is_left_out_and_tried_again(
    tracks: list[ManifestTrack], write: Write, tmp_path: Path, audio: Path
) -> None:
    aside = (audio / tracks[2].path).rename(tmp_path / "aside.wav")
    for out in (tmp_path / "0", tmp_path / "1"):
        done = write(out, tracks)
        assert [(t.track_id, e.reason) for t, e in done.failures] == [("11", "missing")]
        assert verify(out, full=True) == []
        assert "11" not in ActivationStore(out).tracks(SITES[0])
    assert done.captured == 0
    shutil.move(aside, audio / tracks[2].path)
    done = write(tmp_path / "2", tracks)
    assert (done.captured, done.failures) == (len(SITES), [])
    assert contents(tmp_path / "2").keys() >= contents(tmp_path / "1").keys()


def test_a_store_none_of_whose_tracks_can_be_read_is_empty(
    tracks: list[ManifestTrack], write: Write, tmp_path: Path, audio: Path
) -> None:
    shutil.rmtree(audio)
    done = write(tmp_path / "out", tracks)
    assert (len(done.failures), done.rows) == (6, [])
    assert verify(tmp_path / "out", full=True) == []


class Killed(BaseException):
    """What no code catches."""


def kill_at(patch: pytest.MonkeyPatch, last: int) -> Callable[[], int]:
    """End the run in place of the ``last``-th naming or deletion of a file; gives their number."""
    count = itertools.count(1)
    seen = 0

    def counted(act: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **settings: object) -> object:
            nonlocal seen
            seen = next(count)
            if 0 < last <= seen:
                raise Killed
            return act(*arguments, **settings)

        return step

    patch.setattr(Path, "replace", counted(Path.replace))
    patch.setattr(Path, "unlink", counted(Path.unlink))
    return lambda: seen


@pytest.mark.fault("store with shards", "killed at any moment", outcome="resumed, the same bytes")
def test_killed_at_any_moment_it_resumes_to_the_same_bytes(
    tracks: list[ManifestTrack], write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = tracks[:4]
    with monkeypatch.context() as patch:
        steps = kill_at(patch, 0)
        write(tmp_path / "whole", tracks, cache=tmp_path / "unbroken")
    whole = contents(tmp_path / "whole")
    assert steps() > 40
    for last in range(1, steps(), 5):
        cache = tmp_path / f"work{last}"
        with monkeypatch.context() as patch:
            kill_at(patch, last)
            with pytest.raises(Killed):
                write(tmp_path / f"killed{last}", tracks, cache=cache)
        write(tmp_path / f"resumed{last}", tracks, cache=cache)
        assert contents(tmp_path / f"resumed{last}") == whole
        assert list((cache / "activations").glob("[!.]*")) == [], "loose tensors are left"


PROGRAM = """
import itertools, os, signal, sys
from pathlib import Path
from leitmotif.config import ActivationsParams
from leitmotif.files import read_table
from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.reading.index import write_index
from leitmotif.store.reading.layout import Layout
from leitmotif.store.writing.parts import StoreReading, built
from leitmotif.tables.corpus import ManifestTrack
from tests.store.conftest import MODEL, SITES
from tests.tiny import tiny_musicgen

def load():
    return HookedMusicGen.from_transformers(tiny_musicgen())

root, out, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
count, replace = itertools.count(1), Path.replace

def counted(self, target):
    if next(count) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

Path.replace = counted
params = ActivationsParams(sites=SITES, prompt="none", dtype="float16", max_failures=0)
reading = StoreReading(load, MODEL, params, root / "corpus", out.with_suffix(".work"))
tracks = read_table(root / "tracks.jsonl", ManifestTrack)
parts = list(built(reading, out, tracks, shown="", layout=Layout(0, 2.0)))
write_index(out, [row for part in parts for row in part.rows])
"""


@pytest.mark.fault("store with shards", "kill -9 among workers", outcome="resumed, the same bytes")
def test_a_process_that_is_killed_among_its_workers_is_continued(
    make_track: MakeTrack, write: Write, tmp_path: Path
) -> None:
    tracks = [make_track(f"{number}", 0.1, seed=number) for number in range(24)]
    write_table(tmp_path / "tracks.jsonl", tracks)
    write(tmp_path / "whole", tracks, Layout(0, 2.0))

    def run(last: int) -> int:
        command = [sys.executable, "-c", PROGRAM, tmp_path, tmp_path / "killed", f"{last}"]
        environment = {**os.environ, "LEITMOTIF_WORKERS": "2"}
        return subprocess.run(command, check=False, env=environment).returncode

    assert run(8) == -signal.SIGKILL  # in place of its eighth file: a shard, or a copy of one
    shutil.rmtree(tmp_path / "killed")  # as DVC does
    assert run(0) == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.fault(
    "store with shards", "a packed shard damaged in the work cache", outcome="computed again"
)
@pytest.mark.parametrize("damage", ["a flipped bit", "a lost end", "nothing left"])
def test_a_damaged_shard_of_the_work_cache_is_made_again(
    damage: str, tracks: list[ManifestTrack], write: Write, tmp_path: Path
) -> None:
    done = write(tmp_path / "0", tracks)
    victim = max((tmp_path / "work/shards").rglob("*.safetensors"))
    row = next(row for row in done.rows if row.sha256 in victim.name)
    content = victim.read_bytes()
    flipped = bytes([*content[:-1], content[-1] ^ 1])
    victim.write_bytes({"a flipped bit": flipped, "a lost end": content[:-4]}.get(damage, b""))
    again = write(tmp_path / "1", tracks)
    assert again.captured == len(row.stored)
    assert contents(tmp_path / "0") == contents(tmp_path / "1")


@pytest.fixture
def store(tracks: list[ManifestTrack], write: Write, tmp_path: Path) -> Path:
    write(tmp_path / "store", tracks, sites=["layers.1.residual", "layers.2.mlp"])
    return tmp_path / "store"


def shard_with(store: Path, track: str, site: str = "layers.1.residual") -> Path:
    stored = [one for row in read_index(store) for one in row.stored]
    return store / next(one.file for one in stored if (one.site, one.track_id) == (site, track))


@pytest.mark.fault("store with shards", "a flipped bit in any file", outcome="found by full check")
@given(data=st.data())
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_full_check_finds_any_flipped_bit(store: Path, data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from(sorted(p for p in store.rglob("*") if p.is_file())))
    original = victim.read_bytes()
    content = bytearray(original)
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    victim.write_bytes(content)
    try:
        assert verify(store, full=True)
    except LeitmotifError as error:
        assert victim.name == SHARDS and SHARDS in str(error)  # noqa: PT017, PT018
    finally:
        victim.write_bytes(original)


@pytest.mark.fault("store with shards", "shards torn, missing, added, renamed", outcome="named")
def test_what_is_wrong_with_a_shard_is_named(store: Path) -> None:
    torn = shard_with(store, "11")
    content = torn.read_bytes()
    torn.write_bytes(content[:-100])
    with pytest.raises(StoreError, match=r"(?s)shard\..*cannot be read.*leitmotif verify --full"):
        ActivationStore(store).load("layers.1.residual", "11")
    (problem,) = verify(store)
    assert problem.what == f"{len(content) - 100:,} bytes, not {len(content):,}"

    torn.unlink()
    with pytest.raises(StoreError, match="is missing"):
        ActivationStore(store).load("layers.1.residual", "11")
    with pytest.raises(StoreError, match="track '111' is not in"):
        ActivationStore(store).load("layers.1.residual", "111")
    torn.with_name("shard.2.safetensors").write_bytes(content)
    assert {problem.what for problem in verify(store)} == {"missing", "not in the index"}


@pytest.mark.fault(
    "store with shards", "another site's shard, or a tensor's file, in its place", outcome="refused"
)
def test_another_file_in_a_shards_place_is_not_read(
    store: Path, write: Write, tracks: list[ManifestTrack], tmp_path: Path
) -> None:
    place = shard_with(store, "11")
    shutil.copy(shard_with(store, "11", "layers.2.mlp"), place)
    with pytest.raises(StoreError, match="not the tensor of the index"):
        ActivationStore(store).load("layers.1.residual", "11")
    write(tmp_path / "plain", tracks, LAYOUT, sites=["layers.1.residual"])
    shutil.copy(tmp_path / "plain/layers.1.residual/11.safetensors", place)
    with pytest.raises(StoreError, match=r"(?s)other tensors.*found: +activations.*expected: 11"):
        ActivationStore(store).load("layers.1.residual", "11")


@pytest.mark.fault(
    "store with shards", "a tensor that is missing, a shard of another version", outcome="named"
)
def test_a_missing_tensor_and_another_version_are_named(store: Path) -> None:
    place = shard_with(store, "11")
    with safe_open(place, framework="np") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del tensors["11"]
    serialise({"other": np.zeros((1, 1), np.float16), **tensors}, metadata).write(place)
    with pytest.raises(StoreError, match=r"(?s)has other tensors.*other.*expected: 11"):
        ActivationStore(store).load("layers.1.residual", "11")
    serialise(tensors, {**metadata, ".format": "leitmotif-shard/2"}).write(place)
    with pytest.raises(StoreError, match=r"(?s)another version.*leitmotif-shard/2"):
        ActivationStore(store).load("layers.1.residual", "11")
    rows = [
        row.model_copy(update={"bytes": place.stat().st_size}) if store / row.file == place else row
        for row in read_index(store)
    ]
    write_index(store, rows)
    (problem,) = verify(store)
    assert "another version" in problem.what


def test_a_shard_with_a_track_of_another_and_a_track_twice_are_found(store: Path) -> None:
    first, *rest = read_index(store)
    other = next(row for row in rest if isinstance(row, ShardRow) and row.site == first.site)
    wrong = first.model_copy(update={"tracks": other.tracks, "frames": other.frames})
    write_index(store, [wrong, *rest])
    problems = " ".join(map(str, verify(store)))
    assert "tracks of other shards" in problems
    assert "more than once at" in problems


def test_one_tensor_is_read_without_the_rest_of_its_shard(
    store: Path, tmp_path: Path, make_builder: MakeBuilder
) -> None:
    """Of a shard of 1 GB, which on the disk is a hole, some MB come into memory."""
    program = """
import json, resource, sys
from leitmotif.store.reading import ActivationStore
store = ActivationStore(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
array = store.load("layers.1.residual", "large")
print(array.shape[0], (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    row = read_index(store)[0]
    header = ActivationStore(store).header(row.site, row.stored[0].track_id)
    names = ["huge", "large"]
    headers = [header.model_copy(update={"track_id": name}) for name in names]
    sizes = {"huge": (2**18, 2048), "large": (2**11, 2048)}
    fields: dict[str, object] = {"__metadata__": shard_metadata(headers)}
    start = 0
    for name in names:
        end = start + 2 * sizes[name][0] * sizes[name][1]
        fields[name] = {"dtype": "F16", "shape": sizes[name], "data_offsets": [start, end]}
        start = end
    text = json.dumps(fields).encode()
    path = tmp_path / "holes/layers.1.residual/shard.0.safetensors"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + start)
    frames = [sizes[name][0] for name in names]
    changes = {"tracks": names, "frames": frames, "width": 2048, "site": "layers.1.residual"}
    changed = row.model_copy(update={**changes, "file": "layers.1.residual/shard.0.safetensors"})
    write_index(tmp_path / "holes", [changed])
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "holes"], check=True, capture_output=True
    )
    rows, megabytes = map(int, done.stdout.split())
    assert rows == 2**11
    assert megabytes < 100
