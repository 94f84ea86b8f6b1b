"""Swaps between concepts: a component's output is changed to what it is for another concept.

The second experiment of Vélez Vásquez et al. (ISMIR 2024, section 3.2), which calls it interchange
intervention. The model plays the prompts of each concept. It then plays them again with the same
noise, while in the conditional half one component puts out the mean that it has for another concept
at the same step. A tagger says what became of either concept.

Each cell, pair and control is a few rows of a large batch, so that many of them play at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leitmotif.audio.writing import as_int16
from leitmotif.errors import ModelError, counted
from leitmotif.judge.models.tagger import Tagger
from leitmotif.lens.components import (
    Means,
    OutputChange,
    as_long,
    changed_steps,
    outputs,
    swapping,
)
from leitmotif.lens.effects import TaggedClips, heard
from leitmotif.lens.kept_swaps import KeptClip, kept_clips
from leitmotif.lens.listening import logits_of, tagged
from leitmotif.lens.pairs import ConceptPairs
from leitmotif.lens.playing import Playing
from leitmotif.lens.saved_swaps import ClipOf, Played, Samples, sets_form, swaps_form
from leitmotif.lens.saved_work import results_in
from leitmotif.lens.swap_rows import HeardSwaps
from leitmotif.lens.sweep import Swap, SwapSweep
from leitmotif.musicgen import HookedMusicGen, Intervention
from leitmotif.musicgen.choice import require_sites
from leitmotif.store.cache.results import KeptResults

Array = NDArray[np.float64]
Result = TypeVar("Result")

HELD_BYTES = 1_000_000_000
"""Of the means of sets of prompts that are held in memory at once; those of a set of 4 s take 60 MB
of MusicGen small and 240 MB of large. It is no setting, and decides no result."""
LEAST_HELD, MOST_HELD = 4, 128
"""Sets; one pair of concepts has four with those of its controls."""


def sets_held(sites: int, steps: int, width: int, size: int) -> int:
    """Sets of prompts whose means [sites, steps, width] of ``size`` bytes are held at once."""
    return max(LEAST_HELD, min(MOST_HELD, HELD_BYTES // (sites * steps * width * size)))


def means_bytes(sets: int, sites: int, steps: int, width: int, size: int) -> int:
    """Of the means that are held of so many sets, and once more where processes read them."""
    return 2 * min(sets, sets_held(sites, steps, width, size)) * sites * steps * width * size


@dataclass(frozen=True)
class Swaps:
    """The experiment.

    Parameters
    ----------
    load : gives the model, the same one each time in a process; it must pickle.
    load_tagger : gives the tagger; likewise.
    sweep : what is swapped.
    playing : how clips are sampled.
    rows : clips that are played at once.
    workers : processes on a CPU; None: one a processor.
    held : sets of prompts whose means are held in memory at once; None: ``sets_held``.
    kept : prompts of each original concept whose clips are kept as audio; see ``kept_clips``.
    load_second : gives a second tagger, which says how far the two agree; None: there is none. It
        hears the clips of all swaps but those of the controls.
    cache : folder of the work cache that keeps what is finished; None: nothing is kept.
    """

    load: Callable[[], HookedMusicGen]
    load_tagger: Callable[[], Tagger]
    sweep: SwapSweep
    playing: Playing
    rows: int
    workers: int | None = None
    held: int | None = None
    kept: int = 0
    load_second: Callable[[], Tagger] | None = None
    cache: Path | None = None

    @cached_property
    def kept_clips(self) -> list[KeptClip]:
        """The clips that are kept as audio."""
        return kept_clips(self.sweep, self.kept)

    def run(self) -> HeardSwaps:
        """Play and hear everything, on all processors; raises ModelError."""
        model = self.load()
        columns = [self._columns(tagger().labels) for tagger in self._taggers]
        # Before anything is played.
        require_sites(self.sweep.sites, model.sites)
        for cell in self.sweep.cells:
            changed_steps(model, self.length(model), cell.frames)
        before: dict[str, Array] = {}
        after: dict[Swap, TaggedClips] = {}
        audio: dict[ClipOf, Samples] = {}
        steps = changed_steps(model, self.length(model), None)
        held = sets_held(len(self.sweep.sites), len(steps), model.width, model.dtype.itemsize)
        results = self._results()
        for block in self.sweep.pairs.blocks(self.held or held):
            sweep = replace(self.sweep, pairs=block)
            base = self._base(results, sweep)
            before.update(base.logits)
            audio.update(base.audio)
            known = [[*of_tagger.values()] for of_tagger in columns]
            swapped, sounds = self._swapped(results, sweep, base, known)
            after.update(swapped)
            audio.update(sounds)
        kept = {clip: audio[_of(clip)] for clip in self.kept_clips}
        return HeardSwaps(
            self.sweep, columns[0], before, after, kept, model.sample_rate, self.length(model)
        )

    def _base(self, results: KeptResults, sweep: SwapSweep) -> "_Base":
        """Play the prompts of all sets."""
        played: dict[str, Played] = {}
        form = sets_form(self.load(), sweep, self._kept)
        for of_part in results.each(partial(_played, self), self._set_parts(sweep.pairs), form):
            played.update(of_part)
        originals = list(dict.fromkeys(pair.original for pair in sweep.pairs.pairs))
        return _Base(
            Means([*played], sweep.sites, np.stack([of_set.means for of_set in played.values()])),
            {name: played[name].codes for name in originals},
            {name: played[name].logits for name in originals},
            {(name, n): clip for name in originals for n, clip in played[name].audio.items()},
            {name: second for name in originals if (second := played[name].second) is not None},
        )

    def _swapped(
        self, results: KeptResults, sweep: SwapSweep, base: "_Base", known: Sequence[Sequence[int]]
    ) -> tuple[dict[Swap, TaggedClips], dict[ClipOf, Samples]]:
        """Play and hear every swap; the audio is that of the clips that are kept."""
        counts = [len(base.codes[swap.original]) for swap in sweep.swaps]
        clips = [
            (swap, n) for swap, count in zip(sweep.swaps, counts, strict=True) for n in range(count)
        ]
        parts = [clips[first : first + self.rows] for first in range(0, len(clips), self.rows)]
        length = self.length(self.load())
        form = swaps_form(sweep.pairs.sets, length, known, self._kept, self.heard_twice)
        played = list(results.each(partial(_heard, self, known=known, base=base), parts, form))
        of_parts = [part for part, _ in played]
        audio = {clip: samples for _, part in played for clip, samples in part.items()}
        ends = np.cumsum(counts)[:-1]
        odds = np.split(np.concatenate([part.log_odds for part in of_parts]), ends)
        divergences = np.split(np.concatenate([part.divergence for part in of_parts]), ends)
        second: Sequence[Array | None] = [None] * len(counts)
        if self.load_second is not None:
            asked = [part.second for part in of_parts if part.second is not None]
            second = np.split(np.concatenate(asked), ends)
        heard_of = map(TaggedClips, odds, divergences, second)
        return dict(zip(sweep.swaps, heard_of, strict=True)), audio

    def length(self, model: HookedMusicGen) -> int:
        """Frames of a clip."""
        return round(self.playing.seconds * model.frame_rate)

    def _columns(self, labels: Sequence[str]) -> dict[str, int]:
        """Columns of the labels by which concepts are known."""
        known = self.sweep.pairs.labels
        if missing := [label for label in known if label not in labels]:
            raise ModelError(
                "the tagger does not know what the concepts sound like",
                found=f"{counted(len(labels), 'label')} without {', '.join(map(repr, missing))}",
                fix="use a tagger trained on AudioSet, or leave these concepts out",
            )
        return {label: list(labels).index(label) for label in known}

    def _set_parts(self, pairs: ConceptPairs) -> list[list[str]]:
        """Names of sets that are played by one process, about a batch of prompts each."""
        parts: list[list[str]] = [[]]
        prompts = 0
        for name, prompt_set in pairs.sets.items():
            if parts[-1] and prompts + len(prompt_set.texts) > self.rows:
                parts.append([])
                prompts = 0
            parts[-1].append(name)
            prompts += len(prompt_set.texts)
        return parts

    @cached_property
    def heard_twice(self) -> set[Swap]:
        """The swaps that a second tagger hears too: all but those of the controls."""
        if self.load_second is None:
            return set()
        sweep = self.sweep
        return {
            sweep.of(pair, cell, technique)["swap"]
            for cell, technique, pair in product(sweep.cells, sweep.techniques, sweep.pairs.pairs)
        }

    @property
    def _taggers(self) -> list[Callable[[], Tagger]]:
        return [self.load_tagger, *([self.load_second] if self.load_second else [])]

    @property
    def _kept(self) -> list[ClipOf]:
        return [_of(clip) for clip in self.kept_clips]

    def _results(self) -> KeptResults:
        # In float64 batches decide nothing; in float32 they may decide a token once in a while.
        batches = [self.rows, self.held, list(self.sweep.pairs.sets), self.sweep.sites]
        exact = self.cache is not None and self.load().dtype == torch.float64
        return results_in(
            self.cache,
            self.load,
            self._taggers,
            self.playing,
            __name__,
            self.workers,
            batches=None if exact else batches,
        )


def _of(clip: KeptClip) -> ClipOf:
    return clip.swap or clip.pair.original, clip.number


class _Base(NamedTuple):
    """What swaps start from."""

    means: Means
    codes: Mapping[str, Tensor]
    """Codes of the original clips [n, K, T], by set."""
    logits: Mapping[str, Array]
    """Logits of the original clips [n, labels], by set."""
    audio: Mapping[ClipOf, Samples]
    """Audio of those that are kept."""
    second: Mapping[str, Array]
    """A second tagger's logits of the original clips, likewise; empty without one."""


