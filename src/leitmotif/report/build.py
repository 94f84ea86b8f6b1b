"""Builds a report from the outputs of the pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitmotif.config import ReportParams
from leitmotif.feasibility.rehearsal import REHEARSAL, is_rehearsal
from leitmotif.files import sha256_json
from leitmotif.files.targets import made_folder
from leitmotif.report.clips import ReportClip
from leitmotif.report.features.chosen import Ref
from leitmotif.report.features.pages import INDEX, PageSources, write_feature_pages
from leitmotif.report.folder import Folder, Shell
from leitmotif.report.kept import add_kept
from leitmotif.report.lens.pages import PAGE as LENS_PAGE
from leitmotif.report.lens.pages import write_lens_page
from leitmotif.report.lens.sources import LensSources
from leitmotif.report.listening import pair_data
from leitmotif.report.material import ReportMaterial
from leitmotif.report.numbers import Said, number_of, placed
from leitmotif.report.overview import EFFECTS, VERDICTS, bar_of, overview
from leitmotif.report.pairs import Subject, subjects
from leitmotif.report.sentences import FINDING, of_candidate
from leitmotif.report.swaps.pages import PAGE as SWAPS_PAGE
from leitmotif.report.swaps.pages import write_swaps_page
from leitmotif.report.swaps.sources import SwapSources
from leitmotif.report.tracks import TrackSources
from leitmotif.report.words import interval_words, mean_words, number
from leitmotif.tables.effects import VerdictRow
from leitmotif.work.progress import progress

REPORT_ID_DIGITS = 12


@dataclass(frozen=True)
class ReportCounts:
    """Counts of a report's contents."""

    findings: int
    pairs: int
    clips: int
    features: int
    """Features that have a page."""
    bytes: int


@dataclass(frozen=True)
class Reported:
    """What a report is made from; it has no pages of a part that is None."""

    material: ReportMaterial
    features: PageSources | None = None
    lens: LensSources | None = None
    swaps: SwapSources | None = None
    tracks: TrackSources | None = None
    """Without it nothing is said of the tracks that are left."""

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each input, by its path."""
        hashes = dict(self.material.hashes)
        for part in (self.features, self.lens, self.swaps, self.tracks):
            hashes |= {} if part is None else part.hashes
        return hashes

    @property
    def tabs(self) -> list[tuple[str, str]]:
        """Page and name of each tab."""
        parts = (
            (self.features, INDEX, "Features"),
            (self.lens, LENS_PAGE, "Layers"),
            (self.swaps, SWAPS_PAGE, "Swaps"),
        )
        more = [(path, label) for part, path, label in parts if part is not None]
        return [("index.html", "Overview"), ("blind.html", "Blind test"), *more]


def write_report(
    out: Path, reported: Reported, settings: ReportParams, *, replace: bool = False
) -> ReportCounts:
    """Build a report as the folder ``out``, whole or not at all.

    With ``replace`` an older report is written over. Raises TargetError as ``check_folder`` does,
    and what ``build_report`` raises.
    """
    with made_folder(out, replace=replace) as folder:
        return build_report(folder, reported, settings)


def build_report(root: Path, reported: Reported, settings: ReportParams) -> ReportCounts:
    """Write all pages below ``root``, an empty folder; the same inputs give the same bytes.

    Raises
    ------
    LeitmotifError
        If a clip cannot be read or does not belong to the tables.
    """
    material, features = reported.material, reported.features
    folder = Folder(root, _shell(reported, settings))
    shown = subjects(material, settings.conditions)
    clips = _clips_of(shown, folder, material)
    data = {subject.path: _pairs_of(subject, clips) for subject in shown}
    folder.page(
        "index.html",
        "index.html",
        pairs=_of_findings(shown, data),
        hashes=reported.hashes,
        **overview(material, shown, reported.tracks),
    )
    for subject in shown:
        _subject_page(folder, subject, data[subject.path], _pages_of(subject, features))
    folder.page(
        "blind.html",
        "blind.html",
        pairs=_blind(data),
        left_out=_left_out(data),
        made=material.continued,
    )
    if features is not None:
        own = {
            subject.name: subject.path for subject in shown if subject.model == material.models[0]
        }
        write_feature_pages(folder, features, own)
    if reported.lens is not None:
        write_lens_page(folder, reported.lens)
    if reported.swaps is not None:
        write_swaps_page(folder, reported.swaps)
    return ReportCounts(
        findings=sum(subject.verdict == FINDING for subject in shown),
        pairs=sum(map(len, data.values())),
        clips=len(folder.clips),
        features=0 if features is None else len(features.shown),
        bytes=folder.size,
    )


def _shell(reported: Reported, settings: ReportParams) -> Shell:
    inputs = {"inputs": reported.hashes, "settings": settings.model_dump()}
    return Shell(
        report_id=sha256_json(inputs)[:REPORT_ID_DIGITS],
        model=reported.material.approaches[0].model,
        brands=brands_of(reported.material, reported.tracks),
        tabs=reported.tabs,
    )


def brands_of(material: ReportMaterial, tracks: TrackSources | None) -> list[str]:
    """What every page says at its top, because without it all others would be misread."""
    brands = []
    params = None if tracks is None else tracks.known.params
    if params is not None and is_rehearsal(params):
        brands.append(f"{REHEARSAL[0].upper()}{REHEARSAL[1:]}.")
    if material.exploratory:
        brands.append(
            "Exploratory: tracks with undecided proposals were used. Nothing here is a claim."
        )
    return [*brands, *(f"Misaligned on purpose: {brand}" for brand in material.misaligned)]


def _clips_of(
    reported: Sequence[Subject], folder: Folder, material: ReportMaterial
) -> dict[str, ReportClip]:
    """Copy each clip of the pairs once; by the hash of its audio."""
    clips: dict[str, ReportClip] = {}
    for subject in progress(reported, "pairs of clips", total=len(reported)):
        for pair in subject.pairs:
            for row in (pair.before, pair.after):
                if row.audio_sha256 not in clips:
                    path, sha256 = material.clips / str(row.file), row.audio_sha256
                    clips[sha256] = add_kept(
                        folder, path, sha256, stage="interventions", pictured=True
                    )
    return clips


def _pairs_of(subject: Subject, clips: Mapping[str, ReportClip]) -> list[dict[str, Any]]:
    return [
        pair_data(subject, tried, pair, clips) for tried in subject.tried for pair in tried.pairs
    ]


def _blind(data: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Pairs that begin alike and whose sounds differ from those of all others, with a page of each.

    Clips that differ from the first sample on give away that one of them has another beginning.
    """
    distinct: dict[tuple[str, str], dict[str, Any]] = {}
    for path, pairs in data.items():
        for pair in pairs:
            if not pair["alike"]:
                continue
            key = (pair["before"]["sha256"], pair["after"]["sha256"])
            distinct.setdefault(key, {**pair, "page": f"{path}#{pair['id']}"})
    return list(distinct.values())


