"""CLAP gives what `transformers` gives, but the same every time, and refuses what means nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from transformers import ClapModel, ClapProcessor

from leitmotif.errors import ModelError
from leitmotif.judge.models import Clap
from tests.hub import serve_hub
from tests.judge.tiny_judges import SENTENCES, save_tiny_ast, save_tiny_clap

RATE = 32_000
REVISION = "0123456789abcdef0123456789abcdef01234567"


def test_embeddings_are_those_of_transformers(
    clap: Clap, clap_folder: Path, noise: NDArray[np.float32]
) -> None:
    model, processor = (
        ClapModel.from_pretrained(clap_folder),
        ClapProcessor.from_pretrained(clap_folder),
    )
    at_48k = [soxr.resample(clip, RATE, 48_000, quality="HQ") for clip in noise]
    inputs = processor(
        text=SENTENCES, audio=at_48k, sampling_rate=48_000, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        theirs = model(**inputs)
    heard, texts = clap.embed_audio(list(noise), RATE), clap.embed_text(SENTENCES)
    np.testing.assert_allclose(heard, theirs.audio_embeds, atol=1e-6)
    np.testing.assert_allclose(texts, theirs.text_embeds, atol=1e-6)
    np.testing.assert_allclose(clap.logits(heard, texts), theirs.logits_per_audio, atol=1e-4)
    assert not np.allclose(heard[0], heard[1], atol=1e-2)


def test_embeddings_have_length_one_and_do_not_depend_on_their_neighbours(
    clap: Clap, noise: NDArray[np.float32]
) -> None:
    heard, texts = clap.embed_audio(list(noise), RATE), clap.embed_text(SENTENCES)
    assert heard.shape == (3, clap.width)
    assert texts.shape == (5, clap.width)
    for rows in (heard, texts):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    for row in range(3):
        np.testing.assert_allclose(clap.embed_audio(noise[row], RATE)[0], heard[row], atol=1e-6)
    for row, sentence in enumerate(SENTENCES):
        np.testing.assert_allclose(clap.embed_text([sentence])[0], texts[row], atol=1e-6)


@pytest.mark.parametrize("kind", ["clap_folder", "fused_folder"])
def test_a_clip_longer_than_the_context_is_embedded_the_same_every_time(
    kind: str, request: pytest.FixtureRequest
) -> None:
    clap = Clap.from_pretrained(str(request.getfixturevalue(kind)), device="cpu")
    long = np.random.default_rng(1).standard_normal(25 * 48_000).astype(np.float32) * 0.1
    long[: 10 * 48_000] *= 0.01
    np.random.seed(0)  # noqa: NPY002 (what the extractor of transformers draws from)
    first = clap.embed_audio(long, 48_000)
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(clap.embed_audio(long, 48_000), first)
    parts = [long[:480_000], long[480_000:960_000], long[-480_000:]]
    mean = clap.embed_audio(parts, 48_000).mean(0)
    np.testing.assert_allclose(first[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_a_fused_checkpoint_hears_the_same_clip_alike_in_any_place(
    fused_folder: Path, noise: NDArray[np.float32]
) -> None:
    """transformers marks a random clip of a batch as longer than the context, and fuses it."""
    clap = Clap.from_pretrained(str(fused_folder), device="cpu")
    together = clap.embed_audio([noise[2]] * 6, RATE)
    np.testing.assert_allclose(together, np.broadcast_to(together[0], together.shape), atol=1e-6)
    model, processor = (
        ClapModel.from_pretrained(fused_folder),
        ClapProcessor.from_pretrained(fused_folder),
    )
    at_48k = soxr.resample(noise[2], RATE, 48_000, quality="HQ")
    inputs = processor(audio=[at_48k] * 6, sampling_rate=48_000, return_tensors="pt")
    assert inputs["is_longer"].sum() == 1, "no longer needed if this fails"
    with torch.no_grad():
        theirs = model.get_audio_features(**inputs).pooler_output
    plain = ~inputs["is_longer"][:, 0]
    np.testing.assert_allclose(together[:5], theirs[plain], atol=1e-6)
    assert not np.allclose(together[0], theirs[~plain][0], atol=1e-3), "fusion changes it"


def test_a_text_tower_that_tells_nothing_apart_is_refused_but_audio_is_not(
    tmp_path: Path, noise: NDArray[np.float32]
) -> None:
    clap = Clap.from_pretrained(str(save_tiny_clap(tmp_path / "x", collapsed=True)), device="cpu")
    assert clap.text_collapse == pytest.approx(1)
    assert clap.embed_audio(list(noise), RATE).shape == (3, clap.width)
    with pytest.raises(ModelError, match=r"tells no sentences apart[\s\S]*1\.0000"):
        clap.embed_text(["a guitar"])


@pytest.mark.parametrize("sentences", [[], ["a guitar", "  "], "a guitar"])
def test_sentences_that_are_none_are_refused(clap: Clap, sentences) -> None:
    with pytest.raises(ModelError, match="cannot be embedded"):
        clap.embed_text(sentences)


def test_a_long_sentence_is_cut_to_the_text_towers_context(clap: Clap) -> None:
    assert np.isfinite(clap.embed_text(["jazz " * 500])).all()


def test_other_kinds_of_checkpoint_are_refused(tagger_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"another kind[\s\S]*audio-spectrogram-transformer"):
        Clap.from_pretrained(str(tagger_folder), device="cpu")
    with pytest.raises(ModelError, match="cannot be loaded"):
        Clap.from_pretrained("./no/such/folder", device="cpu")
    (tmp_path / "config.json").write_text("not json")
    with pytest.raises(ModelError, match="cannot be loaded"):
        Clap.from_pretrained(str(tmp_path), device="cpu")


@pytest.mark.fault("judge", "missing weights and tokenizers", outcome="refused by name")
def test_missing_weights_and_tokenizers_are_refused(clap_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    shutil.copytree(clap_folder, tmp_path / "weights")
    state = load_file(tmp_path / "weights" / "model.safetensors")
    del state["audio_projection.linear1.weight"]
    save_file(state, tmp_path / "weights" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"audio_projection\.linear1\.weight"):
        Clap.from_pretrained(str(tmp_path / "weights"), device="cpu")
    shutil.copytree(clap_folder, tmp_path / "words")
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"):
        (tmp_path / "words" / name).unlink()
    with pytest.raises(ModelError, match="tokenizer"):
        Clap.from_pretrained(str(tmp_path / "words"), device="cpu")


@pytest.mark.fault("judge", "torn weights, weights of another size", outcome="refused by name")
def test_torn_weights_and_weights_of_another_size_are_refused(
    clap_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(clap_folder, tmp_path / "torn")
    weights = tmp_path / "torn" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        Clap.from_pretrained(str(tmp_path / "torn"), device="cpu")
    shutil.copytree(clap_folder, tmp_path / "wider")
    config = json.loads((tmp_path / "wider" / "config.json").read_text())
    config["projection_dim"] = 32
    (tmp_path / "wider" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"of another shape: audio_projection\.linear1\.bias"):
        Clap.from_pretrained(str(tmp_path / "wider"), device="cpu")


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_a_hub_repository_gives_what_its_folder_gives(
    clap_folder: Path, clap: Clap, tmp_path: Path, weights: str
) -> None:
    """LAION's repositories of the larger models hold ``pytorch_model.bin`` and nothing else."""
    shutil.copytree(clap_folder, tmp_path / "repository")
    if weights == "pytorch_model.bin":
        (tmp_path / "repository" / "model.safetensors").unlink()
        state = ClapModel.from_pretrained(clap_folder).state_dict()
        torch.save(state, tmp_path / "repository" / weights)
    program = (
        "import json\n"
        "from leitmotif.judge.models import Clap\n"
        f"clap = Clap.from_pretrained('laion/tiny', revision='{REVISION}', device='cpu')\n"
        "print(json.dumps(clap.embed_text(['jazz']).tolist()))"
    )
    with serve_hub({"laion/tiny": tmp_path / "repository"}, revision=REVISION) as hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home")}
        environment.pop("HF_HUB_OFFLINE", None)
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        json.loads(done.stdout.splitlines()[-1]), clap.embed_text(["jazz"]), atol=1e-6
    )
    assert any(path.endswith(weights) for path in hub.requests)


def test_an_ast_is_not_clap_even_with_its_name(tmp_path: Path) -> None:
    folder = save_tiny_ast(tmp_path / "ast")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "clap"}))
    with pytest.raises(ModelError):
        Clap.from_pretrained(str(folder), device="cpu")
