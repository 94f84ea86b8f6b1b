"""The DecoderLens experiment on one model: clips, early exits, what a tagger hears in them.

The model plays a clip for each prompt of each concept. Every layer then plays too, in two ways
(``lens.exits``) and by two lenses: as its residuals are, and mapped to the last layer
(``lens.tuned``). A tagger ranks its labels in each clip, and the NDCG of a concept's labels says
how well the concept is recognised.

There are two tuned lenses a layer, each fitted on one half of the prompts and used for the other
half, so no clip is read by a lens that has seen it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leitmotif.intervals import interval_of, track_weights
from leitmotif.judge.models.tagger import Tagger
from leitmotif.lens.concepts import ConceptTable, Prompt
from leitmotif.lens.exits import Mapped, read_exits, residual_after, sampled_exits
from leitmotif.lens.recognition import known_labels, recognised
from leitmotif.lens.similarity import FEWEST, layer_cka, layer_distances, time_averaged
from leitmotif.lens.tuned import Translator, Tuning, divergence, fit_translator, predicted
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.tables.decoderlens import (
    DecoderLensRow,
    DivergenceRow,
    Heard,
    Lens,
    SimilarityRow,
)
from leitmotif.tables.interval import IntervalRow
from leitmotif.work.parallel import in_processes, number_of_workers

Array = NDArray[np.float64]
Result = TypeVar("Result")
FITTED = 100
"""Clips of each half on which a tuned lens is fitted and measured, at most."""


@dataclass(frozen=True)
class Playing:
    """How clips are sampled."""

    seconds: float
    sampling: Sampling
    guidance_scale: float
    """Weight of the prompt."""
    seed: int


class Exit(NamedTuple):
    """One way to hear one layer."""

    layer: int
    lens: Lens
    heard: Heard


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
    """

    load: Callable[[], HookedMusicGen]
    load_tagger: Callable[[], Tagger]
    table: ConceptTable
    prompts: int
    playing: Playing
    tuning: Tuning
    rows: int

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

    def run(self) -> "HeardExits":
        """Play and hear everything, on all processors; raises ModelError."""
        tagger, last = self.load_tagger(), self.load().num_layers - 1
        for concept in self.table.concepts:  # before anything is played
            known_labels(concept, tagger.labels)
        every = range(len(self.all_prompts))
        played = list(self._each(_played, [[*part] for part in self.parts(every)]))
        codes = torch.cat([of_part for of_part, _ in played])
        fits = list(product(range(last), (0, 1)))
        lenses = dict(zip(fits, self._each(partial(_tuned, codes=codes), fits), strict=True))
        translators = {key: translator for key, (translator, _) in lenses.items()}
        heard: dict[Exit, dict[int, Array]] = {}
        read = partial(_read, codes=codes, translators=translators)
        for found in self._each(read, [[*part] for part in self.parts(every)]):
            _enter(heard, found)
        pairs = list(product(every, range(last)))
        for lens in ("plain", "tuned"):
            job = partial(_sampled, lens=lens, translators=translators)
            for found in self._each(job, [[*part] for part in self.parts(pairs)]):
                _enter(heard, found)
        # Alone, the whole model plays what it has played.
        own = Exit(last, "plain", "read")
        heard[own._replace(heard="sampled")] = heard[own]
        return HeardExits(
            self,
            tagger.labels,
            {way: np.stack([rows[n] for n in every]) for way, rows in heard.items()},
            {key: found for key, (_, found) in lenses.items()},
            np.concatenate([means for _, means in played], axis=1),
        )

    def _each(
        self, job: Callable[["DecoderLens", Any], Result], items: Sequence[Any]
    ) -> Iterator[Result]:
        workers = number_of_workers() if self.load().device.type == "cpu" else 1
        yield from in_processes(partial(job, self), items, workers=workers)

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
        for site, found in zip(sites, held, strict=True):
            found.append(cache[site])
    return torch.cat(held[0]), torch.cat(held[1])


def _read(
    study: DecoderLens,
    numbers: Sequence[int],
    codes: Tensor,
    translators: Mapping[tuple[int, int], Translator],
) -> dict[Exit, dict[int, Array]]:
    """What is heard where every layer says what it would play next."""
    model, playing = study.load(), study.playing
    asked = [study.all_prompts[number] for number in numbers]
    found = {}
    for lens in ("plain", "tuned"):
        layers = range(model.num_layers - (lens == "tuned"))
        by = _mapped([study.halves[number] for number in numbers], translators)
        exits = read_exits(
            model,
            codes[list(numbers)],
            [prompt.text for prompt in asked],
            layers,
            tracks=[prompt.name for prompt in asked],
            seed=playing.seed,
            sampling=playing.sampling,
            guidance_scale=playing.guidance_scale,
            mapped=by if lens == "tuned" else None,
        )
        for layer, clips in exits.items():
            logits = _tagged(study, model, clips)
            found[Exit(layer, lens, "read")] = dict(zip(numbers, logits, strict=True))
    return found