def _played(study: Swaps, names: Sequence[str]) -> dict[str, Played]:
    """Play sets of prompts. Means are sums in the order of the prompts, whatever the batches."""
    model, sets = study.load(), study.sweep.pairs.sets
    prompts = [(name, n) for name in names for n in range(len(sets[name].texts))]
    keep = {_of(clip) for clip in study.kept_clips}
    codes, logits, second, sums = [], [], [], dict[str, Array]()
    audio: dict[str, dict[int, Samples]] = {name: {} for name in names}
    for first in range(0, len(prompts), study.rows):
        part = prompts[first : first + study.rows]
        texts = [sets[name].texts[n] for name, n in part]
        played = _generated(study, model, texts, [sets[name].tracks[n] for name, n in part])
        codes.append(played)
        of_part, sounds = tagged(model, study.load_tagger(), played)
        logits.append(of_part)
        if study.load_second is not None:
            second.append(logits_of(model, study.load_second(), sounds))
        for (name, n), sound in zip(part, sounds, strict=True):
            if (name, n) in keep:
                audio[name][n] = as_int16(sound)
        for (name, _), put_out in zip(
            part, outputs(model, played, texts, study.sweep.sites), strict=True
        ):
            sums[name] = sums.get(name, 0.0) + put_out.astype(np.float64)
            kept = put_out.dtype
    all_codes, all_logits = torch.cat(codes), np.concatenate(logits)
    all_second = np.concatenate(second) if second else None
    of_set = {name: [n for n, prompt in enumerate(prompts) if prompt[0] == name] for name in names}
    return {
        name: Played(
            all_codes[rows],
            all_logits[rows],
            (sums[name] / len(rows)).astype(kept),
            audio[name],
            None if all_second is None else all_second[rows],
        )
        for name, rows in of_set.items()
    }


