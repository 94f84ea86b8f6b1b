"""HookedMusicGen: a MusicGen whose sites can be read and written."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

import torch
from torch import Tensor

from leitmotif.arguments import is_integer
from leitmotif.checkpoints.folders import usable_device
from leitmotif.checkpoints.weights import is_finite
from leitmotif.errors import ModelError
from leitmotif.musicgen.activation_cache import ActivationCache
from leitmotif.musicgen.arguments import check_residual, check_steps
from leitmotif.musicgen.checkpoint import (
    load_transformers,
    split_transformers,
)
from leitmotif.musicgen.choice import (
    HookFunction,
    Sites,
    as_interventions,
    choose_sites,
    require_prompts,
    require_sites,
)
from leitmotif.musicgen.core import Core, dtype_of
from leitmotif.musicgen.fits import Pass
from leitmotif.musicgen.generate import Generation, generate
from leitmotif.musicgen.intervention import Half, Intervention, all_in_steps
from leitmotif.musicgen.model import delay, undelay
from leitmotif.musicgen.positions import Offset, first_positions
from leitmotif.musicgen.sampling import Sampling
from leitmotif.musicgen.tap import Tap, bind, no_numbers
from leitmotif.musicgen.text import Padding
from leitmotif.sites import parts_of, patterns_of, sites_of


class HookedMusicGen(Core):
    """MusicGen with hook points: forward passes, captures, interventions and generation.

    Codes are codec tokens [B, K, T] in frame time; the delay pattern is applied inside. Sites and
    their shapes are described in ``leitmotif.sites``; a captured tensor is [B, S, d] with one row
    for each of the S = T + max(delays) decoder steps, and row t has read only tokens of frames
    before t. (The codec itself hears up to 74 ms past a frame's end; a claim about the future
    allows for it.)

    No weight asks for a gradient, so nothing is recorded unless an intervention's tensor does.

    >>> model = HookedMusicGen.from_pretrained("models/organism/planner")
    >>> codes = model.encode_audio(samples)
    >>> logits, cache = model.run_with_cache(codes, sites=["layers.2.residual"])
    >>> clip = model.generate(prefix=codes, seconds=4.0, seed=1)
    """

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "float32",
        text_padding: Literal["auto", "masked", "attended"] = "auto",
    ) -> Self:
        """Load a `transformers` MusicGen checkpoint from a folder or the hub.

        ``text_padding="auto"`` follows the checkpoint's origin, which for this layout is
        `transformers`: pads are masked. Raises ModelError.
        """
        if text_padding not in ("auto", "masked", "attended"):
            raise ModelError(
                "unknown text_padding", found=repr(text_padding), expected="auto, masked, attended"
            )
        usable_device(device)  # before anything is read
        padding: Padding = "attended" if text_padding == "attended" else "masked"
        parts = load_transformers(name, revision=revision, dtype=dtype_of(dtype), padding=padding)
        return cls(parts).to(device=device, dtype=dtype)

    @classmethod
    def from_transformers(
        cls, model: Any, tokenizer: Any | None = None, *, text_padding: Padding = "masked"
    ) -> Self:
        """Wrap a ``MusicgenForConditionalGeneration`` that is in memory already.

        The text encoder and the codec are shared with it, the decoder's weights are copied.
        """
        return cls(split_transformers(model, tokenizer, text_padding))

    def __call__(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        interventions: Sequence[Intervention] = (),
        position_offset: Offset = 0,
    ) -> Tensor:
        """Return logits [B, K, T, V]: for each frame and codebook, before hearing it.

        ``prompts`` is one for all rows or one a row; None is unconditional. ``position_offset`` are
        decoder steps by which the positions of all rows, or of each, are moved: as if so much music
        had come before, which is not attended to. Raises ModelError.
        """
        hidden, _ = self._run(codes, prompts, interventions, (), None, position_offset)
        return self._logits(hidden, codes.shape[2])

    def run_with_cache(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        sites: Sites = None,
        stop_at_layer: int | None = None,
        interventions: Sequence[Intervention] = (),
        position_offset: Offset = 0,
    ) -> tuple[Tensor | None, ActivationCache]:
        """Return logits [B, K, T, V] and the activations [B, S, d] at ``sites``.

        ``sites`` is a name, a list of names, a function of the canonical name that says whether to
        capture, or None for all. ``stop_at_layer=n`` runs blocks 0..n-1 only; the logits are then
        None. Captures come after interventions. Attention patterns [B, heads, S, S] are captured
        where they are named; each takes as many numbers as it has, which is 145 MB a row for 30 s
        and 16 heads in float32. ``position_offset`` is as in a pass without captures. Raises
        ModelError, also for a site that the shortened pass would not reach.
        """
        chosen = self._choose_sites(sites, stop_at_layer)
        require_prompts(chosen, prompts)
        hidden, tap = self._run(
            codes, prompts, interventions, chosen, stop_at_layer, position_offset
        )
        cache = ActivationCache({site: tap.captured[site][0] for site in chosen})
        logits = None if stop_at_layer is not None else self._logits(hidden, codes.shape[2])
        return logits, cache

    def logits_from(
        self,
        residual: Tensor,
        layer: int,
        prompts: str | Sequence[str] | None = None,
        *,
        steps: Sequence[int] | None = None,
    ) -> Tensor:
        """Return logits [B, S, K, V] by step of the blocks from ``layer`` on, and the heads.

        ``residual`` [B, S, d] is the stream before block ``layer``, as ``stop_at_layer=layer``
        leaves it: what comes before that block need not be computed again. With ``layer`` equal to
        ``num_layers`` only the final norm and the heads are left. ``steps`` asks for the logits of
        some steps only, in this order. Raises ModelError.

        >>> _, cache = model.run_with_cache(codes, sites="layers.2.residual", stop_at_layer=3)
        >>> logits = model.logits_from(cache["layers.2.residual"], 3)
        """
        if not is_integer(layer) or not 0 <= layer <= self.num_layers:
            raise ModelError(
                "the pass cannot go on from there",
                found=f"layer={layer!r}",
                expected=f"0..{self.num_layers}",
            )
        residual = check_residual(residual, self.width, like=self.decoder.final_norm.weight)
        if steps is not None:
            check_steps(steps, residual.shape[1])
        conditioning = self.condition(prompts, len(residual))
        tap = Tap()
        hidden = self.decoder.resume(
            residual,
            layer,
            text=conditioning.text if conditioning else None,
            text_mask=conditioning.mask if conditioning else None,
            tap=tap,
            at=None if steps is None else torch.tensor(steps, device=residual.device),
        )
        logits: Tensor = self.decoder.logits(hidden)
        if not is_finite(logits):
            raise no_numbers("the logits", tap, self.dtype)
        return logits

    def run_with_hooks(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        fwd_hooks: Iterable[tuple[Sites, HookFunction]],
        position_offset: Offset = 0,
    ) -> Tensor:
        """Return logits [B, K, T, V] of a pass in which functions run at sites.

        As in TransformerLens, ``fwd_hooks`` are pairs of sites (as for ``run_with_cache``) and a
        function, which is called as ``function(activations, hook=hook)`` with activations
        [B, S, d]; ``hook.name`` is the site and ``hook.layer()`` its block. It returns activations
        of that shape to go on with, or None to go on with the same tensor, which it may have
        changed in place. An ``Intervention`` does the same for chosen rows, steps or frames, and
        during generation. Raises ModelError.
        """
        interventions = as_interventions(fwd_hooks, self.sites, self.parts)
        return self(codes, prompts, interventions=interventions, position_offset=position_offset)

    def generate(
        self,
        prompts: str | Sequence[str] | None = None,
        *,
        seconds: float,
        prefix: Tensor | None = None,
        tracks: Sequence[str] | None = None,
        seed: int = 0,
        sampling: Sampling | None = None,
        guidance_scale: float | None = None,
        interventions: Sequence[Intervention] = (),
        position_offset: Offset = 0,
        capture: Sites = (),
    ) -> Generation:
        """Sample ``seconds`` of new audio, after ``prefix`` codes [B, K, P] if they are given.

        ``tracks`` names each row's noise: rows with one name and seed share it, whatever batch
        they are in (default: the row's number). ``guidance_scale`` weighs the prompt (None: the
        checkpoint's own; 1: no guidance); without prompts there is none. ``position_offset`` moves
        the positions of prefix and continuation, as in a pass. Raises ModelError.
        """
        return generate(
            self,
            prompts,
            seconds=seconds,
            prefix=prefix,
            tracks=tracks,
            seed=seed,
            sampling=Sampling() if sampling is None else sampling,
            guidance_scale=guidance_scale,
            interventions=interventions,
            position_offset=position_offset,
            capture=capture,
        )

    def _choose_sites(self, sites: Sites, stop_at_layer: int | None) -> list[str]:
        layers = self.num_layers if stop_at_layer is None else stop_at_layer
        if not is_integer(layers) or not 0 < layers <= self.num_layers:
            raise ModelError(
                "stop_at_layer is not a number of blocks to run",
                found=stop_at_layer,
                expected=f"1..{self.num_layers}",
            )
        reached = sites_of(layers), parts_of(layers, self.config.heads)
        if sites is None or callable(sites):
            return choose_sites(sites, *reached)
        chosen = choose_sites(sites, self.sites, self.parts, self.patterns)
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

    def _run(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None,
        interventions: Sequence[Intervention],
        sites: Sequence[str],
        stop_at_layer: int | None,
        position_offset: Offset,
    ) -> tuple[Tensor, Tap]:
        codes = self.check_codes(codes)
        rows = codes.shape[0]
        conditioning = self.condition(prompts, rows)
        halves: list[Half] = ["unconditional" if conditioning is None else "conditional"]
        like = self.decoder.final_norm.weight
        interventions = all_in_steps(interventions, max(self.delays))
        bound = bind(
            interventions, rows=rows, halves=halves, sites=[*self.sites, *self.parts], like=like
        )
        tokens = delay(codes, self.config.pad, self.delays)[:, :, :-1]
        layers = self.num_layers if stop_at_layer is None else stop_at_layer
        steps = tokens.shape[2]
        Pass(rows, halves, steps, layers).check(interventions)
        first = first_positions(position_offset, rows=rows, begin=self.first_position, steps=steps)

        def read(tap: Tap) -> Tensor:
            hidden: Tensor = self.decoder(
                tokens,
                self.positions_from(first, steps),
                text=conditioning.text if conditioning else None,
                text_mask=conditioning.mask if conditioning else None,
                tap=tap,
                stop_at_layer=stop_at_layer,
            )
            return hidden

        tap = Tap(bound, sites)
        hidden = read(tap)
        if not is_finite(hidden) or not all(is_finite(x) for (x,) in tap.captured.values()):
            watching = Tap(bound, self.sites)
            read(watching)
            broken = (site for site, x in watching.captured.items() if x and not is_finite(x[0]))
            raise no_numbers(next(broken, "the final norm"), tap, self.dtype)
        return hidden, tap

    def _logits(self, hidden: Tensor, frames: int) -> Tensor:
        logits = self.decoder.logits(hidden)
        if not is_finite(logits):
            raise no_numbers("the logits", Tap(), self.dtype)
        return undelay(logits.transpose(1, 2), frames, self.delays)
