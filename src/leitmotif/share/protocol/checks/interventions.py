"""Causal interventions: designed, logged, audible, gentle, and made again from their lines."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import soundfile

from leitmotif.claims import is_above_zero
from leitmotif.errors import counted
from leitmotif.pipeline import (
    ACTIVATIONS,
    CLIPS,
    CORPUS,
    EFFECTS,
    INTERVENTIONS,
    MANIFEST,
    VERDICTS,
)
from leitmotif.share.protocol.inputs import Inputs, named, spread
from leitmotif.share.protocol.lines import Outcome, failed, not_applicable, passed
from leitmotif.share.protocol.registry import check
from leitmotif.tables.effects import EffectRow, VerdictRow, identity
from leitmotif.tables.interventions import InterventionRow
from leitmotif.work.progress import progress

_LOGGING = "checklist: intervention logging"
_REPRO = "dvc repro interventions"
Condition = tuple[str, str, str]
"""Model, candidate, and name."""


@check(
    "log",
    "The log has a line for each condition, track and seed of the design",
    item=_LOGGING,
    stage="interventions",
)
def log(inputs: Inputs) -> Outcome:
    """Compare the log with the settings, the effects and the verdicts."""
    from leitmotif.causal.experiment.pieces import WRITTEN_BACK  # needs torch

    settings = inputs.params.interventions
    rows = inputs.log(INTERVENTIONS)
    effects, verdicts = inputs.rows(EFFECTS, EffectRow), inputs.rows(VERDICTS, VerdictRow)
    cells: dict[Condition, Counter[tuple[str, int]]] = defaultdict(Counter)
    for row in rows:
        cells[Path(row.model).name, row.candidate, row.name][row.track_id, row.seed] += 1
    wrong = [
        f"{' '.join(condition)}: {count} lines of {track}, seed {seed}"
        for condition, clips in cells.items()
        for (track, seed), count in clips.items()
        if count > 1
    ]
    odd = cells.keys() ^ {(row.model, row.candidate, row.name) for row in effects}
    wrong += [f"{' '.join(cell)} is not in both log and effects" for cell in sorted(odd)]
    wrong += _not_designed(inputs, effects, verdicts)
    seeds = range(settings.seed, settings.seed + settings.seeds)
    written_back = {
        (row.model, row.candidate, row.name) for row in effects if row.condition == "zero_effect"
    }
    for model in dict.fromkeys(model for model, _, _ in cells):
        of_model = {name: clips for name, clips in cells.items() if name[0] == model}
        tracks = {track for clips in of_model.values() for track, _ in clips}
        wanted = {(track, seed) for track in tracks for seed in seeds}
        few = min(WRITTEN_BACK, len(tracks)) * len(seeds)
        for name, clips in of_model.items():
            needed = few if name in written_back else len(wanted)
            if not clips.keys() <= wanted or len(clips) != needed:
                of_design = len(clips.keys() & wanted)
                wrong.append(f"{' '.join(name)}: {of_design} of {needed} clips")
        if len(tracks) > settings.tracks:
            wrong.append(
                f"{model}: {counted(len(tracks), 'track')}, "
                f"interventions.tracks is {settings.tracks}"
            )
    if wrong:
        return failed(f"{INTERVENTIONS}: {named(wrong)}", _REPRO)
    tracks = {row.track_id for row in rows}
    models = counted(len({row.model for row in rows}), "model")
    return passed(
        f"{counted(len(rows), 'line')}: {counted(len(cells), 'condition')} of {models}, "
        f"{counted(len(tracks), 'track')}, {counted(len(seeds), 'seed')}"
    )


def _not_designed(
    inputs: Inputs, effects: Sequence[EffectRow], verdicts: Sequence[VerdictRow]
) -> list[str]:
    """Conditions that the design asks for and data/effects.jsonl does not have, in words."""
    params = inputs.params
    names = (params.model.name, *params.probes.comparisons)
    models = list(dict.fromkeys(Path(name).name for name in names))
    kinds: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for effect in effects:
        kinds[effect.model, effect.candidate][effect.condition] += 1
    shifted = int(params.interventions.position_shift_seconds > 0)
    of_none = {"baseline": 1, "counterfactual": 1, "position_shift": shifted}
    needed = {(model, ""): of_none for model in models}
    for model in models:
        for site in params.activations.sites:
            needed[model, site] = _SITE
    for row in verdicts:
        if row.features:
            doses, random = len(params.interventions.doses), params.interventions.random
            of_features = {"patch": 1, "control": 1, "zero_effect": 1, "ablate": 1, "scale": doses}
            needed[row.model, row.candidate] = {**of_features, "random_feature": random}
    judged = {(row.model, row.candidate) for row in verdicts}
    missing = [
        f"{model} {candidate} has no verdict"
        for model, candidate in needed
        if candidate and (model, candidate) not in judged
    ]
    return missing + [
        f"{' '.join(filter(None, of))}: {kinds[of][kind]} of {count} conditions of kind {kind}"
        for of, counts in needed.items()
        for kind, count in counts.items()
        if kinds[of][kind] < count
    ]


_SITE = {"patch": 1, "control": 1, "zero_effect": 1}
"""Least number of conditions of a whole site, by kind."""


@check(
    "clips",
    "Every clip that the log names is there, and sounds as logged",
    item="core solution: before and after clips for auditing",
    stage="interventions",
)
def clips(inputs: Inputs) -> Outcome:
    """Compare the audio of data/clips with the hashes of the log's lines."""
    rows = inputs.log(INTERVENTIONS)
    hashes: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.file is not None:
            hashes[row.file].add(row.audio_sha256)
    there = {f"{CLIPS.name}/{path.name}" for path in CLIPS.glob("*")}
    wrong = [f"{name} is missing" for name in sorted(hashes.keys() - there)]
    wrong += [f"{name} is of no line" for name in sorted(there - hashes.keys())]
    wrong += [
        f"{name} is not the audio of its line"
        for name in inputs.spread(sorted(hashes.keys() & there))
        if hashes[name] != {_sha256_of(INTERVENTIONS.parent / name)}
    ]
    kept = {row.track_id for row in rows if row.file is not None}
    silent = [row.clip_id for row in rows if row.track_id in kept and row.file is None]
    wrong += [f"{name} was not kept, other clips of its track were" for name in silent]
    if wrong:
        return failed(f"{CLIPS}: {named(wrong)}", _REPRO)
    if not kept:
        if inputs.params.interventions.kept_tracks:
            return failed(f"{INTERVENTIONS} names no clip", _REPRO)
        return not_applicable("interventions.kept_tracks is 0")
    lines = sum(row.file is not None for row in rows)
    return passed(
        f"{counted(len(hashes), 'clip')} of {counted(lines, 'line')}, "
        f"{counted(len(kept), 'track')}{inputs.hashed(list(hashes))}"
    )


