"""Sites chosen by name, by a list of names or by a function, and functions to run at them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen.intervention import Intervention
from leitmotif.sites import canonical_site, split_site, summarised

Sites = str | Iterable[str] | Callable[[str], bool] | None
"""A site's name, several names, a function of the canonical name, or None for all sites."""


@dataclass(frozen=True)
class HookPoint:
    """What a hook function is told of the place where it runs."""

    name: str
    """Canonical name of the site."""

    def layer(self) -> int:
        """Number of the block, from 0."""
        return split_site(self.name)[0]


_READ_ONLY = (
    "attention patterns can be read by run_with_cache; to change what is attended to, change .q, "
    ".k or .v"
)
HookFunction = Callable[..., Tensor | None]
"""Called as ``function(activations, hook=Hook)`` with activations [rows, S, d]; returns those to go
on with, or None to go on with the same tensor, which the function may have changed in place."""


def choose_sites(
    sites: Sites,
    offered: Sequence[str],
    parts: Sequence[str] = (),
    patterns: Sequence[str] = (),
) -> list[str]:
    """Return the canonical names of the sites that ``sites`` chooses, each once.

    ``offered`` are all sites of the model, and ``parts`` the parts of attention that it has
    besides: named, or chosen by a function, but none of "all". ``patterns`` have to be named.
    Raises ModelError for a bad name, for a site that the model lacks, and for a function that
    chooses nothing.
    """
    if isinstance(sites, str):
        sites = [sites]
    named = isinstance(sites, Iterable) and not isinstance(sites, Tensor | np.ndarray)
    if sites is not None and not callable(sites) and not named:
        raise ModelError(
            "these are not sites",
            found=f"{sites!r:.200}",
            expected="a name, a list of names, a function of the name, or None for all",
        )
    if sites is not None and not callable(sites):
        return list(dict.fromkeys(require_sites(sites, offered, [*parts, *patterns])))
    if sites is None:
        return list(offered)
    chosen = [name for name in (*offered, *parts) if sites(name)]
    if not chosen:
        raise ModelError(
            "the function chooses no site",
            found="it returned False for every name",
            expected=f"True for one of {', '.join(offered[:7])}, …",
            fix="functions are given canonical names (leitmotif.sites)",
        )
    return chosen


def require_sites(
    sites: Iterable[str], offered: Sequence[str], parts: Sequence[str] = ()
) -> list[str]:
    """Return canonical names; raises ModelError for a bad name, or a site that is not offered.

    ``offered`` are the canonical names of all sites that a model has, ``parts`` those of the parts
    of attention that it has besides.
    """
    canonical = []
    for name in sites:
        try:
            site = canonical_site(name)
        except (TypeError, ValueError) as error:
            raise ModelError(f"site {name!r:.200}: {error}") from None
        if site not in offered and site not in parts:
            raise ModelError(
                f"the model has no site {name}",
                expected=summarised(offered),
                fix=_READ_ONLY
                if site.endswith(".pattern")
                else "layers count from 0; literature that counts from 1 means the one before",
            )
        canonical.append(site)
    return canonical


def require_prompts(sites: Iterable[str], prompts: object) -> None:
    """Raise ModelError for a pattern of attention to a prompt where there is no prompt."""
    patterns = [site for site in sites if site.endswith(".cross_attention.pattern")]
    if patterns and prompts is None:
        raise ModelError(
            f"there is no {patterns[0]}",
            found="a pass without prompts, in which nothing is attended to",
            expected="a prompt, or a prompt for each row",
        )


def as_interventions(
    fwd_hooks: Iterable[tuple[Sites, HookFunction]],
    offered: Sequence[str],
    parts: Sequence[str] = (),
) -> list[Intervention]:
    """Return an intervention for each site of each pair (sites, function); see ``HookFunction``.

    Raises ModelError for what are no such pairs, and as ``choose_sites`` does.
    """
    none = isinstance(fwd_hooks, Tensor | np.ndarray | str | bytes | Mapping)
    several = isinstance(fwd_hooks, Iterable) and not none
    pairs: list[Any] = list(fwd_hooks) if several else [fwd_hooks]
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not callable(pair[1]):
            raise ModelError(
                "this is no hook",
                found=f"{pair!r:.200}",
                expected="a list of pairs (sites, function)",
                fix="fwd_hooks=[(site, function)]",
            )
    return [
        Intervention(site, _edit(function, HookPoint(site)))
        for sites, function in pairs
        for site in choose_sites(sites, offered, parts)
    ]


def _edit(function: HookFunction, hook: HookPoint) -> Callable[[Tensor], Tensor]:
    def edit(activations: Tensor) -> Tensor:
        # A copy, since the function may write into what it is given.
        activations = activations.clone()
        changed = function(activations, hook=hook)
        return activations if changed is None else changed

    return edit
