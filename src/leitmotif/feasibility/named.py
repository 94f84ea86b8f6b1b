"""Whether what settings name is there: sites among those that are kept, blocks, folders of models.

A stage finds out when it needs it, which may be hours after the first one began.
"""

from contextlib import suppress
from pathlib import Path

from leitmotif.config import Params
from leitmotif.errors import ConfigError, LeitmotifError, counted
from leitmotif.files import read_json
from leitmotif.pipeline.watched import HOOKS, registered_hooks
from leitmotif.sites import canonical_site, split_site


def check_named(params: Params, root: Path = Path()) -> None:
    """Raise ConfigError for what no stage would find below ``root``, the repository's.

    That are what ``check_kept`` refuses, blocks that a model in a folder lacks, codes of mono audio
    that a stereo one lacks, and models of ``probes.comparisons``.
    """
    check_kept(params, root)
    layers, channels = _sizes(root / params.model.name)
    if layers is not None:
        check_blocks(params, layers)
    if channels == 2:
        raise ConfigError(
            "the pipeline does not run on stereo models",
            found=f"{params.model.name}, of {channels} channels",
            expected="a mono MusicGen: the stages read and judge mono audio",
            fix="name the mono checkpoint of this size; import leitmotif loads stereo ones too",
        )
    for name in params.probes.comparisons:
        if not (root / name).is_dir():
            raise ConfigError(
                f"probes.comparisons names {name}, which is no folder here",
                expected="folders of other models with the same codec",
                fix="correct the name, or leave the model out",
            )


def check_kept(params: Params, root: Path = Path()) -> None:
    """Raise ConfigError for a site that a late stage needs and ``activations.sites`` lacks.

    That are the sites of the calibration and of the autoencoders. One that hooks.yaml below
    ``root`` does not have is left to the stage that reads it, as it may still be trained.
    """
    kept = params.activations.sites
    needed = {"calibration.site": params.calibration.site}
    if params.sae.hooks:
        known = {hook.name: hook.site for hook in registered_hooks(root / HOOKS)}
        for text in params.sae.hooks:
            name, _, site = text.partition("@")
            if site or name in known:
                needed[f"sae.hooks: {text}"] = canonical_site(site or known[name])
    missing = {setting: site for setting, site in needed.items() if site not in kept}
    if missing:
        raise ConfigError(
            "sites are needed of which no activations are kept",
            found="; ".join(f"{site} ({setting})" for setting, site in missing.items()),
            expected=f"activations.sites: {', '.join(kept)}",
            fix="add them to activations.sites, or change these settings too",
        )


def check_blocks(params: Params, layers: int) -> None:
    """Raise ConfigError for sites of blocks that a model of so many has not."""
    beyond = [site for site in params.activations.sites if split_site(site)[0] >= layers]
    if beyond:
        raise ConfigError(
            f"activations.sites names blocks that {params.model.name} does not have",
            found=", ".join(beyond),
            expected=f"blocks 0 to {layers - 1}, as it has {counted(layers, 'block')}",
            fix="correct activations.sites",
        )


def _sizes(folder: Path) -> tuple[int, int] | tuple[None, None]:
    """Blocks of a decoder and its audio channels; None where no file here tells."""
    with suppress(LeitmotifError, OSError, KeyError, TypeError, ValueError):
        if (folder / "config.json").is_file():
            sizes = read_json(folder / "config.json")["decoder"]
            return int(sizes["num_hidden_layers"]), int(sizes.get("audio_channels", 1))
        if folder.is_dir():
            from leitmotif.musicgen.audiocraft import describe, is_audiocraft

            if is_audiocraft(str(folder)):
                config = describe(str(folder)).decoder
                return config.layers, config.channels
    return None, None  # what loads the model says what is wrong
