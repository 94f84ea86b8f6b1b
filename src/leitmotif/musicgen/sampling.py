"""How a token is drawn from the model's logits."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from leitmotif.arguments import as_number, is_integer
from leitmotif.errors import ModelError

_COLDEST = 1e-6
"""Temperature: logits that are divided by much less become infinite."""


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn; the defaults are MusicGen's.

    Parameters
    ----------
    temperature: of the softmax; 0 takes the likeliest token (greedy decoding).
    top_k: number of the likeliest tokens that are kept; None keeps all.
    top_p: the likeliest tokens are kept until their probabilities sum to this; None keeps all.

    Raises ModelError for a value out of range.

    Example
    -------
    >>> Sampling(temperature=0.8, top_k=None, top_p=0.95)
    Sampling(temperature=0.8, top_k=None, top_p=0.95)
    """

    temperature: float = 1.0
    top_k: int | None = 250
    top_p: float | None = None

    def __post_init__(self) -> None:
        temperature = as_number(self.temperature)
        if temperature is None or not (temperature == 0 or temperature >= _COLDEST):
            raise ModelError(
                "temperature", found=repr(self.temperature), expected=f"0, or {_COLDEST:g} or more"
            )
        if self.top_k is not None and not (is_integer(self.top_k) and self.top_k >= 1):
            raise ModelError("top_k", found=repr(self.top_k), expected="1 or more, or None")
        top_p = as_number(self.top_p)
        if self.top_p is not None and (top_p is None or not 0 < top_p <= 1):
            raise ModelError(
                "top_p", found=repr(self.top_p), expected="above 0 and up to 1, or None"
            )


GREEDY = Sampling(temperature=0.0, top_k=None)


def drawable(logits: Tensor, sampling: Sampling) -> Tensor:
    """Whether each row [B] of logits [B, …, V] holds numbers, also over the temperature."""
    changed = sampling.temperature not in (0, 1)
    return torch.isfinite(logits / sampling.temperature if changed else logits).flatten(1).all(1)


def draw(logits: Tensor, noise: Tensor | None, sampling: Sampling) -> Tensor:
    """Draw tokens [B, K] from logits [B, K, V] with Gumbel noise of that shape.

    Filters act in `transformers`' order: temperature, top-k, top-p. Without noise, the likeliest.
    """
    if noise is None:
        return logits.argmax(-1)
    logits = logits / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        kept = logits.topk(sampling.top_k, sorted=False).values
        smallest = kept.amin(-1, keepdim=True)
        logits = logits.masked_fill(logits < smallest, -math.inf)
    if sampling.top_p is not None and sampling.top_p < 1:
        ordered, order = logits.sort(descending=True)
        probabilities = ordered.softmax(-1)
        # A token goes if those before it already hold enough.
        excess = probabilities.cumsum(-1) - probabilities >= sampling.top_p
        logits = logits.masked_fill(excess.scatter(-1, order, excess), -math.inf)
    return (logits + noise).argmax(-1)
