"""Loading: folders, the hub, fingerprints, and what is refused."""

import copy
import json
import os
import re
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from leitmotif import Clap, Tagger
from leitmotif.errors import ModelError
from leitmotif.files import sha256_file
from leitmotif.musicgen import HookedMusicGen
from leitmotif.musicgen.checkpoint import (
    audiocraft_weights,
    build_decoder,
    split_transformers,
    transformers_weights,
)
from leitmotif.musicgen.model import delay
from leitmotif.musicgen.tap import Tap
from tests.hub import Hub, serve_hub
from tests.tiny import save_tiny_checkpoint

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")


def test_a_folder_loads_by_absolute_and_relative_path(
    folder: Path, model: HookedMusicGen, codes: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = HookedMusicGen.from_pretrained(str(folder), device="cpu")
    assert torch.equal(loaded(codes, "a calm piece"), model(codes, "a calm piece"))
    assert loaded.default_guidance_scale == 3.0
    monkeypatch.chdir(folder.parent)
    again = HookedMusicGen.from_pretrained(folder.name, device="cpu")
    assert again.fingerprint == loaded.fingerprint == model.fingerprint


def test_a_hub_id_loads_at_its_pinned_revision(folder: Path, tmp_path: Path) -> None:
    """In a process of its own, because huggingface_hub reads its address when imported."""
    program = (
        "from leitmotif.musicgen import HookedMusicGen\n"
        f"m = HookedMusicGen.from_pretrained('someone/tiny', revision='{REVISION}', device='cpu')\n"
        "print(m.fingerprint)"
    )
    with serve_hub({"someone/tiny": folder}, revision=REVISION) as hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path)}
        environment.pop("HF_HUB_OFFLINE", None)
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    expected = HookedMusicGen.from_pretrained(str(folder), device="cpu").fingerprint
    assert done.stdout.split()[-1] == expected
    asked = [path for path in hub.requests if "someone/tiny" in path]
    assert asked
    assert all(REVISION in path for path in asked), asked
    # A pinned revision that is on the disk needs no hub.
    offline = {**environment, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=offline, capture_output=True, text=True, check=False
    )
    assert done.stdout.split()[-1:] == [expected], done.stderr


@pytest.mark.fault(
    "hub", "a pinned revision that is gone, or other bytes under it", outcome="ModelError by name"
)
def test_a_revision_that_moved_is_noticed(folder: Path, tmp_path: Path) -> None:
    """The hub's main at another commit, with the pinned one still there, changes nothing."""
    program = (
        "from leitmotif.musicgen import HookedMusicGen\n"
        f"m = HookedMusicGen.from_pretrained('someone/tiny', revision='{REVISION}', device='cpu')\n"
        "print(m.fingerprint)"
    )

    def loaded(hub: Hub) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program],
            env=hub.environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )

    with serve_hub({"someone/tiny": folder}, revision="f" * 40) as hub:
        gone = loaded(hub)
    assert "the hub does not have this revision of someone/tiny" in gone.stderr
    assert f"no commit {REVISION}" in gone.stderr
    with serve_hub({"someone/tiny": folder}, revision=REVISION) as hub:
        hub.flip = True
        other = loaded(hub)
        assert "model.safetensors of someone/tiny is damaged in the hub's cache" in other.stderr
        assert sha256_file(folder / "model.safetensors") in other.stderr
        hub.flip = False
        named = re.search("delete (.+) and run it again", " ".join(other.stderr.split()))
        assert named is not None, other.stderr
        Path(named[1]).unlink()
        whole = loaded(hub)
    assert whole.returncode == 0, whole.stderr
    # What is here is used, wherever main has gone.
    with serve_hub({"someone/tiny": folder}, revision="f" * 40) as hub:
        again = loaded(hub)
    assert again.stdout.split()[-1:] == whole.stdout.split()[-1:], again.stderr


