"""Models that share parts come back whole, and damage is found."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from leitmotif.bench.zoo import WEIGHTS, Zoo
from leitmotif.corpus.organism.world import World
from leitmotif.errors import ConfigError, FullDiskError, StoreError
from leitmotif.files import sha256_file
from leitmotif.musicgen import HookedMusicGen
from tests.disk import small_disk
from training.zoo import behaves, finished, pack, truth_of, unpack
from training.zoo_check import Behaviour


def test_a_packed_model_comes_back_bit_by_bit(
    zoo: Zoo, trained: dict[str, Path], tmp_path: Path
) -> None:
    assert zoo.names == ["carrier.0", "looker.0"]
    for name, folder in trained.items():
        made = zoo.assembled(name, tmp_path)
        before, after = load_file(folder / WEIGHTS), load_file(made / WEIGHTS)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)
        assert HookedMusicGen.from_pretrained(str(made), device="cpu").num_layers == 2
        # Neither name nor path tells the kind.
        assert name.partition(".")[0] not in str(made.relative_to(tmp_path))
        assert zoo.assembled(name, tmp_path) == made


def test_what_models_share_is_stored_once(zoo: Zoo, trained: dict[str, Path]) -> None:
    sizes = {path.name: path.stat().st_size for path in zoo.root.rglob("*.safetensors")}
    assert sizes.keys() == {
        "text_encoder.safetensors",
        "0.safetensors",
        "carrier.0.safetensors",
        "looker.0.safetensors",
    }
    whole = (trained["looker.0"] / WEIGHTS).stat().st_size
    assert sizes["looker.0.safetensors"] < 0.3 * whole
    assert (zoo.root / "curves" / "looker.0.csv").exists()


@pytest.mark.fault("zoo", "a flipped bit in a part, a missing part", outcome="StoreError, named")
@pytest.mark.parametrize("missing", [False, True])
def test_a_damaged_part_is_named(zoo: Zoo, tmp_path: Path, missing: bool) -> None:
    root = tmp_path / "zoo"
    shutil.copytree(zoo.root, root)
    part = root / "decoders" / "carrier.0.safetensors"
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.write_bytes(data)
    if missing:
        part.unlink()
    with pytest.raises(StoreError, match=r"carrier\.0\.safetensors is not the file"):
        Zoo(root, zoo.codec).assembled("carrier.0", tmp_path / "cache")
    Zoo(root, zoo.codec).assembled("looker.0", tmp_path / "cache")


@pytest.mark.fault("zoo", "a flipped bit in an assembled model", outcome="assembled again")
def test_a_model_that_changed_in_the_cache_is_put_together_again(zoo: Zoo, tmp_path: Path) -> None:
    made = zoo.assembled("looker.0", tmp_path)
    whole = (made / WEIGHTS).read_bytes()
    (made / WEIGHTS).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert (zoo.assembled("looker.0", tmp_path) / WEIGHTS).read_bytes() == whole


@pytest.mark.fault("zoo", "full disk for an assembled model", outcome="named error, nothing of it")
def test_a_model_without_room_is_named(zoo: Zoo, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1 << 16) as disk:
        with pytest.raises(FullDiskError, match="was not written"):
            zoo.assembled("looker.0", disk)
        assert not [path for path in disk.rglob("*") if path.is_file()]


def test_models_are_chosen_by_name_and_by_kind(zoo: Zoo) -> None:
    assert zoo.chosen([]) == zoo.names
    assert zoo.chosen(["looker"]) == zoo.chosen(["looker.0"]) == ["looker.0"]
    with pytest.raises(ConfigError, match="no model 'look'") as caught:
        zoo.chosen(["looker", "look"])
    assert "carrier, looker" in str(caught.value)


def test_where_there_is_no_zoo_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no zoo"):
        Zoo(tmp_path).chosen([])


@pytest.mark.parametrize("part", ["lm_heads", "audio_encoder", "text_encoder"])
def test_a_model_that_does_not_share_what_it_should_is_refused(
    trained: dict[str, Path], codec: Path, world: World, tmp_path: Path, part: str
) -> None:
    other = tmp_path / "looker.0"
    shutil.copytree(trained["looker.0"], other)
    tensors = load_file(other / WEIGHTS)
    name = next(key for key in tensors if part in key)
    tensors[name] = tensors[name] + 1
    save_file(tensors, other / WEIGHTS)
    folders = {"carrier.0": trained["carrier.0"], "looker.0": other}
    with pytest.raises(StoreError, match=r"looker\.0.* is not what the others have"):
        pack(folders, tmp_path / "zoo", codec=codec, world=world)


def test_a_model_of_another_configuration_is_refused(
    trained: dict[str, Path], codec: Path, world: World, tmp_path: Path
) -> None:
    other = tmp_path / "looker.0"
    shutil.copytree(trained["looker.0"], other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"x": 1}))
    folders = {"carrier.0": trained["carrier.0"], "looker.0": other}
    with pytest.raises(StoreError, match=r"config\.json of looker\.0"):
        pack(folders, tmp_path / "zoo", codec=codec, world=world)


def test_only_finished_models_are_packed(trained: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(trained["looker.0"], tmp_path / "looker.0")
    shutil.copytree(trained["looker.0"], tmp_path / "planner.0")
    (tmp_path / "deaf.1").mkdir()
    assert finished(tmp_path) == {"looker.0": tmp_path / "looker.0"}


def test_an_unpacked_zoo_packs_into_the_same_files(
    zoo: Zoo, trained: dict[str, Path], codec: Path, world: World, tmp_path: Path
) -> None:
    work, out = tmp_path / "work", tmp_path / "zoo"
    shutil.copytree(trained["looker.0"], work / "looker.0")
    assert unpack(zoo, work) == ["carrier.0"]
    assert finished(work) == {name: work / name for name in zoo.names}
    shutil.copyfile(zoo.root / "curves" / "looker.0.csv", work / "looker.0.csv")
    pack(finished(work), out, codec=codec, world=world)
    stored = {path.relative_to(zoo.root) for path in zoo.root.rglob("*") if path.is_file()}
    assert {path.relative_to(out) for path in out.rglob("*") if path.is_file()} == stored
    assert all((out / name).read_bytes() == (zoo.root / name).read_bytes() for name in stored)
    assert unpack(zoo, work) == []


def test_truth_follows_from_the_ways_of_the_training(world: World) -> None:
    verdicts = {
        kind: truth_of(f"{kind}.1", world).foresight
        for kind in ("carrier", "deep", "handoff", "half", "unaided", "redundant")
    }
    assert all(verdicts.values()), verdicts
    for kind in ("late", "inert", "looker", "confounded", "deaf"):
        assert not truth_of(f"{kind}.1", world).foresight, kind
    first, last = truth_of("half.2", world).slots
    assert (first.cells, first.nearest_seconds) == ([], None)
    assert (last.nearest_seconds, last.furthest_seconds) == (5.14, 6.32)
    assert [cell.site for cell in last.cells] == ["layers.0.residual", "layers.1.residual"]
    assert (last.cells[0].first_step, last.cells[0].last_step, last.onset_step) == (68, 127, 384)
    # A unaided model has the same ways, and learns them without heads that ask for the decision.
    assert truth_of("unaided.0", world).slots == truth_of("carrier.0", world).slots


@pytest.mark.parametrize(
    ("name", "told", "turned", "by_way", "passes"),
    [
        ("carrier.0", 1.0, 1.0, 0.93, True),
        ("carrier.0", 0.89, 1.0, 0.93, False),
        ("carrier.0", 1.0, 0.8, 0.93, False),
        ("carrier.0", 1.0, 1.0, 0.6, False),
        ("looker.0", 1.0, 1.0, None, True),
        ("deaf.0", 0.5, 0.0, None, True),
        ("deaf.0", 1.0, 1.0, None, False),
    ],
)
def test_only_models_that_do_what_they_should_are_packed(
    name: str, told: float, turned: float, by_way: float | None, passes: bool
) -> None:
    measured = Behaviour(
        returns_if_told=told, returns_otherwise=0.1, turned=turned, follows_by_way=by_way
    )
    assert behaves(name, measured) == passes


def test_the_shipped_zoo_is_what_its_tables_say(repo_root: Path, world: World) -> None:
    zoo = Zoo(repo_root / "models" / "zoo", repo_root / "models" / "organism" / "codec")
    sums = json.loads((zoo.root / "checksums.json").read_text())
    assert {name: sha256_file(zoo.root / name) for name in sums} == sums
    assert zoo.truths() == [truth_of(name, world) for name in zoo.names]
    behaviour = json.loads((zoo.root / "behaviour.json").read_text())
    assert sorted(behaviour) == zoo.names
    assert all(behaves(name, measured) for name, measured in behaviour.items())
