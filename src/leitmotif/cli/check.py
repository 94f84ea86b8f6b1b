"""``leitmotif check``: the activation extraction and SAE alignment protocol."""

from pathlib import Path
from typing import Annotated

import typer

from leitmotif.cli.options import Replace


def check(
    replay: Annotated[
        int, typer.Option(min=0, help="Number of logged clips to make again and compare.")
    ] = 1,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Largest number of files of a kind to hash, evenly spread."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write the lines as JSON.")] = None,
    md: Annotated[Path | None, typer.Option(help="Also write them as Markdown.")] = None,
    replace: Replace = False,
) -> None:
    """Check this repository against the protocol.

    Covers recordings, manifest, activations, autoencoders, labels, controls, interventions and
    templates. The status is 1 if a check fails; the next line then says how to mend it.
    """
    from leitmotif.files import write_json, write_text
    from leitmotif.files.targets import check_apart, check_file
    from leitmotif.share.protocol.inputs import Inputs
    from leitmotif.share.protocol.output import as_markdown, as_text, is_json, is_markdown
    from leitmotif.share.protocol.run import run_checks

    def check_targets() -> None:
        check_apart(json, md)
        if json is not None:
            check_file(json, made=is_json, replace=replace)
        if md is not None:
            check_file(md, made=is_markdown, replace=replace)

    check_targets()
    protocol = run_checks(Inputs(sample=sample, replay=replay))
    check_targets()  # again: what came meanwhile stays
    if json is not None:
        write_json(json, protocol.model_dump(mode="json"))
    if md is not None:
        write_text(md, "\n".join(as_markdown(protocol)) + "\n")
    typer.echo("\n".join(as_text(protocol)))
    if protocol.failed:
        raise typer.Exit(1)
