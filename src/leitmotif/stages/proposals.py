"""Stage ``proposals``: the review queue of motif recurrences, each with a score and a p-value."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from scipy.stats import binomtest

from leitmotif.audio.decode import load_audio
from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.config import Params, ProposalsParams
from leitmotif.files import read_table, sha256_json, write_json
from leitmotif.intervals import Interval
from leitmotif.parallel import in_processes
from leitmotif.progress import progress
from leitmotif.provenance import code_version
from leitmotif.recurrence.engine import Suggestion, accepted, suggest
from leitmotif.recurrence.null import surrogate
from leitmotif.recurrence.scoring import Counts, count, has_distractors
from leitmotif.recurrence.settings import Search, search_of
from leitmotif.recurrence.views import Views, make_views
from leitmotif.stages import CORPUS, FAILURES, MANIFEST, METRICS, PROPOSALS, run
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import Failure, ManifestTrack
from leitmotif.tables.interval import IntervalRow, as_metric
from leitmotif.tables.proposals import Proposal, proposal_address, write_proposals
from leitmotif.tables.truth import TRUTH, Truth


def proposals(params: Params) -> None:
    """Write data/proposals.jsonl and metrics/proposals.json."""
    settings = params.proposals
    search = search_of(settings)
    engine = engine_version(settings)
    failed = {row.track_id for row in read_table(FAILURES, Failure)}
    tracks = [row for row in read_table(MANIFEST, ManifestTrack) if row.track_id not in failed]
    searched = in_processes(partial(_searched, search, settings), tracks)
    found: list[tuple[str, Suggestion]] = []
    null_any = 0
    for track, (kept, passed) in zip(
        tracks, progress(searched, "proposals", total=len(tracks)), strict=True
    ):
        found += [(track.track_id, one) for one in kept]
        null_any += passed
    queue = ranked(found, engine=engine)
    write_proposals(PROPOSALS, queue)
    truths = read_table(CORPUS / TRUTH, Truth) if (CORPUS / TRUTH).exists() else []
    known = {track.track_id for track in tracks}
    metrics = metrics_of(
        queue,
        [row for row in truths if row.track_id in known],
        null_any_rate=_rate(null_any, len(tracks) * settings.null_rounds),
    )
    write_json(METRICS / "proposals.json", metrics)


def metrics_of(
    queue: Sequence[Proposal], truths: Sequence[Truth], *, null_any_rate: IntervalRow | None
) -> dict[str, object]:
    """False alarms on shuffled tracks, and how much of a score is found; null where none is known.

    ``truths`` are the scores of the tracks that were searched.
    """
    by_track = defaultdict(list)
    for proposal in queue:
        by_track[proposal.track_id].append(proposal)
    plain = count((row for row in truths if not has_distractors(row)), by_track)
    distracted = count((row for row in truths if has_distractors(row)), by_track)
    return {
        "proposals": len(queue),
        "null_any_rate": as_metric(null_any_rate),
        "precision": _share(plain, "precision"),
        "recall": _share(plain, "recall"),
        "precision_distractors": _share(distracted, "precision"),
        "recall_distractors": _share(distracted, "recall"),
    }


def engine_version(settings: ProposalsParams) -> str:
    """SHA-256 of the engine's code and settings."""
    return sha256_json(
        {"code": code_version("leitmotif.recurrence.engine"), "settings": settings.model_dump()}
    )


def ranked(found: Iterable[tuple[str, Suggestion]], *, engine: str) -> list[Proposal]:
    """Make the queue from suggestions by track, the best of all tracks first.

    Numbers are rounded to what does not depend on the processor.
    """
    ordered = sorted(found, key=lambda one: (-round(one[1].score, 4), one[0], one[1].motif_start))
    queue = []
    for rank, (track_id, one) in enumerate(ordered, start=1):
        motif = _span(one.motif_start, one.motif_end)
        recurrence = _span(one.recurrence_start, one.recurrence_end)
        queue.append(
            Proposal(
                proposal_id=proposal_address(track_id, motif, recurrence, engine=engine),
                track_id=track_id,
                sample_rate=SAMPLE_RATE,
                motif=motif,
                recurrence=recurrence,
                transposition=one.transposition,
                score=round(one.score, 4),
                p=float(f"{one.p:.3g}"),
                texture=round(one.texture, 4),
                rank=rank,
            )
        )
    return queue


def _searched(
    search: Search, settings: ProposalsParams, track: ManifestTrack
) -> tuple[list[Suggestion], int]:
    """What a track's suggestions are, and of how many of its surrogates any is kept."""
    views = _views(track, search)
    random = np.random.default_rng([search.seed, *track.track_id.encode()])
    passed = sum(
        bool(_kept(surrogate(views, search, "shuffled", random), search, settings))
        for _ in range(settings.null_rounds)
    )
    return _kept(views, search, settings), passed


def _views(track: ManifestTrack, search: Search) -> Views:
    """Views of what the model reads: nothing outside its windows can be foreseen."""
    end = max(window.start_frame + window.frames for window in track.windows)
    audio = load_audio(CORPUS / track.path, sample_rate=SAMPLE_RATE, seconds=end / 50)
    return make_views(audio.samples, SAMPLE_RATE, rate=search.rate)


def _kept(views: Views, search: Search, settings: ProposalsParams) -> list[Suggestion]:
    return accepted(
        suggest(views, search),
        p=settings.p,
        false_per_minute=settings.false_per_minute,
        min_score=settings.min_score,
    )


def _span(start: float, end: float) -> Span:
    first = round(start * SAMPLE_RATE)
    return Span(start_sample=first, samples=max(1, round(end * SAMPLE_RATE) - first))


def _rate(hits: int, n: int) -> IntervalRow | None:
    """Share with its 95 % Wilson interval; None of nothing."""
    if not n:
        return None
    interval = binomtest(hits, n).proportion_ci(method="wilson")
    return IntervalRow.of(Interval(hits / n, interval.low, interval.high), 4, n=n)


def _share(counts: Counts, name: str) -> float | None:
    value: float | None = getattr(counts, name)
    return None if value is None else round(value, 4)


if __name__ == "__main__":
    run(proposals)
