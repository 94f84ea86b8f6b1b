"""Files of weights that are torn, sharded or described wrongly are refused by name."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen
from tests.checkpoint_kinds import INDEX, NAMES, WEIGHTS, Kind, Weights, kinds_below


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    return kinds_below(tmp_path_factory.mktemp("checkpoints"))


def _sharded(of: Kind, place: Path) -> tuple[Path, dict[str, dict[str, Tensor]]]:
    """The checkpoint in two shards with their index."""
    shutil.copytree(of.folder, place)
    (place / WEIGHTS).unlink()
    weights = of.weights
    names = sorted(weights)
    half = len(names) // 2
    shards = {
        "model-00001-of-00002.safetensors": {name: weights[name] for name in names[:half]},
        "model-00002-of-00002.safetensors": {name: weights[name] for name in names[half:]},
    }
    _write(place, shards)
    return place, shards


def _write(place: Path, shards: Mapping[str, Mapping[str, Tensor]]) -> None:
    for file, tensors in shards.items():
        save_file(dict(tensors), place / file, metadata={"format": "pt"})
    listed = {name: file for file, tensors in shards.items() for name in tensors}
    (place / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": listed}))


def test_shards_give_what_one_file_gives(kinds: dict[str, Kind], tmp_path: Path) -> None:
    place, _ = _sharded(kinds["musicgen"], tmp_path / "sharded")
    loaded = HookedMusicGen.from_pretrained(str(place), device="cpu")
    whole = HookedMusicGen.from_pretrained(str(kinds["musicgen"].folder), device="cpu")
    assert loaded.fingerprint == whole.fingerprint


def _shard_lost(place: Path, shards: dict[str, Weights]) -> None:
    (place / list(shards)[1]).unlink()


def _tensor_twice(place: Path, shards: dict[str, Weights]) -> None:
    first, second = shards
    name = next(iter(shards[first]))
    shards[second][name] = shards[first][name] + 1
    _write(place, shards)


def _listed_twice(place: Path, shards: dict[str, Weights]) -> None:
    text = (place / INDEX).read_text()
    name, (first, second) = next(iter(next(iter(shards.values())))), list(shards)
    (place / INDEX).write_text(
        text.replace(f'"{name}": "{first}"', f'"{name}": "{first}", "{name}": "{second}"')
    )


def _tensor_in_no_shard(place: Path, shards: dict[str, Weights]) -> None:
    first = next(iter(shards))
    less = dict(shards[first])
    less.pop(next(iter(less)))
    save_file(less, place / first, metadata={"format": "pt"})


def _index_elsewhere(place: Path, shards: dict[str, Weights]) -> None:
    listed = json.loads((place / INDEX).read_text())
    listed["weight_map"] = {name: f"../{file}" for name, file in listed["weight_map"].items()}
    (place / INDEX).write_text(json.dumps(listed))


@pytest.mark.fault(
    "sharded checkpoint",
    "a shard lost, a tensor in two shards or in none, listed twice, or an index that leads outside",
    outcome="ModelError that names the file or tensor",
)
@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (_shard_lost, "00002-of-00002"),
        (_tensor_twice, "twice"),
        (_listed_twice, "twice"),
        (_tensor_in_no_shard, "not in model-00001"),
        (_index_elsewhere, "no index of shards"),
    ],
)
def test_shards_that_do_not_agree_are_refused(
    kinds: dict[str, Kind], tmp_path: Path, break_it: Callable[..., None], message: str
) -> None:
    place, shards = _sharded(kinds["musicgen"], tmp_path / "sharded")
    break_it(place, shards)
    with pytest.raises(ModelError, match=message):
        kinds["musicgen"].load(str(place))


@pytest.mark.fault(
    "safetensors file of any model",
    "cut at a random byte, or a byte of its header changed",
    outcome="ModelError, or the same weights",
)
@pytest.mark.parametrize("kind", NAMES)
@settings(max_examples=5)
@given(data=st.data())
def test_a_torn_file_is_refused(
    kinds: dict[str, Kind],
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    data: st.DataObject,
) -> None:
    of = kinds[kind]
    place = tmp_path_factory.mktemp("torn")
    shutil.copytree(of.folder, place, dirs_exist_ok=True)
    whole = (of.folder / of.file).read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    if data.draw(st.booleans()):
        torn = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, header - 1))
        torn = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    (place / of.file).write_bytes(torn)
    try:
        of.load(str(place))
    except ModelError:
        return
    again = load_file(place / of.file)
    assert all(torch.equal(again[name], tensor) for name, tensor in of.weights.items())


@pytest.mark.fault(
    "config.json of any model",
    "sizes of another type, zero, negative, or that do not fit the weights",
    outcome="ModelError",
)
@pytest.mark.parametrize("value", [0, -3, 7, "wide", None, [1], 1.5])
@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "num_attention_heads"])
def test_sizes_that_do_not_fit_are_refused(
    kinds: dict[str, Kind], tmp_path: Path, key: str, value: object
) -> None:
    place = tmp_path / "odd"
    shutil.copytree(kinds["musicgen"].folder, place)
    config = json.loads((place / "config.json").read_text())
    config["decoder"][key] = value
    (place / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError):
        kinds["musicgen"].load(str(place))


@pytest.mark.fault(
    "config.json of any model",
    "sizes of another type, zero, negative, or that do not fit the weights",
    outcome="ModelError",
)
@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("decoder", "num_attention_heads", -1),
        ("audio_encoder", "pad_mode", "x"),
        ("text_encoder", "relative_attention_max_distance", 0),
        ("text_encoder", "relative_attention_max_distance", -1),
    ],
)
def test_fields_that_no_weight_depends_on_are_refused(
    kinds: dict[str, Kind], tmp_path: Path, part: str, key: str, value: object
) -> None:
    place = tmp_path / "odd"
    shutil.copytree(kinds["musicgen"].folder, place)
    config = json.loads((place / "config.json").read_text())
    config[part][key] = value
    (place / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=f"{part}.{key} is not supported"):
        kinds["musicgen"].load(str(place))


@pytest.mark.fault(
    "config.json of any model", "not JSON, not UTF-8, a list or empty", outcome="ModelError"
)
@pytest.mark.parametrize("kind", NAMES[:4])
@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe{\x00}\x00", b"null"])
def test_a_config_that_is_none_is_refused(
    kinds: dict[str, Kind], tmp_path: Path, kind: str, text: bytes
) -> None:
    place = tmp_path / "odd"
    shutil.copytree(kinds[kind].folder, place)
    (place / "config.json").write_bytes(text)
    with pytest.raises(ModelError):
        kinds[kind].load(str(place))
