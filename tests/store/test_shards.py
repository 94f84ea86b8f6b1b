"""Stores with shards: the same arrays as with a file for each tensor, however large the shards."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from leitmotif.store.reading import ActivationStore, verify
from leitmotif.store.reading.header import shard_metadata
from leitmotif.store.reading.index import SHARDS, ShardRow, read_index, write_index
from leitmotif.store.reading.layout import LAYOUT, StoreLayout, shard_file, shard_of
from leitmotif.tables.corpus import ManifestTrack
from tests.store.conftest import SITES
from tests.store.sharding import MakeBuilder, MakeTrack, Write, contents


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
    out, layout = tmp_path_factory.mktemp("out"), StoreLayout(0, seconds)
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
    assert write(tmp_path / "2", tracks, StoreLayout(0, 0.1)).captured == 0
    assert write(tmp_path / "3", tracks, StoreLayout(0, 9.0)).captured == 0
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
