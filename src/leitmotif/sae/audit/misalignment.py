"""Would a misaligned autoencoder be caught? Each one is tried at its neighbours' sites.

What goes wrong in practice is off by one: an autoencoder of one layer is given the activations of
the next. It is tried twice at each neighbour: as it is, where what is declared has to show it, and
with everything declared (registry and folder) rewritten to name the wrong site, where only the
measurement can.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leitmotif.sae.audit.measured import SiteFit, audit_sites, neighbours
from leitmotif.sae.autoencoder.alignment import compare
from leitmotif.sae.autoencoder.model import SaeConfig
from leitmotif.sae.autoencoder.registry import Hook
from leitmotif.store.reading.header import Header


@dataclass(frozen=True)
class Trial:
    """One autoencoder at a site where it does not belong."""

    checkpoint: str
    trained: str
    """Site where it belongs."""
    used: str
    """Site whose activations it is given."""
    falsified: bool
    """Whether registry and folder say that it belongs there."""
    caught: bool
    best: str | None
    """Where the measurement says that it belongs; None where the declaration was enough."""


def misalign(
    hook: Hook,
    config: SaeConfig,
    fits: Mapping[str, SiteFit],
    headers: Mapping[str, Header],
    *,
    reach: int = 1,
) -> list[Trial]:
    """Try an autoencoder at every neighbour of its site.

    ``fits`` and ``headers`` are of all stored sites: how well it reconstructs them, and what one of
    their tensors says of itself.
    """
    stored: Sequence[str] = list(fits)
    trials = []
    for used in neighbours(stored, hook.site, reach=reach):
        if used == hook.site:
            continue
        header = headers[used]
        declared = compare(hook, config, header, config.d_in)
        trials.append(Trial(hook.name, hook.site, used, False, bool(declared), None))
        false_hook = hook.model_copy(update={"site": used})
        false_config = config.model_copy(
            update={"metadata": {**config.metadata, "hook_name": used}}
        )
        shown = compare(false_hook, false_config, header, config.d_in)
        near = neighbours(stored, used, reach=reach)
        audit = audit_sites(hook.name, {site: fits[site] for site in near}, used)
        caught = bool(shown) or not audit.passed
        trials.append(Trial(hook.name, hook.site, used, True, caught, audit.best))
    return trials