@pytest.mark.fault("checkpoint", "a changed weight", outcome="another fingerprint")
def test_any_changed_weight_changes_the_fingerprint(folder: Path, tmp_path: Path) -> None:
    before = HookedMusicGen.from_pretrained(str(folder), device="cpu")
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    name = next(name for name in weights if name.startswith("audio_encoder.decoder"))
    weights[name].view(-1)[0] += 1e-3
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    after = HookedMusicGen.from_pretrained(str(tmp_path), device="cpu")
    assert before.fingerprint != after.fingerprint
    # The same weights in float64 are the same weights; in bfloat16 they are others.
    assert before.fingerprint == before.to(dtype="float64").fingerprint
    assert before.fingerprint != before.to(dtype="bfloat16").fingerprint


def test_precision_is_the_decoders_alone(folder: Path) -> None:
    audio = torch.randn(32_000, generator=torch.Generator().manual_seed(0))
    full = HookedMusicGen.from_pretrained(str(folder), device="cpu")
    half = HookedMusicGen.from_pretrained(str(folder), device="cpu", dtype="bfloat16")
    codes = full.encode_audio(audio)
    assert torch.equal(half.encode_audio(audio), codes)
    logits = half(codes, "a calm piece")
    assert logits.dtype == torch.bfloat16
    # Eight bits of mantissa, three layers: close in the mean, not in each number.
    assert (logits.float() - full(codes, "a calm piece")).abs().mean() < 0.1


def test_padded_prompts_follow_the_rule_of_the_checkpoints_origin(
    folder: Path, codes: Tensor
) -> None:
    prompts = ["a calm piece", "a happy fast piece with guitar melody"]
    masked = HookedMusicGen.from_pretrained(str(folder), device="cpu")
    attended = HookedMusicGen.from_pretrained(str(folder), device="cpu", text_padding="attended")
    first, second = masked(codes, prompts), attended(codes, prompts)
    assert not torch.allclose(first[0], second[0], atol=1e-2), "the short prompt is padded"
    torch.testing.assert_close(first[1], second[1])
    alone = masked(codes[:1], prompts[:1])
    torch.testing.assert_close(first[:1], alone, atol=1e-4, rtol=0)


