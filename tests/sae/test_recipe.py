"""From a store to a folder, its entry and its curve; broken off and resumed."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.errors import ModelError, StoreError
from leitmotif.sae import load_sae
from leitmotif.sae import recipe as module
from leitmotif.sae.recipe import entry_of, split_tracks, train_on_store
from leitmotif.sae.registry import load_registry
from leitmotif.sae.train import TrainingProgress
from leitmotif.sae.trained import Training, trained_of
from leitmotif.store import ActivationStore

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
    bad = CliRunner().invoke(app, ["train-sae", SITE, "saes/tiny", "--kind", "relu", *options])
    assert "--kind cannot be used" in str(bad.exception)
