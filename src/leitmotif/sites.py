"""Names of the places where a tensor of the model is read or written.

========================  =======================================================================
``layers.N.residual``     the residual stream after block N (the input of block N + 1)
``layers.N.self_attention``   what block N's self-attention adds to the stream
``layers.N.cross_attention``  what its cross-attention adds
``layers.N.mlp``              what its MLP adds
``hook_layers.N``             alias of ``layers.N.residual``, used by published SAE checkpoints
========================  =======================================================================

Layers count from 0. Literature that counts from 1 writes ``layers.N.residual`` as layer N + 1.

Parts of attention have names too, with A for ``self_attention`` or ``cross_attention``. A model
that does not offer them refuses them by name:

==========================  =====================================================================
``layers.N.A.head.H``       what head H of A adds to the stream; heads count from 0
``layers.N.A.q``, ``.k``    queries and keys, [B, S, d], the heads one after the other
``layers.N.A.v``            values, as above
``layers.N.A.pattern``      attention weights, [B, heads, S, S]
==========================  =====================================================================
"""

import re
from collections.abc import Iterable
from typing import Literal, get_args

Kind = Literal["self_attention", "cross_attention", "mlp", "residual"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_PATTERN = re.compile(rf"layers\.(\d+)\.({'|'.join(KINDS)})|hook_layers\.(\d+)", re.ASCII)

_ATTENTION_PART = re.compile(
    r"layers\.(?:0|[1-9]\d*)\.(?:self|cross)_attention\.(?:head\.(?:0|[1-9]\d*)|q|k|v|pattern)",
    re.ASCII,
)


def canonical_site(name: str) -> str:
    """Return the canonical name: ``hook_layers.5`` becomes ``layers.5.residual``.

    Raises ValueError for a name of neither form. Whether a model has the layer is its own check.
    """
    if _ATTENTION_PART.fullmatch(name):
        return name
    layer, kind = split_site(name)
    return f"layers.{layer}.{kind}"


def split_site(name: str) -> tuple[int, Kind]:
    """Return a site's layer and kind: ``(5, "residual")`` for ``hook_layers.5``; see above."""
    match = _PATTERN.fullmatch(name)
    if not match:
        raise ValueError(
            f"{name!r} is not a site; expected layers.N.residual, layers.N.self_attention, "
            "layers.N.cross_attention, layers.N.mlp or hook_layers.N, counting layers from 0"
        )
    layer, kind, alias = match.groups()
    if alias is not None:
        return int(alias), "residual"
    return int(layer), kind  # type: ignore[return-value]  # the pattern admits only KINDS


def sites_of(layers: int) -> list[str]:
    """Canonical names of all sites of a model with so many blocks, as a pass reaches them."""
    return [f"layers.{layer}.{kind}" for layer in range(layers) for kind in KINDS]


def summarised(sites: Iterable[str]) -> str:
    """Name sites in short, for a message.

    >>> summarised(["layers.0.mlp", "layers.0.residual", "layers.1.mlp", "layers.1.residual"])
    'layers.N.mlp, layers.N.residual with N of 0..1'
    """
    layers: dict[str, list[int]] = {}
    for site in sites:
        _, layer, kind = site.split(".", 2)
        layers.setdefault(kind, []).append(int(layer))
    ranges: dict[tuple[int, ...], list[str]] = {}
    for kind, found in layers.items():
        ranges.setdefault(tuple(found), []).append(f"layers.N.{kind}")
    return "; ".join(
        f"{', '.join(names)} with N of {found[0]}..{found[-1]}" for found, names in ranges.items()
    )
