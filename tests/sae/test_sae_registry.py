"""hooks.yaml, its schema, and the comparison of what is declared."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from leitmotif.errors import ConfigError, ModelError
from leitmotif.sae.autoencoder import SparseAutoencoder
from leitmotif.sae.autoencoder.alignment import (
    check_sparsity,
    compare,
    compare_reading,
    require_alignment,
)
from leitmotif.sae.autoencoder.encode import encode_site
from leitmotif.sae.autoencoder.fetch import fetch
from leitmotif.sae.autoencoder.registry import (
    REGISTRY,
    Hook,
    Registry,
    load_registry,
    register,
)
from leitmotif.share.protocol.schemas import schema_of
from leitmotif.store.reading import ActivationStore
from tests.sae.making import random_sae

HUB = {
    "name": "musicgen-small-11",
    "site": "hook_layers.11",
    "model": "facebook/musicgen-small",
    "model_revision": "4" * 40,
    "model_fingerprint": None,
    "d_in": 1024,
    "d_sae": 32768,
    "k": 100,
    "normalize_activations": "none",
    "forward_dtype": None,
    "context_frames": 501,
    "audio": {"sample_rate": 32000, "channels": "mono", "prompt": "other"},
    "checkpoint": {
        "source": "hub",
        "repository": "someone/saes",
        "revision": "0" * 40,
        "path": "sae-32_k_100_11/facebook/musicgen-small",
        "sha256": "c" * 64,
        "config_sha256": "d" * 64,
    },
}


def write(path: Path, *hooks: Any) -> Path:
    YAML().dump({"format": "leitmotif-hooks/1", "hooks": list(hooks)}, path)
    return path


def test_an_entry_is_read_and_fits_the_schema(tmp_path: Path) -> None:
    registry = load_registry(write(tmp_path / "hooks.yaml", HUB))
    assert registry.hooks[0].site == "layers.11.residual"
    assert registry["musicgen-small-11"] == registry.hooks[0]
    with pytest.raises(ConfigError, match="no autoencoder 'musicgen-small-12'"):
        registry["musicgen-small-12"]
    jsonschema.validate({"format": "leitmotif-hooks/1", "hooks": [HUB]}, schema_of(Registry))


@pytest.mark.fault("hooks.yaml", "bad entries", outcome="refused by name")
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("site", "blocks.11.hook_attn", r"hooks\[musicgen-small-11\]\.site"),
        ("k", "100", r"\.k cannot be used"),
        ("layer", 11, r"\.layer cannot be used"),
        ("model_revision", "main", "model_revision"),
    ],
)
def test_a_bad_entry_is_named(tmp_path: Path, key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_registry(write(tmp_path / "hooks.yaml", {**HUB, key: value}))
    if key != "site":  # a rule that JSON schema cannot state
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(
                {"format": "leitmotif-hooks/1", "hooks": [{**HUB, key: value}]}, schema_of(Registry)
            )


def test_names_are_given_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="named twice"):
        load_registry(write(tmp_path / "hooks.yaml", HUB, HUB))


def test_an_entry_is_registered_among_the_others(tmp_path: Path) -> None:
    path = tmp_path / "hooks.yaml"
    path.write_text("# why\nformat: leitmotif-hooks/1\nhooks: []\n")
    first = Hook.model_validate(HUB)
    second = first.model_copy(update={"name": "another", "k": None})
    register(first, path)
    register(second, path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="has an autoencoder 'musicgen-small-11' already"):
        register(first.model_copy(update={"k": 99}), path)
    assert path.read_bytes() == before
    register(first.model_copy(update={"k": 99}), path, replace=True)
    registry = load_registry(path)
    assert [(hook.name, hook.k) for hook in registry.hooks] == [
        ("musicgen-small-11", 99),
        ("another", None),
    ]
    assert path.read_text().startswith("# why\n")
    assert "  - name: another\n    site: layers.11.residual\n" in path.read_text()


def test_the_registry_of_this_repository(repo_root: Path) -> None:
    load_registry(repo_root / REGISTRY)


def test_all_that_agrees_passes(
    store: ActivationStore,
    true_sae: Callable[..., SparseAutoencoder],
    make_hook: Callable[..., Hook],
) -> None:
    sae = true_sae(1)
    header = store.header("layers.1.residual", "t0")
    assert compare(make_hook(sae), sae.config, header, 16) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"site": "layers.2.residual"}, "site"),
        ({"model": "facebook/musicgen-small"}, "model"),
        ({"model_revision": "1" * 40}, "revision"),
        ({"model_fingerprint": "f" * 64}, "model fingerprint"),
        ({"d_in": 32}, "width"),
        ({"forward_dtype": "bfloat16"}, "forward dtype"),
        ({"normalize_activations": "layer_norm"}, "normalize_activations (registry)"),
        ({"k": 7}, "k (registry)"),
        ({"audio": {"sample_rate": 16_000, "channels": "mono", "prompt": "none"}}, "sample rate"),
    ],
)
def test_every_field_is_compared(
    changes: dict[str, Any],
    what: str,
    store: ActivationStore,
    true_sae: Callable[..., SparseAutoencoder],
    make_hook: Callable[..., Hook],
) -> None:
    sae = true_sae(1)
    hook = make_hook(sae, **changes)
    mismatches = compare(hook, sae.config, store.header("layers.1.residual", "t0"), 16)
    assert what in [mismatch.what for mismatch in mismatches]


@pytest.mark.fault(
    "autoencoder", "trained on other contexts, prompts or rates", outcome="stopped, or branded"
)
@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"context_frames": 119}, "context: activations 120 frames, autoencoder at most 119"),
        ({"prompt": "tags"}, "prompt: activations none, autoencoder tags"),
        ({"prompt": "other"}, "prompt: activations none, autoencoder other"),
        ({"sample_rate": 16_000}, "sample rate: activations 32000, autoencoder 16000"),
    ],
)
def test_what_was_read_otherwise_than_in_training_stops_or_is_branded(
    changes: dict[str, Any],
    what: str,
    store: ActivationStore,
    true_sae: Callable[..., SparseAutoencoder],
    make_hook: Callable[..., Hook],
    tmp_path: Path,
) -> None:
    sae = true_sae(1)
    heard = {"sample_rate": 32_000, "channels": "mono", "prompt": "none"}
    audio = heard | {key: value for key, value in changes.items() if key in heard}
    hook = make_hook(sae, audio=audio, context_frames=changes.get("context_frames", 120))
    with pytest.raises(ModelError, match="does not belong") as caught:
        encode_site(sae, hook, store, tmp_path / "out")
    assert what in str(caught.value)
    branded = encode_site(sae, hook, store, tmp_path / "out", allow_misaligned=True)
    assert what in str(branded.misaligned)


def test_a_prompt_made_of_tags_is_compared_too(
    store: ActivationStore,
    true_sae: Callable[..., SparseAutoencoder],
    make_hook: Callable[..., Hook],
) -> None:
    sae = true_sae(1)
    header = store.header("layers.1.residual", "t0").model_copy(update={"prompt": "calm music"})
    assert [str(mismatch) for mismatch in compare_reading(make_hook(sae), header)] == [
        "prompt: activations tags, autoencoder none"
    ]


def test_float64_and_float32_are_the_same_activations_and_bfloat16_is_not(
    store: ActivationStore,
    true_sae: Callable[..., SparseAutoencoder],
    make_hook: Callable[..., Hook],
) -> None:
    sae = true_sae(1)
    header = store.header("layers.1.residual", "t0")
    exact = header.model_copy(update={"forward_dtype": "float64"})
    assert compare(make_hook(sae), sae.config, exact, 16) == []
    half = header.model_copy(update={"forward_dtype": "bfloat16"})
    assert [mismatch.what for mismatch in compare(make_hook(sae), sae.config, half, 16)] == [
        "forward dtype"
    ]


def test_the_article_s_pitfall_stops_with_both_sides(
    store: ActivationStore,
    true_sae: Callable[..., SparseAutoencoder],
    make_hook: Callable[..., Hook],
) -> None:
    """Activations of hook_layers.2, an autoencoder of hook_layers.1."""
    sae = true_sae(1)
    mismatches = compare(make_hook(sae), sae.config, store.header("hook_layers.2", "t0"), 16)
    with pytest.raises(ModelError) as caught:
        require_alignment("one", mismatches, allow_misaligned=False)
    assert "activations layers.2.residual, autoencoder layers.1.residual" in str(caught.value)
    brand = require_alignment("one", mismatches, allow_misaligned=True)
    assert brand is not None
    assert brand.startswith("MISALIGNED: site: activations layers.2.residual")
    assert require_alignment("one", [], allow_misaligned=False) is None


def test_more_features_than_k_are_refused() -> None:
    check_sparsity("one", random_sae().config, 5)
    check_sparsity("one", random_sae("relu").config, 60)
    with pytest.raises(ModelError, match="6 active features"):
        check_sparsity("one", random_sae().config, 6)


@pytest.mark.fault("autoencoder", "another hash than pinned", outcome="refused")
def test_a_folder_of_another_hash_is_refused(
    tmp_path: Path, make_hook: Callable[..., Hook]
) -> None:
    hook = make_hook(random_sae())
    folder = fetch(hook.checkpoint, root=tmp_path)
    assert folder == tmp_path / "one"
    weights = folder / "sae_weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match=r"not the file that hooks\.yaml pins"):
        fetch(hook.checkpoint, root=tmp_path)
    weights.unlink()
    with pytest.raises(ModelError, match="is missing"):
        fetch(hook.checkpoint, root=tmp_path)
