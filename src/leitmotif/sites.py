"""Names of the places where a tensor of the model is read or written.

==============================  ==================================================================
``layers.0.input``              the input of block 0: embeddings of the tokens plus the position
``layers.N.self_attention``     what block N's self-attention adds to the residual stream
``layers.N.residual_mid``       the residual stream after that addition
``layers.N.cross_attention``    what block N's cross-attention adds
``layers.N.residual_mid_cross`` the residual stream after that addition
``layers.N.mlp``                what block N's MLP adds
``layers.N.residual``           the residual stream after block N
==============================  ==================================================================

Layers count from 0. Literature that counts from 1 writes ``layers.N.residual`` as layer N + 1.

Each of these tensors has one canonical name, given above. Other names are resolved to it:

- ``layers.N.input`` with N > 0 is the same tensor as ``layers.{N-1}.residual``;
- ``hook_layers.N``, the name in published SAE checkpoints, is ``layers.N.residual``;
- names of TransformerLens, such as ``blocks.3.hook_resid_post``, and their short form
  ``resid_post3`` (see ``TRANSFORMER_LENS``).

Parts of attention have names too, with A for ``self_attention`` or ``cross_attention``. A model
that does not offer them refuses them by name; MusicGen offers those of its self-attention and both
patterns. "All sites" does not include them, and a pattern is read only where it is named:

==========================  =====================================================================
``layers.N.A.head.H``       what head H of A adds to the stream; heads count from 0
``layers.N.A.q``, ``.k``    queries and keys, [B, S, d], the heads one after the other
``layers.N.A.v``            values, as above
``layers.N.A.pattern``      attention weights, [B, heads, S, S]; of ``cross_attention``
                            [B, heads, S, tokens of the prompt]
==========================  =====================================================================

TransformerLens's names of the lower three are known, such as ``blocks.3.attn.hook_pattern`` and its
short form ``pattern3``, or ``blocks.3.cross_attn.hook_pattern``.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator

Kind = Literal[
    "input",
    "self_attention",
    "residual_mid",
    "cross_attention",
    "residual_mid_cross",
    "mlp",
    "residual",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order in which a pass reaches them; ``input`` is a site of block 0 only."""

Component = Literal["self_attention", "cross_attention", "mlp", "residual"]
"""Whose output is changed. The paper has the first three; ``residual`` is the whole stream after
the block, which holds all that the model knows there."""
Technique = Literal["replace", "adjust"]
"""``replace``: the desired mean takes the output's place. ``adjust``: the original mean is
subtracted from the output and the desired mean added."""
Control = Literal["itself", "redrawn", "mixed", "random"]
"""What stands in the place of the desired concept's mean. ``itself``: the original concept's mean.
``redrawn``: that of other prompts of the original concept. ``mixed``: that of as many prompts of
concepts that are neither. ``random``: the original mean plus a random vector, at each step as long
as the difference between the desired and the original mean."""

TRANSFORMER_LENS: dict[str, Kind] = {
    "resid_pre": "input",
    "attn_out": "self_attention",
    "resid_mid": "residual_mid",
    "cross_attn_out": "cross_attention",
    "resid_mid_cross": "residual_mid_cross",
    "mlp_out": "mlp",
    "resid_post": "residual",
}
"""Names of TransformerLens (those of its encoder-decoder models), and what they are here."""

_LENS = "|".join(TRANSFORMER_LENS)
_PATTERN = re.compile(
    rf"layers\.(?P<layer>\d+)\.(?P<kind>{'|'.join(KINDS)})"
    r"|hook_layers\.(?P<published>\d+)"
    rf"|blocks\.(?P<block>\d+)\.hook_(?P<lens>{_LENS})"
    rf"|(?P<short>{_LENS})(?P<short_block>\d+)",
    re.ASCII,
)

_ATTENTION_PART = re.compile(
    r"layers\.(?P<layer>\d+)\.(?P<attention>self|cross)_attention\."
    r"(?:head\.(?P<head>\d+)|(?P<part>q|k|v|pattern))"
    r"|blocks\.(?P<block>\d+)\.(?P<cross>cross_)?attn\.hook_(?P<lens>q|k|v|pattern)"
    r"|(?P<short>q|k|v|pattern)(?P<short_block>\d+)",
    re.ASCII,
)


def canonical_site(name: str) -> str:
    """Return the canonical name: ``hook_layers.5`` becomes ``layers.5.residual``.

    Raises ValueError for a name of no known form. Whether a model has the layer is its own check.
    """
    layer, kind = split_site(name)
    return f"layers.{layer}.{kind}"


Site = Annotated[str, AfterValidator(canonical_site)]
"""A field of a row or a setting; an alias is written out."""


def split_site(name: str) -> tuple[int, str]:
    """Return a site's layer and kind: ``(5, "residual")`` for ``hook_layers.5``; see above.

    The kind is one of ``KINDS``, or a part of attention such as ``self_attention.head.5``. Raises
    ValueError for a name of no known form.
    """
    if of := _ATTENTION_PART.fullmatch(name):
        layer = int(of["layer"] or of["block"] or of["short_block"])
        what = of["part"] or of["lens"] or of["short"] or f"head.{int(of['head'])}"
        return layer, f"{of['attention'] or ('cross' if of['cross'] else 'self')}_attention.{what}"
    match = _PATTERN.fullmatch(name)
    if not match:
        raise ValueError(
            f"{name!r} is not a site; expected layers.N.KIND with KIND one of {', '.join(KINDS)}, "
            "or a part of attention such as layers.N.self_attention.head.H, or hook_layers.N, or a "
            "name of TransformerLens such as blocks.N.hook_resid_post, counting layers from 0"
        )
    part = match.groupdict()
    layer = int(part["layer"] or part["published"] or part["block"] or part["short_block"])
    lens = part["lens"] or part["short"]
    kind = TRANSFORMER_LENS[lens] if lens else part["kind"] or "residual"
    if kind == "input" and layer > 0:
        return layer - 1, "residual"
    return layer, kind


def sites_of(layers: int) -> list[str]:
    """Canonical names of all sites of a model with so many blocks, as a pass reaches them."""
    blocks = [f"layers.{layer}.{kind}" for layer in range(layers) for kind in KINDS[1:]]
    return ["layers.0.input", *blocks]


def parts_of(layers: int, heads: int) -> list[str]:
    """Canonical names of the parts of self-attention of a model with so many blocks and heads.

    >>> parts_of(1, 2)[3:]
    ['layers.0.self_attention.head.0', 'layers.0.self_attention.head.1']
    """
    parts = ["q", "k", "v", *(f"head.{head}" for head in range(heads))]
    return [f"layers.{layer}.self_attention.{part}" for layer in range(layers) for part in parts]


def patterns_of(layers: int) -> list[str]:
    """Canonical names of the attention patterns of a model with so many blocks."""
    kinds = ("self_attention", "cross_attention")
    return [f"layers.{layer}.{kind}.pattern" for layer in range(layers) for kind in kinds]


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
    for kind, numbers in layers.items():
        ranges.setdefault(tuple(numbers), []).append(f"layers.N.{kind}")
    return "; ".join(
        f"{', '.join(names)} with N of {numbers[0]}..{numbers[-1]}"
        for numbers, names in ranges.items()
    )
