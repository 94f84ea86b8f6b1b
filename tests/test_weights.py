"""Weights are what the checkpoint says: every fault of a file is an error that names it."""

import json
import pickle
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.judge import Clap, Tagger
from leitmotif.musicgen import HookedMusicGen
from leitmotif.musicgen.checkpoint import audiocraft_weights, build_decoder
from leitmotif.musicgen.model import DecoderConfig
from leitmotif.sae.formats import load_sae, save_sae
from leitmotif.sae.model import SaeConfig, SparseAutoencoder
from tests.judge.tiny_judges import save_tiny_ast, save_tiny_clap
from tests.tiny import save_tiny_checkpoint

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
OLD = "pytorch_model.bin"
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Kind:
    """A kind of checkpoint: a folder of it, and how it is loaded."""

    folder: Path
    load: Callable[[str], object]
    file: str = WEIGHTS

    @property
    def weights(self) -> Weights:
        path = self.folder / self.file
        return torch.load(path) if path.suffix == ".bin" else load_file(path)

    def with_weights(self, place: Path, weights: Mapping[str, Tensor]) -> str:
        """A folder with the same files but these weights."""
        shutil.copytree(self.folder, place, dirs_exist_ok=True)
        whole = {name: tensor.contiguous() for name, tensor in weights.items()}
        if self.file == OLD:
            torch.save(whole, place / self.file)
        else:
            save_file(whole, place / self.file, metadata={"format": "pt"})
        return str(place)


def _save_sae(folder: Path) -> Path:
    sae = SparseAutoencoder(
        SaeConfig(
            d_in=8, d_sae=16, activation="jumprelu", metadata={"hook_name": "layers.1.residual"}
        )
    )
    for parameter in sae.parameters():
        torch.nn.init.normal_(parameter)
    save_sae(sae, folder)
    return folder


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    root = tmp_path_factory.mktemp("checkpoints")

    def musicgen(name: str) -> object:
        return HookedMusicGen.from_pretrained(name, device="cpu")

    def clap(name: str) -> object:
        return Clap.from_pretrained(name, device="cpu")

    def tagger(name: str) -> object:
        return Tagger.from_pretrained(name, device="cpu")

    def pickled(folder: Path) -> Path:
        """The same weights in torch's own format."""
        torch.save(load_file(folder / WEIGHTS), folder / OLD)
        (folder / WEIGHTS).unlink()
        return folder

    return {
        "pickled clap": Kind(pickled(save_tiny_clap(root / "old")), clap, OLD),
        "pickled tagger": Kind(pickled(save_tiny_ast(root / "old_ast")), tagger, OLD),
        "musicgen": Kind(save_tiny_checkpoint(root / "musicgen"), musicgen),
        "clap": Kind(save_tiny_clap(root / "clap"), clap),
        "fused clap": Kind(save_tiny_clap(root / "fused", fused=True), clap),
        "tagger": Kind(save_tiny_ast(root / "ast"), tagger),
        "autoencoder": Kind(_save_sae(root / "sae"), load_sae, "sae_weights.safetensors"),
    }


NAMES = ["musicgen", "clap", "fused clap", "tagger", "autoencoder"]
PICKLED = ["pickled clap", "pickled tagger"]
PARTS = ["audio_encoder.encoder", "audio_encoder.decoder", "quantizer", "text_encoder", "decoder."]


def _dropped(weights: Weights, name: str) -> str:
    del weights[name]
    return name


def _added(weights: Weights, name: str) -> str:
    weights[f"{name}_more"] = torch.ones(2)
    return f"{name}_more"


def _reshaped(weights: Weights, name: str) -> str:
    weights[name] = torch.cat([weights[name].reshape(-1)[:1]] * (weights[name].numel() + 1))
    return name


def _renamed(weights: Weights, name: str) -> str:
    weights[f"{name}_old"] = weights.pop(name)
    return f"{name}_old"


def _undefined(weights: Weights, name: str) -> str:
    weights[name] = weights[name].clone()
    weights[name].view(-1)[-1:] = float("nan")
    return name


def _of_integers(weights: Weights, name: str) -> str:
    weights[name] = weights[name].to(torch.int32)
    return name


