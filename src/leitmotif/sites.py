"""Names of the places where a tensor of the model is read or written.

========================  =======================================================================
``layers.N.residual``     the residual stream after block N (the input of block N + 1)
``layers.N.self_attention``   what block N's self-attention adds to the stream
``layers.N.cross_attention``  what its cross-attention adds
``layers.N.mlp``              what its MLP adds
``hook_layers.N``             alias of ``layers.N.residual``, used by published SAE checkpoints
========================  =======================================================================

Layers count from 0. Literature that counts from 1 writes ``layers.N.residual`` as layer N + 1.
"""

import re
from typing import Literal, get_args

Kind = Literal["self_attention", "cross_attention", "mlp", "residual"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_PATTERN = re.compile(rf"layers\.(\d+)\.({'|'.join(KINDS)})|hook_layers\.(\d+)", re.ASCII)


def canonical_site(name: str) -> str:
    """Return the canonical name: ``hook_layers.5`` becomes ``layers.5.residual``.

    Raises ValueError for a name of neither form. Whether a model has the layer is its own check.
    """
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
