"""What is measured of a clip: whether its prefix's motif returns, and what else has changed.

Every clip is heard beside the baseline of its track and seed, which differs in the intervention
alone. What cannot be heard (no numbers, silence, clipping) is excluded with the reason; where that
befalls a baseline, its track and seed have nothing to be compared with and are excluded as well.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from leitmotif.audio.decode import Audio, check_audio
from leitmotif.audio.reading.samples import Samples
from leitmotif.causal.experiment.prefixes import sha256_codes
from leitmotif.causal.experiment.runner import Clip
from leitmotif.errors import AudioError, ModelError
from leitmotif.judge.models.clap import Clap
from leitmotif.judge.models.fidelity import fidelities
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.precision import doubled
from leitmotif.recurrence.continuation import Listener, Return, recurrence_rate
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.tables.base import Span
from leitmotif.tables.interventions import ClipMetrics

FULL_SCALE = 0.999
CLIPPED_SHARE = 0.01
"""A clip with more samples than this at full scale or beyond counts as clipped."""
_LOGITS = 1 << 25
"""Logits in memory at a time (128 MB of float32)."""


@dataclass(frozen=True)
class ListeningSettings:
    """How clips are heard."""

    search: SearchSettings
    """Settings of the engine that looks for returns."""
    motifs: Mapping[str, Sequence[Span]]
    """Windows in samples of each track's prefix."""
    heard: Mapping[str, Span] = field(default_factory=dict)
    """Samples of each track's continuation in which a return counts; all of it where none is
    given. One that begins at the least horizon of a claim counts distant returns only."""
    p: float = 0.05
    min_score: float = 0.5
    window_seconds: float = 2.0
    """Length of the windows of the comparison with the baseline."""
    silence_dbfs: float = -60.0
    compared: bool = True
    """Whether clips are compared with their baselines, too, and not only listened to for returns.
    """


@dataclass(frozen=True, eq=False)
class MeasuredClip:
    """A clip, heard."""

    clip: Clip
    metrics: ClipMetrics
    excluded: str | None
    """Why it was not measured: non_finite, silent, clipped, or the baseline's reason."""
    samples: Samples | None
    """[n], prefix and continuation; None where they were not kept."""
    audio_sha256: str
    baseline_audio_sha256: str
    heard: Span | None
    """Samples of the clip in which a return counts; None for all of its continuation."""
    returns: tuple[Return, ...]
    """One for each motif of the prefix, ``start`` in seconds of the clip; none if excluded."""

    @property
    def tokens_sha256(self) -> str:
        """Of prefix and continuation."""
        return sha256_codes(self.clip.codes)


