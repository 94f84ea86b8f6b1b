"""``leitmotif review``, ``import-labels`` and ``agreement``: people say where motifs return."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from leitmotif.review.importing.run import AnnotatedFile, Import, Transpositions
    from leitmotif.review.material import ReviewSources
    from leitmotif.tables.corpus import ManifestTrack


def review(
    reviewer: Annotated[
        list[str] | None,
        typer.Option(help="Name of a reviewer; may be repeated. Default: git's user.name."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but loopback requires a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 selects a free one.")] = 8321,
    host_name: Annotated[
        list[str] | None,
        typer.Option(help="Additional host name of the page; may be repeated."),
    ] = None,
    token: Annotated[
        bool, typer.Option("--token", help="Require a token on loopback too.")
    ] = False,
    show_scores: Annotated[
        bool, typer.Option("--show-scores", help="Show each score before the decision.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Label proposals by ear on a local web page."""
    from leitmotif.cli.status import print_next
    from leitmotif.files.targets import check_editable
    from leitmotif.review import serve
    from leitmotif.review.log import log_path
    from leitmotif.review.session import Session

    reviewers = serve.check_reviewers(reviewer or [serve.git_name()])
    _refuse_another_corpus()
    sources = _review_sources()
    for name in reviewers:
        check_editable(log_path(sources.decisions, name).resolve())
    session = Session(sources, show_scores=show_scores)

    def ready(links: Mapping[str, str]) -> None:
        for notice in session.index.notices:
            typer.echo(f"note: {notice}", err=True)
        for name, link in links.items():
            typer.echo(f"{name}: {link}")
        typer.echo(f"Decisions go to {sources.decisions}. Ctrl-C ends the review.")

    try:
        serve.serve(
            session,
            reviewers=reviewers,
            host=host,
            port=port,
            access=serve.access_for(host, reviewers, host_names=host_name or [], token=token),
            ready=ready,
            open_browser=browser,
        )
    except KeyboardInterrupt:  # how a review ends
        print_next()
        raise
    print_next()


def _refuse_another_corpus() -> None:
    """Raise ReviewError before anybody decides on recordings that params.yaml does not name.

    A clone has the manifest and the proposals of the shipped experiment, whatever it was told to
    use since.
    """
    from leitmotif.errors import ReviewError
    from leitmotif.share.lockfile import outdated_stages

    if "corpus" in outdated_stages():
        raise ReviewError(
            "the tracks and proposals that are here are of another corpus than params.yaml names",
            found="the stage corpus ran with other settings",
            fix="dvc repro proposals, then this again",
        )


def _review_sources() -> "ReviewSources":
    """What the page reads and writes, where the stages and the settings say."""
    from leitmotif.config import load_params
    from leitmotif.pipeline import CORPUS, FEATURES, MANIFEST, PROPOSALS, WORK_CACHE
    from leitmotif.review.material import ReviewSources

    return ReviewSources(
        proposals=PROPOSALS,
        manifest=MANIFEST,
        corpus=CORPUS,
        features=FEATURES,
        decisions=Path(load_params().labels.decisions),
        work=WORK_CACHE / "review",
    )


def agreement() -> None:
    """Print how well reviewers agree.

    This is Cohen's kappa and the confusion matrix of each pair of reviewers.
    """
    from leitmotif.config import load_params
    from leitmotif.review.agreement import agreements, as_text
    from leitmotif.review.log import log_files, read_logs
    from leitmotif.review.standing import standing

    logs = log_files(Path(load_params().labels.decisions))
    typer.echo(as_text(agreements(standing(read_logs(logs)))))


def import_labels(
    file: Annotated[Path, typer.Argument(help="Annotations to import.")],
    reviewer: Annotated[str, typer.Option(help="Whose log the annotations enter.")],
    kind: Annotated[
        str,
        typer.Option(
            "--format", help="csv (pairs in seconds), bps (BPS-motif) or jams (pattern_jku)."
        ),
    ] = "csv",
    track: Annotated[
        str | None, typer.Option(help="Track of the whole file: track_id or name of its recording.")
    ] = None,
    exhaustive: Annotated[
        bool,
        typer.Option("--exhaustive", help="The annotator listened to all of the named tracks."),
    ] = False,
    crotchet_seconds: Annotated[
        float | None, typer.Option(help="Seconds of a crotchet, at a steady tempo (bps).")
    ] = None,
    crotchet_zero: Annotated[
        float, typer.Option(help="Second of the recording at which crotchet 0 sounds (bps).")
    ] = 0.0,
    tempo_map: Annotated[
        Path | None, typer.Option(help="CSV with crotchet and seconds, of a performance (bps).")
    ] = None,
    align: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ANNOTATED=TRACK",
            help="Second of the annotations that is a second of the track, which is an excerpt "
            "of what was annotated: 62.5=0. Twice: two points, where the speed differs.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file and write nothing.")
    ] = False,
) -> None:
    """Import existing annotations into the decision log."""
    from leitmotif.cli.status import print_next
    from leitmotif.config import load_params
    from leitmotif.files import read_table
    from leitmotif.pipeline import MANIFEST
    from leitmotif.review.importing import run
    from leitmotif.review.importing.excerpt import alignment_of
    from leitmotif.review.log import log_path
    from leitmotif.review.serve import check_reviewers
    from leitmotif.tables.corpus import ManifestTrack

    check_reviewers([reviewer])
    _refuse_another_corpus()
    log = log_path(Path(load_params().labels.decisions), reviewer)
    tracks = read_table(MANIFEST, ManifestTrack)
    clock = run.clock_of(crotchet_seconds, crotchet_zero, tempo_map)
    alignment = alignment_of(align or ())
    read = run.read_annotations(file, kind, tracks, track=track, clock=clock, alignment=alignment)
    imported = _import(read, tracks, log, exhaustive=exhaustive, dry_run=dry_run)
    for line in imported.remarks:
        typer.echo(f"note: {line}", err=True)
    typer.echo(imported.said(log, written=not dry_run))
    if not dry_run:
        print_next()


def _import(
    read: "AnnotatedFile",
    tracks: "Sequence[ManifestTrack]",
    log: Path,
    *,
    exhaustive: bool,
    dry_run: bool,
) -> "Import":
    """Add annotations to a reviewer's log, or find what would be added."""
    from leitmotif.config import load_params
    from leitmotif.files.targets import check_editable
    from leitmotif.pipeline import CORPUS, PROPOSALS, WORK_CACHE
    from leitmotif.recurrence.search.settings import search_of
    from leitmotif.review.importing import run
    from leitmotif.review.index import Index
    from leitmotif.tables.proposals import read_proposals

    # Annotations may come first; a queue that cannot be read is named before a line is written.
    proposals = read_proposals(PROPOSALS) if PROPOSALS.exists() else []
    transpositions: Transpositions = run.untransposed
    if not dry_run:
        check_editable(log.resolve())
        search = search_of(load_params().proposals)
        transpositions = run.transpositions_in(search, tracks, CORPUS)
    index = Index(WORK_CACHE / "review" / "index.sqlite", log.parent)
    prepared = run.prepare(
        read,
        tracks,
        index,
        reviewer=log.stem,
        exhaustive=exhaustive,
        transpositions=transpositions,
        proposals=proposals,
    )
    if not dry_run:
        run.write(index, prepared)
    return prepared
