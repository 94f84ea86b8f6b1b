"""``leitmotif publish``: the outputs as a data set on the model hub."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leitmotif.cli.options import Replace
from leitmotif.errors import counted

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from leitmotif.share.publish.publication import Publication
    from leitmotif.share.publish.remote import RemoteState

OUTPUTS = (Path("data"), Path("metrics"), Path("models"), Path("plots"))
"""What is read, and where nothing is written."""


def publish(
    repository: Annotated[str, typer.Argument(help="Data set on the hub: OWNER/NAME.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List every file and send nothing.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="With --dry-run: a folder for the card and the tables, to be read."),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make the data set private.")] = False,
    revision: Annotated[str, typer.Option(help="Branch of the data set.")] = "main",
    endpoint: Annotated[
        str | None, typer.Option(help="Address of the hub; HF_ENDPOINT or huggingface.co.")
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Take a data set that holds something else, and delete what is there.",
        ),
    ] = False,
    replace: Replace = False,
) -> None:
    """Publish tensors, features, logs and clips as a data set.

    artifacts.yaml says which files. Recordings stay here, and so does what a licence forbids to
    share. The outputs have to be those of dvc.lock. Run it again to go on after an interruption.
    """
    from leitmotif.errors import LeitmotifError
    from leitmotif.files.targets import check_folder
    from leitmotif.share.publish.hub import check_name, connect
    from leitmotif.share.publish.preview import as_lines
    from leitmotif.share.publish.publication import publication
    from leitmotif.share.publish.remote import check_ours, open_dataset
    from leitmotif.share.publish.selection import select

    check_name(repository)
    if out is not None and not dry_run:
        raise LeitmotifError("--out is for --dry-run", fix="add --dry-run, or leave out --out")
    if out is not None:
        check_folder(out, inputs=OUTPUTS, replace=replace)
    made = publication(repository, select())
    if dry_run:
        typer.echo("\n".join(as_lines(repository, made)))
        if out is not None:
            _write(out, made.descriptions, replace=replace)
        return
    api = connect(endpoint)
    state = open_dataset(api, repository, revision=revision, private=private)
    check_ours(repository, state, made.record.source, overwrite=overwrite)
    _send(api, repository, made, state, overwrite=overwrite)


def _send(
    api: "HfApi", repository: str, made: "Publication", state: "RemoteState", *, overwrite: bool
) -> None:
    """Upload what the data set lacks, and say what was done."""
    from leitmotif.cli.columns import on_screen
    from leitmotif.share.publish.preview import totals
    from leitmotif.share.publish.remote import check_unchanged_there
    from leitmotif.share.publish.upload import plan_upload, upload

    plan = plan_upload(made, state, overwrite=overwrite)
    if not overwrite:
        replaced = [payload.row.path for payload in plan.missing]
        check_unchanged_there(api, repository, state, [*replaced, *plan.stale])
    typer.echo("\n".join(totals(made)))
    if plan.kept:
        kept = on_screen(", ".join(plan.kept))
        typer.echo(f"not of `leitmotif publish`, left as they are: {kept}")
    if not plan.missing and not plan.stale:
        typer.echo(f"{repository} has all of it already, at commit {state.commit}")
        return
    message = f"Outputs of commit {made.record.commit[:12]}"
    commit = upload(api, repository, state, plan, message)
    typer.echo(
        f"sent {len(plan.missing)} and deleted {counted(len(plan.stale), 'file')}: "
        f"{api.endpoint}/datasets/{repository}/tree/{commit}"
    )


def _write(folder: Path, files: dict[str, bytes], *, replace: bool) -> None:
    from leitmotif.files import write_text
    from leitmotif.files.targets import made_folder

    with made_folder(folder, inputs=OUTPUTS, replace=replace) as place:
        for name, content in files.items():
            write_text(place / name, content.decode())
