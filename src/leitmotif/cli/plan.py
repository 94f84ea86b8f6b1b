"""``leitmotif plan``: what the run that params.yaml describes takes."""

from pathlib import Path
from typing import Annotated

import typer

from leitmotif.cli.options import Replace


def plan(
    device: Annotated[
        str | None, typer.Option(help="Device of the model; default: model.device of params.yaml.")
    ] = None,
    measure: Annotated[
        bool, typer.Option(help="Time pieces of work on this machine, for up to some minutes.")
    ] = True,
    preset: Annotated[
        str | None, typer.Option(help="Plan this preset in the place of params.yaml.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write the plan as JSON.")] = None,
    replace: Replace = False,
) -> None:
    """Print what a run takes: download, disk, memory, hours, decisions by hand.

    The numbers follow from params.yaml and the models' sizes. Nothing is downloaded.
    """
    from dataclasses import asdict

    from leitmotif.cli.preset_texts import preset as text_of
    from leitmotif.config import load_params, parse_params
    from leitmotif.files import write_json
    from leitmotif.files.targets import check_file
    from leitmotif.files.yaml_files import parse_yaml
    from leitmotif.plan.plan import make_plan
    from leitmotif.plan.text import as_lines, is_plan

    if json is not None:
        check_file(json, made=is_plan, replace=replace)
    if preset is None:
        params = load_params()
    else:
        params = parse_params(parse_yaml(text_of(preset)), origin=f"preset {preset}")
    if measure:
        typer.echo("measuring this machine; --no-measure leaves it out", err=True)
    made = make_plan(params, device=device, measure=measure)
    if json is not None:
        write_json(json, asdict(made))
    typer.echo("\n".join(as_lines(made)))
