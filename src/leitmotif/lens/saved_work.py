"""What decides the clips of both experiments, and how their results lie in the work cache."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from leitmotif.judge.models.tagger import Tagger
from leitmotif.lens.heard import Exit, TaggedClip
from leitmotif.lens.playing import Playing
from leitmotif.lens.tuned import Translator
from leitmotif.musicgen import HookedMusicGen
from leitmotif.precision import doubled
from leitmotif.store.cache.results import KeptResults, ResultFormat, Tensors, computed_by
from leitmotif.tables.decoderlens import Heard, Lens
from leitmotif.work.engine import workers_on

Array = NDArray[np.float64]
Played = tuple[torch.Tensor, Array]
"""Clips [B, K, T], and each layer's outputs, mean over time [layers, B, d]."""
Tuned = tuple[Translator, Mapping[Lens, Array]]
"""A layer's lens, and divergences [B, K]."""
Exits = Mapping[Exit, Mapping[int, TaggedClip]]
"""What is heard of some prompts, by their numbers."""


def results_in(
    cache: Path | None,
    load: Callable[[], HookedMusicGen],
    taggers: Sequence[Callable[[], Tagger]],
    playing: Playing,
    module: str,
    workers: int | None,
    **settings: object,
) -> KeptResults:
    """The results of one experiment in a folder of the work cache; None: nothing is kept.

    ``module`` computes them, and ``settings`` decide them besides. ``workers`` are processes on a
    CPU; None: one a processor.
    """
    model, scale = load(), playing.guidance_scale
    workers = workers_on(model.device.type, workers)
    if cache is None:
        return KeptResults(None, {}, workers=workers)
    return KeptResults(
        cache,
        {
            **computed_by(model, module),
            "taggers": [tagger().fingerprint for tagger in taggers],
            "playing": asdict(playing),
            "guidance_scale": model.default_guidance_scale if scale is None else scale,
            **settings,
        },
        workers=workers,
    )


def played_form(model: HookedMusicGen) -> ResultFormat[Sequence[int], Played]:
    """Of clips of prompts, by their numbers."""
    return ResultFormat(
        keys=lambda numbers: [["played", *numbers]],
        tensors=lambda _, made: [{"codes": made[0].cpu().numpy(), "means": made[1]}],
        result=lambda _, parts: (
            torch.from_numpy(parts[0]["codes"]).to(model.device),
            np.asarray(parts[0]["means"], np.float64),
        ),
    )


def tuned_form(model: HookedMusicGen) -> ResultFormat[tuple[int, int], Tuned]:
    """Of a lens, by its layer and the half of the prompts on which it was fitted."""
    device = doubled(torch.empty(0, device=model.device)).device  # where it was fitted

    def result(_: tuple[int, int], parts: Sequence[Tensors]) -> Tuned:
        weight, bias = (torch.from_numpy(parts[0][name]).to(device) for name in ("weight", "bias"))
        lenses: tuple[Lens, ...] = ("plain", "tuned")
        return Translator(weight, bias), {
            lens: np.asarray(parts[0][lens], np.float64) for lens in lenses
        }

    return ResultFormat(
        keys=lambda key: [["tuned", *key]],
        tensors=lambda _, made: [
            {
                "weight": made[0].weight.cpu().numpy(),
                "bias": made[0].bias.cpu().numpy(),
                **{str(lens): nats for lens, nats in made[1].items()},
            }
        ],
        result=result,
    )


def exits_form(name: str) -> ResultFormat[Any, Exits]:
    """Of what is heard, by its name and by numbers of prompts, alone or with layers."""
    return ResultFormat(
        keys=lambda items: [[name, *items]],
        tensors=lambda _, heard: [_of_exits(heard)],
        result=lambda _, parts: _exits_of(parts[0]),
    )


def _of_exits(heard: Exits) -> Tensors:
    return {
        f"{way.layer} {way.lens} {way.heard} {number} {part}": values
        for way, clips in heard.items()
        for number, clip in clips.items()
        for part, values in clip._asdict().items()
        if values is not None
    }


def _exits_of(tensors: Tensors) -> Exits:
    by_exit: dict[Exit, dict[int, dict[str, Any]]] = {}
    for name, values in tensors.items():
        layer, lens, heard, number, part = name.split()
        way = Exit(int(layer), cast(Lens, lens), cast(Heard, heard))
        by_exit.setdefault(way, {}).setdefault(int(number), {})[part] = values
    return {
        way: {number: TaggedClip(**parts) for number, parts in clips.items()}
        for way, clips in by_exit.items()
    }
