"""Folders as SAELens writes them, and what is refused."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from leitmotif.errors import ModelError
from leitmotif.sae.autoencoder import load_sae, save_sae
from tests.sae.making import random_sae, write_published


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return write_published(tmp_path / "sae-64_k_5_1/facebook/musicgen-small", random_sae())


def edit(folder: Path, **changes: Any) -> None:
    values = json.loads((folder / "cfg.json").read_text())
    for key, value in changes.items():
        values[key] = value
    (folder / "cfg.json").write_text(json.dumps(values))


def test_the_published_form_is_read_as_top_k(published: Path) -> None:
    sae = load_sae(published)
    assert (sae.config.activation, sae.config.k) == ("topk", 5)
    assert sae.config.site == "layers.1.residual"
    assert sae.config.metadata["context_size"] == 501
    x = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    plain = ((x - sae.b_dec) @ sae.W_enc + sae.b_enc > 0).sum(1)
    assert int(plain.max()) > 5, "read as plain ReLU there would be more"
    assert int(sae.encode(x).l0.max()) <= 5


@pytest.mark.parametrize("activation", ["relu", "topk", "jumprelu"])
def test_what_is_saved_loads_to_the_same(activation: str, tmp_path: Path) -> None:
    sae = random_sae(activation)
    save_sae(sae, tmp_path / "one")
    loaded = load_sae(tmp_path / "one")
    save_sae(loaded, tmp_path / "two")
    for name in ("cfg.json", "sae_weights.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    x = torch.randn(9, 8)
    assert torch.equal(loaded.encode(x).values, sae.encode(x).values)


def test_decoder_norms_are_folded_in(tmp_path: Path) -> None:
    """rescale_acts_by_decoder_norm: features compete by their size after decoding."""
    sae = random_sae()
    save_sae(sae, tmp_path)
    edit(tmp_path, rescale_acts_by_decoder_norm=True)
    x = torch.randn(20, 8)
    norms = sae.W_dec.norm(dim=1)
    pre = ((x - sae.b_dec) @ sae.W_enc + sae.b_enc) * norms
    top = pre.topk(5, dim=1)
    expected = torch.zeros_like(pre).scatter(1, top.indices, top.values).relu()
    loaded = load_sae(tmp_path)
    rebuilt, codes = loaded.reconstruct(x)
    torch.testing.assert_close(codes.dense(64), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        rebuilt, expected / norms @ sae.W_dec + sae.b_dec, atol=1e-5, rtol=1e-5
    )


def test_a_batch_top_k_checkpoint_becomes_its_threshold(tmp_path: Path) -> None:
    sae = random_sae("jumprelu")
    save_sae(sae, tmp_path)
    edit(tmp_path, architecture="batchtopk", k=4.5, topk_threshold_lr=0.01)
    weights = load_file(tmp_path / "sae_weights.safetensors")
    del weights["threshold"]
    weights["topk_threshold"] = torch.tensor(0.7, dtype=torch.float64)
    save_file(weights, tmp_path / "sae_weights.safetensors")
    loaded = load_sae(tmp_path)
    assert loaded.config.activation == "jumprelu"
    codes = loaded.encode(torch.randn(30, 8))
    assert float(codes.values.min()) > 0.7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hook_layer": 11}, "hook_layers.1 with hook_layer 11"),
        ({"d_sae": 128}, r"W_enc \(8, 64\)"),
        ({"gated": True}, "gated"),
        ({"activation_fn": "tanh-relu"}, "tanh-relu"),
        ({"activation_fn_kwargs": {}}, "k=None"),
        ({"activation_fn_kwargs": {"k": 0}}, "k=0"),
        ({"architecture": "gated"}, "'gated'"),
        ({"normalize_activations": "expected_average_only_in"}, "expected_average_only_in"),
        ({"hook_head_index": 3}, "one attention head"),
        ({"dtype": "float16"}, "another precision"),
        ({"dtype": "int8"}, "'int8'"),
        ({"d_in": "8"}, "'8'"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    published: Path, changes: dict[str, Any], message: str
) -> None:
    edit(published, **changes)
    with pytest.raises(ModelError, match=message):
        load_sae(published)


DECIDING = (
    "architecture",
    "d_in",
    "d_sae",
    "dtype",
    "apply_b_dec_to_input",
    "normalize_activations",
    "k",
    "rescale_acts_by_decoder_norm",
    "activation_fn",
)
STRANGE: list[Any] = [None, True, "false", 1, -1, 10**30, 1e308, [], ["k"], [["k"]], {}, {"k": "a"}]


@pytest.mark.fault(
    "autoencoder", "values of other kinds in its configuration", outcome="refused by name"
)
@pytest.mark.parametrize("form", ["old", "new"])
def test_each_setting_is_of_its_kind_or_refused(
    form: str, published: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    folder = published
    if form == "new":
        save_sae(random_sae(), folder := tmp_path / "new")
    whole = json.loads((folder / "cfg.json").read_text())
    kept = load_sae(folder).config
    decide = [*(set(whole) & set(DECIDING)), "reshape_activations", "activation_fn_kwargs"]
    for key in decide:
        for value in STRANGE:
            (folder / "cfg.json").write_text(json.dumps({**whole, key: value}))
            try:
                read = load_sae(folder).config
            except ModelError:
                continue
            assert read == kept or value in (True, 1), (key, value)
    record_property("inputs", len(decide) * len(STRANGE))


@pytest.mark.parametrize("name", ["W_enc", "b_enc", "W_dec", "b_dec"])
def test_a_missing_tensor_is_named(published: Path, name: str) -> None:
    weights = load_file(published / "sae_weights.safetensors")
    del weights[name]
    save_file(weights, published / "sae_weights.safetensors")
    with pytest.raises(ModelError, match=f"{name} missing"):
        load_sae(published)


def test_an_extra_tensor_and_a_scale_are_refused(published: Path) -> None:
    path = published / "sae_weights.safetensors"
    weights = load_file(path)
    save_file({**weights, "scaling_factor": torch.ones(64)}, path)
    load_sae(published)  # SAELens wrote ones for a time
    save_file({**weights, "scaling_factor": 2 * torch.ones(64)}, path)
    with pytest.raises(ModelError, match="fine-tuned scale"):
        load_sae(published)
    save_file({**weights, "r_mag": torch.ones(64)}, path)
    with pytest.raises(ModelError, match="r_mag"):
        load_sae(published)
    save_file({**weights, "b_enc": torch.full((64,), float("nan"))}, path)
    with pytest.raises(ModelError, match="b_enc"):
        load_sae(published)


class Trap:
    """Unpickling one leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.fault("autoencoder", "a pickle", outcome="refused unread")
