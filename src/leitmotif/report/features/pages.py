"""Writes the feature pages and their index into a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from leitmotif.claims import Horizon
from leitmotif.report.clips import ReportClip
from leitmotif.report.features import charts, heard, views, words
from leitmotif.report.features.chosen import Ref, Shown
from leitmotif.report.features.heard import Excerpt
from leitmotif.report.features.listening import ListenedContext, Track, activity
from leitmotif.report.features.measurement import FeatureMeasurements, measure
from leitmotif.report.features.moments import Moment
from leitmotif.report.features.neighbours import vectors
from leitmotif.report.folder import Folder
from leitmotif.report.numbers import Number, number_of, placed
from leitmotif.report.words import interval_words
from leitmotif.sae.autoencoder.used import UsedSae
from leitmotif.tables.effects import VerdictRow
from leitmotif.work.progress import progress

INDEX, VERDICTS = "features/index.html", "data/verdicts.jsonl"
NEAREST = 6
"""Number of neighbours that are shown from the feature's own site."""
BEYOND_SECONDS = 1.0
"""Length of the curve before onsets beyond the furthest horizon."""


@dataclass(frozen=True)
class PageSources:
    """Inputs of the pages."""

    shown: Sequence[Shown]
    """Features in the order of the index."""
    corpus: Path
    features: Path
    """Folder with chroma, energy and onsets."""
    encoded: Path
    """Folder with a subfolder of features for each autoencoder."""
    tracks: Sequence[Track]
    used: Sequence[UsedSae]
    horizons: Sequence[Horizon]
    claimed: Horizon
    """The horizon for which claims are made."""
    misaligned: Mapping[str, str]
    """Mismatches by hook; the features of such a hook are no evidence about their site."""
    seed: int
    hashes: Mapping[str, str]
    """SHA-256 of the inputs, by name."""


def write_feature_pages(folder: Folder, sources: PageSources, heard_at: Mapping[str, str]) -> None:
    """Write a page for each selected feature, and their index.

    Parameters
    ----------
    folder
        The report.
    sources
        Inputs of the pages.
    heard_at
        Pages with the clips of interventions, by the name of the candidate.

    Raises
    ------
    StoreError, AudioError, ModelError
        If an input is missing.
    """
    shown = sources.shown
    measurements = _measurements(shown, sources)
    excerpts: set[Excerpt] = set()
    for feature in shown:
        moments = measurements[feature.ref].moments
        excerpts |= {heard.around(m, _context(sources, m)) for m in moments}
        excerpts |= {heard.whole(m, _context(sources, m)) for m in moments[:1]}
    clips = heard.write_clips(folder, sources.corpus, sources.tracks, excerpts)
    pages = {feature.ref: feature.ref.path for feature in shown}
    rows = []
    for number, feature in enumerate(progress(shown, "feature pages", total=len(shown))):
        measured = measurements[feature.ref]
        vector = vectors(sources.used, feature.ref.hook, feature.ref.feature, nearest=NEAREST)
        firings, course = _firings(feature, measured, sources, clips)
        folder.page(
            feature.ref.path,
            "feature.html",
            shown=feature,
            measured=measured,
            vectors=vector,
            firings=firings,
            course=course,
            raster=views.raster(measured.raster, measured.density.largest, measured.rows_a_column),
            around=charts.around_chart(measured.around),
            by_place=charts.place_chart(measured.by_place),
            histogram=charts.histogram(measured.density),
            credits=[sources.tracks[n].row for n in sorted({m.track for m in measured.moments})],
            claimed=sources.claimed,
            left_out=words.left_out(sources.tracks),
            misaligned=sources.misaligned.get(feature.ref.hook, ""),
            pages=pages,
            index=INDEX,
            previous=shown[number - 1].ref if number else None,
            following=shown[number + 1].ref if number + 1 < len(shown) else None,
            words=words,
            of_verdict=partial(number_of, file=VERDICTS),
            likeness_of=_likeness,
            heard=heard_at,
            before_seconds=heard.BEFORE_SECONDS,
            after_seconds=heard.AFTER_SECONDS,
        )
        rows.append((feature, measured, charts.sparkline(measured.around)))
    folder.page(INDEX, "features.html", rows=rows, claimed=sources.claimed, words=words)


def _likeness(judged: VerdictRow) -> Number:
    text = interval_words(judged.clap_similarity, 3, sign=False, tested=False)
    return placed(text, judged, "clap_similarity", file=VERDICTS)


def _measurements(shown: Sequence[Shown], sources: PageSources) -> dict[Ref, FeatureMeasurements]:
    by_hook: dict[str, set[int]] = {}
    for feature in shown:
        by_hook.setdefault(feature.ref.hook, set()).add(feature.ref.feature)
    ahead = max(horizon.until for horizon in sources.horizons) + BEYOND_SECONDS
    return {
        Ref(hook, number): measured
        for hook, numbers in by_hook.items()
        for number, measured in measure(
            sorted(numbers),
            sources.tracks,
            encoded=sources.encoded / hook,
            features=sources.features,
            horizon=sources.claimed,
            ahead_seconds=ahead,
            seed=sources.seed,
            shown=partial(progress, description=f"features of {hook}", total=len(sources.tracks)),
        ).items()
    }


def _context(sources: PageSources, moment: Moment) -> ListenedContext:
    return sources.tracks[moment.track].contexts[moment.context]


def _firings(
    feature: Shown,
    measured: FeatureMeasurements,
    sources: PageSources,
    clips: Mapping[Excerpt, ReportClip],
) -> tuple[list[views.Firing], views.Firing | None]:
    """The moments, and the whole context of the highest moment."""
    firings: list[views.Firing] = []
    course = None
    for moment in measured.moments:
        track = sources.tracks[moment.track]
        values = activity(sources.encoded / feature.ref.hook, track, [feature.ref.feature])[:, 0]
        excerpt = heard.around(moment, _context(sources, moment))
        firings.append(
            views.firing(moment, excerpt, clips[excerpt], track, values, measured.density.largest)
        )
        if course is None:
            excerpt = heard.whole(moment, _context(sources, moment))
            course = views.firing(
                moment, excerpt, clips[excerpt], track, values, measured.density.largest
            )
    return firings, course
