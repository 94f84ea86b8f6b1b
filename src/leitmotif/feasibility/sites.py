"""Whether the sites that settings name are among those of which activations are kept."""

from pathlib import Path

from leitmotif.config import Params
from leitmotif.errors import ConfigError
from leitmotif.pipeline.watched import HOOKS, registered_hooks
from leitmotif.sites import canonical_site


def check_sites(params: Params, root: Path = Path()) -> None:
    """Raise ConfigError for a site that a late stage needs and ``activations.sites`` lacks.

    That is the site of the calibration, and those of the autoencoders of ``sae.hooks``. One that
    hooks.yaml does not have yet is left to the stage that reads it, as it may still be trained.
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
