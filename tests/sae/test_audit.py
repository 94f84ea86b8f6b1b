"""Encoding a store, measuring alignment, and the spliced loss."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from leitmotif.errors import ModelError, StoreError
from leitmotif.intervals import track_weights, with_estimate
from leitmotif.musicgen import HookedMusicGen
from leitmotif.sae.audit.chance import chance_fvu, permuted, random_like
from leitmotif.sae.audit.measured import (
    CLEARLY,
    AlignmentAudit,
    audit_sites,
    measure,
    measure_each,
    measure_sites,
    neighbours,
)
from leitmotif.sae.audit.misalignment import misalign
from leitmotif.sae.audit.splice import Replacement, spliced_losses, track_losses
from leitmotif.sae.autoencoder import SparseAutoencoder
from leitmotif.sae.autoencoder import model as module
from leitmotif.sae.autoencoder.encode import encode_each, encode_site, read_codes
from leitmotif.sae.autoencoder.registry import Hook
from leitmotif.sae.autoencoder.used import UsedSae
from leitmotif.store.reading import ActivationStore
from tests.sae.making import random_sae
from tests.tiny import tiny_musicgen

TrueSae = Callable[..., SparseAutoencoder]
MakeHook = Callable[..., Hook]


def test_a_store_is_encoded_track_by_track(
    store: ActivationStore, true_sae: TrueSae, make_hook: MakeHook, tmp_path: Path
) -> None:
    sae = true_sae(1)
    result = encode_site(sae, make_hook(sae), store, tmp_path / "out")
    assert (result.frames, result.misaligned) == (8 * 120, None)
    assert 0 < result.l0 <= result.most <= 6
    codes, header = read_codes(tmp_path / "out" / "one" / "t3.safetensors")
    x = torch.from_numpy(store.load("layers.1.residual", "t3"))
    torch.testing.assert_close(codes.dense(40), sae.encode(x).dense(40), rtol=2**-16, atol=0)
    assert (header.site, header.track_id, header.misaligned) == ("layers.1.residual", "t3", "")
    assert header.activations_address == store.header("layers.1.residual", "t3").address


@pytest.mark.fault(
    "autoencoder", "alignment that does not match", outcome="stopped, or every file is branded"
)
def test_a_mismatch_stops_or_brands_every_file(
    store: ActivationStore, true_sae: TrueSae, make_hook: MakeHook, tmp_path: Path
) -> None:
    sae = true_sae(1)
    hook = make_hook(sae)
    with pytest.raises(ModelError, match="does not belong"):
        encode_site(sae, hook, store, tmp_path / "out", site="layers.2.residual")
    assert not list((tmp_path / "out").rglob("*.safetensors"))
    result = encode_site(
        sae, hook, store, tmp_path / "out", site="layers.2.residual", allow_misaligned=True
    )
    assert result.misaligned is not None
    files = sorted((tmp_path / "out" / "one").iterdir())
    assert len(files) == 8
    assert all(read_codes(file)[1].misaligned.startswith("MISALIGNED") for file in files)


@pytest.mark.fault("encoded features", "torn and foreign files", outcome="refused by name")
@pytest.mark.parametrize(("device", "workers"), [("cpu", None), ("meta", 1)])
def test_autoencoders_on_a_gpu_stay_in_one_process(
    device: str,
    workers: int | None,
    store: ActivationStore,
    make_hook: MakeHook,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    asked: list[int | None] = []

    def noted(_: Any, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
        asked.append(workers)
        return [{} for _ in items]

    for name in ("autoencoder.encode", "audit.measured"):
        monkeypatch.setattr(f"leitmotif.sae.{name}.in_processes", noted)
    sae, site = random_sae(), "layers.1.residual"
    used = UsedSae(make_hook(sae), sae.to(device), site, None)
    list(encode_each([used], store, tmp_path))
    list(measure_each({"one": (sae, [site])}, store, store.tracks(site)))
    assert asked == [workers, workers]


def test_a_torn_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    with pytest.raises(StoreError, match="missing"):
        read_codes(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(StoreError, match="cannot be read"):
        read_codes(path)


@pytest.mark.parametrize("activation", ["topk", "relu", "jumprelu"])
def test_rows_are_never_dense_all_at_once(activation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sae = random_sae(activation, features=512)
    seen: list[int] = []
    dense = SparseAutoencoder.preactivations

    def watched(self: SparseAutoencoder, *arguments: Any) -> torch.Tensor:
        out = dense(self, *arguments)
        seen.append(out.numel())
        return out

    monkeypatch.setattr(SparseAutoencoder, "preactivations", watched)
    monkeypatch.setattr(module, "CHUNK_VALUES", 4096)
    monkeypatch.setattr(module, "BLOCK", 128)
    sae.encode(torch.randn(1000, 8))
    assert max(seen) <= 4096
    assert sum(seen) == 1000 * 512


def audited(sae: SparseAutoencoder, store: ActivationStore, declared: str) -> AlignmentAudit:
    sites = neighbours(store.sites, declared, reach=1)
    return audit_sites(
        "one", measure_sites("one", sae, store, sites, store.tracks(sites[0])), declared
    )


def test_an_aligned_autoencoder_passes(store: ActivationStore, true_sae: TrueSae) -> None:
    result = audited(true_sae(1), store, "layers.1.residual")
    assert result.passed
    assert result.best == result.declared == "layers.1.residual"
    assert set(result.fits) == {f"layers.{i}.residual" for i in range(3)}
    assert 0 < result.margin.low <= result.margin.mean <= result.margin.high
    fit = result.fits["layers.1.residual"]
    assert fit.fvu_of_tracks.sum() == pytest.approx(fit.fvu.mean)
    assert result.margin_p == 2 ** (1 - fit.tracks), "all tracks agree"
    assert fit.fvu.low <= fit.fvu.mean <= fit.fvu.high
    assert fit.l0.mean <= 6


@pytest.mark.parametrize(("trained", "read"), [(0, 1), (1, 0), (1, 2), (2, 1)])
def test_off_by_one_is_caught_though_the_metadata_agree(
    trained: int, read: int, store: ActivationStore, true_sae: TrueSae
) -> None:
    liar = true_sae(trained, claims=read)
    result = audited(liar, store, liar.config.site)
    assert not result.passed
    assert result.best == f"layers.{trained}.residual"
    assert result.margin.mean < 0


def chance_of(sae: SparseAutoencoder, store: ActivationStore, site: str) -> Any:
    weights = with_estimate(track_weights(len(store.tracks(site))))
    return chance_fvu(sae, store, site, store.tracks(site), weights, seed=0)


@pytest.mark.parametrize("trained", [0, 1, 2])
def test_an_aligned_autoencoder_is_clearly_better_than_chance(
    trained: int, store: ActivationStore, true_sae: TrueSae
) -> None:
    sae, site = true_sae(trained), f"layers.{trained}.residual"
    sites = neighbours(store.sites, site, reach=1)
    fits = measure_sites("one", sae, store, sites, store.tracks(site))
    audit = audit_sites("one", fits, site, chance_of(sae, store, site))
    assert audit.passed
    assert audit.chance
    assert audit.of_chance
    assert audit.fits[site].fvu.mean < audit.chance.mean < 1
    assert audit.of_chance.high < CLEARLY


@pytest.mark.fault(
    "autoencoder", "random weights, or a permuted decoder", outcome="measured and stopped"
)
@pytest.mark.parametrize("kind", [random_like, permuted])
def test_what_has_learnt_nothing_does_not_pass_though_its_site_is_its_best(
    kind: Callable[..., SparseAutoencoder], store: ActivationStore, true_sae: TrueSae
) -> None:
    best_here = 0
    for seed in range(1, 30):
        sae = kind(true_sae(1), seed=seed)
        fits = measure_sites("one", sae, store, store.sites, store.tracks("layers.1.residual"))
        declared = min(fits, key=lambda site: fits[site].fvu.mean)
        best_here += audit_sites("one", fits, declared).passed
        assert not audit_sites("one", fits, declared, chance_of(sae, store, declared)).passed
    assert best_here > 5, "without the bound several would pass"


def test_chance_does_not_depend_on_the_scale_and_is_at_most_1(
    store: ActivationStore, true_sae: TrueSae
) -> None:
    sae, site = true_sae(1), "layers.1.residual"
    chance = chance_of(sae, store, site)
    sae.W_dec.mul_(7.0)
    sae.b_dec.zero_()
    assert chance_of(sae, store, site)[0] == pytest.approx(chance[0], abs=0.1)
    sae.W_dec.zero_()
    assert chance_of(sae, store, site).tolist() == [1.0] * len(chance)


def test_a_permuted_autoencoder_has_the_same_rows_and_features(true_sae: TrueSae) -> None:
    sae = true_sae(1)
    other, x = permuted(sae, seed=3), torch.randn(20, 16)
    assert torch.equal(other.encode(x).indices, sae.encode(x).indices)
    assert not torch.equal(other.W_dec, sae.W_dec)
    assert torch.equal(other.W_dec.sort(0).values, sae.W_dec.sort(0).values)
    again = random_like(sae, seed=4)
    torch.testing.assert_close(again.W_dec.norm(dim=1), sae.W_dec.norm(dim=1))
    torch.testing.assert_close(again.W_enc.norm(dim=0), sae.W_enc.norm(dim=0))


def test_fvu_and_dead_features_by_hand(store: ActivationStore, true_sae: TrueSae) -> None:
    sae = true_sae(2)
    site = "layers.2.residual"
    fit = measure("one", sae, store, site, store.tracks(site))
    x = torch.cat([torch.from_numpy(array) for _, array in store.items(site)]).double()
    rebuilt, codes = sae.reconstruct(x.float())
    left = (x - rebuilt.double()).square().sum()
    assert fit.fvu.mean == pytest.approx(float(left / (x - x.mean(0)).square().sum()), rel=1e-6)
    assert fit.dead_fraction == pytest.approx(1 - len(codes.indices.unique()) / 40)
    sae.b_enc[7] = -100.0
    silenced = measure("one", sae, store, site, store.tracks(site))
    assert silenced.dead_fraction == pytest.approx(fit.dead_fraction + 1 / 40)


def test_an_audit_needs_a_neighbour(store: ActivationStore, true_sae: TrueSae) -> None:
    with pytest.raises(StoreError, match=r"layers\.4"):
        audited(true_sae(1), store, "layers.5.residual")
    with pytest.raises(StoreError, match="cannot be measured"):
        neighbours(["layers.1.residual", "layers.2.mlp"], "layers.1.residual", reach=1)


def test_layers_that_are_not_stored_are_passed_over() -> None:
    stored = [f"layers.{layer}.residual" for layer in (18, 2, 6, 12)] + ["layers.6.mlp"]
    assert neighbours(stored, "layers.6.residual", reach=1) == [
        f"layers.{layer}.residual" for layer in (2, 6, 12)
    ]
    assert neighbours(stored, "layers.18.residual", reach=2) == [
        f"layers.{layer}.residual" for layer in (6, 12, 18)
    ]


@pytest.mark.parametrize("trained", [0, 1, 2])
def test_every_misalignment_is_tried_and_caught(
    trained: int, store: ActivationStore, true_sae: TrueSae, make_hook: MakeHook
) -> None:
    sae = true_sae(trained)
    hook = make_hook(sae)
    fits = measure_sites("one", sae, store, store.sites, store.tracks(store.sites[0]))
    headers = {site: store.header(site, "t0") for site in store.sites}
    trials = misalign(hook, sae.config, fits, headers)
    assert len(trials) == (4 if trained == 1 else 2)
    assert all(trial.caught for trial in trials)
    assert all(trial.best == f"layers.{trained}.residual" for trial in trials if trial.falsified)


def test_neither_of_two_sites_that_are_alike_passes(
    store: ActivationStore, true_sae: TrueSae, make_hook: MakeHook
) -> None:
    """Both sites hold the same activations: no measurement tells them apart."""
    sae = true_sae(1)
    fits = measure_sites("one", sae, store, store.sites, store.tracks(store.sites[0]))
    fits["layers.2.residual"] = replace(fits["layers.1.residual"], site="layers.2.residual")
    headers = {site: store.header(site, "t0") for site in store.sites}
    (lie,) = [
        trial
        for trial in misalign(make_hook(sae), sae.config, fits, headers)
        if trial.falsified and trial.used == "layers.2.residual"
    ]
    assert lie.caught, "the margin's interval is not above 0, so that nothing passes"
    assert lie.best == "layers.1.residual"


def identity_sae(width: int) -> SparseAutoencoder:
    sae = random_sae("relu", width=width, features=2 * width)
    eye = torch.eye(width)
    sae.W_enc.copy_(torch.cat([eye, -eye], dim=1))
    sae.W_dec.copy_(sae.W_enc.T)
    sae.b_enc.zero_()
    sae.b_dec.zero_()
    return sae


def test_spliced_loss_of_perfect_and_constant_reconstructions() -> None:
    model = HookedMusicGen.from_transformers(tiny_musicgen())
    site = "layers.1.residual"
    codes = model.generate(seconds=1.0, tracks=["a"], seed=1).codes
    _, cache = model.run_with_cache(codes, sites=[site], stop_at_layer=2)
    mean = cache[site][0].mean(0)
    constant = identity_sae(32)
    constant.b_dec.copy_(mean)
    constant.W_dec.zero_()
    saes = (identity_sae(32), constant)
    perfect, useless = spliced_losses(model, [Replacement(site, sae, mean) for sae in saes], codes)
    assert perfect.spliced == pytest.approx(perfect.intact, abs=1e-4)
    assert perfect.ablated > perfect.intact + 0.01
    assert perfect.recovered == pytest.approx(1, abs=0.05)
    assert useless.recovered == pytest.approx(0, abs=1e-3)
    with pytest.raises(ModelError, match="d_in 8"):
        spliced_losses(model, [Replacement(site, random_sae(), mean)], codes)


def test_the_intact_pass_is_done_once_for_all_replacements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = HookedMusicGen.from_transformers(tiny_musicgen())
    codes = model.generate(seconds=0.5, tracks=["a"], seed=1).codes
    replacements = [
        Replacement(f"layers.{layer}.residual", identity_sae(32), torch.linspace(-1, 1, 32))
        for layer in range(3)
    ]
    apart = [
        loss for replacement in replacements for loss in spliced_losses(model, [replacement], codes)
    ]
    assert len({loss.ablated for loss in apart}) == 3
    passes = 0
    forward = HookedMusicGen.__call__

    def counted(*arguments: Any, **options: Any) -> torch.Tensor:
        nonlocal passes
        passes += 1
        return forward(*arguments, **options)

    monkeypatch.setattr(HookedMusicGen, "__call__", counted)
    assert spliced_losses(model, replacements, codes) == apart
    assert passes == 1 + 2 * 3


def test_a_tracks_loss_is_the_mean_of_its_windows_by_their_lengths() -> None:
    model = HookedMusicGen.from_transformers(tiny_musicgen())
    codes = model.generate(seconds=1.0, tracks=["a"], seed=1).codes
    windows = [codes[:, :, :10], codes[:, :, 10:]]
    replacement = Replacement("layers.1.residual", identity_sae(32), torch.linspace(-1, 1, 32))
    (whole,) = track_losses(model, [replacement], windows)
    short, long = (spliced_losses(model, [replacement], window)[0] for window in windows)
    assert whole.intact == pytest.approx((10 * short.intact + 40 * long.intact) / 50)
    assert whole.ablated == pytest.approx((10 * short.ablated + 40 * long.ablated) / 50)
