"""Continues pieces under conditions: many rows of one batch, one change a row, the same noise.

The noise of a clip belongs to its track and seed, so it is the same under every condition. Rows of
a track share their prefix's keys and values. A patch reads from another row of the same batch, the
run on the other prefix with the same noise, step by step as both go on. Before its first treated
step a clip is its baseline, so one that is treated late goes on from there.

Each finished clip is kept in a work cache under the hash of all that decides it, so a run that was
killed goes on where it stopped, and its clips are those of an unbroken run. In float64 the batch's
shape moves logits by 1e-14 and no token. In float32 it moves them by about 1e-6, which decides a
token once in some million draws: clips that are made again in another batch may differ there, those
from the cache do not.
"""

import gc
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.edits import Treated, interventions
from leitmotif.causal.experiment.prefixes import Prefix, sha256_codes
from leitmotif.errors import ModelError, counted
from leitmotif.files import sha256_json
from leitmotif.musicgen import Intervention, Replayable, Sampling
from leitmotif.musicgen.protocol import MusicModel, decoder_steps
from leitmotif.store.cache.entries import Entry, WorkCache
from leitmotif.store.cache.results import computed_by
from leitmotif.tensors import serialise


@dataclass(frozen=True)
class ContinuationSettings:
    """How pieces are continued."""

    seconds: float
    seeds: tuple[int, ...] = (0,)
    sampling: Sampling = field(default_factory=Sampling)
    guidance_scale: float | None = None
    """Weight of the prompt; None: the checkpoint's own."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A track continued under a condition."""

    id: str
    """The first 16 hex digits of the address of its work."""
    prefix: Prefix
    condition: Condition
    seed: int
    codes: Tensor
    """[K, P + T], the track's prefix included (of a counterfactual: the other prefix)."""
    finite: bool
    """Whether the last block's residuals were numbers at every step."""

    @property
    def prefix_frames(self) -> int:
        """P."""
        return self.prefix.codes.shape[1]


@dataclass(frozen=True, eq=False)
class _ClipJob:
    prefix: Prefix
    seed: int
    condition: Condition
    address: str
    """Hash of all that decides the clip."""
    frames: int
    """P + T"""

    @property
    def source(self) -> tuple[str, int, str] | None:
        """The row that this one is patched from."""
        if self.condition.source is None or self.condition.kind == "counterfactual":
            return None
        return self.prefix.track_id, self.seed, self.condition.source

    @property
    def codes(self) -> Tensor:
        """[K, P] that the row goes on from."""
        if self.condition.kind != "counterfactual":
            return self.prefix.codes
        return _source_of(self.prefix, str(self.condition.source))