FAULTS = {
    "dropped": _dropped,
    "added": _added,
    "reshaped": _reshaped,
    "renamed": _renamed,
    "NaN": _undefined,
    "integers": _of_integers,
}


def _named_in(error: ModelError, name: str) -> bool:
    """Whether the error names the tensor, by the file's name for it or by the class's."""
    last = ".".join(name.split(".")[-2:])
    return name in str(error) or last in str(error) or " more" in str(error)


@pytest.mark.fault(
    "checkpoint of any model",
    "a tensor dropped, added, reshaped, renamed, made NaN or made integers",
    outcome="ModelError that names the tensor",
)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", [*NAMES, *PICKLED])
@settings(max_examples=3)
@given(data=st.data())
def test_a_tensor_that_is_not_as_it_should_be_is_refused_by_name(
    kinds: dict[str, Kind],
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    fault: str,
    data: st.DataObject,
) -> None:
    of = kinds[kind]
    weights = of.weights
    floats = sorted(name for name, one in weights.items() if one.is_floating_point())
    name = data.draw(st.sampled_from(floats))
    wrong = FAULTS[fault](weights, name)
    folder = of.with_weights(tmp_path_factory.mktemp("fault"), weights)
    with pytest.raises(ModelError) as caught:
        of.load(folder)
    # transformers has names of its own for AST's weights.
    assert "tagger" in kind or _named_in(caught.value, wrong), (wrong, str(caught.value))


@pytest.mark.fault(
    "checkpoint of MusicGen",
    "a tensor of codec, text encoder or decoder dropped, or one of these altogether",
    outcome="ModelError that names the tensor",
)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("whole", [False, True])
def test_no_part_of_a_musicgen_is_filled_in(
    kinds: dict[str, Kind], tmp_path: Path, part: str, whole: bool
) -> None:
    weights = kinds["musicgen"].weights
    names = sorted(name for name in weights if part in name)
    for name in names if whole else names[:1]:
        del weights[name]
    folder = kinds["musicgen"].with_weights(tmp_path / "less", weights)
    with pytest.raises(ModelError, match=r"missing: .*") as caught:
        kinds["musicgen"].load(folder)
    assert whole or names[0].rsplit(".", 1)[0] in str(caught.value)


@pytest.mark.parametrize("kind", [*NAMES[:4], *PICKLED])
def test_a_whole_checkpoint_loads(kinds: dict[str, Kind], kind: str) -> None:
    assert kinds[kind].load(str(kinds[kind].folder)) is not None


