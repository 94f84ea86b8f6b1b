"""The DecoderLens experiment on one model: clips, early exits, what a tagger hears in them.

The model plays a clip for each prompt of each concept. Every layer then plays too, in two ways
(``lens.exits``) and by two lenses: as its residuals are, and mapped to the last layer
(``lens.tuned``). A tagger ranks its labels in each clip, and the NDCG of a concept's labels says
how well the concept is recognised.

There are two tuned lenses a layer, each fitted on one half of the prompts and used for the other
half, so no clip is read by a lens that has seen it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leitmotif.audio.writing import as_int16
from leitmotif.judge.models.tagger import Tagger
from leitmotif.lens.concepts import ConceptTable, Prompt
from leitmotif.lens.exits import Mapped, read_exits, residual_after, sampled_exits
from leitmotif.lens.heard import Exit, HeardExits, TaggedClip
from leitmotif.lens.listening import decoded
from leitmotif.lens.playing import Playing
from leitmotif.lens.recognition import known_labels
from leitmotif.lens.saved_work import exits_form, played_form, results_in, tuned_form
from leitmotif.lens.similarity import time_averaged
from leitmotif.lens.tuned import Translator, Tuning, divergence, fit_translator, predicted
from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.cache.results import KeptResults
from leitmotif.tables.decoderlens import Lens

Array = NDArray[np.float64]
Result = TypeVar("Result")
FITTED = 100
"""Clips of each half on which a tuned lens is fitted and measured, at most."""


@dataclass(frozen=True)
class DecoderLens:
    """The experiment.

    Parameters
    ----------
    load : gives the model, the same one each time in a process; it must pickle.
    load_tagger : gives the tagger; likewise.
    table : concepts and their prompts.
    prompts : for each concept.
    playing : how clips are sampled.
    tuning : how tuned lenses are fitted.
    rows : clips that are played at once.
    workers : processes on a CPU; None: one a processor.
    kept : prompts of each concept whose clips are kept as audio.
    load_second : gives a second tagger, which says how far the two agree; None: there is none.
    cache : folder of the work cache that keeps what is finished; None: nothing is kept.
    """

    load: Callable[[], HookedMusicGen]
    load_tagger: Callable[[], Tagger]
    table: ConceptTable
    prompts: int
    playing: Playing
    tuning: Tuning
    rows: int
    kept: int = 0
    workers: int | None = None
    load_second: Callable[[], Tagger] | None = None
    cache: Path | None = None

    @cached_property
    def all_prompts(self) -> list[Prompt]:
        """All prompts, concept by concept."""
        return [
            prompt
            for concept in self.table.concepts
            for prompt in self.table.prompts(concept.name, self.prompts)
        ]

    @cached_property
    def halves(self) -> list[int]:
        """Which half each prompt is in: 0 or 1, as many of each concept in either.

        They are drawn, because slots step through their values: if every other prompt were in a
        half, so would be every other genre.
        """
        order = np.random.default_rng(0).permutation(self.prompts)
        return [int(order[prompt.number]) % 2 for prompt in self.all_prompts]

    def run(self) -> HeardExits:
        """Play and hear everything, on all processors; raises ModelError."""
        model, every = self.load(), range(len(self.all_prompts))
        last = model.num_layers - 1
        labels = [tagger().labels for tagger in self._taggers]
        for concept, of_tagger in product(self.table.concepts, labels):  # before anything is played
            known_labels(concept, of_tagger)
        each = self._results().each
        parts = [[*part] for part in self.parts(every)]
        played = list(each(partial(_played, self), parts, played_form(model)))
        codes = torch.cat([of_part for of_part, _ in played])
        fits = list(product(range(last), (0, 1)))
        tuned = each(partial(_tuned, self, codes=codes), fits, tuned_form(model))
        lenses = dict(zip(fits, tuned, strict=True))
        translators = {key: translator for key, (translator, _) in lenses.items()}
        heard: dict[Exit, dict[int, TaggedClip]] = {}
        read = partial(_read, self, codes=codes, translators=translators)
        for of_part in each(read, parts, exits_form("read")):
            _enter(heard, of_part)
        pairs = list(product(every, range(last)))
        for lens in ("plain", "tuned"):
            alone = partial(_sampled, self, lens=lens, translators=translators)
            of_lens = [[*part] for part in self.parts(pairs)]
            for of_part in each(alone, of_lens, exits_form(f"alone, {lens}")):
                _enter(heard, of_part)
        # Alone, the whole model plays what it has played.
        own = Exit(last, "plain", "read")
        heard[own._replace(heard="sampled")] = heard[own]
        return HeardExits(
            self.table,
            self.all_prompts,
            labels[0],
            {way: [rows[n] for n in every] for way, rows in heard.items()},
            {key: nats for key, (_, nats) in lenses.items()},
            np.concatenate([means for _, means in played], axis=1),
            sample_rate=model.sample_rate,
            second_labels=labels[1] if self.load_second else None,
        )

    @property
    def _taggers(self) -> list[Callable[[], Tagger]]:
        return [self.load_tagger, *([self.load_second] if self.load_second else [])]

    def _results(self) -> KeptResults:
        return results_in(
            self.cache,
            self.load,
            self._taggers,
            self.playing,
            __name__,
            self.workers,
            prompts=[[prompt.name, prompt.text] for prompt in self.all_prompts],
            tuning=asdict(self.tuning),
            rows=self.rows,
            kept=self.kept,
        )

    def parts(self, items: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """Items that are under work at once."""
        for first in range(0, len(items), self.rows):
            yield items[first : first + self.rows]


def _played(study: DecoderLens, numbers: Sequence[int]) -> tuple[Tensor, Array]:
    """Clips of some prompts [B, K, T], and each layer's outputs, mean over time [layers, B, d]."""
    model, playing = study.load(), study.playing
    asked = [study.all_prompts[number] for number in numbers]
    codes = model.generate(
        [prompt.text for prompt in asked],
        seconds=playing.seconds,
        tracks=[prompt.name for prompt in asked],
        seed=playing.seed,
        sampling=playing.sampling,
        guidance_scale=playing.guidance_scale,
    ).codes
    sites = [residual_after(layer) for layer in range(model.num_layers)]
    with torch.no_grad():
        _, cache = model.run_with_cache(codes, [prompt.text for prompt in asked], sites=sites)
    return codes, time_averaged([cache[site].cpu().double().numpy() for site in sites])


