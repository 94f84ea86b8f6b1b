"""Sampling from a HookedMusicGen, step by step, with a preallocated key/value cache."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from leitmotif.errors import ModelError
from leitmotif.musicgen.choice import Sites, choose_sites
from leitmotif.musicgen.core import Conditioning, Core
from leitmotif.musicgen.hooks import ActivationCache, Half, Intervention, Tap, bind
from leitmotif.musicgen.key_values import key_value_cache
from leitmotif.musicgen.model import TextKeys, delay, undelay
from leitmotif.musicgen.noise import RowNoise


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn; the defaults are MusicGen's. Raises ModelError if out of range."""

    temperature: float = 1.0
    """0 takes the likeliest token (greedy decoding)."""
    top_k: int | None = 250
    """Keep so many of the likeliest tokens; None keeps all."""
    top_p: float | None = None
    """Keep the likeliest tokens until their probabilities sum to this; None keeps all."""

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise ModelError("temperature", found=self.temperature, expected="0 or more")
        if self.top_k is not None and self.top_k < 1:
            raise ModelError("top_k", found=self.top_k, expected="1 or more, or None")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ModelError("top_p", found=self.top_p, expected="above 0 and up to 1, or None")


GREEDY = Sampling(temperature=0.0, top_k=None)


@dataclass(frozen=True, eq=False)
class Generation:
    """Generated clips."""

    codes: Tensor
    """[B, K, P + T], the prefix included."""
    prefix_frames: int
    """P."""
    activations: ActivationCache
    """Captured [B, S, d] of the rows with their prompt (of all rows where there are no prompts)."""
    unconditional: ActivationCache
    """The same of the half without prompts, under guidance; else empty."""

    @property
    def continuation(self) -> Tensor:
        """Codes of the new audio alone, [B, K, T]."""
        return self.codes[:, :, self.prefix_frames :]


@torch.inference_mode()
def generate(
    model: Core,
    prompts: str | Sequence[str] | None,
    *,
    seconds: float,
    prefix: Tensor | None,
    tracks: Sequence[str] | None,
    seed: int,
    sampling: Sampling,
    guidance_scale: float | None,
    interventions: Sequence[Intervention],
    capture: Sites,
) -> Generation:
    """See ``HookedMusicGen.generate``."""
    config, device = model.config, model.device
    rows = _count_rows(prompts, prefix, tracks)
    new_frames = round(seconds * model.frame_rate)
    if new_frames < 1:
        raise ModelError(
            "nothing to generate",
            found=f"{seconds} s",
            expected=f"at least one frame, {1 / model.frame_rate} s",
        )
    if prefix is None:
        prefix = torch.empty(rows, config.codebooks, 0, dtype=torch.long, device=device)
    else:
        prefix = model.check_codes(prefix)
    sites = choose_sites(capture, config.layers)
    interventions = [item.in_steps(max(model.delays)) for item in interventions]
    conditioning = model.condition(prompts, rows)
    scale = model.default_guidance_scale if guidance_scale is None else guidance_scale
    guided = conditioning is not None and scale != 1.0
    halves: list[Half] = ["unconditional" if conditioning is None else "conditional"]
    halves += ["unconditional"] * guided
    noise = RowNoise(
        seed,
        tracks or [str(row) for row in range(rows)],
        codebooks=config.codebooks,
        codebook_size=config.codebook_size,
        device=device,
        dtype=model.dtype_beside,
    )

    held, frames = prefix.shape[2], prefix.shape[2] + new_frames
    steps = frames + config.codebooks - 1
    tokens = delay(F.pad(prefix, (0, new_frames)), config.pad)  # [B, K, frames + K]
    to_draw = _new_tokens(config.codebooks, held, frames).to(device)  # [K, S]
    batch = _Batch(model, rows, halves, interventions, sites)
    hidden = batch.read_prefix(
        tokens[:, :, : held + 1], _prefixes(prompts, prefix), conditioning, steps
    )
    for step in range(held, steps):
        if step > held:
            hidden = batch.read_step(tokens[:, :, step : step + 1], step)
        logits = model.decoder.logits(hidden)[:, 0]  # [halves * B, K, V]
        if guided:
            with_prompt, without = logits[:rows], logits[rows:]
            logits = without + scale * (with_prompt - without)
        token = draw(logits, noise.at(step) if sampling.temperature else None, sampling)
        tokens[:, :, step + 1] = torch.where(to_draw[:, step], token, tokens[:, :, step + 1])

    captured = batch.captured()
    return Generation(
        codes=undelay(tokens[:, :, 1:], frames),
        prefix_frames=held,
        activations=ActivationCache({site: x[:rows] for site, x in captured.items()}),
        unconditional=ActivationCache({s: x[rows:] for s, x in captured.items() if guided}),
    )


