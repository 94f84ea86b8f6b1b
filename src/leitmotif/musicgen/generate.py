"""Sampling from a HookedMusicGen, step by step, with a preallocated key/value cache."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from leitmotif.arguments import as_number, is_integer
from leitmotif.errors import ModelError, counted
from leitmotif.musicgen.activation_cache import ActivationCache
from leitmotif.musicgen.batch import Batch
from leitmotif.musicgen.choice import Sites, choose_sites
from leitmotif.musicgen.core import Conditioning, Core
from leitmotif.musicgen.fits import Pass
from leitmotif.musicgen.graphs import graphs_on
from leitmotif.musicgen.intervention import Half, Intervention, all_in_steps
from leitmotif.musicgen.model import delay, undelay
from leitmotif.musicgen.noise import RowNoise
from leitmotif.musicgen.positions import Offset, first_positions
from leitmotif.musicgen.room import check_room
from leitmotif.musicgen.sampling import Sampling
from leitmotif.musicgen.steps import Steps
from leitmotif.musicgen.tap import Place


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

    def __repr__(self) -> str:
        """Say sizes, place and what was captured."""
        B, K, frames = self.codes.shape
        sites = f", {counted(len(self.activations), 'site')} captured" if self.activations else ""
        return (
            f"Generation({counted(B, 'clip')}, {K} codebooks, {self.prefix_frames} frames of "
            f"prefix and {frames - self.prefix_frames} new, on {self.codes.device}{sites})"
        )


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
    position_offset: Offset,
    capture: Sites,
) -> Generation:
    """See ``HookedMusicGen.generate``."""
    scale = model.default_guidance_scale if guidance_scale is None else guidance_scale
    _check_settings(seconds=seconds, tracks=tracks, seed=seed, sampling=sampling, scale=scale)
    with torch.inference_mode():
        job = _prepare(
            model,
            prompts,
            seconds=seconds,
            prefix=prefix,
            tracks=tracks,
            seed=seed,
            sampling=sampling,
            scale=float(scale),
            interventions=interventions,
            position_offset=position_offset,
            capture=capture,
        )
        generation = _run(job)
    # Copies made outside, so that a loss may be taken of them.
    return Generation(
        generation.codes.clone(),
        generation.prefix_frames,
        *(
            ActivationCache({site: x.clone() for site, x in cache.items()})
            for cache in (generation.activations, generation.unconditional)
        ),
    )


def _check_settings(
    *, seconds: object, tracks: object, seed: object, sampling: object, scale: object
) -> None:
    named = tracks is None or (
        isinstance(tracks, list | tuple) and all(isinstance(track, str) for track in tracks)
    )
    checks = {
        "seconds": (as_number(seconds) is not None, seconds, "a finite number"),
        "tracks": (named, tracks, "a list with a name for each row, or None"),
        "seed": (is_integer(seed), seed, "an integer"),
        "sampling": (isinstance(sampling, Sampling), sampling, "a Sampling, or None"),
        "guidance_scale": (as_number(scale) is not None, scale, "a finite number, or None"),
    }
    for name, (fits, value, expected) in checks.items():
        if not fits:
            raise ModelError(f"{name} cannot be used", found=f"{value!r:.200}", expected=expected)


@dataclass(frozen=True, eq=False)
class _Job:
    """What is generated, checked and brought into the model's terms."""

    model: Core
    prefix: Tensor
    """Codes [B, K, P]; P is 0 without a prefix."""
    prefix_contents: Sequence[object]
    """What each row reads before it continues; see ``_prefix_contents``."""
    first_positions: Sequence[int]
    """Position of the first step of each row."""
    new_frames: int
    conditioning: Conditioning | None
    halves: Sequence[Half]
    """Halves of the guidance, in the order of the pass's rows."""
    interventions: Sequence[Intervention]
    """Interventions, which name steps and no frames."""
    sites: Sequence[str]
    """Sites that are captured."""
    noise: RowNoise
    sampling: Sampling
    scale: float
    """Weight of the prompts (classifier-free guidance)."""

    @property
    def rows(self) -> int:
        """B."""
        return self.prefix.shape[0]

    @property
    def prefix_frames(self) -> int:
        """P."""
        return self.prefix.shape[2]

    @property
    def frames(self) -> int:
        """Frames of the clips, the prefix included."""
        return self.prefix_frames + self.new_frames

    @property
    def steps(self) -> int:
        """S, the steps of the pass: with the delay pattern more than frames."""
        return self.frames + max(self.model.delays)


