"""How what is played for the swaps lies in the work cache: sets of prompts, means, and swaps.

Means lie there one by one, by model, set of prompts and site, so that another sweep finds those
that it shares.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leitmotif.files import sha256_json
from leitmotif.lens.components import Outputs
from leitmotif.lens.effects import TaggedClips
from leitmotif.lens.pairs import PromptSet
from leitmotif.lens.sweep import Swap, SwapSweep
from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.cache.results import ResultFormat, Tensors

Samples = NDArray[np.int16]
ClipOf = tuple[str | Swap, int]
"""A prompt's number in a set, untouched (name of the set) or swapped."""
Swapped = tuple[TaggedClips, dict[ClipOf, Samples]]
"""What is heard of some clips, and the audio of those that are kept."""


@dataclass(frozen=True, eq=False)
class Played:
    """A set of prompts as the model plays it."""

    codes: Tensor
    """[n, K, T]"""
    logits: NDArray[np.float64]
    """The tagger's [n, labels]."""
    means: Outputs
    """Mean output of each site over the prompts [sites, S, d]."""
    audio: Mapping[int, Samples]
    """Audio of the prompts that are kept, by their numbers."""
    second: NDArray[np.float64] | None = None
    """A second tagger's [n, labels]; None without one."""


def sets_form(
    model: HookedMusicGen, sweep: SwapSweep, kept: Sequence[ClipOf]
) -> ResultFormat[Sequence[str], dict[str, Played]]:
    """Of sets of prompts by their names: a part for each set, and one for each of its sites."""
    prompts, sites = sweep.pairs.sets, sweep.sites

    def keys(names: Sequence[str]) -> list[object]:
        of_parts: list[object] = []
        for name in names:
            numbers = sorted(n for of, n in kept if of == name)
            of_parts.append(["played", asdict(prompts[name]), numbers])
            of_parts += [["mean", asdict(prompts[name]), site] for site in sites]
        return of_parts

    def tensors(names: Sequence[str], made: dict[str, Played]) -> list[Tensors]:
        of_parts: list[Tensors] = []
        for name in names:
            played = made[name]
            audio = {f"audio {n}": samples for n, samples in played.audio.items()}
            logits = {"logits": played.logits, **_given("second", played.second)}
            of_parts.append({"codes": played.codes.cpu().numpy(), **logits, **audio})
            of_parts += [{"mean": mean} for mean in played.means]
        return of_parts

    def result(names: Sequence[str], parts: Sequence[Tensors]) -> dict[str, Played]:
        each = 1 + len(sites)
        of_sets = [parts[first : first + each] for first in range(0, len(parts), each)]
        return {
            name: Played(
                torch.from_numpy(first["codes"]).to(model.device),
                np.asarray(first["logits"], np.float64),
                np.stack([np.asarray(mean["mean"]) for mean in means]),
                _audio_of(first),
                _second_of(first),
            )
            for name, (first, *means) in zip(names, of_sets, strict=True)
        }

    return ResultFormat(keys, tensors, result)


def swaps_form(
    prompts: Mapping[str, PromptSet],
    length: int,
    known: Sequence[Sequence[int]],
    kept: Sequence[ClipOf],
    twice: Collection[Swap] = (),
) -> ResultFormat[Sequence[tuple[Swap, int]], Swapped]:
    """Of prompts with swaps, in clips of ``length`` frames.

    ``known`` are columns of each tagger's labels, and ``twice`` the swaps that both taggers hear.
    """
    content = {name: sha256_json(asdict(of_name)) for name, of_name in prompts.items()}
    keep = {*kept}

    def key(clip: tuple[Swap, int]) -> list[object]:
        swap, number = clip
        # The names too: a random vector is drawn by them.
        sets = [[name, content[name]] for name in (swap.original, swap.target)]
        frames = swap.cell.span(length)
        cell = [swap.cell.component, *swap.cell.layers, swap.technique, swap.random]
        cell += [frames.start, frames.stop]
        return [*cell, sets, number, clip in keep, swap in twice]

    def tensors(clips: Sequence[tuple[Swap, int]], made: Swapped) -> list[Tensors]:
        heard, audio = made
        sounds = {f"audio {n}": audio[clip] for n, clip in enumerate(clips) if clip in audio}
        numbers = {"log_odds": heard.log_odds, "divergence": heard.divergence}
        return [{**numbers, **_given("second", heard.second), **sounds}]

    def result(clips: Sequence[tuple[Swap, int]], parts: Sequence[Tensors]) -> Swapped:
        odds, nats = (np.asarray(parts[0][name], np.float64) for name in ("log_odds", "divergence"))
        return TaggedClips(odds, nats, _second_of(parts[0])), {
            clips[n]: of_clip for n, of_clip in _audio_of(parts[0]).items()
        }

    return ResultFormat(
        keys=lambda clips: [["swapped", [[*each] for each in known], [key(c) for c in clips]]],
        tensors=tensors,
        result=result,
    )


def _given(name: str, values: NDArray[np.float64] | None) -> dict[str, NDArray[np.float64]]:
    return {} if values is None else {name: values}


def _second_of(tensors: Tensors) -> NDArray[np.float64] | None:
    return np.asarray(tensors["second"], np.float64) if "second" in tensors else None


def _audio_of(tensors: Tensors) -> dict[int, Samples]:
    return {
        int(name.removeprefix("audio ")): np.asarray(samples, np.int16)
        for name, samples in tensors.items()
        if name.startswith("audio ")
    }
