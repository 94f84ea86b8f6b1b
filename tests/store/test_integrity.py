import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leitmotif.errors import LeitmotifError, StoreError
from leitmotif.store.reading import ActivationStore, verify
from leitmotif.store.writing.build import StoreBuilder
from leitmotif.tables.corpus import ManifestTrack


@pytest.fixture
def store(
    make_track: Callable[..., ManifestTrack], make_builder: Callable[..., StoreBuilder],
    tmp_path: Path,
) -> Path:  # fmt: skip
    tracks = [make_track("1", seconds=0.1), make_track("11", seconds=0.1, seed=1)]
    make_builder(sites=["layers.1.residual", "layers.2.mlp"]).build(tmp_path / "store", tracks)
    return tmp_path / "store"


def shown(store: Path, *, full: bool = False) -> list[str]:
    return [str(problem) for problem in verify(store, full=full)]


def test_a_sound_store_has_no_problem(store: Path) -> None:
    assert shown(store) == shown(store, full=True) == []


@pytest.mark.fault(
    "activations", "files missing, added, resized, misnamed", outcome="found by the check"
)
def test_missing_extra_resized_and_misnamed_files_are_found(store: Path) -> None:
    (store / "layers.1.residual/1.safetensors").unlink()
    (store / "layers.1.residual/.2.safetensors.7.partial").write_bytes(b"")
    with (store / "layers.1.residual/11.safetensors").open("ab") as file:
        file.write(b"more")
    swapped = [store / f"layers.2.mlp/{name}.safetensors" for name in ("1", "11")]
    contents = [path.read_bytes() for path in swapped]
    for path, content in zip(swapped, reversed(contents), strict=True):
        path.write_bytes(content)
    problems = dict(problem.split(": ", 1) for problem in shown(store))
    assert sorted(problems) == [
        "layers.1.residual/.2.safetensors.7.partial",
        "layers.1.residual/1.safetensors",
        "layers.1.residual/11.safetensors",
        "layers.2.mlp/1.safetensors",
        "layers.2.mlp/11.safetensors",
    ]
    assert problems["layers.1.residual/.2.safetensors.7.partial"] == "not in the index"
    assert problems["layers.1.residual/1.safetensors"] == "missing"
    assert "bytes, not" in problems["layers.1.residual/11.safetensors"]


@pytest.mark.fault("activations", "a flipped bit in any file", outcome="found by the full check")
@given(data=st.data())
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_full_check_finds_any_flipped_bit_of_any_file(store: Path, data: st.DataObject) -> None:
    files = sorted(path for path in store.rglob("*") if path.is_file())
    victim = data.draw(st.sampled_from(files))
    original = victim.read_bytes()
    content = bytearray(original)
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    victim.write_bytes(content)
    try:
        assert shown(store, full=True)
    except LeitmotifError as error:
        assert victim.name == "index.jsonl" and "index.jsonl" in str(error)  # noqa: PT017, PT018
    finally:
        victim.write_bytes(original)


@pytest.mark.fault("activations", "a flipped bit in the values", outcome="found by the full check")
def test_a_flipped_bit_in_the_values_needs_the_full_check(store: Path) -> None:
    victim = store / "layers.1.residual/1.safetensors"
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    assert shown(store) == []
    (problem,) = shown(store, full=True)
    assert problem.startswith("layers.1.residual/1.safetensors: its content has changed")


def test_a_folder_without_an_index_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="run `dvc repro activations`"):
        verify(tmp_path)


@pytest.mark.fault("activations", "torn and foreign files", outcome="named error")
def test_reading_names_what_is_wrong(store: Path) -> None:
    reader = ActivationStore(store)
    assert reader.tracks("layers.1.residual") == ["1", "11"]
    assert [track for track, _ in reader.items("hook_layers.1")] == ["1", "11"]
    with pytest.raises(StoreError, match=r"one of layers\.1\.residual, layers\.2\.mlp"):
        reader.load("layers.11.residual", "1")
    with pytest.raises(StoreError, match="not a site"):
        reader.load("layers.1", "1")
    with pytest.raises(StoreError, match="track '111' is not in"):
        reader.load("layers.1.residual", "111")
    (store / "layers.1.residual/1.safetensors").unlink()
    with pytest.raises(StoreError, match="is missing"):
        reader.load("layers.1.residual", "1")
    torn = store / "layers.1.residual/11.safetensors"
    torn.write_bytes(torn.read_bytes()[:50])
    with pytest.raises(StoreError, match="cannot be read"):
        reader.load("layers.1.residual", "11")


@pytest.mark.fault("activations", "another tensor in its place", outcome="refused")
def test_another_tensor_in_a_files_place_is_not_read(store: Path) -> None:
    shutil.copy(
        store / "layers.1.residual/1.safetensors", store / "layers.1.residual/11.safetensors"
    )
    with pytest.raises(StoreError, match="not the tensor of the index"):
        ActivationStore(store).load("layers.1.residual", "11")


@pytest.mark.fault(
    "activation store", "a site or a track that is none", outcome="StoreError that says what is"
)
@pytest.mark.parametrize("odd", [None, 5, "", [], object(), b"1", float("nan"), {}])
def test_what_is_no_site_and_no_track_is_named(store: Path, odd: Any) -> None:
    stored = ActivationStore(store)
    site = stored.sites[0]
    calls = [
        lambda: stored.tracks(odd),
        lambda: stored.load(odd, "1"),
        lambda: stored.load(site, odd),
        lambda: stored.header(site, odd),
        lambda: list(stored.items(odd)),
    ]
    for call in calls:
        with pytest.raises(StoreError, match=r"expected|to do"):
            call()