@pytest.mark.parametrize("name", ["sae_weights.safetensors", "sae_weights.pt"])
def test_a_pickle_is_refused_unread(published: Path, tmp_path: Path, name: str) -> None:
    (published / "sae_weights.safetensors").unlink()
    (published / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ModelError, match="pickled weights can run code"):
        load_sae(published)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.fault("autoencoder", "torn and foreign files", outcome="refused by name")
def test_a_torn_file_and_a_foreign_folder_are_refused(published: Path, tmp_path: Path) -> None:
    path = published / "sae_weights.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match="cannot be read"):
        load_sae(published)
    with pytest.raises(ModelError, match="not an autoencoder's folder"):
        load_sae(tmp_path / "nowhere")


@pytest.mark.fault(
    "autoencoder",
    "in place of its weights a pipe, folder or broken link, other types, or more than in float32",
    outcome="refused by name",
)
def test_weights_that_are_no_weights_are_refused(
    published: Path, record_property: Callable[[str, object], None]
) -> None:
    path = published / "sae_weights.safetensors"
    whole = load_file(path)
    places: list[Callable[[], object]] = [
        lambda: os.mkfifo(path),
        path.mkdir,
        lambda: path.symlink_to("nowhere"),
        lambda: path.symlink_to(path),
    ]
    for place in places:
        path.unlink(missing_ok=True)
        place()
        with pytest.raises(ModelError, match=r"is missing|cannot be read"):
            load_sae(published)
        if path.is_dir():
            path.rmdir()
    path.unlink()
    for name, tensor in whole.items():
        for other in (torch.float8_e4m3fn, torch.int32, torch.bool, torch.complex64):
            save_file({**whole, name: tensor.to(other)}, path)
            with pytest.raises(ModelError, match=rf"another precision[\s\S]*{name}"):
                load_sae(published)
    record_property("inputs", len(places) + 4 * len(whole))
    config = json.loads((published / "cfg.json").read_text())
    (published / "cfg.json").write_text(json.dumps({**config, "dtype": "torch.float64"}))
    beyond = torch.full_like(whole["W_dec"], 1e300, dtype=torch.float64)
    save_file({**{name: tensor.double() for name, tensor in whole.items()}, "W_dec": beyond}, path)
    with pytest.raises(ModelError, match=r"not finite in float32[\s\S]*W_dec"):
        load_sae(published)
