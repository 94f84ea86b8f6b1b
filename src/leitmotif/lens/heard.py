"""What the layers of a model play, as a tagger hears it: rows of the tables, and kept clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leitmotif.audio.writing import write_wav
from leitmotif.files import sha256_file, write_table
from leitmotif.intervals import interval_of, track_weights
from leitmotif.lens.agreement import TwoTaggers, agreement
from leitmotif.lens.concepts import ConceptTable, Prompt
from leitmotif.lens.recognition import named, recognised
from leitmotif.lens.similarity import FEWEST, layer_cka, layer_distances
from leitmotif.tables.decoderlens import (
    AgreementRow,
    DecoderLensRow,
    DivergenceRow,
    Heard,
    Lens,
    LensClipRow,
    SimilarityRow,
)
from leitmotif.tables.interval import IntervalRow

Array = NDArray[np.float64]
CLIPS = "clips.jsonl"
"""Name of the table among the kept clips."""


class Exit(NamedTuple):
    """One way to hear one layer."""

    layer: int
    lens: Lens
    heard: Heard


class TaggedClip(NamedTuple):
    """One clip."""

    logits: Array
    """The tagger's [labels]."""
    audio: NDArray[np.int16] | None = None
    """[n]; None unless it is kept."""
    second: Array | None = None
    """A second tagger's logits [labels]; None without one."""


@dataclass(frozen=True, eq=False)
class HeardExits:
    """Everything that was heard."""

    table: ConceptTable
    prompts: Sequence[Prompt]
    labels: Sequence[str]
    """The tagger's."""
    clips: Mapping[Exit, Sequence[TaggedClip]]
    """One for each prompt."""
    divergences: Mapping[tuple[int, int], Mapping[Lens, Array]]
    """[prompts, codebooks] by layer and the half on which the lens was fitted."""
    means: Array
    """Each layer's outputs, mean over time [layers, prompts, d]."""
    sample_rate: int
    """Sample rate of the clips, in Hz."""
    second_labels: Sequence[str] | None = None
    """A second tagger's; None without one."""

    def logits(self, way: Exit, concept: str) -> Array:
        """The tagger's, of the clips of one concept [prompts, labels]."""
        return np.stack([self.clips[way][number].logits for number in self._of(concept)])

    def rows(self) -> list[DecoderLensRow]:
        """NDCG by slot, concept, layer, lens and way of hearing."""
        rows = []
        for way, slot in product(sorted(self.clips), self.table.concept_slots):
            concepts = self.table.of_slot(slot)
            logits = {concept.name: self.logits(way, concept.name) for concept in concepts}
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
                        agreement=self._agreement(way, slot, name),
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
        groups: dict[str | None, list[int]] = {None: list(range(len(self.prompts)))}
        groups |= {concept.name: self._of(concept.name) for concept in self.table.concepts}
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

    def write_clips(self, folder: Path) -> list[LensClipRow]:
        """Write the kept clips as WAV files into a folder, and clips.jsonl, their table.

        Raises StoreError on a full disk.
        """
        rows = []
        for way, number in product(sorted(self.clips), range(len(self.prompts))):
            clip, prompt = self.clips[way][number], self.prompts[number]
            if clip.audio is None:
                continue
            file = f"{number}.{way.layer}.{way.lens}.{way.heard}.wav"
            write_wav(folder / file, clip.audio, self.sample_rate)
            taken_for, ranked = self._named(clip.logits, prompt.concept)
            rows.append(
                LensClipRow(
                    concept=prompt.concept, prompt=prompt.text, layer=way.layer, lens=way.lens,
                    heard=way.heard, named=taken_for, ndcg=ranked, file=file,
                    sha256=sha256_file(folder / file),
                )
            )  # fmt: skip
        write_table(folder / CLIPS, rows)
        return rows

    def _named(self, logits: Array, concept: str) -> tuple[str, float]:
        """The concept of the slot that a clip is taken for, and the NDCG of its own in the slot."""
        concepts = self.table.of_slot(self.table[concept].slot)
        taken_for = concepts[named(logits[None], concepts, self.labels)[0]]
        heard = recognised({concept: logits[None]}, concepts, self.labels, within=True)
        return taken_for.name, round(float(heard.by_concept[concept][0]), 4)

    def _agreement(self, way: Exit, slot: str, concept: str | None) -> AgreementRow | None:
        """Of both taggers, on the clips of one concept, or of all of a slot."""
        if self.second_labels is None:
            return None
        concepts = self.table.of_slot(slot)
        names = [each.name for each in concepts] if concept is None else [concept]
        clips = [self.clips[way][number] for name in names for number in self._of(name)]
        second = [clip.second for clip in clips if clip.second is not None]
        both = np.stack([clip.logits for clip in clips]), np.stack(second)
        return agreement(TwoTaggers(both, (self.labels, self.second_labels)), concepts)

    def _of(self, concept: str) -> list[int]:
        return [n for n, prompt in enumerate(self.prompts) if prompt.concept == concept]


def _mean(values: Array) -> IntervalRow:
    n = len(values)
    resampled = track_weights(n) @ values / n
    return IntervalRow.of(interval_of(float(values.mean()), resampled, tracks=n), 4, n=n)


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