def _left_out(data: Mapping[str, Sequence[dict[str, Any]]]) -> int:
    """Pairs that do not begin alike."""
    return len({pair["id"] for pairs in data.values() for pair in pairs if not pair["alike"]})


def _of_findings(
    reported: Sequence[Subject], data: Mapping[str, Sequence[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """The pairs that findings rest on."""
    return [
        {**pair, "page": f"{subject.path}#{pair['id']}"}
        for subject in reported
        if subject.verdict == FINDING
        for pair in data[subject.path]
        if pair["condition"] == next(tried.name for tried in subject.tried if tried.tested)
    ]


def _pages_of(subject: Subject, features: PageSources | None) -> list[Ref]:
    """The subject's features that have a page."""
    judged = subject.judged
    if features is None or judged is None or judged.hook is None:
        return []
    shown = {feature.ref for feature in features.shown}
    refs = [Ref(judged.hook, number) for number in judged.features]
    return [ref for ref in refs if ref in shown]


def _subject_page(
    folder: Folder,
    subject: Subject,
    pairs: Sequence[dict[str, Any]],
    features: Sequence[Ref],
) -> None:
    folder.page(
        subject.path,
        "pair.html",
        subject=subject,
        verdict=subject.verdict,
        words=of_candidate(subject.judged) if subject.judged else "",
        facts=_facts(subject),
        features=features,
        pairs=pairs,
        made=any(tried.row.clips for tried in subject.tried),
        conditions=[
            {
                "words": tried.words,
                "tested": tried.tested and subject.judged is not None,
                "control": tried.control,
                "made": bool(tried.row.clips),
                "effect": number_of(tried.row, "towards_source", file=EFFECTS),
                "bar": bar_of(tried.row.towards_source),
                "clap": placed(
                    mean_words(tried.row.clap_similarity, 3),
                    tried.row,
                    "clap_similarity",
                    file=EFFECTS,
                ),
                "pairs": [
                    {
                        "id": pair.id,
                        "track": pair.after.track_id,
                        "dots": _dots(pair.measured),
                        "title": pair.measured or "not measured",
                    }
                    for pair in tried.pairs
                ],
            }
            for tried in subject.tried
        ],
    )


def _facts(subject: Subject) -> list[tuple[str, Said]]:
    judged = subject.judged
    if judged is None:
        return []
    control = "its controls" if judged.features else "its control"
    facts: list[tuple[str, Said]] = [
        (name, number_of(judged, field, file=VERDICTS))
        for name, field in (
            ("towards the source, points", "effect"),
            (f"more than {control}, points", "over_controls"),
            ("of pieces that lack the return", "gained"),
            ("of pieces that have it", "lost"),
        )
    ]
    if judged.possible is not None and judged.possible.least is not None:
        facts += [
            (
                name,
                placed(
                    number(getattr(judged.possible, field), 1),
                    judged,
                    f"possible.{field}",
                    file=VERDICTS,
                ),
            )
            for name, field in (("counts from, points", "least"), ("likely from, points", "likely"))
        ]
    likeness = interval_words(judged.clap_similarity, 3, sign=False, tested=False)
    likelihood = interval_words(judged.log_likelihood, 3)
    facts += [
        ("CLAP similarity", placed(likeness, judged, "clap_similarity", file=VERDICTS)),
        (
            "log-likelihood, nats a token more than the baseline's",
            placed(likelihood, judged, "log_likelihood", file=VERDICTS),
        ),
        ("site", judged.site),
    ]
    if not judged.features and judged.exchanged is not None:
        facts.append(("residuals carry the event", _carried(judged)))
    if judged.features:
        numbers = ", ".join(map(str, judged.features))
        facts.append((f"features of {judged.hook or 'the site'}", numbers))
    return facts


def _carried(judged: VerdictRow) -> Said:
    """From how far ahead a site's residuals carry the event."""
    if judged.lead is None:
        return "from nowhere" if judged.exchanged else "not known: none were exchanged"
    return placed(f"from {judged.lead:g} s ahead", judged, "lead", file=VERDICTS)


def _dots(measured: str | None) -> tuple[bool, bool] | None:
    return (
        None
        if measured is None
        else (measured in ("before", "both"), measured in ("after", "both"))
    )
