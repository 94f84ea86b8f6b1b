from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from leitmotif.config import ModelParams
from leitmotif.errors import ModelError, StoreError
from leitmotif.files import sha256_file
from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.reading import ActivationStore, verify
from leitmotif.store.writing import build
from leitmotif.store.writing.build import StoreBuilder, in_background
from leitmotif.tables.corpus import ManifestTrack, Window
from tests.tiny import tiny_musicgen

MakeTrack = Callable[..., ManifestTrack]
MakeBuilder = Callable[..., StoreBuilder]


@pytest.fixture
def tracks(make_track: MakeTrack) -> list[ManifestTrack]:
    return [make_track(name, seed=seed) for seed, name in enumerate(["1", "11", "b"])]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_store_has_one_sound_file_per_site_and_track(
    tracks: list[ManifestTrack], make_builder: MakeBuilder, model: HookedMusicGen, tmp_path: Path
) -> None:
    result = make_builder().build(tmp_path / "out", tracks)

    assert result.captured == len(result.rows) == 9
    assert verify(tmp_path / "out", full=True) == []
    store = ActivationStore(tmp_path / "out")
    assert store.sites == ["layers.0.residual", "layers.1.mlp", "layers.2.residual"]
    assert store.tracks("layers.1.mlp") == ["1", "11", "b"]
    array = store.load("hook_layers.2", "11")
    assert array.shape == (25, model.width)
    assert array.dtype == np.float16
    row = next(r for r in result.rows if (r.site, r.track_id) == ("layers.2.residual", "11"))
    assert row.sha256 == sha256_file(tmp_path / "out" / row.file)
    header = store.header("layers.2.residual", "11")
    assert header.model_fingerprint == model.fingerprint
    assert header.audio_sha256 == tracks[1].sha256
    assert header.windows == tracks[1].windows
    assert (header.frames, header.frame_rate, header.sample_rate) == (25, 50, 32_000)
    assert header.address == row.address
    with safe_open(tmp_path / "out" / row.file, framework="pt") as file:
        assert file.get_slice("activations").get_shape() == [25, model.width]


