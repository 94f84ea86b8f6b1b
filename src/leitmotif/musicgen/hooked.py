"""HookedMusicGen: a MusicGen whose sites can be read and written."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from leitmotif.checkpoints import usable_device
from leitmotif.errors import ModelError
from leitmotif.musicgen.checkpoint import (
    Parts,
    codec_fingerprint,
    fingerprint,
    load_transformers,
    split_transformers,
)
from leitmotif.musicgen.choice import HookFunction, Sites, as_interventions, choose_sites
from leitmotif.musicgen.generate import Generation, Sampling, generate
from leitmotif.musicgen.hooks import ActivationCache, Half, Intervention, Tap, bind, check_sites
from leitmotif.musicgen.model import TextKeys, delay, sinusoidal_positions, undelay
from leitmotif.musicgen.text import Padding
from leitmotif.sites import sites_of

DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


class Conditioning(NamedTuple):
    """Prompts, encoded and projected for every block of the decoder."""

    text: list[TextKeys]
    mask: Tensor | None  # [B, 1, 1, L], True where attended; None attends to everything


class HookedMusicGen:
    """MusicGen with hook points: forward passes, captures, interventions and generation.

    Codes are codec tokens [B, K, T] in frame time; the delay pattern is applied inside. Sites and
    their shapes are described in ``leitmotif.sites``; a captured tensor is [B, S, d] with one row
    for each of the S = T + K - 1 decoder steps, and row t has read only tokens of frames before t.
    (The codec itself hears up to 74 ms past a frame's end; a claim about the future allows for it.)

    No weight asks for a gradient, so nothing is recorded unless an intervention's tensor does.

    >>> model = HookedMusicGen.from_pretrained("models/organism/planner")
    >>> codes = model.encode_audio(samples)
    >>> logits, cache = model.run_with_cache(codes, sites=["layers.2.residual"])
    >>> clip = model.generate(prefix=codes, seconds=4.0, seed=1)
    """

    def __init__(self, parts: Parts) -> None:
        self.decoder = parts.decoder.eval().requires_grad_(False)
        self.text = parts.text.eval().requires_grad_(False)
        self.codec = parts.codec.eval().requires_grad_(False)
        self.config = self.decoder.config
        self.default_guidance_scale = parts.guidance_scale
        self._positions = torch.empty(0)

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
        padding: Padding = "attended" if text_padding == "attended" else "masked"
        parts = load_transformers(name, revision=revision, dtype=_dtype(dtype), padding=padding)
        return cls(parts).to(device=device, dtype=dtype)

    @classmethod
    def from_transformers(
        cls, model: Any, tokenizer: Any | None = None, *, text_padding: Padding = "masked"
    ) -> Self:
        """Wrap a ``MusicgenForConditionalGeneration`` that is in memory already.

        The text encoder and the codec are shared with it, the decoder's weights are copied.
        """
        return cls(split_transformers(model, tokenizer, text_padding))

    def to(self, *, device: str | None = None, dtype: str | None = None) -> Self:
        """Move to a device (``auto``: a GPU if there is one) and precision; returns self."""
        place = usable_device(device) if device else None
        kind = _dtype(dtype) if dtype else None
        self.decoder.to(device=place, dtype=kind)
        self.text.to(device=place, dtype=kind)
        self.codec.to(device=place, dtype=self.dtype_beside)
        self._positions = torch.empty(0)
        for name in ("fingerprint", "codec_fingerprint"):
            self.__dict__.pop(name, None)
        return self

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.decoder.heads.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the decoder."""
        return self.decoder.heads.weight.dtype

    @property
    def dtype_beside(self) -> torch.dtype:
        """Precision of what is computed beside the decoder: its codec, autoencoders."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32

    @property
    def num_layers(self) -> int:
        """Blocks of the decoder."""
        return self.config.layers

    @property
    def width(self) -> int:
        """Width of the residual stream."""
        return self.config.width

    @property
    def sample_rate(self) -> int:
        """Samples a second."""
        return self.codec.sample_rate

    @property
    def frame_rate(self) -> float:
        """Codec frames, and decoder steps, a second."""
        return self.codec.sample_rate / self.codec.hop

    @property
    def sites(self) -> list[str]:
        """All sites, in the order in which a pass reaches them."""
        return sites_of(self.num_layers)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all weights as they are in memory, and of the decoder's sizes (64 hex)."""
        return fingerprint([self.decoder, self.text, self.codec], self.config)

    @cached_property
    def codec_fingerprint(self) -> str:
        """SHA-256 of the codec's settings and weights (64 hex), the same beside any decoder."""
        return codec_fingerprint(self.codec)

    def encode_audio(self, samples: Tensor | np.ndarray) -> Tensor:
        """Encode samples [n] or [B, n] at ``sample_rate`` to codes [B, K, T], T whole frames."""
        return self.codec.encode(samples)

    def decode_audio(self, codes: Tensor) -> Tensor:
        """Decode codes [B, K, T] to samples [B, n]."""
        return self.codec.decode(codes)

    def __call__(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        interventions: Sequence[Intervention] = (),
    ) -> Tensor:
        """Return logits [B, K, T, V]: for each frame and codebook, before hearing it.

        ``prompts`` is one for all rows or one a row; None is unconditional. Raises ModelError.
        """
        hidden, _ = self._run(codes, prompts, interventions, (), None)
        return self._logits(hidden, codes.shape[2])

    def run_with_cache(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        sites: Sites = None,
        stop_at_layer: int | None = None,
        interventions: Sequence[Intervention] = (),
    ) -> tuple[Tensor | None, ActivationCache]:
        """Return logits [B, K, T, V] and the activations [B, S, d] at ``sites``.

        ``sites`` is a name, a list of names, a function of the canonical name that says whether to
        capture, or None for all. ``stop_at_layer=n`` runs blocks 0..n-1 only; the logits are then
        None. Captures come after interventions. Raises ModelError, also for a site that the
        shortened pass would not reach.
        """
        chosen = self._choose_sites(sites, stop_at_layer)
        hidden, tap = self._run(codes, prompts, interventions, chosen, stop_at_layer)
        cache = ActivationCache({site: tap.captured[site][0] for site in chosen})
        logits = None if stop_at_layer is not None else self._logits(hidden, codes.shape[2])
        return logits, cache

    def run_with_hooks(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        fwd_hooks: Iterable[tuple[Sites, HookFunction]],
    ) -> Tensor:
        """Return logits [B, K, T, V] of a pass in which functions run at sites.

        As in TransformerLens, ``fwd_hooks`` are pairs of sites (as for ``run_with_cache``) and a
        function, which is called as ``function(activations, hook=hook)`` with activations
        [B, S, d]; ``hook.name`` is the site and ``hook.layer()`` its block. It returns activations
        of that shape to go on with, or None to go on with the same tensor, which it may have
        changed in place. An ``Intervention`` does the same for chosen rows, steps or frames, and
        during generation. Raises ModelError.
        """
        return self(codes, prompts, interventions=as_interventions(fwd_hooks, self.num_layers))

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
        capture: Sites = (),
    ) -> Generation:
        """Sample ``seconds`` of new audio, after ``prefix`` codes [B, K, P] if they are given.

        ``tracks`` names each row's noise: rows with one name and seed share it, whatever batch
        they are in (default: the row's number). ``guidance_scale`` weighs the prompt (None: the
        checkpoint's own; 1: no guidance); without prompts there is none. Raises ModelError.
        """
        return generate(
            self,
            prompts,
            seconds=seconds,
            prefix=prefix,
            tracks=tracks,
            seed=seed,
            sampling=sampling or Sampling(),
            guidance_scale=guidance_scale,
            interventions=interventions,
            capture=capture,
        )

    def positions(self, steps: int) -> Tensor:
        """Position embeddings [S, d] of the first ``steps`` steps."""
        if self._positions.shape[0] < steps:
            self._positions = sinusoidal_positions(
                max(steps, 2048), self.width, exact=self.dtype == torch.float64
            ).to(device=self.device, dtype=self.dtype)
        return self._positions[:steps]

    def condition(self, prompts: str | Sequence[str] | None, rows: int) -> Conditioning | None:
        """Encode prompts for a batch of ``rows``; None for None. Raises ModelError."""
        if prompts is None:
            return None
        prompts = [prompts] * rows if isinstance(prompts, str) else list(prompts)
        if len(prompts) != rows:
            raise ModelError(
                "prompts and rows do not match",
                found=f"{len(prompts)} prompts",
                expected=f"1 or {rows}",
            )
        distinct = list(dict.fromkeys(prompts))
        states, mask = self.text(distinct)
        rows_of = torch.tensor([distinct.index(prompt) for prompt in prompts], device=self.device)
        text = self.decoder.text_keys(states.clone())
        expanded = [TextKeys(keys[rows_of], values[rows_of]) for keys, values in text]
        return Conditioning(expanded, None if mask is None else mask[rows_of, None, None])

    def check_codes(self, codes: Tensor) -> Tensor:
        """Return codes on the model's device; raises ModelError for a wrong shape, type or token.

        A padded or delayed sequence is refused here, where it would silently be read as music.
        """
        config = self.config
        ok = codes.dim() == 3 and codes.shape[1] == config.codebooks and codes.shape[2] > 0
        if not ok or codes.is_floating_point() or codes.dtype == torch.bool:
            raise ModelError(
                "these are not codes",
                found=f"shape {tuple(codes.shape)}, {codes.dtype}",
                expected=f"integers [B, {config.codebooks}, T], as encode_audio returns them",
            )
        low, high = int(codes.min()), int(codes.max())
        if low < 0 or high >= config.codebook_size:
            raise ModelError(
                "codes are out of range",
                found=f"{low}..{high}",
                expected=f"0..{config.codebook_size - 1}; pads and delays are added inside",
            )
        return codes.to(self.device, torch.long)

    def _choose_sites(self, sites: Sites, stop_at_layer: int | None) -> list[str]:
        layers = self.num_layers if stop_at_layer is None else stop_at_layer
        if not 0 < layers <= self.num_layers:
            raise ModelError(
                "stop_at_layer is not a number of blocks to run",
                found=stop_at_layer,
                expected=f"1..{self.num_layers}",
            )
        if sites is None or callable(sites):
            return choose_sites(sites, layers)
        chosen = choose_sites(sites, self.num_layers)
        if stop_at_layer is not None:
            try:
                check_sites(chosen, layers)
            except ModelError as error:
                raise ModelError(
                    f"stop_at_layer={stop_at_layer} ends the pass before a site", found=error.found
                ) from error
        return chosen

    def _run(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None,
        interventions: Sequence[Intervention],
        sites: Sequence[str],
        stop_at_layer: int | None,
    ) -> tuple[Tensor, Tap]:
        codes = self.check_codes(codes)
        rows = codes.shape[0]
        conditioning = self.condition(prompts, rows)
        halves: list[Half] = ["unconditional" if conditioning is None else "conditional"]
        like = self.decoder.final_norm.weight
        interventions = [item.in_steps(self.config.codebooks) for item in interventions]
        bound = bind(interventions, rows=rows, halves=halves, layers=self.num_layers, like=like)
        tap = Tap(bound, sites)
        tokens = delay(codes, self.config.pad)[:, :, :-1]
        hidden = self.decoder(
            tokens,
            self.positions(tokens.shape[2]),
            text=conditioning.text if conditioning else None,
            text_mask=conditioning.mask if conditioning else None,
            tap=tap,
            stop_at_layer=stop_at_layer,
        )
        return hidden, tap

    def _logits(self, hidden: Tensor, frames: int) -> Tensor:
        return undelay(self.decoder.logits(hidden).transpose(1, 2), frames)


def _dtype(name: str) -> torch.dtype:
    try:
        return DTYPES[name]
    except KeyError:
        raise ModelError("unknown dtype", found=name, expected=", ".join(DTYPES)) from None