class Runner:
    """Continues tracks under conditions with one model.

    ``rows`` clips go into a batch, those that patches are taken from included; where memory does
    not suffice, the batch is halved and all later ones with it.
    """

    def __init__(
        self,
        model: MusicModel,
        cache: WorkCache,
        continuation: ContinuationSettings,
        *,
        rows: int = 64,
    ) -> None:
        if rows < 2:
            raise ModelError("rows of a batch", found=rows, expected="2 or more: a clip, a source")
        self.model, self.cache, self.continuation, self.rows = model, cache, continuation, rows
        self.generated = 0
        """Clips made so far; the others came from the cache."""

    def run(self, prefixes: Sequence[Prefix], conditions: Sequence[Condition]) -> Iterator[Clip]:
        """Yield the clips of every track, seed and condition that treats it, in that order.

        Raises ModelError for tracks of which some have a prompt and others none, for a source that
        a track lacks, and where memory does not suffice for a single clip; StoreError on a full
        disk.
        """
        _check(prefixes)
        new = round(self.continuation.seconds * self.model.frame_rate)
        jobs = deque(
            _ClipJob(
                prefix,
                seed,
                condition,
                self._address(prefix, seed, condition),
                prefix.codes.shape[1] + new,
            )
            for prefix in prefixes
            for seed in self.continuation.seeds
            for condition in conditions
            if condition.treats(prefix)
        )
        while jobs:
            batch = self._take(jobs)
            # By address, for one clip may serve several candidates.
            missing = {job.address: job for job in batch if not self.cache.find(job.address)}
            late = [job for job in missing.values() if _is_late(job)]
            self._make(deque(job for job in missing.values() if not _is_late(job)))
            self._make(deque(self._begun(job) for job in late))
            for job in batch:
                entry = self.cache.find(job.address)
                assert entry is not None
                codes, finite = _read(entry)
                yield Clip(job.address[:16], job.prefix, job.condition, job.seed, codes, finite)

    def _begun(self, job: _ClipJob) -> _ClipJob:
        """The same clip, to go on from its baseline where it is first treated.

        Its source goes on from the counterfactual. As it was where these are not kept, or are no
        music.
        """
        prefix, name = job.prefix, job.condition.source
        steps = job.condition.steps_of(prefix)
        assert steps is not None
        begins = {"": self._kept(job, Condition("baseline"))}
        if name is not None:
            begins[name] = self._kept(job, Condition("counterfactual", source=name))
        # Frames of which every codebook is drawn before that step.
        frames = steps.start - max(self.model.delays) - 1
        begun = {
            key: codes[:, :frames].to(prefix.codes.device)
            for key, codes in begins.items()
            if codes is not None
        }
        if len(begun) < len(begins) or frames >= job.frames:  # treated behind its end
            return job
        own = begun.pop("")
        return replace(job, prefix=replace(prefix, codes=own, sources=begun))

    def _kept(self, job: _ClipJob, condition: Condition) -> Tensor | None:
        """Codes [K, P + T] of a finite clip with the prefix and the noise of ``job``."""
        entry = self.cache.find(self._address(job.prefix, job.seed, condition))
        codes, finite = (None, False) if entry is None else _read(entry)
        return codes if finite else None

    def _take(self, jobs: deque[_ClipJob]) -> list[_ClipJob]:
        """Remove the jobs of the next batch: all of one length, at most ``rows`` rows."""
        batch: list[_ClipJob] = []
        sources: set[tuple[str, int, str]] = set()
        while jobs:
            job = jobs[0]
            wanted = sources | ({job.source} if job.source else set())
            alike = not batch or (batch[0].codes.shape, batch[0].frames) == (
                job.codes.shape,
                job.frames,
            )
            if batch and (len(batch) + 1 + len(wanted) > self.rows or not alike):
                break
            batch.append(jobs.popleft())
            sources = wanted
        return batch

    def _make(self, jobs: deque[_ClipJob]) -> None:
        """Generate clips and keep them, in smaller batches where memory does not suffice."""
        while jobs:
            batch = self._take(jobs)
            try:
                made = self._generate(batch)
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                made = []
            if not made:  # outside of the handler, whose traceback would hold the tensors
                self._make_room(batch)
                jobs.extendleft(reversed(batch))
            for job, (codes, finite) in zip(batch, made, strict=False):
                tensors = {"codes": codes.to(torch.int32).numpy()}
                self.cache.put(job.address, serialise(tensors, {"finite": str(finite).lower()}))
            self.generated += len(made)

    def _make_room(self, batch: Sequence[_ClipJob]) -> None:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(batch) == 1:
            raise ModelError(
                f"memory does not suffice to continue {batch[0].prefix.track_id}",
                found=f"one clip of {self.continuation.seconds:g} s",
                fix="shorten prefix or continuation, or use a device with more memory",
            )
        rows = len(batch) + len({job.source for job in batch if job.source})
        self.rows = (rows + 1) // 2
        print(
            f"out of memory with {counted(rows, 'row')}; going on with {self.rows}", file=sys.stderr
        )

    def _generate(self, jobs: Sequence[_ClipJob]) -> list[tuple[Tensor, bool]]:
        """Codes [K, P + T] of each job and whether its run was finite, all in one batch."""
        origins = list(dict.fromkeys(job.source for job in jobs if job.source))
        row_of = {origin: row for row, origin in enumerate(origins)}
        given = {job.source: job for job in jobs if job.source}
        sources = [_source_of(given[origin].prefix, origin[2]) for origin in origins]
        ahead = len(origins)
        prefix = torch.stack([*sources, *(job.codes for job in jobs)])
        held, frames = prefix.shape[2], jobs[0].frames
        prompts = [given[origin].prefix.prompt for origin in origins]
        prompts += [job.prefix.prompt for job in jobs]
        rows = len(prompts)
        steps = decoder_steps(self.model, frames)
        treated = [
            Treated(
                ahead + number,
                job.condition,
                row_of[job.source] if job.source else None,
                job.condition.steps_of(job.prefix),
            )
            for number, job in enumerate(jobs)
        ]
        changes = list(interventions(treated, range(held + 1, steps)))
        watch = _Watch(rows, self.model.device)
        last = f"layers.{self.model.num_layers - 1}.residual"
        # From where anything is changed; rows share the prefix before that.
        starts = [change.steps.start for change in changes if change.steps is not None]
        watched = range(min([held + 1, *starts]), steps)
        generation = self.model.generate(
            None if prompts[0] is None else [str(prompt) for prompt in prompts],
            seconds=(frames - held) / self.model.frame_rate,
            prefix=prefix,
            tracks=[
                *(_noise(track_id, seed) for track_id, seed, _ in origins),
                *(_noise(job.prefix.track_id, job.seed) for job in jobs),
            ],
            sampling=self.continuation.sampling,
            guidance_scale=self.continuation.guidance_scale,
            interventions=[
                *changes,
                Intervention(last, Replayable(watch), steps=watched),
            ],
            position_offset=[*(0 for _ in origins), *(job.condition.shift for job in jobs)],
        )
        codes, finite = generation.codes.cpu()[ahead:], watch.finite.cpu()[ahead:]
        return [(codes[row], bool(finite[row])) for row in range(len(jobs))]

    def _address(self, prefix: Prefix, seed: int, condition: Condition) -> str:
        name = condition.source
        given = None if name is None else sha256_codes(_source_of(prefix, name))
        return sha256_json(
            {
                **self._setup,
                "track": prefix.track_id,
                "prefix": sha256_codes(prefix.codes),
                "source_prefix": given,
                "prompt": prefix.prompt,
                "seed": seed,
                "condition": condition.describe(prefix),
            }
        )

    @cached_property
    def _setup(self) -> Mapping[str, object]:
        model, scale = self.model, self.continuation.guidance_scale
        return {
            "format": "leitmotif-clip/1",
            "seconds": self.continuation.seconds,
            "sampling": asdict(self.continuation.sampling),
            "guidance_scale": model.default_guidance_scale if scale is None else scale,
            **computed_by(model, __name__),
        }