class ClipMeasurer:
    """Measures clips; ``model`` is the untreated one, ``clap`` the judge of likeness."""

    def __init__(self, model: MusicModel, clap: Clap, listening: ListeningSettings) -> None:
        self.model, self.clap, self.listening = model, clap, listening

    def measure(self, clips: Iterable[Clip]) -> Iterator[MeasuredClip]:
        """Measure the clips of each track and seed, which follow each other, baseline included.

        Raises ModelError for a track and seed without a baseline, LeitmotifError for a motif
        outside of the prefix.
        """
        for _, group in groupby(clips, key=lambda clip: (clip.prefix.track_id, clip.seed)):
            yield from self._group(list(group))

    def _group(self, clips: Sequence[Clip]) -> Iterator[MeasuredClip]:
        baseline = next((clip for clip in clips if clip.condition.kind == "baseline"), None)
        if baseline is None:
            raise ModelError(
                f"{clips[0].prefix.track_id} has no baseline for seed {clips[0].seed}",
                expected="a baseline among the conditions of every track and seed",
            )
        # Where an intervention moved no token, the clip is the baseline.
        distinct = {(sha256_codes(clip.codes), clip.finite): clip for clip in [*clips, baseline]}
        samples = {key: self._decoded(clip) for key, clip in distinct.items()}
        start = baseline.prefix_frames * self.model.samples_per_frame
        reasons = {
            key: self._unusable(samples[key][start:], clip) for key, clip in distinct.items()
        }
        of_baseline = (sha256_codes(baseline.codes), baseline.finite)
        if reasons[of_baseline] is not None:
            reasons = {
                key: reason if key == of_baseline else f"baseline_{reasons[of_baseline]}"
                for key, reason in reasons.items()
            }
        usable = [key for key, reason in reasons.items() if reason is None]
        # One listener a prefix: what follows changes the last milliseconds of its sound alone.
        listeners: dict[str, Listener] = {}
        returns = {}
        for key in usable:
            clip, heard_first, rest = distinct[key], samples[key][:start], samples[key][start:]
            prefix = sha256_codes(clip.codes[:, : clip.prefix_frames])
            if prefix not in listeners:
                listeners[prefix] = self._listener(clip, heard_first)
            returns[key] = self._returns(clip, listeners[prefix], rest, start)
        metrics = self._metrics(
            {key: distinct[key] for key in usable}, samples, returns, of_baseline, start
        )
        span = self.listening.heard.get(baseline.prefix.track_id)
        heard = span and Span(start_sample=start + span.start_sample, samples=span.samples)
        hashes = {key: sha256_audio(values) for key, values in samples.items()}
        for clip in clips:
            key = (sha256_codes(clip.codes), clip.finite)
            yield MeasuredClip(
                clip=clip,
                metrics=metrics.get(key, ClipMetrics()),
                excluded=reasons[key],
                samples=samples[key],
                audio_sha256=hashes[key],
                baseline_audio_sha256=hashes[of_baseline],
                heard=heard,
                returns=returns.get(key, ()),
            )

    def _decoded(self, clip: Clip) -> Samples:
        # Alone: in a batch, other clips would decide the last digits.
        return self.model.decode_audio(clip.codes[None])[0].cpu().numpy()

    def _unusable(self, continuation: Samples, clip: Clip) -> str | None:
        rate = self.model.sample_rate
        if not clip.finite:
            return "non_finite"
        try:
            check_audio(
                Audio(continuation, rate, rate, 1),
                min_seconds=0.0,
                silence_dbfs=self.listening.silence_dbfs,
                name=f"clip {clip.id}",
            )
        except AudioError as error:
            return "clipped" if error.reason == "out_of_range" else error.reason
        clipped = float((np.abs(continuation) >= FULL_SCALE).mean()) > CLIPPED_SHARE
        return "clipped" if clipped else None

    def _metrics(
        self,
        clips: Mapping[tuple[str, bool], Clip],
        samples: Mapping[tuple[str, bool], Samples],
        returns: Mapping[tuple[str, bool], Sequence[Return]],
        of_baseline: tuple[str, bool],
        start: int,
    ) -> dict[tuple[str, bool], ClipMetrics]:
        recurrences = {key: recurrence_rate(of) if of else None for key, of in returns.items()}
        if not clips or not self.listening.compared:
            return {key: ClipMetrics(recurrence=rate) for key, rate in recurrences.items()}
        rate, keys = self.model.sample_rate, list(clips)
        first = clips[keys[0]]
        new = {key: samples[key][start:] for key in keys}
        likeness = fidelities(
            self.clap,
            [new[key] for key in keys],
            new[of_baseline],
            rate,
            window_seconds=self.listening.window_seconds,
        )
        prompt = first.prefix.prompt
        prompt_cosines = {}
        if prompt is not None:
            text = self.clap.embed_text([prompt])[0]
            heard = self.clap.embed_audio([new[key] for key in keys], rate)
            prompt_cosines = dict(zip(keys, (heard @ text).tolist(), strict=True))
        codes = torch.stack([clips[key].codes for key in keys])
        likelihood = log_likelihoods(self.model, codes, first.prefix_frames, prompt)
        of_key = dict(zip(keys, likelihood.tolist(), strict=True))
        return {
            key: ClipMetrics(
                recurrence=recurrences[key],
                clap_similarity=_stored(like.similarity.mean()),
                clap_prompt=_stored(prompt_cosines[key]) if key in prompt_cosines else None,
                loudness_db=_stored(like.loudness_db),
                spectral_db=_stored(like.spectral_db),
                log_likelihood=_stored(of_key[key] - of_key[of_baseline]),
            )
            for key, like in zip(keys, likeness, strict=True)
        }

    def _listener(self, clip: Clip, prefix: Samples) -> Listener:
        return Listener(
            prefix,
            self.listening.motifs.get(clip.prefix.track_id, ()),
            sample_rate=self.model.sample_rate,
            search=self.listening.search,
            p=self.listening.p,
            min_score=self.listening.min_score,
        )

    def _returns(
        self, clip: Clip, listener: Listener, continuation: Samples, start: int
    ) -> tuple[Return, ...]:
        first = 0
        if span := self.listening.heard.get(clip.prefix.track_id):
            first = span.start_sample
            continuation = continuation[first : first + span.samples]
        before = (start + first) / self.model.sample_rate
        return tuple(
            motif_return
            if motif_return.start is None
            else replace(motif_return, start=before + motif_return.start)
            for motif_return in listener.returns(continuation)
        )


def _stored(value: float) -> float:
    """A measure with the digits that it is kept with, which no processor changes."""
    return round(float(value), 6)


@torch.inference_mode()
def log_likelihoods(
    model: MusicModel, codes: Tensor, prefix_frames: int, prompt: str | None
) -> Tensor:
    """Mean log-probability per new token, in nats, of clips [B, K, P + T]: [B], float64.

    The clips are read with the prompt if there is one, without guidance or interventions. Raises
    ModelError for codes that are not the model's.
    """
    per_clip = codes.shape[1] * codes.shape[2] * model.codebook_size
    by_part = []
    for part in torch.split(codes, max(1, _LOGITS // per_clip)):
        logits = model(part, prompt)[:, :, prefix_frames:]
        chances = (logits if logits.dtype == torch.float64 else logits.float()).log_softmax(-1)
        tokens = part[:, :, prefix_frames:, None].to(logits.device)
        by_part.append(doubled(chances.gather(-1, tokens)).mean((1, 2, 3)).cpu())
    return torch.cat(by_part)


def sha256_audio(samples: Samples) -> str:
    """SHA-256 of samples [n] as 16-bit integers, as a WAV file holds them (64 hex)."""
    finite = np.nan_to_num(samples, posinf=1.0, neginf=-1.0)
    integers = np.round(np.clip(finite, -1.0, 1.0) * 32767).astype("<i2")
    return hashlib.sha256(integers.tobytes()).hexdigest()
