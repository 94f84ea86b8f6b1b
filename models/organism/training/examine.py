"""What one model does, and by what mechanism.

Behaviour is measured on sampled continuations, mechanism on teacher-forced pieces that are read
without a prompt, as the pipeline reads audio. All pieces have motifs held out from training. An
effect is how many nats the first two frames of a slot in which the motif returns lose, summed over
frames and codebooks.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional as F

from leitmotif.corpus.organism.composer import Part, Score, compose, motif_notes
from leitmotif.corpus.organism.world import World
from leitmotif.musicgen.hooked import HookedMusicGen
from leitmotif.musicgen.intervention import Intervention
from leitmotif.musicgen.sampling import Sampling
from training.batches import SETTLED
from training.estimates import Estimate, estimate
from training.tokens import NoteTable

SEEDS: dict[Part, int] = {"held_out": 99, "training": 100}
"""Distinct, so that a probe is not tested on filler and cues that it was fitted on."""
BATCH = 50
CONTINUATIONS, SWAPPED, MAPPED, PROBE_TRAIN, PROBE_TEST = 200, 200, 100, 600, 300
ONSET_FRAMES = 2
PROBE_SECONDS = 2.0
"""How long before its slot the decision is looked for."""
Features = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class GapCell:
    """One cell of the map of the gap before the first slot: a bar of it at one site."""

    site: str
    seconds_before_slot: float
    """From the bar's middle to the slot."""
    patch_nats: Estimate
    """Effect of the bar's residual, taken from the piece with the opposite cue."""
    probe_accuracy: Estimate
    """Of a linear probe at the bar's middle; chance is a half."""


