"""Early exits: the music of a layer, as the heads and the codec read its residual stream.

An exit after layer N leaves out the blocks after N: the residual stream goes straight to the last
norm and the heads (DecoderLens, Langedijk et al. 2024, "DecoderLens: Layerwise interpretation of
encoder-decoder transformers"). The exit after the last layer is the model itself.

There are two ways to hear it. In ``read_exits`` the model plays, and each exit says what it would
have played next, at every step; all layers come from one pass over what was played. In
``sampled_exits`` an exit plays alone, and hears what it has played before; every layer is a row of
the batch in which the blocks after it add nothing. Both draw with the noise of the clip's name, so
the exit after the last layer is the clip itself.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen, Intervention, Sampling
from leitmotif.musicgen.model import undelay
from leitmotif.musicgen.noise import RowNoise
from leitmotif.musicgen.sampling import draw, drawable

ADDED = ("self_attention", "cross_attention", "mlp")
"""What a block adds to the residual stream."""


Mapped = Callable[[int, Tensor], Tensor]
"""Maps residuals [B, S, d] of a layer before the heads read them, such as by a tuned lens."""


def residual_after(layer: int) -> str:
    """The site from which an exit after a layer reads."""
    return f"layers.{layer}.residual"


@torch.no_grad()
def exit_logits(
    model: HookedMusicGen,
    codes: Tensor,
    prompts: Sequence[str] | None,
    layers: Sequence[int],
    *,
    guidance_scale: float | None = None,
    mapped: Mapped | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """What the exit after each layer expects at every step of clips that are read.

    Parameters
    ----------
    model : gives residuals and heads.
    codes : [B, K, T], what was played.
    prompts : one for each clip, or None.
    layers : after which to exit.
    guidance_scale : weighs the prompt; 1 reads with the prompt alone, None takes the checkpoint's.
    mapped : what is done to residuals before the heads read them; None: nothing.

    Yields each layer with its logits [B, S, K, V], which at 24 layers and 1,500 steps would not fit
    into memory together; step s predicts frame s - delay of each codebook. Raises ModelError.
    """
    scale = model.default_guidance_scale if guidance_scale is None else guidance_scale
    passes = [_residuals(model, codes, prompts, layers)]
    if prompts is not None and scale != 1.0:
        passes.append(_residuals(model, codes, None, layers))
    for layer in layers:
        logits = [_logits(model, layer, residuals.pop(layer), mapped) for residuals in passes]
        if len(logits) == 1:
            yield layer, logits[0]
        else:
            read, without = logits
            yield layer, without + scale * (read - without)


@torch.no_grad()
def read_exits(
    model: HookedMusicGen,
    codes: Tensor,
    prompts: Sequence[str] | None,
    layers: Sequence[int],
    *,
    tracks: Sequence[str],
    seed: int,
    sampling: Sampling,
    guidance_scale: float | None = None,
    mapped: Mapped | None = None,
) -> dict[int, Tensor]:
    """What the exit after each layer would have played at every step of clips that were played.

    Parameters are those of ``exit_logits`` and of ``HookedMusicGen.generate``: with the ones of the
    clips themselves, the exit after the last layer gives the clips. Returns codes [B, K, T] by
    layer; raises ModelError.
    """
    rows, codebooks, frames = codes.shape
    steps = frames + max(model.delays)
    noise = RowNoise(
        seed,
        tracks,
        codebooks=codebooks,
        codebook_size=model.codebook_size,
        device=model.device,
        dtype=model.dtype_beside,
    )
    played = {}
    for layer, logits in exit_logits(
        model, codes, prompts, layers, guidance_scale=guidance_scale, mapped=mapped
    ):
        if not drawable(logits, sampling).all():
            raise ModelError(
                f"the exit after layer {layer} gives no numbers to draw tokens from",
                found=f"NaN or infinity at guidance {guidance_scale}, {sampling}",
                expected="finite logits",
                fix="take guidance and temperature nearer to 1",
            )
        drawn = codes.new_empty(rows, codebooks, steps)
        for step in range(steps):
            at = noise.at(step) if sampling.temperature else None
            drawn[:, :, step] = draw(logits[:, step], at, sampling)
        played[layer] = undelay(drawn, frames, model.delays)
    return played


def sampled_exits(
    model: HookedMusicGen,
    prompts: Sequence[str] | None,
    exits: Sequence[int],
    *,
    seconds: float,
    tracks: Sequence[str],
    seed: int,
    sampling: Sampling,
    guidance_scale: float | None = None,
    mapped: Mapped | None = None,
) -> Tensor:
    """Clips that are played by early exits alone: codes [B, K, T].

    Parameters
    ----------
    model : plays.
    prompts : one for each row, or None.
    exits : after which layer each row exits.
    seconds, tracks, seed, sampling, guidance_scale : as in ``HookedMusicGen.generate``.
    mapped : what is done to the residuals of rows that exit after one layer, before the heads read
        them; None: nothing.

    Raises ModelError, also for a layer that the model lacks.
    """
    interventions = exiting(exits, model.num_layers, prompted=prompts is not None)
    if mapped is not None:
        interventions += _mapping(exits, model.num_layers, mapped)
    generation = model.generate(
        None if prompts is None else list(prompts),
        seconds=seconds,
        tracks=list(tracks),
        seed=seed,
        sampling=sampling,
        guidance_scale=guidance_scale,
        interventions=interventions,
    )
    return generation.codes


def exiting(exits: Sequence[int], layers: int, *, prompted: bool) -> list[Intervention]:
    """Interventions by which each row of a batch exits after its layer, of so many layers.

    Nothing that a later block adds reaches the residual stream of such a row. Without prompts
    cross-attention adds nothing anyway. Raises ModelError for a layer that is not there.
    """
    if any(not 0 <= layer < layers for layer in exits):
        raise ModelError(
            "a row cannot exit there", found=f"layers {list(exits)}", expected=f"0..{layers - 1}"
        )
    left_out = {
        block: [row for row, layer in enumerate(exits) if layer < block] for block in range(layers)
    }
    return [
        Intervention(f"layers.{block}.{part}", "scale", strength=0.0, rows=rows)
        for block, rows in left_out.items()
        for part in ADDED
        if rows and (prompted or part != "cross_attention")
    ]


def _mapping(exits: Sequence[int], layers: int, mapped: Mapped) -> list[Intervention]:
    """Interventions that map the residuals of each layer's rows where the blocks end."""
    last = residual_after(layers - 1)
    return [
        Intervention(
            last,
            partial(mapped, layer),
            rows=[row for row, of_row in enumerate(exits) if of_row == layer],
        )
        for layer in sorted(set(exits))
    ]


def _residuals(
    model: HookedMusicGen, codes: Tensor, prompts: Sequence[str] | None, layers: Sequence[int]
) -> dict[int, Tensor]:
    """After each layer [B, S, d], from one pass."""
    _, cache = model.run_with_cache(
        codes,
        None if prompts is None else list(prompts),
        sites=[residual_after(layer) for layer in layers],
        stop_at_layer=max(layers, default=-1) + 1,
    )
    return {layer: cache[residual_after(layer)] for layer in layers}


def _logits(model: HookedMusicGen, layer: int, residuals: Tensor, mapped: Mapped | None) -> Tensor:
    x = residuals if mapped is None else mapped(layer, residuals)
    return model.logits_from(x, model.num_layers)
