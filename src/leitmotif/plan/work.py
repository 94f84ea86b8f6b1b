"""What each stage has to do, counted from the settings: passes, decoder steps, clips, audio.

A count is the most that the settings allow. Less is done where data are missing, where clips of an
earlier run are found again, and where an intervention moves no token: such a clip is heard once.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from leitmotif.lens.study import FITTED
from leitmotif.plan.scale import Scale
from leitmotif.plan.sizes import ModelSize, head_parameters
from leitmotif.probe.estimators.decided import exchanges_of
from leitmotif.probe.features.encoded import block_size
from leitmotif.sites import split_site

COMPARED_SECONDS = 2.0
"""Window in which a clip is compared with its baseline (``ListeningSettings.window_seconds``)."""
EVENTS_OF_A_RECORDING = 4
"""Read at most: two events, each with two endings."""
SOURCES = 2
"""Rows beside the clips of a piece, from which patches are taken."""


@dataclass(frozen=True)
class Generating:
    """Clips that a model samples in batches."""

    model: ModelSize
    clips: int
    """Rows in all, those included from which patches are taken."""
    rows: int
    """Rows of a batch."""
    halves: int
    """2 with classifier-free guidance, else 1."""
    prefix_frames: int
    frames: int
    """New ones of each clip."""

    @property
    def steps(self) -> int:
        """Decoder steps of each clip."""
        return self.frames + max(self.model.decoder.delays)

    @property
    def batches(self) -> float:
        """Batches of ``rows`` clips; the last one may be smaller and takes less time."""
        return self.clips / self.rows

    @property
    def mean_steps(self) -> int:
        """Steps that lie before a step, on average."""
        return self.prefix_frames + self.steps // 2


@dataclass(frozen=True)
class Reading:
    """Contexts that a model reads in one pass each."""

    model: ModelSize
    contexts: float
    """Weighed by the share of the blocks that run."""
    frames: int
    """Frames of a context."""


@dataclass(frozen=True)
class Work:
    """What a stage has to do."""

    generating: tuple[Generating, ...] = ()
    reading: tuple[Reading, ...] = ()
    encoded_seconds: float = 0.0
    """Audio that the codec turns into tokens."""
    decoded_seconds: float = 0.0
    """Audio that the codec makes of tokens."""
    compared_windows: int = 0
    """Windows that CLAP embeds."""
    tagged_clips: int = 0
    searched_contexts: int = 0
    """Contexts in which returns are searched for, surrogates included."""
    heard_clips: int = 0
    """Continuations in which a known motif is looked for."""
    analysed_seconds: float = 0.0
    """Audio of which chroma, energy and onsets are measured."""
    operations: float = 0.0
    """Floating-point operations of matrix products beside the models."""
    exchanges: float = 0.0
    """Exchanges of tracks, until each feature is decided, times the tracks: at most."""
    spared: float = 0.0
    """Exchanges that are not made if no feature has a link."""
    permuted: float = 0.0
    """Exchanges of single features whose number is fixed, times the tracks."""
    shifts: float = 0.0
    """Shifts of single features, times the rows of the probes."""
    panels: float = 0.0
    """Rows on which controls are fitted, over all blocks of features and targets."""
    repeated: float = 0.0
    """Share of the clips that need not be heard if no intervention moves a token."""


def work_of(scale: Scale) -> dict[str, Work]:
    """The work of each stage that takes long, in the order of the pipeline."""
    stages: dict[str, Callable[[Scale], Work]] = {
        "features": _features,
        "activations": _activations,
        "proposals": _proposals,
        "sae": _sae,
        "probes": _probes,
        "calibration": _calibration,
        "interchange": _interchange,
        "interventions": _interventions,
        "summary": _summary,
        "decoderlens": _decoderlens,
        "swaps": _swaps,
    }
    return {name: count(scale) for name, count in stages.items()}


def _features(scale: Scale) -> Work:
    return Work(analysed_seconds=scale.tracks * scale.track_seconds)


def _activations(scale: Scale) -> Work:
    return Work(
        reading=(Reading(scale.model, scale.contexts * scale.depth, scale.context_frames),),
        encoded_seconds=scale.contexts * scale.context_seconds,
    )


def _proposals(scale: Scale) -> Work:
    return Work(searched_contexts=scale.tracks * (1 + scale.params.proposals.null_rounds))


def _sae(scale: Scale) -> Work:
    """Encoding at the own site, reconstruction at each site and those beside, spliced passes."""
    hooks, settings = scale.hooks, scale.params.sae
    spliced, audited = (
        min(count, scale.tracks) for count in (settings.spliced_tracks, settings.audit_tracks)
    )
    frames = scale.contexts * scale.context_frames
    # The audit reconstructs at about five sites, and twice by chance.
    audit_frames = 7 * audited * scale.context_frames
    passes = spliced * (1 + 2 * len(hooks)) + audited if hooks else 0
    return Work(
        reading=(Reading(scale.model, passes, scale.context_frames),),
        operations=sum(
            2.0 * hook.d_in * hook.d_sae * (frames * (1 + 2 * len(scale.sites)) + 2 * audit_frames)
            for hook in hooks
        ),
    )


def _probes(scale: Scale) -> Work:
    """Compared models read everything; then sites are probed, and features one by one."""
    probes = scale.params.probes
    others = len(scale.models) - 1 + probes.random_weights
    d, squared = scale.model.decoder.width, probes.folds**2
    exchanges = len(probes.horizons) * probes.permutations
    each_site = squared * (10.0 * d**3 + exchanges * 4.0 * d * d)
    work = Work(
        reading=(
            Reading(scale.model, others * scale.contexts * scale.depth, scale.context_frames),
        ),
        operations=each_site * len(scale.sites) * (1 + others),
    )
    return _with_tests(work, scale, families=min(2, len(probes.horizons)))


def _with_tests(work: Work, scale: Scale, *, families: float) -> Work:
    """With the exchanges and shifts of all features, tested so many times."""
    probes, rows = scale.params.probes, scale.probe_rows
    expected, most = exchanges_of(scale.features, alpha=probes.alpha)
    blocks = math.ceil(scale.features / block_size(rows))
    return replace(
        work,
        exchanges=families * most * scale.tracks,
        spared=families * (most - expected) * scale.tracks,
        shifts=families * scale.features * probes.shifts * rows,
        panels=families * blocks * probes.seeds * rows,
    )


def _calibration(scale: Scale) -> Work:
    calibration = scale.params.calibration
    kinds = 2 + len(calibration.strengths)
    features = calibration.targets * calibration.each * kinds
    return Work(
        permuted=float(features) * calibration.permutations * scale.tracks,
        panels=float(calibration.targets) * scale.probe_rows,
    )


def _interchange(scale: Scale) -> Work:
    """Three readings of each event, and for each site and window the blocks after the site.

    Recordings have two events each, with two endings, after their openings and trials were made.
    """
    settings, layers, world = scale.params.interchange, scale.model.decoder.layers, scale.world
    if world is None:
        made, frames = _openings(scale), scale.prefix_frames + _continued_frames(scale)
        gap_seconds = scale.params.interventions.seconds
        events = scale.pieces * EVENTS_OF_A_RECORDING
    else:
        made, frames = Work(), scale.context_frames
        gap_bars = max(world.slot_bars) - world.cue_bar - 1
        gap_seconds = gap_bars * world.samples_per_bar / world.sample_rate
        events = min(settings.tracks, scale.tracks) * len(world.slot_bars)
    windows = max(1, math.ceil(gap_seconds / settings.lead_seconds))
    each_site = 1 + windows + 2 * windows  # deciding; between; ahead, with its control
    after = sum(1 - (split_site(site)[0] + 1) / layers for site in scale.sites)
    passes = len(scale.models) * events * (3 + each_site * after)
    return _together(made, Work(reading=(Reading(scale.model, passes, frames),)))


def _interventions(scale: Scale) -> Work:
    clips = sum(scale.clips(of_features=name == scale.params.model.name) for name in scale.models)
    models = len(scale.models)
    return _continued(scale, clips, models=models, untouched=models * scale.untouched)


def _summary(scale: Scale) -> Work:
    """Clips without a change are those of ``interventions``, found again.

    Approaches with controls test all features, once on all tracks and once on either half.
    """
    controlled = sum(name != "naive" for name in scale.params.summary.approaches)
    clips = scale.approach_conditions * scale.pieces * scale.params.interventions.seeds
    work = _continued(scale, clips, models=1, untouched=2)
    return _with_tests(work, scale, families=2 * controlled)


def _continued(scale: Scale, clips: int, *, models: int, untouched: int) -> Work:
    """So many clips of all models; those of ``untouched`` conditions are heard in any case."""
    settings = scale.params.interventions
    runs = scale.pieces * settings.seeds
    frames = _continued_frames(scale)
    generating = Generating(
        scale.model,
        clips=clips + runs * models * SOURCES,
        rows=settings.rows,
        halves=scale.params.halves,
        prefix_frames=scale.prefix_frames,
        frames=frames,
    )
    alike = max(0.0, 1 - runs * untouched / clips) if clips else 0.0
    return replace(_heard(scale, generating, clips), repeated=alike)


def _continued_frames(scale: Scale) -> int:
    return round(scale.params.interventions.seconds * scale.model.frame_rate)


def _openings(scale: Scale) -> Work:
    """What makes pieces of recordings: openings, and trials of each."""
    settings, rate = scale.params.interventions, scale.model.frame_rate
    openings = scale.pieces * settings.openings
    prefix, opening = (
        round(seconds * rate) for seconds in (settings.prefix_seconds, settings.opening_seconds)
    )
    made = Generating(scale.model, openings, settings.rows, scale.params.halves, prefix, opening)
    frames = _continued_frames(scale)
    trials = openings * settings.opening_trials
    tried = Generating(
        scale.model, trials, settings.rows, scale.params.halves, scale.prefix_frames, frames
    )
    heard = replace(_heard(scale, tried, trials), reading=(), compared_windows=0)
    return _together(Work(generating=(made,)), heard)


def _heard(scale: Scale, generating: Generating, clips: int) -> Work:
    """Clips that are sampled, decoded, compared by CLAP, searched for motifs, and read once."""
    frames = generating.prefix_frames + generating.frames
    seconds = generating.frames / scale.model.frame_rate
    return Work(
        generating=(generating,),
        reading=(Reading(scale.model, clips, frames),),
        decoded_seconds=clips * frames / scale.model.frame_rate,
        compared_windows=clips * math.ceil(seconds / COMPARED_SECONDS),
        heard_clips=clips,
    )


def _decoderlens(scale: Scale) -> Work:
    """Every prompt played; every layer read with two lenses, and played alone with either."""
    settings, model = scale.params.decoderlens, scale.lens_model
    layers, halves = model.decoder.layers, scale.params.decoderlens.halves
    clips = len(scale.concepts.concepts) * settings.prompts
    frames = round(settings.seconds * model.frame_rate)
    fitted = min(FITTED, clips // 2)
    fits = 2 * (layers - 1)
    d, heads = model.decoder.width, head_parameters(model.decoder)
    played = Generating(model, clips, settings.rows, halves, 0, frames)
    alone = Generating(model, fits * clips, settings.rows, halves, 0, frames)
    read_exits = (2 * layers - 1) * clips
    of_heads = heads / (layers * d * d * 16)
    passes = clips + 2 * fits * fitted + halves * (2 * clips + read_exits * of_heads)
    rows = fitted * (frames + max(model.decoder.delays))
    heard = read_exits + fits * clips
    return Work(
        generating=(played, alone),
        reading=(Reading(model, passes, frames),),
        decoded_seconds=heard * settings.seconds,
        tagged_clips=heard,
        operations=6.0 * fits * (settings.tuning_steps + 1) * rows * (d * d + heads),
    )


def _swaps(scale: Scale) -> Work:
    """Every set of prompts played and read; every swap played again, and heard."""
    settings, model = scale.params.swaps, scale.lens_model
    halves = scale.params.decoderlens.halves
    sets = len(scale.swap_sweep.pairs.sets) * scale.swap_prompts
    swapped = len(scale.swap_sweep.swaps) * scale.swap_prompts
    frames = round(settings.seconds * model.frame_rate)
    clips = sets + swapped
    return Work(
        generating=(Generating(model, clips, settings.rows, halves, 0, frames),),
        reading=(Reading(model, sets, frames),),
        decoded_seconds=clips * settings.seconds,
        tagged_clips=clips,
        repeated=swapped / clips,
    )


def _together(first: Work, second: Work) -> Work:
    return Work(
        generating=first.generating + second.generating,
        reading=first.reading + second.reading,
        decoded_seconds=first.decoded_seconds + second.decoded_seconds,
        compared_windows=first.compared_windows + second.compared_windows,
        heard_clips=first.heard_clips + second.heard_clips,
        repeated=(first.repeated * first.heard_clips + second.repeated * second.heard_clips)
        / max(1, first.heard_clips + second.heard_clips),
    )
