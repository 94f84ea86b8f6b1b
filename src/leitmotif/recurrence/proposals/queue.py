"""From recordings to the review queue: every track searched, with its shuffled surrogates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from leitmotif.audio.decode import load_audio
from leitmotif.audio.each import each_recording
from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.config import ProposalsParams
from leitmotif.errors import AudioError
from leitmotif.files import sha256_json
from leitmotif.files.provenance import code_version
from leitmotif.recurrence.proposals.engine import Suggestion, accepted, suggest
from leitmotif.recurrence.search.null import surrogate
from leitmotif.recurrence.search.settings import SearchSettings, search_of
from leitmotif.recurrence.search.views import Views, make_views
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.proposals import Proposal, proposal_address
from leitmotif.timing.windows import end_seconds
from leitmotif.work.progress import progress


@dataclass(frozen=True)
class Searched:
    """What the engine proposes for all tracks."""

    queue: list[Proposal]
    """The best of all tracks first."""
    alarms: int
    """Shuffled tracks in which anything is proposed."""
    shuffled: int
    """Shuffled tracks that were searched."""
    failures: list[tuple[ManifestTrack, AudioError]]
    """Tracks that could not be searched."""


def propose_all(
    tracks: Sequence[ManifestTrack], settings: ProposalsParams, *, audio_root: Path
) -> Searched:
    """Search every track side by side; ``audio_root`` is where their paths begin."""
    search = partial(_searched, search_of(settings), settings, audio_root)
    searched = each_recording(search, tracks, path=partial(_path, audio_root))
    suggestions: list[tuple[str, Suggestion]] = []
    failures: list[tuple[ManifestTrack, AudioError]] = []
    alarms = 0
    shown = progress(searched, "proposals", total=len(tracks))
    for track, outcome in zip(tracks, shown, strict=True):
        if isinstance(outcome, AudioError):
            failures.append((track, outcome))
            continue
        kept, passed = outcome
        suggestions += [(track.track_id, suggestion) for suggestion in kept]
        alarms += passed
    queue = ranked(suggestions, engine=engine_version(settings))
    shuffled = (len(tracks) - len(failures)) * settings.null_rounds
    return Searched(queue, alarms, shuffled, failures)


def _path(audio_root: Path, track: ManifestTrack) -> Path:
    return audio_root / track.path


def engine_version(settings: ProposalsParams) -> str:
    """SHA-256 of the engine's code and settings."""
    return sha256_json(
        {
            "code": code_version("leitmotif.recurrence.proposals.engine"),
            "settings": settings.model_dump(),
        }
    )


def ranked(suggestions: Iterable[tuple[str, Suggestion]], *, engine: str) -> list[Proposal]:
    """Make the queue from suggestions by track, the best of all tracks first.

    Numbers are rounded to what does not depend on the processor.
    """

    def order(of_track: tuple[str, Suggestion]) -> tuple[float, str, float]:
        track_id, suggestion = of_track
        return -round(suggestion.score, 4), track_id, suggestion.motif_start

    ordered = sorted(suggestions, key=order)
    queue = []
    for rank, (track_id, suggestion) in enumerate(ordered, start=1):
        motif = _span(suggestion.motif_start, suggestion.motif_end)
        recurrence = _span(suggestion.recurrence_start, suggestion.recurrence_end)
        queue.append(
            Proposal(
                proposal_id=proposal_address(track_id, motif, recurrence, engine=engine),
                track_id=track_id,
                sample_rate=SAMPLE_RATE,
                motif=motif,
                recurrence=recurrence,
                transposition=suggestion.transposition,
                score=round(suggestion.score, 4),
                p=float(f"{suggestion.p:.3g}"),
                texture=round(suggestion.texture, 4),
                rank=rank,
            )
        )
    return queue


def _searched(
    search: SearchSettings, settings: ProposalsParams, audio_root: Path, track: ManifestTrack
) -> tuple[list[Suggestion], int]:
    """What a track's suggestions are, and of how many of its surrogates any is kept."""
    views = _views(track, search, audio_root)
    random = np.random.default_rng([search.seed, *track.track_id.encode()])
    passed = sum(
        bool(_kept(surrogate(views, search, "shuffled", random), search, settings))
        for _ in range(settings.null_rounds)
    )
    return _kept(views, search, settings), passed


def _views(track: ManifestTrack, search: SearchSettings, audio_root: Path) -> Views:
    """Views of what the model reads: nothing outside its windows can be foreseen."""
    path, end = audio_root / track.path, end_seconds(track.windows)
    audio = load_audio(path, sample_rate=SAMPLE_RATE, seconds=end)
    return make_views(audio.samples, SAMPLE_RATE, rate=search.rate)


def _kept(views: Views, search: SearchSettings, settings: ProposalsParams) -> list[Suggestion]:
    return accepted(
        suggest(views, search),
        p=settings.p,
        false_per_minute=settings.false_per_minute,
        min_score=settings.min_score,
    )


def _span(start: float, end: float) -> Span:
    first = round(start * SAMPLE_RATE)
    return Span(start_sample=first, samples=max(1, round(end * SAMPLE_RATE) - first))
