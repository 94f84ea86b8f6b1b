"""``leitmotif compare``: what differs between two revisions, for a review."""

from pathlib import Path
from typing import Annotated

import typer

from leitmotif.cli.options import Replace
from leitmotif.errors import counted


def compare(
    base: Annotated[str, typer.Argument(help="Branch, tag or commit to compare with.")],
    head: Annotated[
        str | None, typer.Argument(help="Branch, tag or commit; the working tree if left out.")
    ] = None,
    md: Annotated[
        Path | None, typer.Option("--md", help="File to write it to, as Markdown of a comment.")
    ] = None,
    assets: Annotated[
        Path | None, typer.Option("--assets", help="Folder to write pictures of changed plots to.")
    ] = None,
    assets_url: Annotated[
        str | None, typer.Option(help="URL under which the pictures will be found.")
    ] = None,
    report_url: Annotated[
        str | None, typer.Option(help="URL under which the listening report will be found.")
    ] = None,
    comment: Annotated[
        bool, typer.Option("--comment", help="Make links only of URLs: a comment has no folder.")
    ] = False,
    check: Annotated[
        Path | None, typer.Option(help="What `leitmotif check --json` wrote, to be shown too.")
    ] = None,
    replace: Replace = False,
) -> None:
    """Compare settings, conclusions, metrics, tables and plots of two revisions.

    Differences that are not shown are counted.
    """
    from leitmotif.share.compare.writing import Targets, compared_to

    targets = Targets(md, assets, assets_url, report_url, comment, check)
    document = compared_to(base, head, targets, over=replace)
    if md is not None:
        from leitmotif.cli.columns import on_screen

        typer.echo(on_screen(f"{md}: {counted(document.changes, 'change')}"))
        return
    from rich.console import Console

    from leitmotif.share.compare.terminal import print_document

    print_document(document, Console())
