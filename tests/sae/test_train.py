"""Training finds planted features, and a broken-off run equals an unbroken one."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from leitmotif.errors import FullDiskError, ModelError
from leitmotif.sae.audit.measured import measure
from leitmotif.sae.autoencoder import load_sae, save_sae
from leitmotif.sae.autoencoder.trained import Training
from leitmotif.sae.pool import RowPool
from leitmotif.sae.training.train import Trainer, finish
from leitmotif.store.reading import ActivationStore
from tests.disk import enlarge, small_disk

SITE = "layers.1.residual"
SETTINGS = {
    "d_sae": 64,
    "k": 3,
    "steps": 400,
    "batch": 256,
    "rate": 1e-2,
    "warm_up": 10,
    "dead_after": 2000,
}


def trainer(store: ActivationStore, **changes: object) -> Trainer:
    pool = RowPool(store, SITE, tracks=store.tracks(SITE)[:6])
    return Trainer(Training.model_validate(SETTINGS | changes), pool)


@pytest.mark.parametrize("kind", ["topk", "batchtopk"])
def test_planted_features_are_found(
    kind: str,
    store: ActivationStore,
    layers: list[tuple[torch.Tensor, torch.Tensor]],
    tmp_path: Path,
) -> None:
    run = trainer(store, kind=kind)
    curve = finish(run, tmp_path / "state.safetensors")
    assert curve[-1].fvu < 0.5 * curve[0].fvu
    sae = run.export({"model_name": "tiny", "hook_name": "hook_layers.1"})
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(64))
    save_sae(sae, tmp_path / "sae")
    loaded = load_sae(tmp_path / "sae")
    unseen = store.tracks(SITE)[6:]
    fit = measure("one", loaded, store, SITE, unseen)
    rows = layers[1][0]
    spread = torch.linalg.svdvals(rows - rows.mean(0)).square()
    assert fit.fvu.mean < float(spread[3:].sum() / spread.sum()), "the best linear map of rank k"
    assert 1.5 < fit.l0.mean < 4.5
    if kind == "topk":
        assert fit.l0.mean <= 3
    # Most true causes have a feature that points their way, closer than chance brings any.
    dictionary = F.normalize(layers[1][1], dim=1)
    drawn = torch.randn(loaded.W_dec.shape, generator=torch.Generator().manual_seed(0))
    matched, by_chance = (
        (dictionary @ F.normalize(other, dim=1).T).amax(1).median()
        for other in (loaded.W_dec, drawn)
    )
    assert matched > 0.8
    assert matched > by_chance + 0.1


@pytest.mark.fault("leitmotif train-sae", "process stopped", outcome="resumed, the same bytes")
@pytest.mark.parametrize("kind", ["topk", "batchtopk"])
def test_a_resumed_run_equals_an_unbroken_one(
    kind: str, store: ActivationStore, tmp_path: Path
) -> None:
    whole = trainer(store, kind=kind, steps=30, dead_after=300)
    finish(whole, tmp_path / "whole", save_every=10)
    broken = trainer(store, kind=kind, steps=30, dead_after=300)
    for _ in range(17):
        broken.advance()
        if broken.step == 10:
            broken.save(tmp_path / "broken")
    resumed = trainer(store, kind=kind, steps=30, dead_after=300)
    finish(resumed, tmp_path / "broken", save_every=10)
    for name, tensor in whole.weights.items():
        assert torch.equal(tensor, resumed.weights[name]), name
    assert torch.equal(whole.threshold, resumed.threshold)
    assert torch.equal(whole.silent, resumed.silent)


def test_another_run_s_checkpoint_is_refused(store: ActivationStore, tmp_path: Path) -> None:
    trainer(store).save(tmp_path / "state")
    with pytest.raises(ModelError, match="another run"):
        trainer(store, k=4).load(tmp_path / "state")


def test_dead_features_come_back(store: ActivationStore) -> None:
    """Features that start pointing away from all data fire again only with the auxiliary loss."""
    dead = {}
    for weight in (0.0, 1.0):
        run = trainer(store, steps=150, dead_after=256, aux_weight=weight, aux_k=16)
        with torch.no_grad():
            run.weights["b_enc"][:32] = -3.0
        for _ in range(150):
            last = run.advance()
        dead[weight] = last.dead_fraction
    assert dead[1.0] < dead[0.0] - 0.1


def test_batches_follow_from_seed_and_step(store: ActivationStore) -> None:
    small = RowPool(store, SITE, size=3)
    first = small.batch(250, 64, seed=1)
    small.batch(0, 64, seed=1)
    again = RowPool(store, SITE, size=3).batch(250, 64, seed=1)
    assert torch.equal(first, again)
    assert not torch.equal(first, small.batch(251, 64, seed=1))
    assert not torch.equal(first, small.batch(250, 64, seed=2))


def test_all_tracks_have_their_turn(store: ActivationStore) -> None:
    pool = RowPool(store, SITE, size=2)
    seen: set[bytes] = set()
    for step in range(0, 400, 100):
        # So many draws from two tracks that each of their rows is among them.
        seen |= {row.tobytes() for row in pool.batch(step, 20_000, seed=0).numpy()}
    stored = (array.astype(np.float32) for _, array in store.items(SITE))
    assert seen == {row.tobytes() for array in stored for row in array}


def test_the_centre_is_the_mean_and_the_spread(store: ActivationStore) -> None:
    mean, scale = RowPool(store, SITE).centre()
    x = np.concatenate([array for _, array in store.items(SITE)])
    np.testing.assert_allclose(mean.numpy(), x.mean(0), atol=1e-5)
    assert scale == pytest.approx(float(np.square(x - x.mean(0)).sum(1).mean() ** 0.5), rel=1e-4)


@pytest.mark.fault(
    "leitmotif train-sae", "full disk for its checkpoint", outcome="named error; the last one stays"
)
def test_a_checkpoint_without_room_leaves_the_last(store: ActivationStore, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        trainer(store).save(disk / "checkpoint")
        before = (disk / "checkpoint").read_bytes()
        enlarge(disk, shutil.disk_usage(disk).used + 4096)
        with pytest.raises(FullDiskError, match="checkpoint was not written"):
            trainer(store).save(disk / "checkpoint")
        assert [path.name for path in disk.iterdir()] == ["checkpoint"]
        assert (disk / "checkpoint").read_bytes() == before
