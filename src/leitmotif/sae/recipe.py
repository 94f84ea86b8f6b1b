"""From an activation store to an autoencoder's folder: training, what it reached, and its entry."""

from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from leitmotif.errors import StoreError
from leitmotif.files import sha256_file, write_json, write_text
from leitmotif.sae.audit import measure
from leitmotif.sae.formats import CONFIG, WEIGHTS, load_sae, save_sae
from leitmotif.sae.pool import RowPool
from leitmotif.sae.registry import Hook
from leitmotif.sae.train import Trainer, TrainingProgress, finish
from leitmotif.sae.trained import TRAINING, Trained, Training
from leitmotif.store import ActivationStore

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


def train_on_store(
    store: ActivationStore,
    site: str,
    settings: Training,
    out: Path,
    *,
    held_out: float = 0.1,
    pool_tracks: int = 600,
    report: Callable[[TrainingProgress], None] = lambda row: None,
) -> Trained:
    """Train an autoencoder on one site of a store and write its folder.

    Beside cfg.json and sae_weights.safetensors are the curve (curve.csv) and what was reached on
    held-out tracks (training.json). A run that was broken off goes on from its checkpoint, which
    lies beside ``out``. Raises ModelError and StoreError.
    """
    tracks = split_tracks(store.tracks(site), held_out)
    pool = RowPool(store, site, tracks=tracks.train, size=pool_tracks)
    trainer = Trainer(settings, pool)
    header = store.header(site, tracks.train[0])
    out.parent.mkdir(parents=True, exist_ok=True)
    checkpoint, curve = (out.with_name(f"{out.name}.{end}") for end in (CHECKPOINT, CURVE))
    if not checkpoint.exists():
        write_text(curve, ",".join(field.name for field in fields(TrainingProgress)) + "\n")

    def kept(row: TrainingProgress) -> None:
        with curve.open("a", encoding="utf-8") as file:
            file.write(",".join(f"{value:.6g}" for value in astuple(row)) + "\n")
        report(row)

    finish(trainer, checkpoint, report=kept)
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
    save_sae(sae, out)
    write_json(out / TRAINING, trained.model_dump(mode="json"))
    # A run that went on from its checkpoint took some steps twice, with the same result.
    header_line, *lines = curve.read_text(encoding="utf-8").splitlines()
    by_step = {line.partition(",")[0]: line for line in lines}
    write_text(out / CURVE, "\n".join([header_line, *by_step.values()]) + "\n")
    checkpoint.unlink()
    curve.unlink()
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
                "path": folder.as_posix(),
                "sha256": sha256_file(folder / WEIGHTS),
                "config_sha256": sha256_file(folder / CONFIG),
            },
        }
    )