class Examination:
    """One model's measures."""

    def __init__(self, world: World, table: NoteTable, model: HookedMusicGen) -> None:
        self._world, self._table, self._model = world, table, model
        self._sites = [f"layers.{layer}.residual" for layer in range(model.num_layers)]

    def behaviour(self) -> dict[str, object]:
        """How often sampled slots hold the motif in any variation, by what the cue says of them.

        Temperature 1, top-k 50, with the prompt but without guidance, after motif and cue. A
        return counts if every note of it is one that the composer would have written.
        """
        world = self._world
        returned: dict[bool, list[float]] = {True: [], False: []}
        pieces: dict[bool, list[int]] = {True: [], False: []}
        kinds: Counter[str] = Counter()
        scores = _pieces(world, CONTINUATIONS, "held_out")
        held = (world.cue_bar + 1) * world.frames_per_bar
        for first in range(0, len(scores), BATCH):
            some = scores[first : first + BATCH]
            generation = self._model.generate(
                [score.prompt(world) for score in some],
                seconds=(world.bars * world.frames_per_bar - held) / self._model.frame_rate,
                prefix=self._table(some)[:, :, :held],
                tracks=[str(first + row) for row in range(len(some))],
                sampling=Sampling(temperature=1.0, top_k=50),
                guidance_scale=1.0,
                seed=SEEDS["held_out"],
            )
            played = self._table.transcribe(generation.codes)
            for piece, (score, heard) in enumerate(zip(some, played, strict=True), first):
                known = {kind: motif_notes(world, score, kind) for kind in world.variations}
                for slot, bar in enumerate(world.slot_bars):
                    notes = heard[bar * world.notes_per_bar : (bar + 1) * world.notes_per_bar]
                    kinds_played = [kind for kind, motif in known.items() if notes == motif]
                    returned[score.cue[slot]].append(float(bool(kinds_played)))
                    pieces[score.cue[slot]].append(piece)
                    kinds.update(kinds_played[:1])
        total = max(1, kinds.total())
        return {
            "slot_rate_return": estimate(returned[True], pieces[True]),
            "slot_rate_no_return": estimate(returned[False], pieces[False]),
            "return_shares": {kind: round(kinds[kind] / total, 4) for kind in world.variations},
        }

    def effects(self) -> dict[str, object]:
        """Nats lost when the cue is swapped, and when only the gap's residual is."""
        swapped: list[float] = []
        pieces: list[int] = []
        patched: dict[str, list[float]] = {site: [] for site in self._sites}
        for slot, bar in enumerate(self._world.slot_bars):
            gap = self._gap(bar)
            for numbers, codes, other, twin in self._swaps(slot, SWAPPED):
                pieces += numbers
                before = self._onset_nats(codes, bar)
                swapped += (self._onset_nats(other, bar) - before).tolist()
                for site in self._sites:
                    patch = self._patch(twin, site, gap)
                    patched[site] += (self._onset_nats(codes, bar, patch) - before).tolist()
        return {
            "cue_swap_nats": estimate(swapped, pieces),
            "gap_patch_nats": {site: estimate(nats, pieces) for site, nats in patched.items()},
        }

    def probes(self) -> tuple[dict[str, Estimate], list[GapCell]]:
        """How well the decision can be read: ``PROBE_SECONDS`` before each slot, and bar by bar.

        A linear probe at one step is fitted on training motifs and scored on held-out ones. The
        second value is the map of the gap before the first slot, with the patches' effects.
        """
        world, first_slot = self._world, self._world.slot_bars[0]
        early = round(PROBE_SECONDS * self._model.frame_rate)
        steps = [bar * world.frames_per_bar - early for bar in world.slot_bars]
        bars = range(world.cue_bar + 1, first_slot)
        steps += [int((bar + 0.5) * world.frames_per_bar) for bar in bars]
        slots = [*range(len(world.slot_bars)), *(0 for _ in bars)]
        right = self._probed(steps, slots)
        every = range(len(world.slot_bars))
        summary = {
            site: estimate(
                [hit for at in every for hit in right[site][at]],
                [piece for at in every for piece in range(len(right[site][at]))],
            )
            for site in self._sites
        }
        effects = self._mapped(bars)
        return summary, [
            GapCell(
                site=site,
                seconds_before_slot=round(
                    (first_slot - bar - 0.5) * world.samples_per_bar / world.sample_rate, 2
                ),
                patch_nats=estimate(effects[site, bar]),
                probe_accuracy=estimate(right[site][len(world.slot_bars) + number]),
            )
            for site in self._sites
            for number, bar in enumerate(bars)
        ]

    def _probed(self, steps: Sequence[int], slots: Sequence[int]) -> dict[str, list[list[float]]]:
        """1 where the probe of ``slots[i]`` at ``steps[i]`` is right: site -> i -> pieces."""
        train = _pieces(self._world, PROBE_TRAIN, "training")
        test = _pieces(self._world, PROBE_TEST, "held_out")
        fit, held_out = self._residuals(train, steps), self._residuals(test, steps)
        wanted, truth = (np.array([score.returns for score in part]) for part in (train, test))
        right: dict[str, list[list[float]]] = {site: [] for site in self._sites}
        for site in self._sites:
            for at, slot in enumerate(slots):
                probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=1000))
                probe.fit(fit[site][:, at], wanted[:, slot])
                named = probe.predict(held_out[site][:, at])
                right[site].append((named == truth[:, slot]).astype(float).tolist())
        return right

    def _mapped(self, bars: range) -> dict[tuple[str, int], list[float]]:
        """Effects of patching one bar at one site before the first slot: one value a piece."""
        slot_bar = self._world.slot_bars[0]
        effects: dict[tuple[str, int], list[float]] = {}
        for _, codes, _, twin in self._swaps(0, MAPPED):
            before = self._onset_nats(codes, slot_bar)
            for site in self._sites:
                for bar in bars:
                    start = bar * self._world.frames_per_bar
                    if bar == self._world.cue_bar + 1:
                        start += SETTLED
                    steps = range(start, (bar + 1) * self._world.frames_per_bar)
                    after = self._onset_nats(codes, slot_bar, self._patch(twin, site, steps))
                    effects.setdefault((site, bar), []).extend((after - before).tolist())
        return effects

    def _gap(self, slot_bar: int) -> range:
        bar = self._world.frames_per_bar
        return range((self._world.cue_bar + 1) * bar + SETTLED, slot_bar * bar)

    def _swaps(
        self, slot: int, pieces: int
    ) -> Iterator[tuple[list[int], Tensor, Tensor, dict[str, Tensor]]]:
        """Numbers and codes of pieces in which this slot returns, the same notes after the other
        cue, and the latter's residuals."""
        every = enumerate(_pieces(self._world, pieces, "held_out"))
        returning = [(number, score) for number, score in every if score.returns[slot]]
        for first in range(0, len(returning), BATCH):
            numbers, some = zip(*returning[first : first + BATCH], strict=True)
            other = self._table([s.with_cue_swapped(slot) for s in some])
            with torch.inference_mode():
                _, twin = self._model.run_with_cache(other, sites=self._sites)
            residuals = {site: twin[site] for site in self._sites}
            yield list(numbers), self._table(some), other, residuals

    def _patch(self, twin: dict[str, Tensor], site: str, steps: range) -> Intervention:
        values = twin[site][:, steps.start : steps.stop]
        return Intervention(site, "replace", values, steps=steps, rows=range(len(values)))

    def _onset_nats(self, codes: Tensor, bar: int, *interventions: Intervention) -> Tensor:
        first = bar * self._world.frames_per_bar
        onset = slice(first, first + ONSET_FRAMES)
        with torch.inference_mode():
            logits = self._model(codes, interventions=interventions)
        chances = logits[:, :, onset].permute(0, 3, 1, 2)
        return F.cross_entropy(chances, codes[:, :, onset], reduction="none").sum((1, 2))

    def _residuals(self, scores: Sequence[Score], steps: Sequence[int]) -> Features:
        """The residual of each piece at each step: (pieces, steps, width) by site."""
        by_site: dict[str, list[Tensor]] = {site: [] for site in self._sites}
        for first in range(0, len(scores), BATCH):
            codes = self._table(scores[first : first + BATCH])
            with torch.inference_mode():
                _, cache = self._model.run_with_cache(codes, sites=self._sites)
            for site in self._sites:
                by_site[site].append(cache[site][:, list(steps)])
        return {site: torch.cat(parts).numpy() for site, parts in by_site.items()}


def _pieces(world: World, count: int, part: Part) -> list[Score]:
    return [compose(world, SEEDS[part], index, part=part) for index in range(count)]
