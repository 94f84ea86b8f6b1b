"""A model of another kind than MusicGen: 25 frames a second, 12 codebooks, 24 kHz, no MLP.

It is no network that anyone trained. What it reads off a recording is known, so that a test can say
where in its states that has to be:

- token k of a frame is the level of the frame's k-th twelfth, in steps of 6 dB;
- coordinate 0 of the residual stream is the number of the step;
- coordinate 1 of block 0 and later is 1 while a burst (a frame whose first twelfth has the highest
  level) is among the last ``REACH`` steps that have been read.

All codebooks but the first lag behind by one step. Weights are random and in float64.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from leitmotif.errors import ModelError
from leitmotif.musicgen.activation_cache import ActivationCache
from leitmotif.musicgen.choice import Sites, require_sites
from leitmotif.musicgen.generate import Generation
from leitmotif.musicgen.intervention import Intervention
from leitmotif.musicgen.key_values import Past
from leitmotif.musicgen.noise import RowNoise
from leitmotif.musicgen.positions import Offset
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.musicgen.sampling import Sampling, draw
from leitmotif.musicgen.tap import Tap, bind

BURST = 15
"""Token of the highest level."""
REACH = 100
_TWELFTH = 80
"""Samples."""


@lru_cache(maxsize=1)
def other_model() -> MusicModel:
    """The model, made once in a process."""
    return OtherModel()


class OtherModel:
    """See the module; the members are ``MusicModel``'s."""

    sample_rate = 24_000
    samples_per_frame = 960
    frame_rate = 25.0
    hearing_seconds = 0.0
    codebooks = 12
    codebook_size = 16
    delays = (0, *(1,) * 11)
    num_layers = 2
    width = 24
    attention_reach: int | None = REACH
    default_guidance_scale = 1.0
    device = torch.device("cpu")
    dtype = torch.float64
    dtype_beside = torch.float64

    def __init__(self) -> None:
        random = torch.Generator().manual_seed(0)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=random, dtype=torch.float64)

        self._embedding = normal(self.codebooks, self.codebook_size + 1, self.width) / 4
        self._embedding[:, :, :2] = 0
        self._embedding[0, BURST, 1] = 1
        self._values = normal(self.num_layers, self.width, self.width) / 4
        self._values[:, :, :2] = 0
        self._values[:, 0] = 0
        self._heads = normal(self.width, self.codebooks * self.codebook_size) / 2
        self._heads[0] = 0

    @property
    def sites(self) -> list[str]:
        kinds = ("self_attention", "residual")
        return [f"layers.{i}.{kind}" for i in range(self.num_layers) for kind in kinds]

    @property
    def parts(self) -> list[str]:
        return []

    @property
    def fingerprint(self) -> str:
        weights = [self._embedding, self._values, self._heads]
        return hashlib.sha256(b"".join(w.numpy().tobytes() for w in weights)).hexdigest()

    @property
    def codec_fingerprint(self) -> str:
        return hashlib.sha256(b"levels").hexdigest()

    def encode_audio(self, audio: Tensor | np.ndarray) -> Tensor:
        audio = torch.as_tensor(audio, dtype=torch.float64)
        audio = audio[None] if audio.dim() == 1 else audio
        frames = audio.shape[1] // self.samples_per_frame
        parts = audio[:, : frames * self.samples_per_frame]
        level = parts.reshape(len(audio), frames, self.codebooks, _TWELFTH).square().mean(-1).sqrt()
        tokens = (16 + level.clamp(min=1e-9).log2().round()).clamp(0, BURST)
        return tokens.long().transpose(1, 2)

    def decode_audio(self, codes: Tensor) -> Tensor:
        wave = 2**0.5 * torch.sin(2 * torch.pi * 4 * torch.arange(_TWELFTH) / _TWELFTH)
        level = 2.0 ** (codes.transpose(1, 2).double() - 16)  # [B, T, K]
        return (level[..., None] * wave).flatten(1).float()

    def __call__(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        interventions: Sequence[Intervention] = (),
    ) -> Tensor:
        _unconditional(prompts)
        hidden, _ = self._run(self._delayed(codes)[:, :, :-1], interventions, (), None)
        return self._in_frames(self._logits(hidden), codes.shape[2])

    def run_with_cache(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        sites: Sites = None,
        stop_at_layer: int | None = None,
        interventions: Sequence[Intervention] = (),
    ) -> tuple[Tensor | None, ActivationCache]:
        _unconditional(prompts)
        chosen = self._chosen(sites)
        tokens = self._delayed(codes)[:, :, :-1]
        hidden, tap = self._run(tokens, interventions, chosen, stop_at_layer)
        cache = ActivationCache({site: tap.captured[site][0] for site in chosen})
        if stop_at_layer is not None:
            return None, cache
        return self._in_frames(self._logits(hidden), codes.shape[2]), cache

    def logits_from(
        self,
        residual: Tensor,
        layer: int,
        prompts: str | Sequence[str] | None = None,
        *,
        steps: Sequence[int] | None = None,
    ) -> Tensor:
        return self.resume(residual, layer, prompts, steps=steps)[0]

    def resume(
        self,
        residual: Tensor,
        layer: int,
        prompts: str | Sequence[str] | None = None,
        *,
        steps: Sequence[int] | None = None,
        past: Past | None = None,
    ) -> tuple[Tensor, Past]:
        """The past is the stream itself, [1, B, 1, P, d]: all is computed anew, plainly."""
        _unconditional(prompts)
        before = residual[:, :0] if past is None else past.of_block[layer][0, :, 0]
        x = torch.cat([before, residual], dim=1)
        streams = {layer: x}
        for block in range(layer, self.num_layers):
            streams[block + 1] = self._blocks(streams[block], range(block, block + 1), Tap())
        hidden = streams[self.num_layers][:, before.shape[1] :]
        kept = Past({block: x[None, :, None] for block, x in streams.items()}, x.shape[1])
        return self._logits(hidden if steps is None else hidden[:, list(steps)]), kept

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
        """All steps are computed anew for each one: slow, and plain."""
        _unconditional(prompts)
        if position_offset != 0 and any(np.atleast_1d(position_offset)):
            raise ModelError("the model has no positions", found=position_offset, expected="0")
        if prefix is None:
            prefix = torch.zeros(len(tracks or [""]), self.codebooks, 0, dtype=torch.long)
        sampling = sampling or Sampling()
        rows, _, held = prefix.shape
        frames = held + round(seconds * self.frame_rate)
        names = tracks or [str(row) for row in range(rows)]
        noise = RowNoise(
            seed,
            names,
            codebooks=self.codebooks,
            codebook_size=self.codebook_size,
            device=self.device,
            dtype=self.dtype,
        )
        codes = F.pad(prefix, (0, frames - held))
        chosen = self._chosen(capture)
        tap = Tap(None, chosen)
        for step in range(held, frames + max(self.delays)):
            tokens = self._delayed(codes)[:, :, : step + 1]
            hidden, tap = self._run(tokens, interventions, chosen, None)
            drawn = draw(self._logits(hidden)[:, -1], noise.at(step), sampling)
            for k, delay in enumerate(self.delays):
                if held <= step - delay < frames:
                    codes[:, k, step - delay] = drawn[:, k]
        cache = ActivationCache({site: tap.captured[site][0] for site in chosen})
        return Generation(codes, held, cache, ActivationCache({}))

    def _chosen(self, sites: Sites) -> list[str]:
        if isinstance(sites, str):
            sites = [sites]
        if sites is None or callable(sites):
            sites = [site for site in self.sites if sites is None or sites(site)]
        return require_sites(sites, self.sites)

    def _delayed(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] as inputs [B, K, S + 1]: step s reads frame s - 1 - delay."""
        last = max(self.delays)
        tokens = codes.new_full((*codes.shape[:2], codes.shape[2] + 1 + last), self.codebook_size)
        for k, delay in enumerate(self.delays):
            tokens[:, k, 1 + delay : 1 + delay + codes.shape[2]] = codes[:, k]
        return tokens

    def _in_frames(self, logits: Tensor, frames: int) -> Tensor:
        """Logits [B, S, K, V] of steps as those of frames, [B, K, T, V]."""
        books = [logits[:, d : d + frames, k] for k, d in enumerate(self.delays)]
        return torch.stack(books, dim=1)

    def _logits(self, hidden: Tensor) -> Tensor:
        logits = hidden @ self._heads
        return logits.unflatten(-1, (self.codebooks, self.codebook_size))

    def _run(
        self,
        tokens: Tensor,
        interventions: Sequence[Intervention],
        sites: Sequence[str],
        stop_at_layer: int | None,
    ) -> tuple[Tensor, Tap]:
        bound = bind(
            [item.in_steps(max(self.delays)) for item in interventions],
            rows=len(tokens),
            halves=["unconditional"],
            sites=self.sites,
            like=self._heads.T,
        )
        tap, steps = Tap(bound, sites), tokens.shape[2]
        books = torch.arange(self.codebooks)[:, None]
        x = self._embedding[books, tokens].sum(1)
        x[:, :, 0] = torch.arange(steps)
        layers = self.num_layers if stop_at_layer is None else stop_at_layer
        return self._blocks(x, range(layers), tap), tap

    def _blocks(self, x: Tensor, layers: range, tap: Tap) -> Tensor:
        steps = x.shape[1]
        age = torch.arange(steps)[:, None] - torch.arange(steps)
        seen = (age >= 0) & (age < REACH)
        for i in layers:
            added = torch.tanh((seen / seen.sum(1, keepdim=True)).double() @ x @ self._values[i])
            if i == 0:
                burst = (seen[None] * x[:, None, :, 1]).amax(-1)
                added[:, :, 1] = burst - x[:, :, 1]
            x = x + tap(f"layers.{i}.self_attention", added)
            x = tap(f"layers.{i}.residual", x)
        return x


def _unconditional(prompts: object) -> None:
    if prompts is not None:
        raise ModelError("the model takes no prompts", found=prompts, expected="None")
