"""``leitmotif train-sae`` and ``pin-sae``: autoencoders of one's own, and published ones."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leitmotif.cli.options import LARGEST_SEED, Replace

if TYPE_CHECKING:
    from leitmotif.sae.autoencoder.trained import Training
    from leitmotif.sae.training.train import TrainingProgress


def train_sae(
    site: Annotated[
        str, typer.Argument(help="Site in the activation store, such as layers.2.residual.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder to write, within this repository.")],
    name: Annotated[str | None, typer.Option(help="Add it to hooks.yaml under this name.")] = None,
    store: Annotated[Path, typer.Option(help="Activation store to train on.")] = Path(
        "data/activations"
    ),
    kind: Annotated[str, typer.Option(help="Architecture: topk or batchtopk.")] = "topk",
    expansion: Annotated[
        int, typer.Option(min=1, help="Features per dimension of the activations.")
    ] = 8,
    k: Annotated[int, typer.Option(min=1, help="Active features per step.")] = 32,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = 10_000,
    batch: Annotated[int, typer.Option(min=1, help="Rows per training step.")] = 2048,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3,
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of the tracks held out for evaluation.")
    ] = 0.1,
    pool_tracks: Annotated[
        int, typer.Option(min=1, help="Tracks in memory at a time (3 MB each for 30 s at d 1024).")
    ] = 600,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Same seed, same bytes.")] = 0,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, mps, or auto: a GPU if there is one.")
    ] = "auto",
    replace: Replace = False,
) -> None:
    """Train a sparse autoencoder on cached activations.

    An interrupted run is resumed.
    """
    from leitmotif.sae.autoencoder.registry import register
    from leitmotif.sae.training.recipe import check_entry, entry_of, train_on_store
    from leitmotif.store.reading import ActivationStore

    if name is not None:
        check_entry(name, out, replace=replace)
    activations = ActivationStore(store)
    width = activations.load(site, activations.tracks(site)[0]).shape[1]
    options = {"kind": kind, "k": k, "steps": steps, "batch": batch, "rate": rate, "seed": seed}
    trained = train_on_store(
        activations,
        site,
        _training_settings({**options, "d_sae": expansion * width}),
        out,
        held_out=held_out,
        pool_tracks=pool_tracks,
        device=device,
        replace=replace,
        report=partial(_print_progress, steps),
    )
    typer.echo(
        f"{out}: on {trained.held_out} held-out tracks FVU {trained.fvu:.4f}, "
        f"L0 {trained.l0:.1f}, dead {trained.dead_fraction:.1%}"
    )
    if name is not None:
        register(entry_of(name, out, activations), replace=replace)
        typer.echo(f"entered into hooks.yaml as {name}")


def _training_settings(options: Mapping[str, object]) -> "Training":
    """Validate the options of ``train-sae``; raises ConfigError, which names the first bad one."""
    from pydantic import ValidationError

    from leitmotif.errors import ConfigError
    from leitmotif.sae.autoencoder.trained import Training

    try:
        return Training.model_validate(options)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(
            f"--{problem['loc'][0]} cannot be used", found=problem["input"], expected=problem["msg"]
        ) from None


def _print_progress(steps: int, row: "TrainingProgress") -> None:
    """Print a row of the training curve, about 20 times during ``steps`` steps."""
    if row.step % max(50, steps // 20 // 50 * 50) == 0 or row.step == steps:
        typer.echo(
            f"step {row.step}/{steps}: FVU {row.fvu:.4f}, L0 {row.l0:.1f}, "
            f"dead {row.dead_fraction:.1%}",
            err=True,
        )


def pin_sae(
    repository: Annotated[str, typer.Argument(help="Hub repository, such as someone/saes.")],
    path: Annotated[str, typer.Argument(help="Folder in the repository that holds cfg.json.")],
    name: Annotated[str, typer.Option(help="Name of the entry in hooks.yaml.")],
    prompt: Annotated[
        str, typer.Option(help="Prompts of the model when the SAE was trained: none, tags, other.")
    ],
    revision: Annotated[
        str, typer.Option(help="Commit; a branch or tag is replaced by its current commit.")
    ] = "main",
    model: Annotated[
        str | None, typer.Option(help="Model it was trained on; only if cfg.json does not say.")
    ] = None,
    model_revision: Annotated[
        str | None, typer.Option(help="Commit of that model, if its authors say.")
    ] = None,
    forward_dtype: Annotated[
        str | None, typer.Option(help="Precision of that model when the SAE was trained.")
    ] = None,
    context_frames: Annotated[
        int | None, typer.Option(help="Steps per context; only if cfg.json does not say.")
    ] = None,
    sample_rate: Annotated[int, typer.Option(help="Sample rate of the audio in Hz.")] = 32_000,
    write: Annotated[bool, typer.Option("--write", help="Add it to hooks.yaml.")] = False,
    replace: Replace = False,
) -> None:
    """Print the hooks.yaml entry of a published autoencoder.

    The autoencoder is downloaded; the entry holds its hashes.

    The folders published for facebook/musicgen-small (Singh, Cherep & Maes, arXiv 2505.18186)
    are sae-32_k_100_N/facebook/musicgen-small with N of 1, 5, 11, 17 and 21:

    leitmotif pin-sae OWNER/REPOSITORY sae-32_k_100_11/facebook/musicgen-small
    --revision COMMIT --name musicgen-small-11 --prompt other --write
    """
    from leitmotif.sae.autoencoder.registry import REGISTRY, check_name, entry_text, register
    from leitmotif.sae.pin import pin

    if write:
        check_name(name, replace=replace)
    hook = pin(
        repository,
        path,
        name=name,
        prompt=prompt,
        revision=revision,
        model=model,
        model_revision=model_revision,
        forward_dtype=forward_dtype,
        context_frames=context_frames,
        sample_rate=sample_rate,
    )
    typer.echo(entry_text(hook), nl=False)
    if write:
        register(hook, replace=replace)
        typer.echo(f"entered into {REGISTRY} as {name}", err=True)