def _sha256_of(path: Path) -> str | None:
    """Of a WAV file's samples, as the log has it; None for a file that is no mono WAV."""
    try:
        samples, _ = soundfile.read(path, dtype="int16")
    except (OSError, soundfile.LibsndfileError):
        return None
    return hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()


@check(
    "identity",
    "What is read and written back changes nothing",
    item="core solution: activation patching",
    stage="interventions",
)
def written_back(inputs: Inputs) -> Outcome:
    """Count the clips of the condition ``zero_effect`` that differ from their baselines."""
    written, changed = identity(inputs.rows(EFFECTS, EffectRow))
    if changed or not written:
        return failed(f"{EFFECTS}: {changed} of {written} identity patches changed a clip", _REPRO)
    return passed(f"0 of {written} identity patches changed a clip")


@check(
    "causal",
    "What is called foresight was moved both ways, more than by chance, without damage",
    item="pitfalls: premature causal claims, ablation-induced degradation",
    stage="interventions",
)
def causal(inputs: Inputs) -> Outcome:
    """Look at effect, controls and fidelity beside each verdict."""
    settings = inputs.params.interventions
    least, likely = settings.min_similarity, settings.min_log_likelihood
    verdicts = inputs.rows(VERDICTS, VerdictRow)
    bare = [
        f"{row.model} {row.candidate} {row.name}"
        for row in inputs.rows(EFFECTS, EffectRow)
        if row.tested and row.clips > 1 and row.clap_similarity is None and not row.excluded
    ]
    if bare:
        return failed(f"{EFFECTS}: no fidelity beside {named(bare)}", _REPRO)
    called = [row for row in verdicts if row.verdict == "foresight"]
    wrong = [
        f"{row.model} {row.candidate}"
        for row in called
        if not (
            all(map(is_above_zero, (row.effect, row.over_controls, row.gained, row.lost)))
            and row.clap_similarity is not None
            and row.clap_similarity.mean >= least
            and (
                likely is None
                or (row.log_likelihood is not None and row.log_likelihood.mean >= likely)
            )
        )
    ]
    if wrong:
        return failed(f"{VERDICTS}: foresight without a sound effect: {named(wrong)}", _REPRO)
    damaged = sum(row.verdict == "entangled" for row in verdicts)
    return passed(
        f"{len(called)} of {len(verdicts)} candidates called foresight, {damaged} entangled; "
        f"similarity to the baseline at least {least:g}"
        + ("" if likely is None else f", log-likelihood at least {likely:g} nats a token")
    )


@check(
    "replay",
    "Logged clips come out again, token by token",
    item="checklist: intervention logging",
    stage="interventions",
)
def replayed(inputs: Inputs) -> Outcome:
    """Make a sample of the log's clips again."""
    if not inputs.replay:
        return not_applicable("no clip was to be made again (--replay 0)")
    from leitmotif.causal.replay import ReplayFiles, replay

    files = ReplayFiles(CORPUS, MANIFEST, ACTIVATIONS)
    rows = list(enumerate(inputs.log(INTERVENTIONS), start=1))
    chosen = _of_many_kinds(rows, inputs.replay)
    differing, audio = [], 0
    for number, row in progress(chosen, "clips made again", total=len(chosen)):
        again = replay(row, inputs.params, files)
        audio += again.same_audio
        if not again.same_tokens:
            differing.append(f"line {number} ({row.condition} of {row.track_id})")
    if differing:
        return failed(
            f"{INTERVENTIONS}: {len(differing)} of {len(chosen)} clips differ: {named(differing)}",
            _REPRO,
        )
    lines = named([str(number) for number, _ in chosen], most=8)
    return passed(f"{len(chosen)} of {len(rows)} lines: {lines}; audio equal in {audio}")


def _of_many_kinds(
    rows: Sequence[tuple[int, InterventionRow]], count: int
) -> list[tuple[int, InterventionRow]]:
    """So many lines, evenly over the kinds of condition and the models, in the log's order."""
    ordered = sorted(rows, key=lambda line: (line[1].condition, line[1].model, line[0]))
    return sorted(spread(ordered, count), key=lambda line: line[0])
