"""From an activation store to an autoencoder's folder: training, what it reached, and its entry."""

import os
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

from leitmotif.checkpoints.folders import usable_device
from leitmotif.errors import ConfigError, ModelError, StoreError
from leitmotif.files import sha256_file, write_json, write_text
from leitmotif.files.targets import check_folder, made_folder
from leitmotif.sae.audit.measured import measure
from leitmotif.sae.autoencoder.formats import CONFIG, WEIGHTS, load_sae, write_sae
from leitmotif.sae.autoencoder.registry import REGISTRY, Hook, check_name
from leitmotif.sae.autoencoder.trained import TRAINING, Trained, Training
from leitmotif.sae.pool import RowPool
from leitmotif.sae.training.train import COLUMNS, Trainer, TrainingProgress, finish, saved_work
from leitmotif.store.reading import ActivationStore

CURVE, CHECKPOINT = "curve.csv", "checkpoint.safetensors"


@dataclass(frozen=True)
class Split:
    """Tracks to train on, and tracks to measure on."""

    train: list[str]
    held_out: list[str]


def split_tracks(tracks: list[str], held_out: float) -> Split:
    """Hold out the last ``held_out`` share of the tracks, at least two; raises StoreError."""
    count = max(2, round(held_out * len(tracks)))
    if len(tracks) - count < 1:
        raise StoreError(
            "there are too few tracks to train an autoencoder on",
            found=len(tracks),
            expected=f"more than the {count} that are held out",
            fix="choose more tracks in params.yaml (manifest.tracks)",
        )
    return Split(tracks[:-count], tracks[-count:])


def checkpoint_of(out: Path) -> Path:
    """Where a run that writes ``out`` keeps what it goes on from: beside it."""
    return out.with_name(f"{out.name}.{CHECKPOINT}")


def check_training(
    store: ActivationStore,
    site: str,
    settings: Training,
    out: Path,
    *,
    held_out: float = 0.1,
    replace: bool = False,
) -> None:
    """Raise LeitmotifError for what would stop a training later on, before its first step.

    That is a site or tracks that the store does not have, a folder or a checkpoint that is not to
    be written over, and settings that do not fit each other or this machine's memory.
    """
    tracks = split_tracks(store.tracks(site), held_out)
    check_folder(out, inputs=[store.root], replace=replace)
    checkpoint = checkpoint_of(out)
    if os.path.lexists(checkpoint) and saved_work(checkpoint) is None:
        raise ModelError(
            f"{checkpoint} is no checkpoint of a training",
            expected="nothing there, or what a broken-off run left",
            fix="move it away, or choose another folder",
        )
    if settings.k > settings.d_sae:
        raise ModelError(
            "k is larger than the dictionary",
            found=f"{settings.k} of {settings.d_sae} features",
            fix="choose a smaller k, or more features",
        )
    width = store.load(site, tracks.train[0]).shape[1]
    # Weights, their gradients and Adam's two moments; a batch before and after the choice of k.
    parameters = 2 * width * settings.d_sae + width + settings.d_sae
    needed = 4 * (4 * parameters + settings.batch * (3 * settings.d_sae + 3 * width))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise ModelError(
            "this training does not fit into the memory of this machine",
            found=f"{settings.d_sae} features of width {width} in batches of {settings.batch} "
            f"need at least {needed / 1e9:.3g} GB",
            expected=f"at most {memory / 1e9:.3g} GB",
            fix="choose a smaller expansion or batch",
        )


def check_entry(name: str, out: Path, *, replace: bool = False) -> None:
    """Raise LeitmotifError unless hooks.yaml can have ``out`` as an entry ``name``."""
    check_name(name, replace=replace)
    if not Path(os.path.realpath(out)).is_relative_to(Path(os.path.realpath(REGISTRY.parent))):
        raise ConfigError(
            f"{out} cannot be entered into {REGISTRY}",
            expected="a folder within this repository, where its entries' paths begin",
            fix="choose a folder in it, or leave --name out",
        )


def train_on_store(
    store: ActivationStore,
    site: str,
    settings: Training,
    out: Path,
    *,
    held_out: float = 0.1,
    pool_tracks: int = 600,
    device: str = "cpu",
    replace: bool = False,
    report: Callable[[TrainingProgress], None] = lambda row: None,
) -> Trained:
    """Train an autoencoder on one site of a store and write its folder.

    Beside cfg.json and sae_weights.safetensors are the curve (curve.csv) and what was reached on
    held-out tracks (training.json). A run that was broken off goes on from its checkpoint, which
    lies beside ``out``; another ``device`` can take it up. With ``replace`` an older folder of this
    function is written over.

    Raises ModelError, StoreError and TargetError, as far as possible before the first step; see
    ``check_training``.
    """
    check_training(store, site, settings, out, held_out=held_out, replace=replace)
    tracks = split_tracks(store.tracks(site), held_out)
    pool = RowPool(store, site, tracks=tracks.train, size=pool_tracks)
    trainer = Trainer(settings, pool, usable_device(device))
    header = store.header(site, tracks.train[0])
    checkpoint = checkpoint_of(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    curve = finish(trainer, checkpoint, report=report)
    sae = trainer.export({"model_name": header.model, "hook_name": header.site})
    fit = measure(header.site, sae, store, header.site, tracks.held_out)
    trained = Trained(
        site=header.site,
        tracks=len(tracks.train),
        held_out=len(tracks.held_out),
        rows=sum(store.header(site, track_id).frames for track_id in tracks.train),
        fvu=round(fit.fvu.mean, 5),
        cosine=round(fit.cosine.mean, 5),
        l0=round(fit.l0.mean, 3),
        dead_fraction=round(fit.dead_fraction, 5),
        settings=settings,
    )
    rows = [",".join(f"{value:.6g}" for value in astuple(row)) for row in curve]
    with made_folder(out, inputs=[store.root], replace=replace) as folder:
        write_sae(sae, folder)
        write_json(folder / TRAINING, trained.model_dump(mode="json"))
        write_text(folder / CURVE, "\n".join([",".join(COLUMNS), *rows]) + "\n")
    checkpoint.unlink()
    return trained


def entry_of(name: str, folder: Path, store: ActivationStore) -> Hook:
    """The entry of hooks.yaml for an autoencoder that was trained on a store.

    ``folder`` has to lie below the repository's root, where paths of the registry begin.
    """
    sae = load_sae(folder)
    site = sae.config.site
    header = store.header(site, store.tracks(site)[0])
    return Hook.model_validate(
        {
            "name": name,
            "site": site,
            "model": header.model,
            "model_revision": header.revision or None,
            "model_fingerprint": header.model_fingerprint,
            "d_in": sae.config.d_in,
            "d_sae": sae.config.d_sae,
            "k": sae.config.k,
            "normalize_activations": sae.config.normalize_activations,
            "forward_dtype": header.forward_dtype,
            "context_frames": max(window.frames for window in header.windows),
            "audio": {
                "sample_rate": header.sample_rate,
                "channels": "mono",
                "prompt": "tags" if header.prompt else "none",
            },
            "checkpoint": {
                "source": "folder",
                "path": _within_repository(folder),
                "sha256": sha256_file(folder / WEIGHTS),
                "config_sha256": sha256_file(folder / CONFIG),
            },
        }
    )


def _within_repository(folder: Path) -> str:
    return Path(os.path.relpath(folder, REGISTRY.parent)).as_posix()
