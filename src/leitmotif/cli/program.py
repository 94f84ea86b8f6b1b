"""The command line ``leitmotif``. The pipeline itself is run by ``dvc repro``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from leitmotif import __version__
from leitmotif.errors import LeitmotifError

Replace = Annotated[
    bool, typer.Option("--replace", help="Write over an older result of this command.")
]

app = typer.Typer(
    name="leitmotif",
    help="Do autoregressive music models foresee long-horizon structure?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; an expected error is printed without a traceback, with status 1."""
    try:
        app()
    except LeitmotifError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
    except ModuleNotFoundError as error:
        from leitmotif.cli.extras import missing_extra

        explained = missing_extra(error)
        if explained is None:
            raise
        typer.echo(f"error: {explained}", err=True)
        raise SystemExit(1) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def use(
    preset: Annotated[str, typer.Argument(help="Name of a file in presets/, without .yaml.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a key of the preset; may be repeated."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite changes that are not in git.")
    ] = False,
) -> None:
    """Write params.yaml from a preset.

    Its folders are added to dvc.yaml. The command shows what changed.
    """
    from leitmotif.cli import presets

    diff = presets.use(preset, settings or [], force=force)
    typer.echo(diff.rstrip() or "params.yaml says this already; nothing changed")


@app.command()
def deps() -> None:
    """Update the dependencies in dvc.yaml.

    They are the modules that each stage imports and the folders that its settings name. The
    command shows what changed.
    """
    from leitmotif.cli.dependencies import write_dependencies

    typer.echo(write_dependencies().rstrip() or "dvc.yaml says this already; nothing changed")


@app.command(name="train-sae")
def train_sae(
    site: Annotated[
        str, typer.Argument(help="Site in the activation store, such as layers.2.residual.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder to write, within this repository.")],
    name: Annotated[str | None, typer.Option(help="Add it to hooks.yaml under this name.")] = None,
    store: Annotated[Path, typer.Option(help="Activation store to train on.")] = Path(
        "data/activations"
    ),
    kind: Annotated[str, typer.Option(help="Architecture: topk or batchtopk.")] = "topk",
    expansion: Annotated[
        int, typer.Option(min=1, help="Features per dimension of the activations.")
    ] = 8,
    k: Annotated[int, typer.Option(min=1, help="Active features per step.")] = 32,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = 10_000,
    batch: Annotated[int, typer.Option(min=1, help="Rows per training step.")] = 2048,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3,
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of the tracks held out for evaluation.")
    ] = 0.1,
    pool_tracks: Annotated[
        int, typer.Option(min=1, help="Tracks in memory at a time (3 MB each for 30 s at d 1024).")
    ] = 600,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 0,
    replace: Replace = False,
) -> None:
    """Train a sparse autoencoder on cached activations.

    An interrupted run is resumed.
    """
    from pydantic import ValidationError

    from leitmotif.errors import ConfigError
    from leitmotif.sae.recipe import check_entry, entry_of, train_on_store
    from leitmotif.sae.registry import register
    from leitmotif.sae.train import TrainingProgress
    from leitmotif.sae.trained import Training
    from leitmotif.store import ActivationStore

    def show(row: TrainingProgress) -> None:
        if row.step % max(50, steps // 20 // 50 * 50) == 0 or row.step == steps:
            typer.echo(
                f"step {row.step}/{steps}: FVU {row.fvu:.4f}, L0 {row.l0:.1f}, "
                f"dead {row.dead_fraction:.1%}",
                err=True,
            )

    if name is not None:
        check_entry(name, out, replace=replace)
    activations = ActivationStore(store)
    width = activations.load(site, activations.tracks(site)[0]).shape[1]
    chosen = {"kind": kind, "k": k, "steps": steps, "batch": batch, "rate": rate, "seed": seed}
    try:
        settings = Training.model_validate({**chosen, "d_sae": expansion * width})
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(
            f"--{problem['loc'][0]} cannot be used", found=problem["input"], expected=problem["msg"]
        ) from None
    reached = train_on_store(
        activations,
        site,
        settings,
        out,
        held_out=held_out,
        pool_tracks=pool_tracks,
        replace=replace,
        report=show,
    )
    typer.echo(
        f"{out}: on {reached.held_out} held-out tracks FVU {reached.fvu:.4f}, "
        f"L0 {reached.l0:.1f}, dead {reached.dead_fraction:.1%}"
    )
    if name is not None:
        register(entry_of(name, out, activations), replace=replace)
        typer.echo(f"entered into hooks.yaml as {name}")


@app.command(name="pin-sae")
def pin_sae(
    repository: Annotated[str, typer.Argument(help="Hub repository, such as someone/saes.")],
    path: Annotated[str, typer.Argument(help="Folder in the repository that holds cfg.json.")],
    name: Annotated[str, typer.Option(help="Name of the entry in hooks.yaml.")],
    prompt: Annotated[
        str, typer.Option(help="Prompts of the model when the SAE was trained: none, tags, other.")
    ],
    revision: Annotated[
        str, typer.Option(help="Commit; a branch or tag is replaced by its current commit.")
    ] = "main",
    model: Annotated[
        str | None, typer.Option(help="Model it was trained on; only if cfg.json does not say.")
    ] = None,
    model_revision: Annotated[
        str | None, typer.Option(help="Commit of that model, if its authors say.")
    ] = None,
    forward_dtype: Annotated[
        str | None, typer.Option(help="Precision of that model when the SAE was trained.")
    ] = None,
    context_frames: Annotated[
        int | None, typer.Option(help="Steps per context; only if cfg.json does not say.")
    ] = None,
    sample_rate: Annotated[int, typer.Option(help="Sample rate of the audio in Hz.")] = 32_000,
    write: Annotated[bool, typer.Option("--write", help="Add it to hooks.yaml.")] = False,
    replace: Replace = False,
) -> None:
    """Print the hooks.yaml entry of a published autoencoder.

    The autoencoder is downloaded; the entry holds its hashes.

    The folders published for facebook/musicgen-small (Singh, Cherep & Maes, arXiv 2505.18186)
    are sae-32_k_100_N/facebook/musicgen-small with N of 1, 5, 11, 17 and 21:

    leitmotif pin-sae OWNER/REPOSITORY sae-32_k_100_11/facebook/musicgen-small
    --revision COMMIT --name musicgen-small-11 --prompt other --write
    """
    from leitmotif.sae.pin import pin
    from leitmotif.sae.registry import REGISTRY, check_name, entry_text, register

    if write:
        check_name(name, replace=replace)
    hook = pin(
        repository,
        path,
        name=name,
        prompt=prompt,
        revision=revision,
        model=model,
        model_revision=model_revision,
        forward_dtype=forward_dtype,
        context_frames=context_frames,
        sample_rate=sample_rate,
    )
    typer.echo(entry_text(hook), nl=False)
    if write:
        register(hook, replace=replace)
        typer.echo(f"entered into {REGISTRY} as {name}", err=True)


@app.command()
def verify(
    full: Annotated[
        bool, typer.Option("--full", help="Hash every tensor again; detects any flipped bit.")
    ] = False,
    root: Annotated[Path, typer.Argument(help="Folder of the activation store.")] = Path(
        "data/activations"
    ),
) -> None:
    """Check the stored activations.

    The status is 1 if there is a problem.
    """
    from leitmotif import store

    problems = store.verify(root, full=full)
    for problem in problems:
        typer.echo(str(problem), err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{root}: no problem found{' (every tensor hashed)' if full else ''}")


@app.command()
def compose(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    pieces: Annotated[int, typer.Option(min=1, help="Number of pieces.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 7,
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
    from leitmotif.targets import made_folder

    described = load_world(world)
    with made_folder(out, inputs=[world], replace=replace) as folder:
        write_shard(described, folder, pieces=pieces, seed=seed)
        if twins:
            write_twins(described, folder, pieces=pieces, seed=seed)
    typer.echo(f"{pieces} pieces in {out}")


@app.command()
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
    from leitmotif.files import write_table
    from leitmotif.progress import progress
    from leitmotif.recurrence.listing import (
        Listed,
        ListingSettings,
        audio_files,
        check_out,
        each_listed,
    )

    check_out(out, audio, replace=replace)
    files = audio_files(audio)
    rows: list[Listed] = []
    failed = 0
    settings = ListingSettings(p=p, false_per_minute=false_per_minute, everything=everything)
    for listing in progress(each_listed(files, settings), "proposing", total=len(files)):
        if isinstance(listing, LeitmotifError):
            failed += 1
            typer.echo(f"error: {listing}", err=True)
            continue
        rows += listing.rows
        for note in listing.notes:
            typer.echo(f"note: {note}", err=True)
    check_out(out, audio, replace=replace)  # again: what came meanwhile stays
    write_table(out, rows)
    typer.echo(f"{len(rows)} proposals for {len(files) - failed} files in {out}")
    if failed:
        raise typer.Exit(1)


@app.command()
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
    from leitmotif.config import load_params
    from leitmotif.review import serve
    from leitmotif.review.log import log_path
    from leitmotif.review.session import ReviewSources, Session
    from leitmotif.stages import CORPUS, FEATURES, MANIFEST, PROPOSALS, WORK_CACHE
    from leitmotif.targets import check_editable

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

    serve.serve(
        session,
        reviewers=reviewers,
        host=host,
        port=port,
        access=serve.access_for(host, reviewers, host_names=host_name or [], token=token),
        ready=ready,
        open_browser=browser,
    )


@app.command()
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


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("report"),
    replace: Replace = False,
) -> None:
    """Write the listening report of the current outputs.

    Open index.html in the folder.
    """
    from leitmotif.config import load_params
    from leitmotif.report.build import write_report
    from leitmotif.report.features.sources import feature_sources
    from leitmotif.report.material import read_material
    from leitmotif.stages import METRICS
    from leitmotif.stages.report import FILES, PLACES
    from leitmotif.stages.tracks import tracks_with_activations
    from leitmotif.targets import check_folder

    places = [*vars(FILES).values(), *vars(PLACES).values(), METRICS]
    check_folder(out, inputs=places, replace=replace)
    params = load_params()
    sources = feature_sources(params, tracks_with_activations(), PLACES)
    counts = write_report(out, read_material(FILES), params.report, sources, replace=replace)
    typer.echo(
        f"{counts.pairs} pairs of {counts.clips} clips, {counts.bytes / 1e6:.1f} MB: "
        f"open {out / 'index.html'} in a browser"
    )


@app.command()
def results() -> None:
    """Print the results of the last run in 40 lines.

    The last lines say what to open and what to run next.
    """
    import sys

    from leitmotif.cli.results import as_lines, read_results

    lines = as_lines(read_results())
    if not sys.stdout.isatty():
        typer.echo("\n".join(lines))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for line in lines:
        heading = not line.startswith(" ")
        text = Text(line, "bold") if heading else console.render_str(line, markup=False)
        console.print(text, soft_wrap=True)


@app.command()
def replay(
    line: Annotated[int, typer.Argument(min=1, help="Line number in the log, from 1.")],
    log: Annotated[Path, typer.Option(help="Log of interventions.")] = Path(
        "data/interventions.jsonl"
    ),
) -> None:
    """Make a logged clip again and compare it.

    The status is 1 if the tokens differ from the log.
    """
    from leitmotif.causal.replay import ReplayFiles
    from leitmotif.causal.replay import replay as again
    from leitmotif.config import load_params
    from leitmotif.stages import ACTIVATIONS, CORPUS, MANIFEST
    from leitmotif.tables.interventions import read_log

    rows = read_log(log)
    if line > len(rows):
        raise LeitmotifError(f"{log} has no line {line}", expected=f"1 to {len(rows)}")
    row = rows[line - 1]
    found = again(row, load_params(), ReplayFiles(CORPUS, MANIFEST, ACTIVATIONS))
    typer.echo(
        f"clip {row.clip_id}: {row.condition} of {row.track_id}, seed {row.seed}: tokens "
        f"{'equal' if found.same_tokens else 'differ'}, audio "
        f"{'equal' if found.same_audio else 'differs'}"
    )
    if not found.same_tokens:
        raise typer.Exit(1)
