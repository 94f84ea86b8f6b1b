"""Entries of hooks.yaml for published autoencoders: downloaded once, read, and pinned.

The autoencoders of Singh, Cherep & Maes (arXiv 2505.18186) for facebook/musicgen-small are folders
``sae-32_k_100_N/facebook/musicgen-small`` with N of 1, 5, 11, 17 and 21: SAELens 5.3.2, top-k with
k = 100, 1,024 to 32,768 features, ``hook_layers.N`` (which is ``layers.N.residual``), contexts of
501 steps of MusicSet.
"""

from typing import Any

from pydantic import ValidationError

from leitmotif.errors import ConfigError
from leitmotif.files import sha256_file
from leitmotif.sae.autoencoder.fetch import commit_of, download_checkpoint
from leitmotif.sae.autoencoder.formats import CONFIG, WEIGHTS, load_sae
from leitmotif.sae.autoencoder.registry import Hook


def pin(
    repository: str,
    path: str,
    *,
    name: str,
    prompt: str,
    revision: str = "main",
    model: str | None = None,
    model_revision: str | None = None,
    forward_dtype: str | None = None,
    context_frames: int | None = None,
    sample_rate: int = 32_000,
) -> Hook:
    """Download a folder of a hub repository and describe it as an entry of hooks.yaml.

    What the folder says of itself (site, widths, k, normalisation, model, context) is taken from
    it. Both files are read as they will be for encoding, so that one that cannot be used is not
    entered.

    Parameters
    ----------
    repository, path : of the hub, and the folder in it.
    name : of the entry.
    prompt : with which the activations were made that the autoencoder was trained on.
    revision : a branch or tag becomes the commit that it stands for now.
    model, context_frames : for folders that do not say them.
    model_revision, forward_dtype : commit and precision of that model; None if unknown.
    sample_rate : of the audio, in Hz.

    Raises ModelError for what cannot be downloaded or loaded or does not say where it belongs, and
    ConfigError for what is not said anywhere, is contradicted, or does not fit the schema.
    """
    path = path.strip("/")
    commit = commit_of(repository, path, revision)
    folder = download_checkpoint(repository, path, commit)
    config = load_sae(folder).config
    return _entry(
        name=name,
        site=config.site,
        model=_agreed("model", model, config.metadata.get("model_name")),
        model_revision=model_revision,
        model_fingerprint=None,
        d_in=config.d_in,
        d_sae=config.d_sae,
        k=config.k,
        normalize_activations=config.normalize_activations,
        forward_dtype=forward_dtype,
        context_frames=_agreed(
            "context_frames", context_frames, config.metadata.get("context_size")
        ),
        audio={"sample_rate": sample_rate, "channels": "mono", "prompt": prompt},
        checkpoint={
            "source": "hub",
            "repository": repository,
            "revision": commit,
            "path": path,
            "sha256": sha256_file(folder / WEIGHTS),
            "config_sha256": sha256_file(folder / CONFIG),
        },
    )


def _entry(**values: object) -> Hook:
    """The entry with these fields; raises ConfigError, which names the first that is not valid."""
    try:
        return Hook.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"] if part != "hub")
        raise ConfigError(
            f"{place} cannot be entered into hooks.yaml",
            found=repr(problem["input"]),
            expected=problem["msg"],
            fix="see `leitmotif pin-sae --help` and schemas/hooks.schema.json",
        ) from error


def _agreed(what: str, given: Any, stated: Any) -> Any:
    """What the caller or the folder says; raises ConfigError if neither does, or both differ."""
    option = f"--{what.replace('_', '-')}"
    if given is None and stated is None:
        raise ConfigError(f"{CONFIG} does not say its {what}", fix=f"give it with {option}")
    if given is not None and stated is not None and given != stated:
        raise ConfigError(
            f"{option} is not what {CONFIG} says: no activations could agree with both",
            found=repr(given),
            expected=repr(stated),
            fix=f"leave {option} out",
        )
    return stated if given is None else given
