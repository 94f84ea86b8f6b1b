"""Hook-to-SAE mapping: what is declared, and whether it was measured to be true."""

from pathlib import Path

from leitmotif.errors import ModelError, counted
from leitmotif.pipeline import ALIGNMENT, SAE
from leitmotif.sae.autoencoder.alignment import Mismatch, compare, compare_reading
from leitmotif.sae.autoencoder.fetch import fetch
from leitmotif.sae.autoencoder.formats import CONFIG, WEIGHTS, read_config
from leitmotif.sae.autoencoder.registry import Hook
from leitmotif.share.protocol.inputs import Inputs, named
from leitmotif.share.protocol.lines import Outcome, failed, not_applicable, passed
from leitmotif.share.protocol.registry import check
from leitmotif.store.reading.header import Header
from leitmotif.tables.alignment import AlignmentRow

_ITEM = "checklist: hook-to-SAE mapping"
_NONE = "sae.hooks names no autoencoder"


@check("pinned", "Every autoencoder is the file that hooks.yaml pins", item=_ITEM, stage="sae")
def pinned(inputs: Inputs) -> Outcome:
    """Hash weights and configuration of each autoencoder in use."""
    if not inputs.params.sae.hooks:
        return not_applicable(_NONE)
    for hook, _ in inputs.hooks:
        _there(hook)
        fetch(hook.checkpoint)
    return passed(f"{counted(len(inputs.hooks), 'autoencoder')}, SHA-256 of {CONFIG} and {WEIGHTS}")


@check(
    "mapping",
    "Autoencoder, hooks.yaml and activations name one site, model and width",
    item=_ITEM,
    stage="sae",
)
def mapping(inputs: Inputs) -> Outcome:
    """Compare the three witnesses; layers count from 0: hook_layers.N is layers.N.residual."""
    if not inputs.params.sae.hooks:
        return not_applicable(_NONE)
    widths = {row.site: row.stored[0].shape[1] for row in inputs.index}
    headers = {site: header for (site, _), header in inputs.headers.items()}
    wrong = []
    for hook, site in inputs.hooks:
        if site not in headers:
            return failed(
                f"{hook.name}: {site} is not among the stored sites",
                f"add {site} to activations.sites in params.yaml; then dvc repro",
            )
        config = read_config(_there(hook))
        mismatches = compare(hook, config, headers[site], widths[site])
        wrong += [f"{hook.name}: {mismatch}" for mismatch in mismatches]
    if wrong:
        return failed(
            named(wrong),
            "give sae.hooks and activations.sites the site of hooks.yaml; then dvc repro",
        )
    pairs = ", ".join(f"{hook.name} at {site}" for hook, site in inputs.hooks)
    return passed(f"{pairs}; layers count from 0")


@check(
    "contexts",
    "Activations were made as those on which the autoencoders were trained",
    item=_ITEM,
    stage="activations",
)
def contexts(inputs: Inputs) -> Outcome:
    """Compare context and prompt; ``mapping`` has the sample rate and the precision."""
    if not inputs.params.sae.hooks:
        return not_applicable(_NONE)
    headers = list(inputs.headers.values())
    longest = max(window.frames for header in headers for window in header.windows)
    for hook, _ in inputs.hooks:
        for mismatch in [m for header in headers for m in compare_reading(hook, header)]:
            return failed(f"{hook.name}: {mismatch}", _read_as(hook, mismatch, headers[0]))
    here = inputs.params.activations.prompt
    lengths = [str(frames) for frames in sorted({hook.context_frames for hook, _ in inputs.hooks})]
    return passed(
        f"contexts of {longest} frames, trained on {named(lengths)}; prompt: {here}, as in training"
    )