def test_a_second_run_computes_nothing_and_gives_the_same_bytes(
    tracks: list[ManifestTrack], make_builder: MakeBuilder, tmp_path: Path
) -> None:
    make_builder().build(tmp_path / "first", tracks)
    again = make_builder().build(tmp_path / "second", tracks)
    assert again.captured == 0
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_only_what_a_change_affects_is_computed_again(
    tracks: list[ManifestTrack],
    make_track: MakeTrack,
    make_builder: MakeBuilder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def captured(builder: StoreBuilder, rows: list[ManifestTrack]) -> int:
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        result = builder.build(out, rows)
        assert verify(out, full=True) == []
        assert len(result.rows) == len(rows) * len(builder.sites)
        return result.captured

    assert captured(make_builder(), tracks) == 9
    assert captured(make_builder(sites=["layers.2.residual", "layers.0.mlp"]), tracks) == 3
    assert captured(make_builder(), tracks[::-1]) == 0
    assert captured(make_builder(max_failures=5), tracks) == 0
    assert captured(make_builder(dtype="float32"), tracks) == 9
    assert captured(make_builder(prompt="tags"), tracks) == 9
    other_audio = [*tracks[:2], make_track("b", seed=99)]
    assert captured(make_builder(), other_audio) == 3
    shorter = tracks[0].model_copy(update={"windows": [Window(start_frame=0, frames=20)]})
    assert captured(make_builder(), [shorter, tracks[1]]) == 3
    other_weights = HookedMusicGen.from_transformers(tiny_musicgen(seed=1))
    assert captured(make_builder(other_weights), tracks[:1]) == 3
    assert captured(make_builder(), tracks[:2]) == 0
    monkeypatch.setattr(build, "code_version", lambda *_: "0" * 64)
    assert captured(make_builder(), tracks[:1]) == 3
    monkeypatch.setattr(build, "library_versions", lambda: "torch 99")
    assert captured(make_builder(), tracks[:1]) == 3


@pytest.mark.fault("activations", "one changed weight of the model", outcome="computed again")
def test_one_changed_weight_makes_all_tensors_stale(
    tracks: list[ManifestTrack], make_builder: MakeBuilder, tmp_path: Path
) -> None:
    before = make_builder().build(tmp_path / "before", tracks[:1])
    theirs = tiny_musicgen()
    theirs.decoder.lm_heads[3].weight.data[-1, -1] += 1e-3
    changed = make_builder(HookedMusicGen.from_transformers(theirs))
    after = changed.build(tmp_path / "after", tracks[:1])
    assert after.captured == 3
    assert {row.address for row in before.rows}.isdisjoint(row.address for row in after.rows)


def test_a_tensor_does_not_depend_on_the_other_tracks(
    tracks: list[ManifestTrack], make_builder: MakeBuilder, tmp_path: Path
) -> None:
    make_builder().build(tmp_path / "all", tracks)
    for entry in (tmp_path / "work").iterdir():
        entry.unlink()
    make_builder().build(tmp_path / "one", tracks[2:])
    file = "layers.2.residual/b.safetensors"
    assert (tmp_path / "all" / file).read_bytes() == (tmp_path / "one" / file).read_bytes()


@pytest.mark.fault("work cache", "bytes of an entry changed", outcome="computed again")
@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_a_damaged_entry_is_computed_again(
    tracks: list[ManifestTrack], make_builder: MakeBuilder, tmp_path: Path, damage: str
) -> None:
    first = make_builder().build(tmp_path / "first", tracks)
    victim = next((tmp_path / "work").glob(f"{first.rows[4].address}.*"))
    content = bytearray(victim.read_bytes())
    content[-3] ^= 4
    if damage == "flip":
        victim.write_bytes(content)
    elif damage == "truncate":
        victim.write_bytes(content[:-100])
    else:
        victim.unlink()
    again = make_builder().build(tmp_path / "second", tracks)
    assert again.captured == 1
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_audio_that_is_not_what_the_manifest_says_is_a_failure_and_the_rest_is_done(
    tracks: list[ManifestTrack], make_track: MakeTrack, make_builder: MakeBuilder, tmp_path: Path
) -> None:
    changed = tracks[0].model_copy(update={"sha256": "0" * 64})
    missing = tracks[1].model_copy(update={"path": "nowhere.wav"})
    short = make_track("s", windows=[Window(start_frame=0, frames=500)])
    result = make_builder().build(tmp_path / "out", [changed, missing, short, tracks[2]])
    assert [(track.track_id, error.reason) for track, error in result.failures] == [
        ("1", "checksum"),
        ("11", "missing"),
        ("s", "too_short"),
    ]
    assert {row.track_id for row in result.rows} == {"b"}
    assert verify(tmp_path / "out", full=True) == []


def test_audio_a_little_shorter_than_its_metadata_says_is_read_to_its_end(
    make_track: MakeTrack, make_builder: MakeBuilder, tmp_path: Path
) -> None:
    track = make_track("a", seconds=0.999, windows=[Window(start_frame=0, frames=51)])
    result = make_builder().build(tmp_path / "out", [track])
    store = ActivationStore(tmp_path / "out")
    assert store.load("layers.0.residual", "a").shape[0] == 49
    assert store.header("layers.0.residual", "a").windows == [Window(start_frame=0, frames=49)]
    assert result.failures == []


def test_a_site_beyond_the_model_is_refused_before_anything_runs(
    make_builder: MakeBuilder,
) -> None:
    with pytest.raises(ModelError, match=r"layers\.24\.residual(.|\n)*0\.\.2"):
        make_builder(sites=["layers.0.residual", "layers.24.residual"])


@pytest.mark.fault("activations stage", "full disk", outcome="named error, what is finished stays")
def test_a_full_disk_stops_the_run_and_keeps_what_is_finished(
    tracks: list[ManifestTrack],
    make_builder: MakeBuilder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put = build.WorkCache.put
    calls = []

    def fills_up(*args: object) -> object:
        calls.append(args)
        if len(calls) > 4:
            raise StoreError("the disk is full")
        return put(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(build.WorkCache, "put", fills_up)
        with pytest.raises(StoreError, match="disk is full"):
            make_builder().build(tmp_path / "out", tracks)
    assert not (tmp_path / "out" / "index.jsonl").exists()
    assert 0 < make_builder().build(tmp_path / "again", tracks).captured < 9


def test_the_name_of_the_model_and_its_padding_are_part_of_the_work(
    tracks: list[ManifestTrack], make_builder: MakeBuilder
) -> None:
    origins = make_builder().origins(tracks[0])
    changed = ModelParams(
        name="a/b", revision="1" * 40, watch="x", device="cpu", dtype="float32",
        text_padding="attended", position_seconds=0.0,
    )  # fmt: skip
    other = make_builder(model_params=changed).origins(tracks[0])
    site = "layers.0.residual"
    assert (other[site].model, other[site].revision) == ("a/b", "1" * 40)
    assert build.address_of(origins[site]) != build.address_of(other[site])


def test_background_jobs_keep_their_order_and_are_bounded() -> None:
    made, done = [], []

    def jobs():  # type: ignore[no-untyped-def]
        for number in range(50):
            made.append(number)
            assert len(made) - len(done) <= 5
            yield lambda number=number: number

    for result in in_background(jobs(), workers=2, pending=4):
        done.append(result)
    assert done == list(range(50))


def test_an_exception_in_a_background_job_ends_the_run() -> None:
    made = []

    def fail() -> None:
        raise StoreError("broken")

    def jobs():  # type: ignore[no-untyped-def]
        for number in range(50):
            made.append(number)
            yield fail

    with pytest.raises(StoreError, match="broken"):
        list(in_background(jobs(), workers=2, pending=3))
    assert len(made) < 10
