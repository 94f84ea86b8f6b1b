"""What is measured of a clip: whether its prefix's motif returns, and what else has changed.

Every clip is heard beside the baseline of its track and seed, which differs in the intervention
alone. What cannot be heard (no numbers, silence, clipping) is excluded with the reason; where that
befalls a baseline, its track and seed have nothing to be compared with and are excluded as well.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from leitmotif.audio.reading.samples import Samples
from leitmotif.causal.experiment.hearing import ClipListener, ListeningSettings, Returns
from leitmotif.causal.experiment.prefixes import sha256_codes
from leitmotif.causal.experiment.runner import Clip
from leitmotif.errors import ModelError
from leitmotif.judge.models.clap import Clap
from leitmotif.judge.models.fidelity import fidelities
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.precision import doubled
from leitmotif.recurrence.continuation import recurrence_rate
from leitmotif.tables.base import Span
from leitmotif.tables.interventions import ClipMetrics

_LOGITS = 1 << 25
"""Logits in memory at a time (128 MB of float32)."""


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
    returns: Returns
    """Empty if excluded."""

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
        listener = ClipListener(self.model, self.listening)
        samples = {key: listener.decoded(clip) for key, clip in distinct.items()}
        reasons = {key: listener.unusable(clip, samples[key]) for key, clip in distinct.items()}
        of_baseline = (sha256_codes(baseline.codes), baseline.finite)
        if reasons[of_baseline] is not None:
            reasons = {
                key: reason if key == of_baseline else f"baseline_{reasons[of_baseline]}"
                for key, reason in reasons.items()
            }
        usable = [key for key, reason in reasons.items() if reason is None]
        returns = {key: listener.returns(distinct[key], samples[key]) for key in usable}
        start = baseline.prefix_frames * self.model.samples_per_frame
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

    def _metrics(
        self,
        clips: Mapping[tuple[str, bool], Clip],
        samples: Mapping[tuple[str, bool], Samples],
        returns: Mapping[tuple[str, bool], Returns],
        of_baseline: tuple[str, bool],
        start: int,
    ) -> dict[tuple[str, bool], ClipMetrics]:
        recurrences = {key: recurrence_rate(of) if of else None for key, of in returns.items()}
        if not clips:
            return {}
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