@check(
    "audits",
    "Every autoencoder was measured to be on its site, and misplaced ones were caught",
    item="pitfall: hook-checkpoint misalignment",
    stage="sae",
)
def audits(inputs: Inputs) -> Outcome:
    """Read the result of the audit of each autoencoder in use."""
    if not inputs.params.sae.hooks:
        return not_applicable(_NONE)
    rows = inputs.rows(ALIGNMENT, AlignmentRow)
    given = {row.hook: row for row in rows if row.audit is not None}
    wanted = {hook.name: site for hook, site in inputs.hooks}
    if given.keys() != wanted.keys():
        odd = sorted(given.keys() ^ wanted.keys())
        return failed(
            f"{ALIGNMENT}: not the autoencoders of sae.hooks: {named(odd)}", "dvc repro sae"
        )
    wrong = []
    for hook, _ in inputs.hooks:
        row = given[hook.name]
        assert row.audit is not None
        if row.misaligned:
            wrong.append(f"{hook.name} is branded: {row.misaligned}")
        if not row.audit.passed:
            wrong.append(
                f"{hook.name} leaves {row.fvu.mean:.3f} unexplained at {row.site}, best at "
                f"{row.audit.best}, {row.audit.chance.mean:.3f} by chance"
            )
        if row.site != wanted[hook.name]:
            wrong.append(f"{hook.name} was audited at {row.site}, not {wanted[hook.name]}")
        if hook.k and row.encoded and row.encoded.most > hook.k:
            wrong.append(
                f"{hook.name} has rows of {counted(row.encoded.most, 'feature')}, k is {hook.k}"
            )
    trials = [trial for row in rows for trial in row.trials]
    missed = [row.hook for row in rows for trial in row.trials if not trial.caught]
    wrong += [f"a misplaced {name} was not caught" for name in missed]
    if wrong:
        return failed(
            f"{ALIGNMENT}: {named(wrong)}",
            "give each autoencoder the site where it was trained (hooks.yaml, sae.hooks); "
            "then dvc repro sae",
        )
    least = min((row.audit.margin.low for row in given.values() if row.audit), default=0.0)
    return passed(
        f"{len(given)} passed, margin in FVU at least {least:.3f}; {len(trials) - len(missed)} of "
        f"{len(trials)} misplacements caught"
    )


@check("encoded", "Every track is encoded by every autoencoder", item=_ITEM, stage="sae")
def encoded(inputs: Inputs) -> Outcome:
    """Compare data/sae with the autoencoders in use and the tracks."""
    if not inputs.params.sae.hooks:
        return not_applicable(_NONE)
    path = SAE / "hooks.jsonl"
    used = [hook for hook, _ in inputs.hooks]
    if inputs.table(path, Hook) != used:
        return failed(f"{path} is not what hooks.yaml says of sae.hooks", "dvc repro sae")
    tracks = [track.track_id for track in inputs.tracks]
    wanted = {f"{hook.name}/{track}.safetensors" for hook in used for track in tracks}
    there = {file.relative_to(SAE).as_posix() for file in SAE.glob("*/*") if file.stat().st_size}
    wrong = [f"{name} is missing or empty" for name in sorted(wanted - there)]
    wrong += [f"{name} is of no autoencoder in use" for name in sorted(there - wanted)]
    if wrong:
        return failed(f"{SAE}: {named(wrong)}", "dvc repro sae")
    return passed(
        f"{counted(len(wanted), 'file')}: {counted(len(used), 'autoencoder')} on "
        f"{counted(len(tracks), 'track')}"
    )


def _read_as(hook: Hook, mismatch: Mismatch, header: Header) -> str:
    """What makes the model read as it did in the autoencoder's training."""
    if mismatch.what == "context":
        seconds = hook.context_frames / header.frame_rate
        return f"set manifest.window_seconds to {seconds:g} in params.yaml; then dvc repro"
    if hook.audio.prompt == "other":
        return "train one on these activations: leitmotif train-sae SITE FOLDER --name NAME"
    return f"set activations.prompt to {hook.audio.prompt} in params.yaml; then dvc repro"


def _there(hook: Hook) -> Path:
    """The folder of a checkpoint. Raises ModelError if it is not here: nothing is downloaded."""
    checkpoint = hook.checkpoint
    if checkpoint.source == "folder":
        return Path(checkpoint.path)
    from huggingface_hub import try_to_load_from_cache

    folder = Path()
    for name in (WEIGHTS, CONFIG):
        file = f"{checkpoint.path}/{name}" if checkpoint.path else name
        cached = try_to_load_from_cache(checkpoint.repository, file, revision=checkpoint.revision)
        if not isinstance(cached, str):
            raise ModelError(
                f"{hook.name} is not on this machine",
                found=f"no {file} of {checkpoint.repository} in the hub's cache",
                fix="dvc repro sae",
            )
        folder = Path(cached).parent
    return folder
