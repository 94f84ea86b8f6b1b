"""Beside sae-lens: the same tensors through both, and the folders of each read by the other.

The widths are small; `benchmarks/sae.py` compares the two at the published size.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from leitmotif.sae.autoencoder import load_sae, save_sae
from tests.peers import missing, python_with
from tests.sae.making import random_sae, write_published

WIDTH, FEATURES, K, ROWS = 64, 2048, 20, 200
SIZES: dict[str, Any] = {"width": WIDTH, "features": FEATURES, "k": K}
Results = dict[str, tuple[Tensor, Tensor]]

THEIRS = """
import sys
from pathlib import Path
import torch
from sae_lens import SAE
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.jumprelu_sae import JumpReLUSAE, JumpReLUSAEConfig
from sae_lens.saes.standard_sae import StandardSAE, StandardSAEConfig
from sae_lens.saes.sae import SAEMetadata
from sae_lens.saes.topk_sae import TopKSAE, TopKSAEConfig

root, width, features, k = Path(sys.argv[1]), *map(int, sys.argv[2:])
x = torch.load(root / "x.pt")
torch.manual_seed(5)

def common(**settings):
    metadata = SAEMetadata(model_name="tiny", hook_name="hook_layers.1", context_size=501)
    return {"d_in": width, "d_sae": features, "metadata": metadata, **settings}

def save(name, sae):
    with torch.no_grad():
        for tensor in sae.parameters():
            tensor.copy_(torch.randn(tensor.shape) / tensor.shape[-1] ** 0.5)
        if hasattr(sae, "threshold"):
            sae.threshold.abs_().mul_(4)
        if hasattr(sae, "topk_threshold"):
            sae.topk_threshold.fill_(0.3)
            sae.save_inference_model(root / "theirs" / name)
            sae.save_model(root / "training" / name)
        else:
            sae.save_model(root / "theirs" / name)

for subtract in (True, False):
    for scale in ("none", "layer_norm", "constant_norm_rescale"):
        name = f"{scale}-{subtract}"
        settings = common(apply_b_dec_to_input=subtract, normalize_activations=scale)
        save(f"topk-{name}", TopKSAE(TopKSAEConfig(k=k, **settings)))
        save(f"relu-{name}", StandardSAE(StandardSAEConfig(**settings)))
        save(f"jumprelu-{name}", JumpReLUSAE(JumpReLUSAEConfig(**settings)))
rescaled = TopKSAEConfig(k=k, rescale_acts_by_decoder_norm=True, **common())
save("topk-rescaled", TopKSAE(rescaled))
for rescale in (True, False):
    config = BatchTopKTrainingSAEConfig(k=k, rescale_acts_by_decoder_norm=rescale, **common())
    save(f"batchtopk-{rescale}", BatchTopKTrainingSAE(config))

out = {}
for file in sorted(root.glob("ours/*/cfg.json")) + sorted(root.glob("theirs/*/cfg.json")):
    sae = SAE.load_from_disk(file.parent, device="cpu")
    with torch.no_grad():
        codes = sae.encode(x)
        out[f"{file.parent.parent.name}/{file.parent.name}"] = (codes, sae.decode(codes))
torch.save(out, root / "out.pt")
"""


def edit(folder: Path, **changes: Any) -> None:
    values = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps(values | changes))


def write_ours(root: Path) -> None:
    """Folders in both forms: as SAELens 5.3.2 left them, and as ``save_sae`` writes them."""
    for subtract in (True, False):
        folder = write_published(root / f"published-{subtract}", random_sae(**SIZES))
        edit(folder, apply_b_dec_to_input=subtract)
    folder = write_published(root / "published-relu", random_sae(**SIZES))
    edit(folder, activation_fn="relu", activation_fn_kwargs={})
    folder = write_published(root / "published-layer_norm", random_sae(**SIZES))
    edit(folder, normalize_activations="layer_norm")
    for kind in ("topk", "relu", "jumprelu"):
        for subtract in (True, False):
            for scale in ("none", "layer_norm", "constant_norm_rescale"):
                settings = {"apply_b_dec_to_input": subtract, "normalize_activations": scale}
                sae = random_sae(kind, **SIZES, **settings)
                save_sae(sae, root / f"{kind}-{scale}-{subtract}")


@pytest.fixture(scope="module")
def lens(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    """The folders, and what sae-lens makes of each: (features [n, F], reconstruction [n, d])."""
    python = python_with("sae_lens")
    if python is None:
        pytest.skip(missing("sae_lens", "sae-lens>=6.54"))
    root = tmp_path_factory.mktemp("lens")
    write_ours(root / "ours")
    torch.save(rows(), root / "x.pt")
    sizes = [str(number) for number in (WIDTH, FEATURES, K)]
    done = subprocess.run(
        [python, "-c", THEIRS, str(root), *sizes],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return root, torch.load(root / "out.pt", weights_only=True)


def rows() -> Tensor:
    return torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(3)) + 0.5


def compare(folder: Path, theirs: tuple[Tensor, Tensor]) -> None:
    sae = load_sae(folder)
    rebuilt, codes = sae.reconstruct(rows())
    dense = codes.dense(FEATURES)
    torch.testing.assert_close(dense, theirs[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(rebuilt, theirs[1], atol=1e-5, rtol=1e-5)
    if sae.config.k is not None:
        assert int(codes.l0.max()) <= K
    assert torch.count_nonzero(dense), "a comparison of nothing with nothing"


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_both_compute_the_same(side: str, lens: tuple[Path, Results]) -> None:
    root, results = lens
    names = [name for name in results if name.startswith(f"{side}/")]
    assert len(names) == (22 if side == "ours" else 21)
    for name in names:
        try:
            compare(root / name, results[name])
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def test_a_batch_top_k_is_read_in_its_training_form_too(lens: tuple[Path, Results]) -> None:
    root, results = lens
    for rescale in (True, False):
        name = f"batchtopk-{rescale}"
        assert load_sae(root / "theirs" / name).config.activation == "jumprelu"
        compare(root / "training" / name, results[f"theirs/{name}"])


def test_metadata_survive(lens: tuple[Path, Results]) -> None:
    sae = load_sae(lens[0] / "theirs" / "topk-none-True")
    assert sae.config.site == "layers.1.residual"
    assert sae.config.metadata["model_name"] == "tiny"
    assert sae.config.metadata["context_size"] == 501
