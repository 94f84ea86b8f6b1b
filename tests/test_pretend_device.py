"""The pretend device finds device errors, and computes what the CPU computes."""

import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = """
import sys
sys.path.insert(0, "scripts")
from pretend_device import install
install()
import torch
"""
MISTAKES = {
    "sum": "x + torch.ones(3)",
    "product": "x @ torch.ones(3, 2)",
    "mask": "torch.where(torch.ones(2, 3, dtype=torch.bool), x, x)",
    "left behind": "torch.cat([x, torch.ones(1, 3)])",
    "in place": "x.add_(torch.ones(2, 3))",
    "numpy": "x.numpy()",
}
RIGHT = """
x = torch.arange(6.0).view(2, 3).to("pretend")
assert x.device.type == "pretend" and (x + 1).device == x.device
assert (x * torch.tensor(2.0)).tolist() == [[0, 2, 4], [6, 8, 10]]
assert x[[1, 0], 2].tolist() == [5, 2] and x[:, torch.tensor([0])].tolist() == [[0], [3]]
assert x.cpu().numpy().sum() == 15 and x.to(torch.float64).dtype == torch.float64
y = torch.nn.LSTM(3, 4).to("pretend")(x)[0]
assert y.shape == (2, 4) and y.device == x.device
x[0] = 7
assert x.tolist()[0] == [7, 7, 7]
"""
TRAINING = """
from leitmotif.sae.autoencoder.trained import Training
from leitmotif.sae.training.held import HeldRows
from leitmotif.sae.training.train import Trainer
from pathlib import Path
rows = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
for kind in ("topk", "batchtopk"):
    settings = Training(
        kind=kind, d_sae=12, k=2, steps=6, batch=32, rate=1e-2, seed=0,
        dead_after=40, aux_k=4, aux_weight=0.1, threshold_rate=0.1, warm_up=1, decay=0.5,
    )
    there, here = Trainer(settings, HeldRows(rows), "pretend"), Trainer(settings, HeldRows(rows))
    for step in range(6):
        assert there.advance() == here.advance(), (kind, step)
    assert there.weights["W_dec"].device.type == "pretend"
    there.save(Path(sys.argv[1]))
    taken_up = Trainer(settings, HeldRows(rows))
    taken_up.load(Path(sys.argv[1]))
    assert taken_up.step == 6
    with torch.no_grad():
        one, other = there.export({}), here.export({})
    assert all((a == b).all() for a, b in zip(one.parameters(), other.parameters()))
"""
FEATURES = """
from leitmotif.causal.experiment.targets import SaeFeatures
from leitmotif.sae.autoencoder.used import load_used
x = torch.randn(2, 5, 128, generator=torch.Generator().manual_seed(0))
def changed(device, x):
    (used,) = load_used(["planner-1"], device=device)
    target = SaeFeatures(used.sae, (5, 6), "planner-1", "hash")
    return target.moved(x, target.read(x) + 1)
there = changed("auto", x.to("pretend"))
assert there.device.type == "pretend" and (there.cpu() == changed("cpu", x)).all()
changed("cpu", x.to("pretend"))
"""


WITHOUT_FLOAT64 = """
from leitmotif.lens.tuned import Translator, Tuning, divergence, fit_translator, predicted
from leitmotif.musicgen import HookedMusicGen
from leitmotif.causal.experiment.measures import log_likelihoods
from leitmotif.precision import doubled
try:
    torch.ones(3).to("pretend").double()
except TypeError as error:
    assert "does not compute in torch.float64" in str(error)
else:
    raise AssertionError("float64 was not refused")
assert doubled(torch.ones(3).to("pretend")).device.type == "cpu"

def heard(device):
    model = HookedMusicGen.from_pretrained("models/organism/planner", device=device)
    codes = torch.randint(64, (2, 4, 12), generator=torch.Generator().manual_seed(0))
    sites = ["layers.1.residual", "layers.5.residual"]
    with torch.no_grad():
        _, cache = model.run_with_cache(codes, sites=sites)
    x, last = (cache[site] for site in sites)
    within = predicted(model, 12)
    lens = fit_translator(model, x, last, within, Tuning(steps=2))
    far = divergence(model, x, last, within, lens)
    assert lens(x).device == x.device and lens(x).dtype == x.dtype
    return far.cpu(), log_likelihoods(model, codes, 4, None)

# Twelve frames hardly decide a map of 128 x 128, so that digits of float32 show.
for there, here in zip(heard("auto"), heard("cpu")):
    torch.testing.assert_close(there, here, atol=0.02, rtol=0.02)
"""


def run(repo_root: Path, text: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEGIN + text, *arguments],
        cwd=repo_root,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.fault("GPU", "a tensor left on another device", outcome="found without a GPU")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_fail_as_on_a_gpu(repo_root: Path, mistake: str) -> None:
    done = run(repo_root, f"x = torch.ones(2, 3).to('pretend')\n{MISTAKES[mistake]}")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "same device" in last or ".numpy() is not supported" in last


def test_what_is_right_works(repo_root: Path) -> None:
    done = run(repo_root, RIGHT)
    assert done.returncode == 0, done.stderr


def test_training_gives_what_it_gives_on_the_cpu(repo_root: Path, tmp_path: Path) -> None:
    done = run(repo_root, TRAINING, str(tmp_path / "checkpoint"))
    assert done.returncode == 0, done.stderr


def test_an_autoencoder_has_to_be_where_the_model_is(repo_root: Path) -> None:
    done = run(repo_root, FEATURES)
    assert done.returncode == 1
    assert "same device" in done.stderr.splitlines()[-1], done.stderr


@pytest.mark.fault(
    "GPU", "one without float64, as Apple's", outcome="the CPU computes what needs it"
)
def test_what_needs_float64_is_computed_elsewhere_where_a_device_has_none(repo_root: Path) -> None:
    text = BEGIN.replace("install()", "install(float64=False)") + WITHOUT_FLOAT64
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        cwd=repo_root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_nothing_becomes_float64_before_it_is_on_the_cpu() -> None:
    """``.double()`` right before ``.cpu()`` fails on Apple's GPUs."""
    source = Path(__file__).parents[1] / "src" / "leitmotif"
    wrong = [path.name for path in source.rglob("*.py") if ".double().cpu()" in path.read_text()]
    assert wrong == []
