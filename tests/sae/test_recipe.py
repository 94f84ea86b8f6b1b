"""From a store to a folder, its entry and its curve; broken off and resumed."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.errors import LeitmotifError, ModelError, StoreError
from leitmotif.sae.autoencoder import load_sae
from leitmotif.sae.autoencoder.registry import load_registry
from leitmotif.sae.autoencoder.trained import Training, trained_of
from leitmotif.sae.training import recipe as module
from leitmotif.sae.training.recipe import entry_of, split_tracks, train_on_store
from leitmotif.sae.training.train import TrainingProgress
from leitmotif.store.reading import ActivationStore

SITE = "layers.1.residual"
SETTINGS = Training(d_sae=64, k=3, steps=450, batch=64, rate=1e-2, warm_up=10, dead_after=500)


def test_a_folder_says_what_it_is(store: ActivationStore, tmp_path: Path) -> None:
    out = tmp_path / "saes" / "one"
    reached = train_on_store(store, SITE, SETTINGS, out, held_out=0.25)
    assert trained_of(out) == reached
    assert (reached.tracks, reached.held_out, reached.rows) == (6, 2, 6 * 120)
    assert 0 < reached.fvu < 0.5
    assert reached.l0 <= 3
    sae = load_sae(out)
    assert sae.config.site == SITE
    curve = pd.read_csv(out / "curve.csv")
    assert curve.step.tolist() == [*range(50, 500, 50)]
    assert curve.fvu.iloc[-1] < curve.fvu.iloc[0]
    assert [path.name for path in out.parent.iterdir()] == ["one"]
    entry = entry_of("one", out, store)
    assert (entry.site, entry.model, entry.k, entry.d_sae) == (SITE, "tiny", 3, 64)


@pytest.mark.fault("leitmotif train-sae", "process stopped", outcome="resumed, the same bytes")
def test_a_resumed_run_leaves_the_same_folder(
    store: ActivationStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_on_store(store, SITE, SETTINGS, tmp_path / "whole")

    def killed(row: TrainingProgress) -> None:
        if row.step == 300:  # past the checkpoint at 200
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_on_store(store, SITE, SETTINGS, tmp_path / "broken", report=killed)
    assert not (tmp_path / "broken").exists()
    steps: list[int] = []
    train_on_store(
        store, SITE, SETTINGS, tmp_path / "broken", report=lambda row: steps.append(row.step)
    )
    assert steps[0] == 250
    for name in ("cfg.json", "sae_weights.safetensors", "curve.csv", "training.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes()


def test_too_few_tracks_are_refused() -> None:
    with pytest.raises(StoreError, match="too few tracks"):
        split_tracks(["a", "b"], 0.1)
    assert split_tracks(list("abcde"), 0.4).held_out == ["d", "e"]


@pytest.mark.fault("leitmotif train-sae", "a foreign training record", outcome="refused by name")
def test_a_foreign_training_record_is_refused(tmp_path: Path) -> None:
    assert trained_of(tmp_path) is None
    (tmp_path / module.TRAINING).write_text('{"fvu": 0}')
    with pytest.raises(ModelError, match="train-sae"):
        trained_of(tmp_path)


def test_the_command_trains_and_registers(
    store: ActivationStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hooks.yaml").write_text("format: leitmotif-hooks/1\nhooks: []\n")
    options = ["--store", str(store.root), "--steps", "60", "--batch", "32", "--k", "4"]
    result = CliRunner().invoke(app, ["train-sae", SITE, "saes/tiny", "--name", "tiny", *options])
    assert result.exit_code == 0, result.output
    assert "on 2 held-out tracks FVU" in result.output
    hook = load_registry(Path("hooks.yaml"))["tiny"]
    assert (hook.site, hook.d_sae, hook.k) == (SITE, 128, 4)
    assert hook.checkpoint.path == "saes/tiny"
    again = CliRunner().invoke(app, ["train-sae", SITE, "saes/other", "--name", "tiny", *options])
    assert "has an autoencoder 'tiny' already" in str(again.exception)
    again = CliRunner().invoke(app, ["train-sae", SITE, "saes/tiny", *options])
    assert "add --replace" in str(again.exception)
    replaced = ["train-sae", SITE, "saes/tiny", "--name", "tiny", "--replace", *options]
    assert CliRunner().invoke(app, replaced).exit_code == 0
    bad = CliRunner().invoke(app, ["train-sae", SITE, "saes/tiny", "--kind", "relu", *options])
    assert "--kind cannot be used" in str(bad.exception)


@pytest.mark.fault(
    "leitmotif train-sae",
    "a user's folder or file, an impossible setting",
    outcome="refused before the first step, untouched",
)
@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("saes", [], "a folder with README.md, five"),
        ("saes/five", [], "a folder with cfg.json"),
        ("thesis.txt", [], "is there already"),
        ("thesis.txt/sae", [], "thesis.txt is a file"),
        ("data/activations/sae", [], "overlaps with the input"),
        ("data", [], "overlaps with the input"),
        ("mine", [], "no checkpoint of a training"),
        ("x" * 256, [], "a name of 256 bytes"),
        ("../outside", ["--name", "a"], "within this repository"),
        ("new", ["--name", "a b"], "cannot be a name"),
        ("new", ["--k", "300"], "k is larger than the dictionary"),
        ("new", ["--batch", "1000000000000"], "does not fit into the memory"),
        ("new", ["--expansion", "100000000000"], "does not fit into the memory"),
        ("new", ["--store", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(
    store: ActivationStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    out: str,
    options: list[str],
    message: str,
) -> None:
    here = tmp_path / "here"
    (here / "saes" / "five").mkdir(parents=True)
    (here / "saes" / "README.md").write_text("mine")
    (here / "saes" / "five" / "cfg.json").write_text("mine")
    (here / "thesis.txt").write_text("mine")
    (here / "mine.checkpoint.safetensors").write_text("mine")
    (here / "mine.curve.csv").write_text("mine")
    (here / "hooks.yaml").write_text("format: leitmotif-hooks/1\nhooks: []\n")
    (here / "data").mkdir()
    (here / "data" / "activations").symlink_to(store.root)
    monkeypatch.chdir(here)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def trained(*arguments: object, **options: object) -> None:
        pytest.fail("it was trained")

    monkeypatch.setattr(module, "finish", trained)
    given = ["train-sae", SITE, out, "--k", "4", "--expansion", "2", "--replace", *options]
    done = CliRunner().invoke(app, given)
    assert isinstance(done.exception, LeitmotifError), done.output
    assert message in str(done.exception)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before
