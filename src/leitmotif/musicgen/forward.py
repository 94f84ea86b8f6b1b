"""One pass of the decoder over codes, with interventions and captures; or the rest of one."""

from collections.abc import Sequence

import torch
from torch import Tensor

from leitmotif.arguments import is_integer
from leitmotif.checkpoints.weights import is_finite
from leitmotif.errors import ModelError
from leitmotif.musicgen.arguments import check_residual, check_steps
from leitmotif.musicgen.choice import Sites, choose_sites, require_sites
from leitmotif.musicgen.core import Core
from leitmotif.musicgen.fits import Pass
from leitmotif.musicgen.intervention import Half, Intervention, all_in_steps
from leitmotif.musicgen.key_values import Past, Resumed
from leitmotif.musicgen.model import delay, undelay
from leitmotif.musicgen.positions import Offset, first_positions
from leitmotif.musicgen.tap import Tap, bind, no_numbers
from leitmotif.sites import parts_of, patterns_of, sites_of


def sites_reached(model: Core, sites: Sites, stop_at_layer: int | None) -> list[str]:
    """Canonical names of the sites to capture in a pass that runs ``stop_at_layer`` blocks.

    Raises ModelError for a site that the model lacks or that the pass does not reach.
    """
    layers = model.num_layers if stop_at_layer is None else stop_at_layer
    if not is_integer(layers) or not 0 < layers <= model.num_layers:
        raise ModelError(
            "stop_at_layer is not a number of blocks to run",
            found=stop_at_layer,
            expected=f"1..{model.num_layers}",
        )
    reached = sites_of(layers), parts_of(layers, model.config.heads)
    if sites is None or callable(sites):
        return choose_sites(sites, *reached)
    chosen = choose_sites(sites, model.sites, model.parts, model.patterns)
    if not chosen:
        raise ModelError(
            "no site is named",
            expected="at least one site, or None for all",
            fix="call the model itself for logits alone",
        )
    if stop_at_layer is not None:
        try:
            require_sites(chosen, reached[0], [*reached[1], *patterns_of(layers)])
        except ModelError as error:
            raise ModelError(
                f"stop_at_layer={stop_at_layer} ends the pass before a site", found=error.what
            ) from error
    return chosen


def read(
    model: Core,
    codes: Tensor,
    prompts: str | Sequence[str] | None,
    interventions: Sequence[Intervention],
    sites: Sequence[str],
    stop_at_layer: int | None,
    position_offset: Offset,
) -> tuple[Tensor, Tap]:
    """Last hidden states [B, S, d] of a pass over codes [B, K, T], and what was captured.

    Raises ModelError for arguments that do not fit, and for numbers that are not finite.
    """
    codes = model.check_codes(codes)
    rows = codes.shape[0]
    conditioning = model.condition(prompts, rows)
    halves: list[Half] = ["unconditional" if conditioning is None else "conditional"]
    like = model.decoder.final_norm.weight
    interventions = all_in_steps(interventions, max(model.delays))
    bound = bind(
        interventions, rows=rows, halves=halves, sites=[*model.sites, *model.parts], like=like
    )
    tokens = delay(codes, model.config.pad, model.delays)[:, :, :-1]
    layers = model.num_layers if stop_at_layer is None else stop_at_layer
    steps = tokens.shape[2]
    Pass(rows, halves, steps, layers).check(interventions)
    first = first_positions(position_offset, rows=rows, begin=model.first_position, steps=steps)

    def run(tap: Tap) -> Tensor:
        hidden: Tensor = model.decoder(
            tokens,
            model.positions_from(first, steps),
            text=conditioning.text if conditioning else None,
            text_mask=conditioning.mask if conditioning else None,
            tap=tap,
            stop_at_layer=stop_at_layer,
        )
        return hidden

    tap = Tap(bound, sites)
    hidden = run(tap)
    if not is_finite(hidden) or not all(is_finite(x) for (x,) in tap.captured.values()):
        watching = Tap(bound, model.sites)
        run(watching)
        broken = (site for site, x in watching.captured.items() if x and not is_finite(x[0]))
        raise no_numbers(next(broken, "the final norm"), tap, model.dtype)
    return hidden, tap


def logits_of(model: Core, hidden: Tensor, frames: int) -> Tensor:
    """Logits [B, K, T, V] of last hidden states [B, S, d]; raises ModelError if not finite."""
    logits = model.decoder.logits(hidden)
    if not is_finite(logits):
        raise no_numbers("the logits", Tap(), model.dtype)
    return undelay(logits.transpose(1, 2), frames, model.delays)


def resume(
    model: Core,
    residual: Tensor,
    layer: int,
    prompts: str | Sequence[str] | None,
    *,
    steps: Sequence[int] | None,
    past: Past | None,
) -> tuple[Tensor, Past]:
    """Logits [B, S, K, V] and the past of a pass that goes on; see ``HookedMusicGen.resume``."""
    if not is_integer(layer) or not 0 <= layer <= model.num_layers:
        raise ModelError(
            "the pass cannot go on from there",
            found=f"layer={layer!r}",
            expected=f"0..{model.num_layers}",
        )
    residual = check_residual(residual, model.width, like=model.decoder.final_norm.weight)
    rows, length, _ = residual.shape
    numbers = None if steps is None else check_steps(steps, length)
    if past is not None:
        _check_past(model, past, range(layer, model.num_layers), rows)
    conditioning = model.condition(prompts, rows)
    resumed = Resumed(past)
    hidden = model.decoder.resume(
        residual,
        layer,
        text=conditioning.text if conditioning else None,
        text_mask=conditioning.mask if conditioning else None,
        tap=Tap(),
        at=None if numbers is None else torch.tensor(numbers, device=residual.device),
        resumed=resumed,
    )
    logits: Tensor = model.decoder.logits(hidden)
    if not is_finite(logits):
        raise no_numbers("the logits", Tap(), model.dtype)
    return logits, Past(resumed.of_block, length + (0 if past is None else past.steps))


def _check_past(model: Core, past: object, blocks: range, rows: int) -> None:
    """Raise ModelError for a past that lacks a block, or is of other rows."""
    if not isinstance(past, Past):
        raise ModelError(
            "the pass cannot go on from this past",
            found=f"{past!r:.200}",
            expected="a Past, as resume returns it, or None",
        )
    lacking = [block for block in blocks if block not in past.of_block]
    if lacking:
        raise ModelError(
            "the pass cannot go on from this past",
            found=f"no keys and values of blocks {lacking}",
            expected=f"those of blocks {blocks.start} to {blocks.stop - 1}",
            fix="resume the earlier pass at this block or before it",
        )
    wanted = [2, rows, model.config.heads, past.steps, model.width // model.config.heads]
    shapes = [list(past.of_block[block].shape) for block in blocks]
    others = [shape for shape in shapes if shape != wanted]
    if others:
        raise ModelError(
            "the pass cannot go on from this past",
            found=f"keys and values {others[0]}",
            expected=f"{wanted}: the rows of the residual stream, as many steps in each block",
            fix="choose the rows by past.of_rows, and the steps by past.until",
        )
