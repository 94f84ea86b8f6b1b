"""What the page is told of recordings and their sound; pairs and stretches share it."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.errors import LeitmotifError
from leitmotif.review.clips import Pcm
from leitmotif.review.known import searched
from leitmotif.review.pictures import PEAK_SAMPLES, TrackFeatures, outline, profile
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack

Data = dict[str, Any]


def problem(error: LeitmotifError) -> Data:
    """Return an error's parts."""

    def said(part: object) -> str | None:
        return None if part is None else str(part)

    return {
        "what": error.what,
        "found": said(error.found),
        "expected": said(error.expected),
        "fix": error.fix,
    }


def named(track_id: str, track: ManifestTrack | None) -> Data:
    """Name a track, and credit its author."""
    licence = track.licence if track else None
    credit = (licence.attribution, licence.name) if licence else ()
    return {
        "id": track_id,
        "name": track.path.removeprefix("audio/") if track else track_id,
        "credit": " · ".join(part for part in credit if part),
    }


def recording(track: ManifestTrack, features: TrackFeatures | None) -> Data:
    """Return a whole recording: its length, its loudness, and where it is searched, in samples."""
    return {
        "samples": round(track.seconds * SAMPLE_RATE),
        "searched": [span(place) for place in searched(track)],
        "loudness": as_base64(profile(features)) if features else None,
    }


def excerpt(start_sample: int, samples: Pcm, features: TrackFeatures | None, rate: int) -> Data:
    """Return a section of a recording as it is drawn: outline and chroma."""
    data: Data = {
        "start_sample": start_sample,
        "samples": len(samples),
        "outline": {"step": PEAK_SAMPLES, "data": as_base64(outline(samples))},
        "chroma": None,
    }
    if features is not None:
        first, chroma = features.excerpt(start_sample / rate, len(samples) / rate)
        data["chroma"] = {
            "first_frame": first,
            "frames": chroma.shape[1],
            "frame_samples": rate // features.frame_rate,
            "data": as_base64(chroma),
        }
    return data


def span(of: Span) -> Data:
    """Return a window without what was hashed of it."""
    return {"start_sample": of.start_sample, "samples": of.samples}


def as_base64(array: NDArray[np.generic]) -> str:
    """Encode an array's bytes."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
