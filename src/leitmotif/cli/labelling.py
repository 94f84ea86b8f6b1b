"""``leitmotif review`` and ``agreement``: people decide which proposals are motifs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer


def review(
    reviewer: Annotated[
        list[str] | None,
        typer.Option(help="Name of a reviewer; may be repeated. Default: git's user.name."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback require a token.")
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
    from leitmotif.config import load_params
    from leitmotif.files.targets import check_editable
    from leitmotif.pipeline import CORPUS, FEATURES, MANIFEST, PROPOSALS, WORK_CACHE
    from leitmotif.review import serve
    from leitmotif.review.log import log_path
    from leitmotif.review.material import ReviewSources
    from leitmotif.review.session import Session

    reviewers = serve.check_reviewers(reviewer or [serve.git_name()])
    sources = ReviewSources(
        proposals=PROPOSALS,
        manifest=MANIFEST,
        corpus=CORPUS,
        features=FEATURES,
        decisions=Path(load_params().labels.decisions),
        work=WORK_CACHE / "review",
    )
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
