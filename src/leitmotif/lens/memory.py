"""Bytes that the two experiments on concepts hold."""

from leitmotif.config import Params
from leitmotif.lens.concepts import ConceptTable
from leitmotif.lens.listening import AT_ONCE_ON_GPU
from leitmotif.lens.study import FITTED
from leitmotif.lens.swaps import means_bytes
from leitmotif.lens.sweep import SwapSweep
from leitmotif.lens.tuned import fit_bytes, map_bytes
from leitmotif.musicgen.memory import Footprint
from leitmotif.work.budget import Holding

TAGGER_BYTES = 346_000_000
"""Size of the published weights in float32; a smaller judge needs less."""


def lens_holding(params: Params, model: Footprint, table: ConceptTable) -> Holding:
    """Of the stage decoderlens: the maps of all layers, and in a batch's place the fit of one."""
    settings = params.decoderlens
    clips = len(table.concepts) * settings.prompts
    steps = model.steps(settings.seconds)
    return model.holding(
        settings.seconds,
        halves=settings.halves,
        judge=_taggers_bytes(params, model.size_beside),
        beside=map_bytes(model.config),
        otherwise=max(
            fit_bytes(model.config, min(FITTED, clips // 2), steps, model.size),
            model.codec_bytes(AT_ONCE_ON_GPU * settings.seconds),
        ),
    )


def swaps_holding(params: Params, model: Footprint, sweep: SwapSweep) -> Holding:
    """Of the stage swaps: the means of the sets of prompts, which all processes read."""
    seconds, width = params.swaps.seconds, model.config.width
    sets, sites = len(sweep.pairs.sets), len(sweep.sites)
    return model.holding(
        seconds,
        halves=params.decoderlens.halves,
        judge=_taggers_bytes(params, model.size_beside),
        otherwise=model.codec_bytes(AT_ONCE_ON_GPU * seconds),
        main=means_bytes(sets, sites, model.steps(seconds), width, model.size),
    )


def _taggers_bytes(params: Params, size: int) -> int:
    taggers = 1 if params.judge.second_tagger is None else 2
    return taggers * TAGGER_BYTES * size // 4