def _heard(
    study: Swaps, clips: Sequence[tuple[Swap, int]], known: Sequence[Sequence[int]], base: _Base
) -> tuple[TaggedClips, dict[ClipOf, Samples]]:
    """Play some prompts with swaps, and hear what became of them."""
    model, sets = study.load(), study.sweep.pairs.sets
    texts = [sets[swap.original].texts[n] for swap, n in clips]
    tracks = [sets[swap.original].tracks[n] for swap, n in clips]
    changes = [
        _change(
            swap,
            base.means,
            f"{study.playing.seed}\n{track}",
            changed_steps(model, study.length(model), swap.cell.frames),
        )
        for (swap, _), track in zip(clips, tracks, strict=True)
    ]
    codes = _generated(study, model, texts, tracks, swapping(changes))
    before = np.stack([base.logits[swap.original][n] for swap, n in clips])
    after, second = before.copy(), _second_before(study, clips, base)
    keep = {_of(clip) for clip in study.kept_clips}
    audio: dict[ClipOf, Samples] = {
        (swap, n): base.audio[swap.original, n] for swap, n in clips if (swap, n) in keep
    }
    originals = torch.stack([base.codes[swap.original][n] for swap, n in clips])
    # A clip that did not change is not heard again: its effect is exactly 0.
    moved = (codes != originals).flatten(1).any(1)
    if moved.any():
        rows = moved.nonzero()[:, 0].tolist()
        after[rows], sounds = tagged(model, study.load_tagger(), codes[moved])
        audio |= {
            clips[row]: as_int16(sound)
            for row, sound in zip(rows, sounds, strict=True)
            if clips[row] in keep
        }
        if study.load_second is not None and second is not None:
            asked = [n for n, row in enumerate(rows) if clips[row][0] in study.heard_twice]
            if asked:
                of_asked = logits_of(model, study.load_second(), sounds[asked])
                second[[rows[n] for n in asked]] = of_asked
    of_first = heard(before, after, known[0])
    return replace(of_first, second=None if second is None else second[:, known[1]]), audio


def _second_before(study: Swaps, clips: Sequence[tuple[Swap, int]], base: _Base) -> Array | None:
    """A second tagger's logits of the clips without swaps; not numbers where it is not asked."""
    if not base.second:
        return None
    unasked = np.full_like(next(iter(base.second.values()))[0], np.nan)
    return np.stack(
        [
            base.second[swap.original][n] if swap in study.heard_twice else unasked
            for swap, n in clips
        ]
    )


def _change(swap: Swap, means: Means, draw: str, steps: range) -> OutputChange:
    """What a swap does to one clip; ``draw`` names the clip's random vectors."""
    at = {}
    for site in swap.cell.sites:
        original, target = means.of(swap.original, site), means.of(swap.target, site)
        if swap.random:
            name = "\n".join([draw, swap.original, swap.target, site])
            target = original + as_long(target - original, name)
        at[site] = target if swap.technique == "replace" else target - original
    return OutputChange(swap.technique, at, steps)


def _generated(
    study: Swaps,
    model: HookedMusicGen,
    texts: Sequence[str],
    tracks: Sequence[str],
    interventions: Sequence[Intervention] = (),
) -> Tensor:
    """Clips [B, K, T]."""
    playing = study.playing
    return model.generate(
        list(texts),
        seconds=playing.seconds,
        tracks=list(tracks),
        seed=playing.seed,
        sampling=playing.sampling,
        guidance_scale=playing.guidance_scale,
        interventions=interventions,
    ).codes
