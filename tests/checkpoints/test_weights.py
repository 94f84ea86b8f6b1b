"""Weights are what the checkpoint says: every fault of a tensor is an error that names it."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen
from tests.checkpoint_kinds import FAULTS, NAMES, OLD, PICKLED, Kind, kinds_below
from tests.tiny import tiny_musicgen


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    return kinds_below(tmp_path_factory.mktemp("checkpoints"))


PARTS = ["audio_encoder.encoder", "audio_encoder.decoder", "quantizer", "text_encoder", "decoder."]


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
    floats = sorted(name for name, tensor in weights.items() if tensor.is_floating_point())
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


@pytest.mark.fault(
    "checkpoint of MusicGen",
    "weights in memory that hold no numbers, or none that can be read one by one",
    outcome="ModelError that names the tensor",
)
@pytest.mark.parametrize("change", [lambda x: x.to("meta"), lambda x: x.to_sparse()])
def test_weights_without_numbers_are_named(change: Callable[[Tensor], Tensor]) -> None:
    model = tiny_musicgen()
    part = model.decoder.model.decoder.layers[0].fc1
    part.weight = torch.nn.Parameter(change(part.weight.detach()), requires_grad=False)
    with pytest.raises(ModelError, match=r"layers\.0\.fc1\.weight"):
        HookedMusicGen.from_transformers(model)
