"""``leitmotif remote add`` and ``remote audit``: sharing data through a bucket or a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leitmotif.errors import LeitmotifError, counted

if TYPE_CHECKING:
    from leitmotif.share.remote.audit import RemoteAudit
    from leitmotif.share.remote.repair import Repair

remote = typer.Typer(
    name="remote",
    help="Set up where data is shared, and check what is there.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_MOST_LINES = 20


@remote.command()
def add(
    url: Annotated[str, typer.Argument(help="s3://BUCKET/PREFIX, or a folder.")],
    endpoint: Annotated[
        str | None, typer.Option(help="Address of an S3 server that is not Amazon's.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Profile of ~/.aws/credentials or ~/.aws/config.")
    ] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="Ask for an access key and its secret.")
    ] = False,
    name: Annotated[str, typer.Option(help="What DVC calls the remote.")] = "storage",
    local: Annotated[
        bool, typer.Option("--local", help="Leave .dvc/config, which is in git, as it is.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over another remote of this name.")
    ] = False,
) -> None:
    """Set up a DVC remote, and try it with one object.

    Nothing is written unless the object can be written, read back and deleted.
    """
    from leitmotif.share.remote.adding import Keys, add_remote

    typed = None
    if keys:
        typed = Keys(
            typer.prompt("Access key", err=True),
            typer.prompt("Secret access key", hide_input=True, err=True),
        )
    written = add_remote(
        Path(), url, name=name, endpoint=endpoint, profile=profile, keys=typed, local=local,
        replace=replace,
    )  # fmt: skip
    typer.echo(f"{name}: {url}; an object was written, read back and deleted")
    typer.echo(f"written: {', '.join(map(str, written))}")
    typer.echo("next: `dvc push` to share the data, or `dvc pull` to get it")


@remote.command()
def audit(
    sample: Annotated[
        float | None, typer.Option(help="Number of objects to read, or below 1 their share.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Upload what is missing or wrong from the cache.")
    ] = False,
    all_commits: Annotated[
        bool, typer.Option("--all-commits", help="Check the objects of every commit.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write what was found to a file.")] = None,
    name: Annotated[
        str | None,
        typer.Option("--remote", help="Remote to audit; by default DVC's default."),
    ] = None,
) -> None:
    """Read what a DVC remote holds and compare it with dvc.lock.

    The status is 1 if an object is missing or wrong. A stopped audit goes on when run again.
    """
    from leitmotif.files import write_json
    from leitmotif.files.targets import check_file
    from leitmotif.share.remote.audit import audit as audit_remote
    from leitmotif.share.remote.opening import open_remote
    from leitmotif.share.remote.repair import repair as repair_remote
    from leitmotif.share.revisions import working_tree

    if json is not None:
        check_file(json, made=_is_report, replace=True)
    with open_remote(Path(), name) as opened:
        outcome = audit_remote(opened, working_tree(), all_commits=all_commits, sample=sample)
        _print_audit(outcome)
        done = repair_remote(opened, outcome) if repair and outcome.faults else None
    if done:
        _print_repair(done)
    if json is not None:
        check_file(json, made=_is_report, replace=True)  # again: what came meanwhile stays
        write_json(json, _as_json(outcome, done))
    if done.left if done else outcome.faults:
        raise typer.Exit(1)


def _print_audit(audit: "RemoteAudit") -> None:
    from leitmotif.cli.columns import on_screen

    faults = [str(fault) for fault in audit.faults]
    for line in [*faults[:_MOST_LINES], *_more(faults)]:
        typer.echo(on_screen(line), err=True)
    if faults:
        typer.echo(f"affected stages: {', '.join(audit.stages)}", err=True)
        if audit.tracks:
            shown = ", ".join(audit.tracks[:_MOST_LINES])
            typer.echo(f"affected tracks ({len(audit.tracks)}): {on_screen(shown)}", err=True)
    of = f"{counted(audit.revisions, 'state')} of dvc.lock" if audit.revisions > 1 else "dvc.lock"
    typer.echo(
        f"{audit.remote}: {audit.read:,} of the {counted(audit.objects, 'object')} of {of} read, "
        f"{counted(len(faults), 'problem')}"
    )
    if audit.unnamed:
        size = sum(audit.unnamed.values()) / 1e6
        what = counted(len(audit.unnamed), "object")
        of = "no commit names" if audit.revisions > 1 else "this dvc.lock does not name"
        hint = "" if audit.revisions > 1 else " (perhaps another revision: --all-commits)"
        typer.echo(f"{what} ({size:.1f} MB) that {of}{hint}")
    if audit.unfinished:
        typer.echo(f"{counted(audit.unfinished, 'upload')} in parts that did not end")


def _print_repair(done: "Repair") -> None:
    from leitmotif.cli.columns import on_screen

    for fault, reason in done.left[:_MOST_LINES]:
        typer.echo(on_screen(f"not repaired: {fault.uses[0]}: {reason}"), err=True)
    for line in _more(done.left):
        typer.echo(line, err=True)
    if done.left:
        stages = sorted({use.stage for fault, _ in done.left for use in fault.uses})
        typer.echo(
            "to do: run this where the cache is whole, or make them again: "
            f"dvc repro --force {' '.join(stages)}, then dvc push",
            err=True,
        )
    typer.echo(f"{counted(len(done.mended), 'object')} repaired, {len(done.left)} left")


def _more(lines: list[Any]) -> list[str]:
    return [f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []


def _as_json(audit: "RemoteAudit", done: "Repair | None") -> dict[str, Any]:
    mended = {fault.oid for fault in done.mended} if done else set()
    return {
        "remote": audit.remote,
        "revisions": audit.revisions,
        "objects": audit.objects,
        "read": audit.read,
        "problems": [
            {
                "md5": fault.oid,
                "kind": fault.kind,
                "found": fault.what,
                "files": [
                    {"path": use.path, "stage": use.stage, "track": use.track} for use in fault.uses
                ],
                "repaired": fault.oid in mended,
            }
            for fault in audit.faults
        ],
        "stages": audit.stages,
        "tracks": audit.tracks,
        "not_named": dict(audit.unnamed),
        "unfinished_uploads": audit.unfinished,
    }


def _is_report(path: Path) -> bool:
    from leitmotif.files import read_json

    try:
        return {"remote", "problems"} <= set(read_json(path))
    except (LeitmotifError, TypeError):
        return False
