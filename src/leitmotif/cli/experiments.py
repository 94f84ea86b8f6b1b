"""``leitmotif experiments``: what DVC's experiments changed, and what came of it."""

import shutil
from typing import Annotated

import typer


def experiments(
    start: Annotated[
        str, typer.Argument(metavar="COMMIT", help="Commit from which they start.")
    ] = "HEAD",
    width: Annotated[
        int | None, typer.Option(min=80, help="Characters in a line; the terminal's, or 120.")
    ] = None,
) -> None:
    """Compare DVC's experiments with their commit.

    Each setting and metric that differs is a row.
    """
    from leitmotif.share.experiments import as_lines, read_experiments

    columns = width or max(80, shutil.get_terminal_size((120, 24)).columns)
    typer.echo("\n".join(as_lines(read_experiments(start), columns)))
