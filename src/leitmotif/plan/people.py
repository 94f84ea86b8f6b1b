"""What people have to do, and which settings are impossible or unwise."""

import math
from collections.abc import Mapping

from leitmotif.config import Params
from leitmotif.config.auto import ROWS
from leitmotif.config.auto import notices as unwise
from leitmotif.errors import ConfigError
from leitmotif.feasibility.named import check_blocks, check_named
from leitmotif.plan.memory import Memory
from leitmotif.plan.scale import Scale
from leitmotif.plan.work import Work
from leitmotif.work.budget import GB, Budget

SECONDS_A_DECISION = 20.0
"""Seconds for two windows of a few seconds, heard once or twice; assumed."""
MANY_CLIPS = 500_000
"""Of one stage, from which a notice says how many there are: a GPU has some days of work."""
LEAST_PROPOSALS = 20
"""Proposals that a short track may have, whatever ``proposals.per_minute`` says."""


def decisions(scale: Scale) -> int | None:
    """Decisions to make by hand, at most; None where labels come from a score.

    Every proposal of a track has to be decided before its recurrences count.
    """
    labels, proposals = scale.params.labels, scale.params.proposals
    if labels.source == "score":
        return None
    minutes = scale.context_seconds * scale.contexts / scale.tracks / 60
    of_track = max(LEAST_PROPOSALS, math.floor(proposals.per_minute * minutes))
    return scale.tracks * of_track * labels.min_reviewers


def notices(
    scale: Scale,
    works: Mapping[str, Work],
    memory: Mapping[str, Memory],
    *,
    budget: Budget,
    on_gpu: bool,
    disk_bytes: int | None = None,
    disk_free: int | None = None,
) -> list[str]:
    """Settings that are impossible or unwise, in words; empty: none was found.

    Parameters
    ----------
    scale : the experiment.
    works : what each stage has to do.
    memory : of each stage.
    budget : memory that a stage may use.
    on_gpu : whether the model is on a GPU.
    disk_bytes, disk_free : what the run writes, and what is free; None: not known.
    """
    return [
        *_named(scale),
        *_lengths(scale),
        *_pieces(scale),
        *_many_clips(works),
        *too_large(scale.params, memory, budget, on_gpu=on_gpu),
        *_room(disk_bytes, disk_free),
        *_no_autoencoders(scale.params),
    ]


def _named(scale: Scale) -> list[str]:
    try:
        check_named(scale.params)
        check_blocks(scale.params, scale.model.decoder.layers)
    except ConfigError as error:
        return [" ".join(str(error).split())]
    return []


def _lengths(scale: Scale) -> list[str]:
    settings, lines = scale.params.interventions, unwise(scale.params)
    published = scale.world is None
    if published and scale.params.manifest.min_seconds < settings.prefix_seconds:
        lines.append(
            f"manifest.min_seconds {scale.params.manifest.min_seconds:g} is shorter than the "
            f"prefix of {settings.prefix_seconds:g} s: shorter tracks cannot be continued"
        )
    return lines


def _pieces(scale: Scale) -> list[str]:
    needed = scale.pieces_needed
    if scale.pieces >= needed:
        return []
    return [
        f"interventions.tracks: {scale.pieces} pieces cannot make an effect count; {needed} are "
        f"needed for {scale.candidates_tried} candidates at probes.alpha "
        f"{scale.params.probes.alpha:g}"
    ]


def too_large(
    params: Params, memory: Mapping[str, Memory], budget: Budget, *, on_gpu: bool
) -> list[str]:
    """Stages that need more memory than they may use, a line each."""
    lines = []
    for name, needed in memory.items():
        kinds = [("memory", needed.host, budget.host, "resources.memory_gb")]
        if on_gpu:
            kinds.append(("the GPU's memory", needed.device, budget.gpu, "resources.gpu_memory_gb"))
        lines += [
            f"{name} needs about {need / GB:.0f} GB of {where}, and may use {there / GB:.0f} GB "
            f"({setting}, or what there is): {_remedy(params, name, on_gpu=on_gpu)}"
            for where, need, there, setting in kinds
            if need > there
        ]
    return lines


_ROWS_OF = {name.partition(".")[0]: name for name in ROWS} | {"summary": "interventions.rows"}
"""The setting of a stage's rows."""


def _remedy(params: Params, stage: str, *, on_gpu: bool) -> str:
    rows = _ROWS_OF.get(stage)
    remedies = [f"set {rows} to auto"] if rows and rows not in params.auto else []
    if not on_gpu:
        remedies.append("use fewer processes (LEITMOTIF_WORKERS)")
    return " or ".join([*remedies, "choose a smaller model.dtype or model"])


def _room(needed: int | None, free: int | None) -> list[str]:
    if needed is None or free is None or needed <= free:
        return []
    return [f"the run writes about {needed / 1e9:.0f} GB; {free / 1e9:.0f} GB are free here"]


def _no_autoencoders(params: Params) -> list[str]:
    if params.sae.hooks:
        return []
    return ["sae.hooks is empty: coordinates of the sites are tested in the place of features"]


def _many_clips(works: Mapping[str, Work]) -> list[str]:
    lines = []
    for name, work in works.items():
        clips = sum(part.clips for part in work.generating)
        if clips > MANY_CLIPS:
            lines.append(
                f"{name} samples {clips:,} clips: fewer prompts ({name}.prompts), or fewer of what "
                "is tried with each"
            )
    return lines
