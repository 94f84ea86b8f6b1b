"""``leitmotif compose`` and ``propose``: music made, and recordings searched for motifs."""

from pathlib import Path
from typing import Annotated

import typer

from leitmotif.cli.options import LARGEST_SEED, Replace
from leitmotif.errors import LeitmotifError, counted


def compose(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    pieces: Annotated[int, typer.Option(min=1, max=10_000, help="Number of pieces.")] = 128,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Same seed, same bytes.")] = 7,
    world: Annotated[Path, typer.Option(help="JSON file that describes the music.")] = Path(
        "models/organism/world.json"
    ),
    twins: Annotated[
        bool, typer.Option("--twins", help="Also write each piece with the opposite cue.")
    ] = False,
    replace: Replace = False,
) -> None:
    """Compose a shard of the organism's music.

    The shard includes its ground truth.
    """
    from leitmotif.corpus.organism.shard import write_shard, write_twins
    from leitmotif.corpus.organism.world import load_world
    from leitmotif.files.targets import made_folder

    described = load_world(world)
    with made_folder(out, inputs=[world], replace=replace) as folder:
        write_shard(described, folder, pieces=pieces, seed=seed)
        if twins:
            write_twins(described, folder, pieces=pieces, seed=seed)
    typer.echo(f"{counted(pieces, 'piece')} in {out}")


def propose(
    audio: Annotated[list[Path], typer.Argument(help="Audio files, or folders of audio files.")],
    out: Annotated[Path, typer.Option(help="File to write: JSON lines, times in seconds.")],
    p: Annotated[
        float, typer.Option(min=0, max=1, help="Maximum p-value of the best proposal.")
    ] = (0.01),
    false_per_minute: Annotated[
        float, typer.Option(min=0, help="False proposals per minute that are tolerated.")
    ] = 0.2,
    everything: Annotated[
        bool, typer.Option("--all", help="Also write proposals that are not significant, marked.")
    ] = False,
    replace: Replace = False,
) -> None:
    """Propose where motifs recur in recordings.

    The best proposals of each file come first.
    """
    from leitmotif.cli.columns import on_screen, one_line
    from leitmotif.files import write_table
    from leitmotif.recurrence.listing import (
        Listed,
        ListingSettings,
        audio_files,
        check_out,
        each_listed,
    )
    from leitmotif.work.progress import progress

    check_out(out, audio, replace=replace)
    files = audio_files(audio)
    rows: list[Listed] = []
    failed = 0
    settings = ListingSettings(p=p, false_per_minute=false_per_minute, everything=everything)
    for listing in progress(each_listed(files, settings), "proposing", total=len(files)):
        if isinstance(listing, LeitmotifError):
            failed += 1
            typer.echo(f"error: {on_screen(listing)}", err=True)
            continue
        rows += listing.rows
        for note in listing.notes:
            typer.echo(f"note: {one_line(on_screen(note))}", err=True)
    check_out(out, audio, replace=replace)  # again: what came meanwhile stays
    write_table(out, rows)
    proposals, heard = counted(len(rows), "proposal"), counted(len(files) - failed, "file")
    typer.echo(f"{proposals} for {heard} in {out}")
    if failed:
        raise typer.Exit(1)
