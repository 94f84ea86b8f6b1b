"""A tuned lens: an affine map from each layer to the last, so that the heads can read it.

The heads were trained to read the last layer, so an exit that makes noise may hold what it cannot
say (Vélez Vásquez et al., section 4.1, ask for such a map). A translator is fitted in two steps: by
least squares to the last layer's residuals (Din et al. 2023, "Jump to conclusions"), then by
gradient descent on the divergence from what the model expects (Belrose et al. 2023, "Eliciting
latent predictions from transformers with the tuned lens"). Both are shrunk towards the identity,
which is the plain lens. Everything is computed in float64 and in parts that do not depend on the
machine, so the same activations give the same translator.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen
from leitmotif.musicgen.model import DecoderConfig
from leitmotif.precision import doubled

LOGITS = 1 << 23
"""Logits in memory at a time, where gradients are taken: 67 MB of float64."""

LOGIT_COPIES = 5
"""Number of copies of such logits: said, expected, their difference, and what gradients need."""


def fit_bytes(config: DecoderConfig, clips: int, steps: int, size: int) -> int:
    """Of the fit of a translator on so many clips: logits, and residuals of two layers.

    Residuals are those of the clips and of as many others, of ``size`` bytes a number, and once
    more in float64.
    """
    each = steps * config.codebooks * config.codebook_size
    at_once = LOGIT_COPIES * min(max(LOGITS, each), clips * each)
    residuals = clips * steps * config.width * (4 * size + 2 * 8)
    return 8 * (at_once + clips * each) + residuals


def map_bytes(config: DecoderConfig) -> int:
    """Of the translators of all layers, two each."""
    return 8 * 2 * (config.layers - 1) * config.width**2


@dataclass(frozen=True)
class Tuning:
    """How translators are fitted."""

    penalty: float = 1e-3
    """Of the squared distance from the identity, as a share of the residuals' mean square."""
    steps: int = 100
    """Steps of gradient descent (Adam) after least squares; 0: least squares alone."""
    rate: float = 1e-3
    """Its learning rate."""


@dataclass(frozen=True, eq=False)
class Translator:
    """An affine map of residuals."""

    weight: Tensor
    """[d, d]"""
    bias: Tensor
    """[d]"""

    def __call__(self, x: Tensor) -> Tensor:
        """Residuals [..., d] as the last layer would have them, in their own precision."""
        # Device before precision on the way there, and after it on the way back: a device may not
        # have the float64 of the map.
        given = x.to(self.weight.device).to(self.weight.dtype)
        return (given @ self.weight.T + self.bias).to(x.dtype).to(x.device)


def predicted(model: HookedMusicGen, frames: int) -> Tensor:
    """Which codebooks predict a frame of a clip at each step: bool [S, K].

    Codebooks are delayed, so the first and the last steps predict some of them only.
    """
    delays = torch.tensor(model.delays, device=model.device)
    steps = torch.arange(frames + int(delays.max()), device=model.device)
    frame = steps[:, None] - delays
    return (frame >= 0) & (frame < frames)


def fit_translator(
    model: HookedMusicGen, x: Tensor, last: Tensor, within: Tensor, tuning: Tuning = Tuning()
) -> Translator:
    """Fit the map from one layer to the last.

    Parameters
    ----------
    model : whose norm and heads read the result.
    x : residuals after the layer [B, S, d].
    last : those after the last layer [B, S, d].
    within : see ``predicted`` [S, K].
    tuning : penalty, steps and rate.

    Raises ModelError for shapes that do not agree.
    """
    _check(x, last, within)
    rows = within.any(1)
    x, last = doubled(x[:, rows]), doubled(last[:, rows])
    within = within[rows].to(x.device)
    least = _least_squares(x.flatten(0, 1), last.flatten(0, 1), tuning.penalty)
    weight, bias = least.weight.clone().requires_grad_(), least.bias.clone().requires_grad_()
    parts = _parts(model, x)
    expected = [_log_probabilities(model, last[part]).detach() for part in parts]
    descent = torch.optim.Adam([weight, bias], lr=tuning.rate)
    shrunk, cells = tuning.penalty / weight.numel(), len(x) * within.shape[1]
    for _ in range(tuning.steps):
        descent.zero_grad()
        for part, of_part in zip(parts, expected, strict=True):
            nats = _divergence(model, Translator(weight, bias)(x[part]), of_part, within)
            (nats.sum() / cells).backward()  # type: ignore[no-untyped-call]
        from_identity = (weight - torch.eye(len(weight)).to(weight)).square().sum()
        (shrunk * from_identity).backward()  # type: ignore[no-untyped-call]
        descent.step()
    return Translator(weight.detach(), bias.detach())


@torch.no_grad()
def divergence(
    model: HookedMusicGen,
    x: Tensor,
    last: Tensor,
    within: Tensor,
    translator: Translator | None = None,
) -> Tensor:
    """KL divergence in nats of what a layer says from what the model says, mean over steps: [B, K].

    ``translator`` None is the plain lens; other parameters are those of ``fit_translator``. It is 0
    for the last layer itself. Raises ModelError for shapes that do not agree.
    """
    _check(x, last, within)
    x, last = doubled(x), doubled(last)
    within = within.to(x.device)
    by_part = []
    for part in _parts(model, x):
        read = x[part] if translator is None else translator(x[part])
        by_part.append(_divergence(model, read, _log_probabilities(model, last[part]), within))
    return torch.cat(by_part)


def _parts(model: HookedMusicGen, x: Tensor) -> list[slice]:
    """Clips [B, S, d] whose logits are in memory at once: the same ones on every machine."""
    each = x.shape[1] * model.codebooks * model.codebook_size
    size = max(1, LOGITS // each)
    return [slice(first, first + size) for first in range(0, max(1, len(x)), size)]


def _least_squares(x: Tensor, y: Tensor, penalty: float) -> Translator:
    """Ridge regression whose penalty is that of the distance from the identity."""
    centre_x, centre_y = x.mean(0), y.mean(0)
    x, y = x - centre_x, y - centre_y
    eye = torch.eye(x.shape[1]).to(x)
    ridge = penalty * len(x) * float(x.square().mean()) * eye
    weight = torch.linalg.solve(x.T @ x + ridge, x.T @ y + ridge).T
    return Translator(weight, centre_y - centre_x @ weight.T)


def _log_probabilities(model: HookedMusicGen, x: Tensor) -> Tensor:
    decoder = model.decoder
    read = decoder.final_norm(x.to(model.dtype).to(model.device))
    return doubled(decoder.logits(read)).log_softmax(-1)


def _divergence(model: HookedMusicGen, x: Tensor, expected: Tensor, within: Tensor) -> Tensor:
    """By clip and codebook [B, K], from log-probabilities [B, S, K, V]."""
    said = _log_probabilities(model, x)
    nats = (expected.exp() * (expected - said)).sum(-1)
    return (nats * within).sum(1) / within.sum(0)


def _check(x: Tensor, last: Tensor, within: Tensor) -> None:
    if x.ndim != 3 or x.shape != last.shape or len(within) != x.shape[1]:
        raise ModelError(
            "residuals of two layers do not agree",
            found=f"shapes {tuple(x.shape)} and {tuple(last.shape)}, {len(within)} steps",
            expected="[B, S, d] twice, and [S, K]",
        )