def _as_audiocraft(state: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Rename a `transformers` state dict to audiocraft's names, fused as its LMModel is."""
    root = "model.decoder"
    names = {"layer_norm.weight": "out_norm.weight", "layer_norm.bias": "out_norm.bias"}
    out = {new: state[f"{root}.{old}"] for old, new in names.items()}
    for k in range(4):
        out[f"emb.{k}.weight"] = state[f"{root}.embed_tokens.{k}.weight"]
        out[f"linears.{k}.weight"] = state[f"lm_heads.{k}.weight"]
    for i in range(layers):
        old, new = f"{root}.layers.{i}", f"transformer.layers.{i}"
        for theirs, ours in (("self_attn", "self_attn"), ("encoder_attn", "cross_attention")):
            parts = [state[f"{old}.{theirs}.{part}_proj.weight"] for part in "qkv"]
            out[f"{new}.{ours}.in_proj_weight"] = torch.cat(parts)
            out[f"{new}.{ours}.out_proj.weight"] = state[f"{old}.{theirs}.out_proj.weight"]
        for theirs, ours in (
            ("self_attn_layer_norm", "norm1"),
            ("encoder_attn_layer_norm", "norm_cross"),
            ("final_layer_norm", "norm2"),
        ):
            for part in ("weight", "bias"):
                out[f"{new}.{ours}.{part}"] = state[f"{old}.{theirs}.{part}"]
        out[f"{new}.linear1.weight"] = state[f"{old}.fc1.weight"]
        out[f"{new}.linear2.weight"] = state[f"{old}.fc2.weight"]
    return out


def test_both_state_dict_layouts_give_the_same_decoder(theirs, model: HookedMusicGen) -> None:
    state = theirs.decoder.state_dict()
    ours = transformers_weights(dict(state), model.config)
    mapped = audiocraft_weights(_as_audiocraft(state, 3), model.config)
    assert set(mapped) == set(ours)
    for name, tensor in ours.items():
        assert torch.equal(mapped[name], tensor), name
    decoder = build_decoder(model.config, mapped)
    tokens = delay(torch.zeros(1, 4, 5, dtype=torch.long), 64)
    arguments = {"text": None, "text_mask": None}
    out = decoder(tokens, model.positions(9), tap=Tap(), **arguments)
    assert torch.equal(out, model.decoder(tokens, model.positions(9), tap=Tap(), **arguments))


def test_weights_that_are_joined_are_held_once(theirs, model: HookedMusicGen) -> None:
    state = {name: tensor.clone() for name, tensor in theirs.decoder.state_dict().items()}
    name = "model.decoder.layers.1.self_attn.q_proj.weight"
    last = weakref.ref(state[name])
    transformers_weights(state, model.config)
    assert {*state} <= {"model.decoder.embed_positions.weights"}
    assert last() is None, "the query's own matrix is gone"

    whole = split_transformers(theirs, None, "masked")
    assert not any(tensor.is_meta for tensor in theirs.parameters())
    copied = copy.deepcopy(theirs)
    emptied = split_transformers(copied, None, "masked", emptied=True)
    assert all(tensor.is_meta for tensor in copied.decoder.parameters())
    assert not any(tensor.is_meta for tensor in copied.text_encoder.parameters())
    for (key, ours), other in zip(
        emptied.decoder.state_dict().items(), whole.decoder.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, other), key


def _edit_config(folder: Path, section: str | None, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (config[section] if section else config).update(values)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("decoder", {"audio_channels": 3}, "cannot be loaded"),
        ("audio_encoder", {"audio_channels": 2}, "of another shape"),
        ("decoder", {"activation_function": "silu"}, "activation_function"),
        ("audio_encoder", {"chunk_length_s": 1.0}, "chunk_length_s"),
        (None, {"model_type": "t5"}, "not a MusicGen"),
        (None, {"model_type": "musicgen_melody"}, "the chroma of a melody"),
        (None, {"model_type": "musicgen_style"}, "the style conditioner"),
    ],
)
def test_checkpoints_that_are_not_supported_are_refused(
    folder: Path, tmp_path: Path, section: str | None, values: dict, message: str
) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    _edit_config(tmp_path, section, **values)
    with pytest.raises(ModelError, match=message):
        HookedMusicGen.from_pretrained(str(tmp_path), device="cpu")


@pytest.mark.parametrize(
    ("name", "missing"), [("style", "a residual quantiser"), ("melody", "the chroma of a melody")]
)
def test_a_checkpoint_without_a_config_is_refused_by_its_name(
    tmp_path: Path, name: str, missing: str
) -> None:
    # facebook/musicgen-style has audiocraft's files alone, of which none is fetched from the hub.
    folder = tmp_path / f"musicgen-{name}"
    folder.mkdir()
    with pytest.raises(ModelError, match=missing):
        HookedMusicGen.from_pretrained(str(folder), device="cpu")


@pytest.mark.fault("checkpoint", "no weights, or a pickle alone", outcome="refused by name")
def test_a_folder_without_weights_or_with_a_pickle_alone_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(load_file(folder / "model.safetensors"), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        HookedMusicGen.from_pretrained(str(tmp_path), device="cpu")


@pytest.mark.fault(
    "checkpoint", "a hub id without its revision", outcome="ModelError, nothing is asked"
)
@pytest.mark.parametrize("kind", [HookedMusicGen, Clap, Tagger])
def test_a_hub_id_needs_its_revision(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", None)
    with pytest.raises(ModelError, match="no folder of this name, and no revision"):
        kind.from_pretrained("facebook/musicgen-small", device="cpu")


def test_no_such_folder_or_device(folder: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        HookedMusicGen.from_pretrained("./no/such/folder", device="cpu")
    with pytest.raises(ModelError, match="dtype"):
        HookedMusicGen.from_pretrained(str(folder), device="cpu", dtype="int8")