class _Watch:
    """Remembers which rows held no numbers, or such large ones that a norm of them is none.

    From then on it gives such a row zeros, so that the batch goes on; nothing else is changed.
    """

    def __init__(self, rows: int, device: torch.device) -> None:
        self.finite = torch.ones(rows, dtype=torch.bool, device=device)

    def __call__(self, x: Tensor) -> Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        by_step = torch.isfinite(wide.square().sum(dim=2))  # [halves * rows, n]
        self.finite &= by_step.all(dim=1).view(-1, len(self.finite)).all(dim=0)
        return x.masked_fill(~by_step[..., None], 0.0)


def _is_late(job: _ClipJob) -> bool:
    """Whether the clip is its baseline for more than half of what is new in it."""
    steps, held = job.condition.steps_of(job.prefix), job.prefix.codes.shape[1]
    return steps is not None and 2 * (steps.start - held) > job.frames - held


def _noise(track_id: str, seed: int) -> str:
    return f"{track_id} {seed}"


def _source_of(prefix: Prefix, name: str) -> Tensor:
    try:
        return prefix.sources[name]
    except KeyError:
        raise ModelError(
            f"{prefix.track_id} cannot be patched from {name}",
            found=f"sources: {', '.join(prefix.sources) or 'none'}",
            fix="give the prefix this source, or leave its track out",
        ) from None


def _check(prefixes: Sequence[Prefix]) -> None:
    has_prompt = {prefix.track_id: prefix.prompt is not None for prefix in prefixes}
    if len(has_prompt) < len(prefixes):
        raise ModelError("a track is given twice", found=[prefix.track_id for prefix in prefixes])
    if len(set(has_prompt.values())) > 1:
        raise ModelError(
            "some tracks have a prompt and others none",
            found=f"{sum(has_prompt.values())} of {len(has_prompt)}",
            expected="all or none: guidance is one setting of a batch",
        )


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    text = str(error).lower()
    return "can't allocate memory" in text or "not enough memory" in text


def _read(entry: Entry) -> tuple[Tensor, bool]:
    with safe_open(entry.path, framework="numpy") as file:
        codes = np.asarray(file.get_tensor("codes"))
        finite = file.metadata()["finite"] == "true"
    return torch.from_numpy(codes.astype(np.int64)), finite