@pytest.mark.fault(
    "checkpoint in torch's own format",
    "no mapping of tensors, a call to a function, a torn file, or a shard that lacks one",
    outcome="ModelError; nothing is run",
)
@pytest.mark.parametrize("content", ["list", "nested", "call", "torn", "sharded"])
@pytest.mark.parametrize("kind", PICKLED)
def test_what_holds_no_weights_is_refused(
    kinds: dict[str, Kind], tmp_path: Path, kind: str, content: str
) -> None:
    folder = Path(kinds[kind].with_weights(tmp_path / "changed", kinds[kind].weights))
    path, weights = folder / OLD, kinds[kind].weights
    if content == "list":
        torch.save([*weights.values()], path)
    elif content == "nested":
        torch.save({"state_dict": weights}, path)
    elif content == "call":
        path.write_bytes(pickle.dumps(Runs(tmp_path / "ran")))
    elif content == "torn":
        path.write_bytes(path.read_bytes()[:-1000])
    else:
        path.unlink()
        listed = dict.fromkeys(weights, "pytorch_model-00001-of-00001.bin")
        weights.popitem()
        torch.save(weights, folder / "pytorch_model-00001-of-00001.bin")
        index = {"metadata": {}, "weight_map": listed}
        (folder / f"{OLD}.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError):
        kinds[kind].load(str(folder))
    assert not (tmp_path / "ran").exists()


class Runs:
    """What makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_codec_may_have_either_name_of_its_weight_norm(
    kinds: dict[str, Kind], tmp_path: Path
) -> None:
    """torch renamed them in 2.0; published checkpoints have the old names."""
    of = kinds["musicgen"]
    old = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in of.weights.items()
    }
    assert any(name.endswith("weight_g") for name in old)
    loaded = HookedMusicGen.from_pretrained(of.with_weights(tmp_path / "old", old), device="cpu")
    new = HookedMusicGen.from_pretrained(str(of.folder), device="cpu")
    assert loaded.fingerprint == new.fingerprint
    lost = next(name for name in old if name.endswith("weight_g"))
    del old[lost]
    with pytest.raises(ModelError, match="1 missing"):
        of.load(of.with_weights(tmp_path / "lost", old))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_precision_of_the_decoder_cuts_no_weight_of_the_codec(
    kinds: dict[str, Kind], dtype: str
) -> None:
    folder = str(kinds["musicgen"].folder)
    full = HookedMusicGen.from_pretrained(folder, device="cpu")
    half = HookedMusicGen.from_pretrained(folder, device="cpu", dtype=dtype)
    assert half.codec_fingerprint == full.codec_fingerprint
    assert half.dtype == getattr(torch, dtype)


@pytest.mark.fault(
    "checkpoint of MusicGen",
    "a weight beyond float16, loaded in float16",
    outcome="ModelError that names the tensor",
)
def test_a_weight_that_the_type_does_not_hold_is_named(
    kinds: dict[str, Kind], tmp_path: Path
) -> None:
    weights = kinds["musicgen"].weights
    weights["decoder.model.decoder.layers.1.fc1.weight"][0, 0] = 1e6
    folder = kinds["musicgen"].with_weights(tmp_path / "large", weights)
    kinds["musicgen"].load(folder)
    with pytest.raises(ModelError, match=r"layers\.1\.fc1\.weight"):
        HookedMusicGen.from_pretrained(folder, device="cpu", dtype="float16")


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


AUDIOCRAFT = DecoderConfig(
    layers=1, width=8, heads=2, mlp_width=16, codebooks=2, codebook_size=4, activation="gelu"
)


def _audiocraft_state() -> Weights:
    torch.manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {"out_norm.weight": (8,), "out_norm.bias": (8,)}
    for k in range(2):
        shapes |= {f"emb.{k}.weight": (5, 8), f"linears.{k}.weight": (4, 8)}
    root = "transformer.layers.0"
    for norm in ("norm1", "norm_cross", "norm2"):
        shapes |= {f"{root}.{norm}.weight": (8,), f"{root}.{norm}.bias": (8,)}
    for attention in ("self_attn", "cross_attention"):
        shapes |= {
            f"{root}.{attention}.in_proj_weight": (24, 8),
            f"{root}.{attention}.out_proj.weight": (8, 8),
        }
    shapes |= {f"{root}.linear1.weight": (16, 8), f"{root}.linear2.weight": (8, 16)}
    return {name: torch.randn(shape) for name, shape in shapes.items()}


@pytest.mark.fault(
    "checkpoint of audiocraft",
    "a tensor dropped, added, reshaped, renamed or made NaN",
    outcome="ModelError that names the tensor",
)
@pytest.mark.parametrize("fault", ["dropped", "added", "reshaped", "renamed", "NaN"])
@given(data=st.data())
def test_an_audiocraft_state_dict_is_taken_whole(fault: str, data: st.DataObject) -> None:
    build_decoder(AUDIOCRAFT, audiocraft_weights(_audiocraft_state(), AUDIOCRAFT))
    state = _audiocraft_state()
    wrong = FAULTS[fault](state, data.draw(st.sampled_from(sorted(state))))
    with pytest.raises(ModelError) as caught:
        build_decoder(AUDIOCRAFT, audiocraft_weights(state, AUDIOCRAFT))
    assert fault in ("reshaped", "NaN") or wrong in str(caught.value)


@pytest.mark.fault(
    "checkpoint of audiocraft",
    "codebooks of unequal sizes that have the right sum",
    outcome="ModelError that names the tensor",
)
def test_codebooks_of_unequal_size_are_refused() -> None:
    state = _audiocraft_state()
    both = torch.cat([state["emb.0.weight"], state["emb.1.weight"]])
    state["emb.0.weight"], state["emb.1.weight"] = both[:3], both[3:]
    with pytest.raises(ModelError, match=r"emb\.[01]\.weight"):
        audiocraft_weights(state, AUDIOCRAFT)
