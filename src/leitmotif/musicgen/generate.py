"""Sampling from a HookedMusicGen, step by step, with a preallocated key/value cache."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen.hooks import ActivationCache, Half, Intervention, Tap, bind, check_sites
from leitmotif.musicgen.model import KeyValueCache, TextKeys, delay
from leitmotif.musicgen.noise import RowNoise

if TYPE_CHECKING:
    from leitmotif.musicgen.hooked import Conditioning, HookedMusicGen


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
    model: "HookedMusicGen",
    prompts: str | Sequence[str] | None,
    *,
    seconds: float,
    prefix: Tensor | None,
    tracks: Sequence[str] | None,
    seed: int,
    sampling: Sampling,
    guidance_scale: float | None,
    interventions: Sequence[Intervention],
    capture: Iterable[str],
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
    conditioning = model.condition(prompts, rows)
    scale = model.default_guidance_scale if guidance_scale is None else guidance_scale
    guided = conditioning is not None and scale != 1.0
    halves: list[Half] = ["unconditional" if conditioning is None else "conditional"]
    halves += ["unconditional"] * guided
    sites = list(dict.fromkeys(check_sites(capture, config.layers)))
    like = model.decoder.final_norm.weight
    noise = RowNoise(
        seed,
        tracks or [str(row) for row in range(rows)],
        codebooks=config.codebooks,
        codebook_size=config.codebook_size,
        device=device,
    )

    held, frames = prefix.shape[2], prefix.shape[2] + new_frames
    tokens = delay(
        torch.cat([prefix, prefix.new_zeros(rows, config.codebooks, new_frames)], dim=2), config.pad
    )  # [B, K, frames + K]
    steps = frames + config.codebooks - 1
    positions = model.positions(steps)
    predicted = torch.arange(steps, device=device) - torch.arange(
        config.codebooks, device=device
    ).unsqueeze(1)  # [K, S]: the frame that a step predicts
    is_new = (predicted >= held) & (predicted < frames)

    def tap_for(items: Sequence[Intervention], count: int) -> Tap:
        bound = bind(items, rows=count, halves=halves, layers=config.layers, like=like)
        return Tap(bound, sites)

    # The prefix runs once for each distinct row, and its keys and values serve all conditions.
    first, copies = _distinct_rows(model, prompts, prefix, interventions)
    tap = tap_for(interventions, rows)
    prefix_tap = tap_for([r for i in interventions if (r := _restrict(i, first))], len(first))
    cache = KeyValueCache(config, len(halves) * len(first), steps, like)
    hidden = model.decoder(
        tokens[first, :, : held + 1].repeat(len(halves), 1, 1),
        positions[: held + 1],
        **_text(conditioning, torch.tensor(first, device=device)),
        tap=prefix_tap,
        past=cache,
    )[:, -1:]
    expand = torch.tensor(copies, device=device)
    expand = torch.cat([expand + half * len(first) for half in range(len(halves))])
    if len(first) < rows:
        cache.take_rows(expand)
        hidden = hidden[expand]
    text = _text(conditioning, None)

    for step in range(held, steps):
        if step > held:
            tap.first_step = step
            hidden = model.decoder(
                tokens[:, :, step : step + 1].repeat(len(halves), 1, 1),
                positions[step : step + 1],
                **text,
                tap=tap,
                past=cache,
            )
        logits = model.decoder.logits(hidden)[:, 0]  # [halves * B, K, V]
        if guided:
            with_prompt, without = logits[:rows], logits[rows:]
            logits = without + scale * (with_prompt - without)
        token = draw(logits, noise.at(step) if sampling.temperature else None, sampling)
        tokens[:, :, step + 1] = torch.where(is_new[:, step], token, tokens[:, :, step + 1])

    codes = torch.stack(
        [tokens[:, k, k + 1 : k + 1 + frames] for k in range(config.codebooks)], dim=1
    )
    captured = {
        site: torch.cat([prefix_tap.captured[site][0][expand], *tap.captured[site]], dim=1)
        for site in sites
    }
    return Generation(
        codes=codes.clone(),
        prefix_frames=held,
        activations=ActivationCache({site: x[:rows] for site, x in captured.items()}),
        unconditional=ActivationCache({s: x[rows:] for s, x in captured.items() if guided}),
    )


def draw(logits: Tensor, noise: Tensor | None, sampling: Sampling) -> Tensor:
    """Draw tokens [B, K] from logits [B, K, V] with Gumbel noise of that shape.

    Filters act in `transformers`' order: temperature, top-k, top-p. Without noise, the likeliest.
    """
    if noise is None:
        return logits.argmax(-1)
    logits = logits / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        smallest = logits.topk(sampling.top_k).values[..., -1:]
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


def _distinct_rows(
    model: "HookedMusicGen",
    prompts: str | Sequence[str] | None,
    prefix: Tensor,
    interventions: Sequence[Intervention],
) -> tuple[list[int], list[int]]:
    """Rows whose prefix runs differ (the first of each kind), and each row's place among them."""
    rows, _, held = prefix.shape
    contents = prefix.cpu().numpy()
    kinds: dict[object, int] = {}
    first: list[int] = []
    copies: list[int] = []
    for row in range(rows):
        touching = tuple(i for i, item in enumerate(interventions) if item.touches(row, held + 1))
        same = not any(callable(interventions[i].change) for i in touching)
        per_row = any(
            (tensor := interventions[i].tensor) is not None and tensor.dim() == 3 for i in touching
        )
        prompt = prompts if prompts is None or isinstance(prompts, str) else prompts[row]
        # What a function or a tensor with rows of its own does to two rows may differ.
        kind = (prompt, contents[row].tobytes(), touching, None if same and not per_row else row)
        if kind not in kinds:
            kinds[kind] = len(first)
            first.append(row)
        copies.append(kinds[kind])
    return first, copies


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


def _text(conditioning: "Conditioning | None", rows: Tensor | None) -> dict[str, object]:
    if conditioning is None:
        return {"text": None, "text_mask": None}
    text, mask = conditioning
    if rows is not None:
        text = [TextKeys(keys[rows], values[rows]) for keys, values in text]
        mask = None if mask is None else mask[rows]
    return {"text": text, "text_mask": mask}
