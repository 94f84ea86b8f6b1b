"""The leak check of a run: are its features the model's own, and do they know only the past?

Two things are asked of a few tracks. What is stored has to be what the model gives when it reads
the audio again: otherwise nobody knows what it is. And what the model gives must not change before
the instant at which the audio is changed (``leitmotif.probe.study.leak``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import norm

from leitmotif.audio.decode import load_audio
from leitmotif.errors import ProbeError
from leitmotif.musicgen.protocol import AudioEncoder, MusicModel, timing_of
from leitmotif.probe.features.encoded import sparse_matrix
from leitmotif.probe.study.leak import look_ahead, refuse_leak, spread
from leitmotif.sae.autoencoder.encode import read_codes
from leitmotif.sae.autoencoder.model import SparseAutoencoder
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.store.writing.capture import capture
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.timing.windows import windows_at

TOLERANCE = 0.1
"""Share of a tensor's spread by which another machine's or precision's result may differ."""


@dataclass(frozen=True)
class FeatureReading:
    """How features come from audio: the model, the sites, and autoencoders on some of them."""

    model: MusicModel
    sites: Sequence[str]
    dtype: str
    """Precision of the stored tensors."""
    encoders: Mapping[str, tuple[str, SparseAutoencoder]] = field(default_factory=dict)
    """Site and autoencoder of each hook, by its name."""
    codec: AudioEncoder | None = None
    """Gives the codes, the model itself by default."""

    def __call__(
        self, samples: NDArray[np.float32], prompt: str | None
    ) -> dict[str, sparse.csr_array]:
        """Features [frames, d] by site or hook, from mono audio [n] that is one context."""
        frames = len(samples) // self.model.samples_per_frame
        window = [Window(start_frame=0, frames=frames)]
        states = capture(
            self.model,
            samples,
            window,
            self.sites,
            prompt=prompt,
            dtype=self.dtype,
            codec=self.codec,
        )
        features = {site: sparse.csr_array(x.astype(np.float64)) for site, x in states.items()}
        for name, (site, sae) in self.encoders.items():
            x = torch.from_numpy(states[site]).to(sae.W_enc.device)
            features[name] = sparse_matrix(sae.encode(x), sae.config.d_sae)
        return features


def check_past(
    reading: FeatureReading,
    tracks: Sequence[ManifestTrack],
    store: ActivationStore,
    *,
    audio_root: Path,
    encoded: Path,
    seed: int = 0,
) -> float:
    """Check the first window of each of a few tracks.

    Returns how many seconds past its instant the furthest feature hears, an instant being that of
    the last frame a row has read; the codec's encoder accounts for the model's ``hearing_seconds``.
    Raises ProbeError if stored features are not the model's own, or if one has heard the future.
    """
    furthest, model = 0.0, reading.model
    # Kept codes may have been rounded otherwise, with other threads or on another device: beside
    # them, codes that are made here would differ as if they had heard the change.
    encoding = replace(reading, codec=None)
    hop, timing = model.samples_per_frame, timing_of(model)
    for track in tracks:
        window = windows_at(track.windows[:1], timing.frame_rate)[0]
        audio = load_audio(audio_root / track.path, sample_rate=model.sample_rate)
        frames = min(window.frames, len(audio.samples) // hop - window.start_frame)
        samples = audio.samples[window.start_frame * hop : (window.start_frame + frames) * hop]
        prompt = store.header(reading.sites[0], track.track_id).prompt or None
        fresh = reading(samples, prompt)
        for name, features in fresh.items():
            _refuse_others(
                name, track.track_id, features, _stored(reading, name, track, store, encoded)
            )
        names = [f"{name}, feature {i}" for name, x in fresh.items() for i in range(x.shape[1])]

        def extract(changed: NDArray[np.float32], prompt: str | None = prompt) -> sparse.csr_array:
            return sparse.csr_array(sparse.hstack([*encoding(changed, prompt).values()]))

        seconds = frames / timing.frame_rate
        ahead = look_ahead(
            extract,
            samples,
            sample_rate=audio.sample_rate,
            instants=np.arange(frames) / timing.frame_rate,
            cuts=[seconds / 3, 2 * seconds / 3],
            seed=seed,
        )
        refuse_leak(ahead, allowed=timing.hearing_seconds + 1e-6, names=names)
        furthest = max(furthest, float(ahead.max()))
    return furthest


def _stored(
    reading: FeatureReading, name: str, track: ManifestTrack, store: ActivationStore, encoded: Path
) -> sparse.csr_array:
    if name in reading.encoders:
        codes, header = read_codes(encoded / name / f"{track.track_id}.safetensors")
        return sparse_matrix(codes, header.d_sae)
    return sparse.csr_array(store.load(name, track.track_id).astype(np.float64))


def _refuse_others(
    name: str, track_id: str, fresh: sparse.csr_array, stored: sparse.csr_array
) -> None:
    stored = stored[: fresh.shape[0]]
    spread_of_all = np.sqrt(fresh.shape[0]) * np.linalg.norm(spread(fresh))
    apart = norm(stored - fresh) / spread_of_all if stored.shape == fresh.shape else np.inf
    if not apart <= TOLERANCE:
        raise ProbeError(
            f"the features stored of {name} are not what the model says of track {track_id}",
            found=f"they differ by {apart:.0%} of their spread",
            expected=f"at most {TOLERANCE:.0%}: the model's own, step by step",
            fix="run `dvc repro activations sae`; features that were changed or moved in time "
            "since they were read may hold the future",
        )