def _tuned(
    study: DecoderLens, key: tuple[int, int], codes: Tensor
) -> tuple[Translator, Mapping[Lens, Array]]:
    """A layer's lens fitted on one half, and the divergences [B, K] on the other half."""
    layer, half = key
    model = study.load()
    fitted, others = (
        _residuals(study, model, codes, layer, _of_half(study, which)[:FITTED])
        for which in (half, 1 - half)
    )
    within = predicted(model, codes.shape[2])
    translator = fit_translator(model, *fitted, within, study.tuning)
    lenses: dict[Lens, Translator | None] = {"plain": None, "tuned": translator}
    return translator, {
        lens: divergence(model, *others, within, by).cpu().numpy() for lens, by in lenses.items()
    }


def _of_half(study: DecoderLens, half: int) -> list[int]:
    """Numbers of the prompts of one half, those of all concepts in turn."""
    numbers = [n for n, of_prompt in enumerate(study.halves) if of_prompt == half]
    return sorted(numbers, key=lambda n: study.all_prompts[n].number)


@torch.no_grad()
def _residuals(
    study: DecoderLens, model: HookedMusicGen, codes: Tensor, layer: int, numbers: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Residuals of one layer and of the last one [B, S, d], with the prompts."""
    sites = [residual_after(layer), residual_after(model.num_layers - 1)]
    held: tuple[list[Tensor], list[Tensor]] = [], []
    for part in study.parts(numbers):
        texts = [study.all_prompts[number].text for number in part]
        _, cache = model.run_with_cache(codes[list(part)], texts, sites=sites)
        for site, residuals in zip(sites, held, strict=True):
            residuals.append(cache[site])
    return torch.cat(held[0]), torch.cat(held[1])


def _read(
    study: DecoderLens,
    numbers: Sequence[int],
    codes: Tensor,
    translators: Mapping[tuple[int, int], Translator],
) -> dict[Exit, dict[int, TaggedClip]]:
    """What is heard where every layer says what it would play next."""
    model, playing = study.load(), study.playing
    asked = [study.all_prompts[number] for number in numbers]
    lenses: dict[Lens, Mapped | None] = {
        "plain": None,
        "tuned": _mapped([study.halves[number] for number in numbers], translators),
    }
    heard = {}
    for lens, mapped in lenses.items():
        exits = read_exits(
            model,
            codes[list(numbers)],
            [prompt.text for prompt in asked],
            range(model.num_layers - (lens == "tuned")),
            tracks=[prompt.name for prompt in asked],
            seed=playing.seed,
            sampling=playing.sampling,
            guidance_scale=playing.guidance_scale,
            mapped=mapped,
        )
        for layer, clips in exits.items():
            listened = _listened(study, model, clips, numbers)
            heard[Exit(layer, lens, "read")] = dict(zip(numbers, listened, strict=True))
    return heard


def _sampled(
    study: DecoderLens,
    pairs: Sequence[tuple[int, int]],
    lens: Lens,
    translators: Mapping[tuple[int, int], Translator],
) -> dict[Exit, dict[int, TaggedClip]]:
    """What is heard where layers play alone; pairs are numbers of prompts and layers."""
    model, playing = study.load(), study.playing
    numbers = [number for number, _ in pairs]
    asked = [study.all_prompts[number] for number in numbers]

    def mapped(layer: int, x: Tensor) -> Tensor:
        halves = [study.halves[number] for number, of_row in pairs if of_row == layer]
        # With guidance, rows come twice: with their prompts and without.
        return _mapped(halves * (len(x) // len(halves)), translators)(layer, x)

    codes = sampled_exits(
        model,
        [prompt.text for prompt in asked],
        [layer for _, layer in pairs],
        seconds=playing.seconds,
        tracks=[prompt.name for prompt in asked],
        seed=playing.seed,
        sampling=playing.sampling,
        guidance_scale=playing.guidance_scale,
        mapped=mapped if lens == "tuned" else None,
    )
    sampled: dict[Exit, dict[int, TaggedClip]] = {}
    listened = _listened(study, model, codes, numbers)
    for (number, layer), of_clip in zip(pairs, listened, strict=True):
        sampled.setdefault(Exit(layer, lens, "sampled"), {})[number] = of_clip
    return sampled


def _mapped(halves: Sequence[int], translators: Mapping[tuple[int, int], Translator]) -> Mapped:
    """Maps each row by the lens that was fitted on the other half."""

    def mapped(layer: int, x: Tensor) -> Tensor:
        return torch.stack(
            [translators[layer, 1 - half](row) for half, row in zip(halves, x, strict=True)]
        )

    return mapped


def _listened(
    study: DecoderLens, model: HookedMusicGen, codes: Tensor, numbers: Sequence[int]
) -> list[TaggedClip]:
    """What a tagger says of clips [B, K, T] of these prompts, and the audio of those kept."""
    clips = decoded(model, codes)
    logits, second = (
        load().logits(list(clips), model.sample_rate).astype(np.float64) if load else None
        for load in (study.load_tagger, study.load_second)
    )
    assert logits is not None
    return [
        TaggedClip(
            logits[row],
            as_int16(clip) if study.all_prompts[number].number < study.kept else None,
            None if second is None else second[row],
        )
        for row, (clip, number) in enumerate(zip(clips, numbers, strict=True))
    ]


def _enter(
    heard: dict[Exit, dict[int, TaggedClip]], new: Mapping[Exit, Mapping[int, TaggedClip]]
) -> None:
    for way, rows in new.items():
        heard.setdefault(way, {}).update(rows)