class _Batch:
    """Rows, in one or both halves of the guidance, on their way through the decoder.

    The prefix runs once for each kind of row; its keys and values then serve all rows of the kind.
    """

    def __init__(
        self,
        model: Core,
        rows: int,
        halves: Sequence[Half],
        interventions: Sequence[Intervention],
        sites: Sequence[str],
    ) -> None:
        self._model, self._halves = model, halves
        self._rows, self._interventions, self._sites = rows, interventions, sites
        self._tap = self._bind(interventions, rows)

    def read_prefix(
        self,
        tokens: Tensor,
        contents: Sequence[object],
        conditioning: Conditioning | None,
        steps: int,
    ) -> Tensor:
        """Read the first tokens [B, K, P + 1] and return the stream [halves * B, 1, d] after them.

        ``contents`` says which rows have the same prompt and prefix.
        """
        model, device = self._model, tokens.device
        first, kind = _kinds(contents, self._interventions, tokens.shape[2])
        one_each = torch.tensor(first, device=device)
        self._prefix_tap = self._bind(
            [seen for item in self._interventions if (seen := _restrict(item, first))], len(first)
        )
        self._cache = key_value_cache(
            layers=model.num_layers,
            rows=len(self._halves) * self._rows,
            heads=model.config.heads,
            steps=steps,
            like=model.decoder.final_norm.weight,
        )
        self._positions = model.positions(steps)
        hidden = model.decoder(
            tokens[one_each].repeat(len(self._halves), 1, 1),
            self._positions[: tokens.shape[2]],
            **_text(conditioning, one_each),
            tap=self._prefix_tap,
            past=self._cache,
        )[:, -1:]
        offsets = [half * len(first) for half in range(len(self._halves))]
        self._expand = torch.tensor([at + k for at in offsets for k in kind], device=device)
        self._text = _text(conditioning, None)
        if len(first) == self._rows:
            return hidden
        self._cache.take_rows(self._expand)
        return hidden[self._expand]

    def read_step(self, tokens: Tensor, step: int) -> Tensor:
        """Read one step's tokens [B, K, 1] and return the stream [halves * B, 1, d] after it."""
        self._tap.first_step = step
        return self._model.decoder(
            tokens.repeat(len(self._halves), 1, 1),
            self._positions[step : step + 1],
            **self._text,
            tap=self._tap,
            past=self._cache,
        )

    def captured(self) -> dict[str, Tensor]:
        """Activations [halves * B, S, d] of all steps read."""
        return {
            site: torch.cat(
                [self._prefix_tap.captured[site][0][self._expand], *self._tap.captured[site]], dim=1
            )
            for site in self._sites
        }

    def _bind(self, interventions: Sequence[Intervention], rows: int) -> Tap:
        decoder = self._model.decoder
        bound = bind(
            interventions,
            rows=rows,
            halves=self._halves,
            sites=self._model.sites,
            like=decoder.final_norm.weight,
        )
        return Tap(bound, self._sites)


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
        mass = ordered.softmax(-1).cumsum(-1)
        # A token goes if those before it already hold enough.
        excess = mass - ordered.softmax(-1) >= sampling.top_p
        logits = logits.masked_fill(excess.scatter(-1, order, excess), -math.inf)
    return (logits + noise).argmax(-1)


def _count_rows(
    prompts: str | Sequence[str] | None, prefix: Tensor | None, tracks: Sequence[str] | None
) -> int:
    counts = {}
    if prompts is not None and not isinstance(prompts, str):
        counts["prompts"] = len(prompts)
    if prefix is not None:
        counts["prefix"] = prefix.shape[0]
    if tracks is not None:
        counts["tracks"] = len(tracks)
    if len(set(counts.values())) > 1 or 0 in counts.values():
        raise ModelError(
            "the number of rows is unclear",
            found=", ".join(f"{count} {name}" for name, count in counts.items()),
            expected="as many prompts, prefix rows and tracks as clips wanted, at least one",
        )
    return next(iter(counts.values()), 1)


def _new_tokens(codebooks: int, held: int, frames: int) -> Tensor:
    """Which predictions [K, S] are new audio: not the prefix, and no frame past the end."""
    steps = frames + codebooks - 1
    predicted = torch.arange(steps) - torch.arange(codebooks)[:, None]
    return (predicted >= held) & (predicted < frames)


def _prefixes(prompts: str | Sequence[str] | None, prefix: Tensor) -> list[object]:
    """What each row reads before it continues: its prompt and its prefix."""
    contents = prefix.cpu().numpy()
    texts = [prompts] * len(contents) if prompts is None or isinstance(prompts, str) else prompts
    return [(text, codes.tobytes()) for text, codes in zip(texts, contents, strict=True)]


def _kinds(
    contents: Sequence[object], interventions: Sequence[Intervention], steps: int
) -> tuple[list[int], list[int]]:
    """The first row of each kind whose first ``steps`` run alike, and each row's kind."""
    kinds: dict[object, int] = {}
    first: list[int] = []
    kind_of: list[int] = []
    for row, content in enumerate(contents):
        touching = [item for item in interventions if item.touches(row, steps)]
        # What a function, or a tensor with vectors for each row, does to two rows may differ.
        alone = any(
            callable(item.change) or (item.tensor is not None and item.tensor.dim() == 3)
            for item in touching
        )
        kind = (content, tuple(map(id, touching)), row if alone else None)
        if kind not in kinds:
            kinds[kind] = len(first)
            first.append(row)
        kind_of.append(kinds[kind])
    return first, kind_of


def _restrict(item: Intervention, rows: Sequence[int]) -> Intervention | None:
    """The intervention as seen by a batch of these rows alone; None if it leaves them alone."""
    if item.rows is None:
        return item
    kept = [i for i, row in enumerate(item.rows) if row in rows]
    if not kept:
        return None
    tensor = item.tensor
    if tensor is not None and tensor.dim() == 3:
        tensor = tensor[kept]
    return replace(item, rows=[rows.index(item.rows[i]) for i in kept], tensor=tensor)


def _text(conditioning: Conditioning | None, rows: Tensor | None) -> dict[str, Any]:
    """The decoder's arguments for these rows of the prompts, or for all of them."""
    if conditioning is None:
        return {"text": None, "text_mask": None}
    text, mask = conditioning
    if rows is not None:
        text = [TextKeys(keys[rows], values[rows]) for keys, values in text]
        mask = None if mask is None else mask[rows]
    return {"text": text, "text_mask": mask}
