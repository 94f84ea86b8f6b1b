"""Spliced loss: does the model still predict music when it reads a reconstruction?

The residual stream is replaced by its reconstruction during the forward pass. The share of the loss
recovered compares that with the worst that a constant does: the site's mean activation in every
place (Cunningham et al. 2023 use zero, which flatters: zero is no activation a model has seen).
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from leitmotif.audio.decode import load_audio, verify_audio
from leitmotif.errors import ModelError
from leitmotif.frames import FRAME_RATE
from leitmotif.intervals import Interval, track_weights, with_estimate
from leitmotif.musicgen import HookedMusicGen
from leitmotif.musicgen.hooks import Intervention
from leitmotif.sae.audit import interval, ratios
from leitmotif.sae.model import SparseAutoencoder
from leitmotif.store.capture import fit_windows
from leitmotif.tables.corpus import ManifestTrack


@dataclass(frozen=True)
class SplicedLoss:
    """Mean cross-entropy in nats a token."""

    intact: float
    spliced: float
    """With the site replaced by its reconstruction."""
    ablated: float
    """With the site replaced by its mean."""

    @property
    def recovered(self) -> float:
        """1: as good as intact, 0: as bad as the mean; below 0: worse. NaN if the mean harms not.

        >>> SplicedLoss(intact=2.0, spliced=2.1, ablated=4.0).recovered
        0.95
        """
        harm = self.ablated - self.intact
        return (self.ablated - self.spliced) / harm if harm > 0 else float("nan")


def track_loss(
    model: HookedMusicGen,
    sae: SparseAutoencoder,
    site: str,
    windows: Sequence[Tensor],
    *,
    mean: Tensor,
) -> SplicedLoss:
    """Mean over a track's windows, codes [1, K, T] each, by their lengths; see ``spliced_loss``."""
    losses = [spliced_loss(model, sae, site, codes, mean=mean) for codes in windows]
    lengths = [codes.shape[-1] for codes in windows]
    averages = np.average(np.array([astuple(loss) for loss in losses]), axis=0, weights=lengths)
    return SplicedLoss(*map(float, averages))


def recovered(losses: Sequence[SplicedLoss], *, seed: int = 0) -> Interval:
    """Share of the loss recovered over several tracks of equal weight, resampled together."""
    harm, repaired = (
        np.array([loss.ablated - getattr(loss, other) for loss in losses])
        for other in ("intact", "spliced")
    )
    weights = with_estimate(track_weights(len(losses), seed=seed))
    return interval(ratios(weights, repaired, harm), len(losses))


def read_codes_of(
    model: HookedMusicGen, track: ManifestTrack, audio_root: Path
) -> Iterator[Tensor]:
    """Codes [1, K, T] of each of a track's windows, as the activations stage reads them.

    Raises AudioError.
    """
    path = audio_root / track.path
    verify_audio(path, track.sha256)
    audio = load_audio(path, sample_rate=model.sample_rate)
    hop = model.sample_rate // FRAME_RATE
    for window in fit_windows(track.windows, len(audio.samples) // hop):
        end = window.start_frame + window.frames
        yield model.encode_audio(audio.samples[window.start_frame * hop : end * hop])


def splice(sae: SparseAutoencoder, site: str) -> Intervention:
    """An intervention that puts an autoencoder's reconstruction in the place of a site."""

    def rebuilt(x: Tensor) -> Tensor:
        flat, _ = sae.reconstruct(x.reshape(-1, x.shape[-1]))
        return flat.view_as(x).to(x.dtype)

    return Intervention(site, rebuilt)


def spliced_loss(
    model: HookedMusicGen,
    sae: SparseAutoencoder,
    site: str,
    codes: Tensor,
    *,
    mean: Tensor,
    prompts: str | list[str] | None = None,
) -> SplicedLoss:
    """Measure on codes [B, K, T]; ``mean`` [d] is the site's, over a corpus. Raises ModelError."""
    if sae.config.d_in != model.width:
        raise ModelError(
            "the autoencoder does not fit the model",
            found=f"d_in {sae.config.d_in}",
            expected=f"width {model.width}",
        )
    constant = Intervention(site, "replace", tensor=mean)
    with torch.inference_mode():
        losses = [
            _cross_entropy(model(codes, prompts, interventions=interventions), codes)
            for interventions in ([], [splice(sae, site)], [constant])
        ]
    return SplicedLoss(*losses)


def _cross_entropy(logits: Tensor, codes: Tensor) -> float:
    """Of logits [B, K, T, V]."""
    codes = codes.to(logits.device).long()
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return float(F.cross_entropy(wide.flatten(0, 2), codes.flatten()))