def _sampled(
    study: DecoderLens,
    pairs: Sequence[tuple[int, int]],
    lens: Lens,
    translators: Mapping[tuple[int, int], Translator],
) -> dict[Exit, dict[int, Array]]:
    """What is heard where layers play alone; pairs are numbers of prompts and layers."""
    model, playing = study.load(), study.playing
    asked = [study.all_prompts[number] for number, _ in pairs]
    exits = [layer for _, layer in pairs]

    def mapped(layer: int, x: Tensor) -> Tensor:
        halves = [study.halves[number] for number, of_row in pairs if of_row == layer]
        # With guidance, rows come twice: with their prompts and without.
        return _mapped(halves * (len(x) // len(halves)), translators)(layer, x)

    codes = sampled_exits(
        model,
        [prompt.text for prompt in asked],
        exits,
        seconds=playing.seconds,
        tracks=[prompt.name for prompt in asked],
        seed=playing.seed,
        sampling=playing.sampling,
        guidance_scale=playing.guidance_scale,
        mapped=mapped if lens == "tuned" else None,
    )
    found: dict[Exit, dict[int, Array]] = {}
    for (number, layer), logits in zip(pairs, _tagged(study, model, codes), strict=True):
        found.setdefault(Exit(layer, lens, "sampled"), {})[number] = logits
    return found


def _mapped(halves: Sequence[int], translators: Mapping[tuple[int, int], Translator]) -> Mapped:
    """Maps each row by the lens that was fitted on the other half."""

    def mapped(layer: int, x: Tensor) -> Tensor:
        return torch.stack(
            [translators[layer, 1 - half](row) for half, row in zip(halves, x, strict=True)]
        )

    return mapped


def _tagged(study: DecoderLens, model: HookedMusicGen, codes: Tensor) -> Array:
    """A tagger's logits of clips [B, labels]."""
    clips = model.decode_audio(codes).cpu().numpy()
    return study.load_tagger().logits(clips, model.sample_rate).astype(np.float64)


def _enter(heard: dict[Exit, dict[int, Array]], found: Mapping[Exit, Mapping[int, Array]]) -> None:
    for way, rows in found.items():
        heard.setdefault(way, {}).update(rows)


@dataclass(frozen=True, eq=False)
class HeardExits:
    """Everything that was heard."""

    study: DecoderLens
    labels: Sequence[str]
    logits: Mapping[Exit, Array]
    """The tagger's [prompts, labels]."""
    divergences: Mapping[tuple[int, int], Mapping[Lens, Array]]
    """[prompts, codebooks] by layer and the half on which the lens was fitted."""
    means: Array
    """Each layer's outputs, mean over time [layers, prompts, d]."""

    def rows(self) -> list[DecoderLensRow]:
        """NDCG by slot, concept, layer, lens and way of hearing."""
        table = self.study.table
        slots = list(dict.fromkeys(concept.slot for concept in table.concepts))
        rows = []
        for way, slot in product(sorted(self.logits), slots):
            concepts = [concept for concept in table.concepts if concept.slot == slot]
            logits = {
                concept.name: self.logits[way][self._of(concept.name)] for concept in concepts
            }
            among_all = recognised(logits, concepts, self.labels)
            within = recognised(logits, concepts, self.labels, within=True)
            for name in (None, *logits):
                (ndcg, chance), (inside, chance_inside) = among_all.of(name), within.of(name)
                rows.append(
                    DecoderLensRow(
                        slot=slot,
                        concept=name,
                        layer=way.layer,
                        lens=way.lens,
                        heard=way.heard,
                        ndcg=ndcg,
                        chance=chance,
                        within=inside,
                        chance_within=chance_inside,
                    )
                )
        return rows

    def divergence_rows(self) -> list[DivergenceRow]:
        """How far layers are from what the model says, by codebook."""
        rows = []
        for layer in sorted({layer for layer, _ in self.divergences}):
            for lens in ("plain", "tuned"):
                both = np.concatenate([self.divergences[layer, half][lens] for half in (0, 1)])
                rows += [
                    DivergenceRow(layer=layer, codebook=book, lens=lens, nats=_mean(values))
                    for book, values in enumerate(both.T)
                ]
        return rows

    def similarity_rows(self) -> list[SimilarityRow]:
        """Every pair of layers, over the prompts of each concept and of all."""
        groups: dict[str | None, list[int]] = {None: list(range(len(self.study.all_prompts)))}
        groups |= {concept.name: self._of(concept.name) for concept in self.study.table.concepts}
        rows = []
        for name, numbers in groups.items():
            means = self.means[:, numbers]
            distances = layer_distances(means)
            enough = len(numbers) >= FEWEST
            cka, biased = (
                layer_cka(means, debiased=debiased) if enough else np.full_like(distances, np.nan)
                for debiased in (True, False)
            )
            rows += [
                SimilarityRow(
                    concept=name, first=a, second=b, distance=round(float(distances[a, b]), 4),
                    cka=_number(cka[a, b]), cka_biased=_number(biased[a, b]),
                )
                for a, b in product(range(len(means)), repeat=2)
                if a <= b
            ]  # fmt: skip
        return rows

    def _of(self, concept: str) -> list[int]:
        return [n for n, prompt in enumerate(self.study.all_prompts) if prompt.concept == concept]


def _mean(values: Array) -> IntervalRow:
    n = len(values)
    resampled = track_weights(n) @ values / n
    return IntervalRow.of(interval_of(float(values.mean()), resampled, tracks=n), 4, n=n)


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