def _prepare(
    model: Core,
    prompts: str | Sequence[str] | None,
    *,
    seconds: float,
    prefix: Tensor | None,
    tracks: Sequence[str] | None,
    seed: int,
    sampling: Sampling,
    scale: float,
    interventions: Sequence[Intervention],
    position_offset: Offset,
    capture: Sites,
) -> _Job:
    """Bring the arguments of ``generate`` into the model's terms; raises ModelError."""
    config, device = model.config, model.device
    if prefix is not None:
        prefix = model.check_codes(prefix)
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
    sites = choose_sites(capture, model.sites, model.parts)
    halves: list[Half] = ["unconditional" if prompts is None else "conditional"]
    if prompts is not None and scale != 1.0:
        halves.append("unconditional")
    steps = prefix.shape[2] + new_frames + max(model.delays)
    first = first_positions(position_offset, rows=rows, begin=model.first_position, steps=steps)
    check_room(model, rows * len(halves), steps)
    conditioning = model.condition(prompts, rows)
    return _Job(
        model=model,
        prefix=prefix,
        prefix_contents=_prefix_contents(prompts, prefix),
        first_positions=first,
        new_frames=new_frames,
        conditioning=conditioning,
        halves=halves,
        interventions=all_in_steps(interventions, max(model.delays)),
        sites=sites,
        noise=RowNoise(
            seed,
            tracks or [str(row) for row in range(rows)],
            codebooks=config.codebooks,
            codebook_size=config.codebook_size,
            device=device,
            dtype=model.dtype_beside,
        ),
        sampling=sampling,
        scale=scale,
    )


def _run(job: _Job) -> Generation:
    """Draw all tokens, step by step; raises ModelError, also where logits are no numbers."""
    model, config, rows, steps = job.model, job.model.config, job.rows, job.steps
    guided = len(job.halves) == 2
    codes = F.pad(job.prefix, (0, job.new_frames))
    tokens = delay(codes, config.pad, model.delays)  # [B, K, S + 1]
    to_draw = _new_tokens(model.delays, job.prefix_frames, job.frames)  # [K, S]
    graphs = graphs_on(model.device) if model.use_graphs else None
    at = torch.zeros(1, dtype=torch.long, device=model.device)
    place = None if graphs is None else Place(at, steps)
    batch = Batch(model, rows, job.halves, job.interventions, job.sites, place)
    Pass(rows, job.halves, steps, config.layers).check(job.interventions)
    hidden = batch.read_prefix(
        tokens[:, :, : job.prefix_frames + 1],
        job.prefix_contents,
        job.conditioning,
        job.first_positions,
        steps,
    )
    drawing = Steps(
        model,
        batch,
        tokens=tokens,
        to_draw=to_draw.to(model.device),
        at=at,
        noise=job.noise,
        sampling=job.sampling,
        scale=job.scale if guided else None,
        graphs=graphs,
    )
    drawing.run(range(job.prefix_frames, steps), hidden, job.interventions)
    batch.check(drawing.not_finite.tolist(), steps)
    captured = batch.captured()
    return Generation(
        codes=undelay(tokens[:, :, 1:], job.frames, model.delays),
        prefix_frames=job.prefix_frames,
        activations=ActivationCache({site: x[:rows] for site, x in captured.items()}),
        unconditional=ActivationCache({s: x[rows:] for s, x in captured.items() if guided}),
    )


def _count_rows(
    prompts: str | Sequence[str] | None, prefix: Tensor | None, tracks: Sequence[str] | None
) -> int:
    counts = {}
    if isinstance(prompts, list | tuple):
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


def _new_tokens(delays: Sequence[int], prefix_frames: int, frames: int) -> Tensor:
    """Which predictions [K, S] are new audio: not the prefix, and no frame past the end."""
    predicted = torch.arange(frames + max(delays)) - torch.tensor(delays)[:, None]
    return (predicted >= prefix_frames) & (predicted < frames)


def _prefix_contents(prompts: str | Sequence[str] | None, prefix: Tensor) -> list[object]:
    """What each row reads before it continues: its prompt and its prefix."""
    contents = prefix.cpu().numpy()
    texts = [prompts] * len(contents) if prompts is None or isinstance(prompts, str) else prompts
    return [(text, codes.tobytes()) for text, codes in zip(texts, contents, strict=True)]
