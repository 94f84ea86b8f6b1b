"""Spliced loss: does the model still predict music when it reads a reconstruction?

The residual stream is replaced by its reconstruction during the forward pass. The share of the loss
recovered compares that with the worst that a constant does: the site's mean activation in every
place (Cunningham et al. 2023 use zero, which flatters: zero is no activation a model has seen).
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from leitmotif.audio.decode import load_audio, verified
from leitmotif.checkpoints.folders import usable_device
from leitmotif.errors import ModelError
from leitmotif.intervals import Interval, track_weights, with_estimate
from leitmotif.musicgen.intervention import Intervention
from leitmotif.musicgen.loading import shared_model
from leitmotif.musicgen.protocol import AudioEncoder, MusicModel
from leitmotif.sae.audit.measured import interval, ratios
from leitmotif.sae.autoencoder.model import SparseAutoencoder
from leitmotif.store.cache.codes import CachedCodec
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.timing.windows import fit_windows, windows_at
from leitmotif.work.engine import workers_on
from leitmotif.work.parallel import in_processes

if TYPE_CHECKING:
    from leitmotif.config import ModelParams

_TRACKS = 4
"""That a process reads before it is given others, and the autoencoders with them."""


@dataclass(frozen=True)
class Replacement:
    """What may take the place of a site's activations."""

    site: str
    sae: SparseAutoencoder
    """Autoencoder whose reconstruction it is."""
    mean: Tensor
    """The site's mean over a corpus [d]."""


@dataclass(frozen=True)
class SplicedLoss:
    """Mean cross-entropy in nats a token."""

    intact: float
    spliced: float
    """Loss with the site replaced by its reconstruction."""
    ablated: float
    """Loss with the site replaced by its mean."""

    @property
    def recovered(self) -> float:
        """1: as good as intact, 0: as bad as the mean, below 0: worse; NaN if the mean is harmless.

        >>> SplicedLoss(intact=2.0, spliced=2.1, ablated=4.0).recovered
        0.95
        """
        harm = self.ablated - self.intact
        return (self.ablated - self.spliced) / harm if harm > 0 else float("nan")


@dataclass(frozen=True)
class Splicing:
    """The measurement on tracks of a corpus; it travels to other processes."""

    model: "ModelParams"
    replacements: Sequence[Replacement]
    audio_root: Path
    """Where the manifest's paths begin."""
    cache: Path
    """Root of the work cache."""

    def run(self, tracks: Sequence[ManifestTrack]) -> Iterator[list[SplicedLoss]]:
        """Yield the losses of each track, one for each replacement, on all processors.

        Raises AudioError and ModelError.
        """
        parts = [tracks[first : first + _TRACKS] for first in range(0, len(tracks), _TRACKS)]
        workers = workers_on(usable_device(self.model.device).type, None)
        for losses in in_processes(partial(_losses_of, self), parts, workers=workers):
            yield from losses


def _losses_of(splicing: Splicing, tracks: Sequence[ManifestTrack]) -> list[list[SplicedLoss]]:
    model = shared_model(splicing.model)
    codec = CachedCodec(model, splicing.cache)
    return [
        track_losses(
            model, splicing.replacements, list(read_codes_of(codec, track, splicing.audio_root))
        )
        for track in tracks
    ]


def track_losses(
    model: MusicModel, replacements: Sequence[Replacement], windows: Sequence[Tensor]
) -> list[SplicedLoss]:
    """Means of ``spliced_losses`` over a track's windows, codes [1, K, T] each, by their lengths.

    Raises ModelError.
    """
    losses = [spliced_losses(model, replacements, codes) for codes in windows]
    lengths = [codes.shape[-1] for codes in windows]
    return [
        SplicedLoss(*map(float, np.average([*map(astuple, of_one)], axis=0, weights=lengths)))
        for of_one in zip(*losses, strict=True)
    ]


def recovered(losses: Sequence[SplicedLoss], *, seed: int = 0) -> Interval:
    """Share of the loss recovered over several tracks of equal weight, resampled together."""
    harm, repaired = (
        np.array([loss.ablated - getattr(loss, other) for loss in losses])
        for other in ("intact", "spliced")
    )
    weights = with_estimate(track_weights(len(losses), seed=seed))
    return interval(ratios(weights, repaired, harm), len(losses))


def read_codes_of(codec: AudioEncoder, track: ManifestTrack, audio_root: Path) -> Iterator[Tensor]:
    """Codes [1, K, T] of each of a track's windows, as the activations stage reads them.

    Raises AudioError.
    """
    path = audio_root / track.path
    with verified(path, track.sha256):
        audio = load_audio(path, sample_rate=codec.sample_rate)
    hop, rate = codec.samples_per_frame, codec.frame_rate
    for window in fit_windows(windows_at(track.windows, rate), len(audio.samples) // hop, rate):
        end = window.start_frame + window.frames
        yield codec.encode_audio(audio.samples[window.start_frame * hop : end * hop])


def splice(sae: SparseAutoencoder, site: str) -> Intervention:
    """An intervention that puts an autoencoder's reconstruction in the place of a site."""

    def rebuilt(x: Tensor) -> Tensor:
        flat, _ = sae.reconstruct(x.reshape(-1, x.shape[-1]))
        return flat.view_as(x).to(x.dtype)

    return Intervention(site, rebuilt)


def spliced_losses(
    model: MusicModel, replacements: Sequence[Replacement], codes: Tensor
) -> list[SplicedLoss]:
    """Measure each replacement, one at a time, on codes [B, K, T]; raises ModelError.

    The intact pass is the same for all, and is done once.
    """
    for replacement in replacements:
        if replacement.sae.config.d_in != model.width:
            raise ModelError(
                "the autoencoder does not fit the model",
                found=f"d_in {replacement.sae.config.d_in}",
                expected=f"width {model.width}",
            )

    def loss(*interventions: Intervention) -> float:
        return _cross_entropy(model(codes, interventions=interventions), codes)

    with torch.inference_mode():
        intact = loss()
        return [
            SplicedLoss(
                intact,
                spliced=loss(splice(replacement.sae, replacement.site)),
                ablated=loss(Intervention(replacement.site, "replace", tensor=replacement.mean)),
            )
            for replacement in replacements
        ]


def _cross_entropy(logits: Tensor, codes: Tensor) -> float:
    """Of logits [B, K, T, V]."""
    codes = codes.to(logits.device).long()
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return float(F.cross_entropy(wide.flatten(0, 2), codes.flatten()))
