"""What the shipped models do and how: ``python -m training.evaluate`` writes metrics.json.

Behaviour is measured on sampled continuations, mechanism on teacher-forced pieces that are read
without a prompt, as the pipeline reads audio. All pieces have motifs held out from training. An
effect is how many nats the first two frames of a slot in which the motif returns lose, summed over
frames and codebooks.
"""

import argparse
from collections.abc import Iterator, Sequence

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional as F
from transformers import EncodecModel

from leitmotif.corpus.organism.composer import Part, Score, compose, render, sounds
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.files import write_json
from leitmotif.musicgen.generate import Sampling
from leitmotif.musicgen.hooked import HookedMusicGen
from leitmotif.musicgen.hooks import Intervention
from training import CODEC, FOLDER, WORLD
from training.codec import load_codec
from training.recipes import RECIPES
from training.tokens import NoteTable

SEEDS: dict[Part, int] = {"held_out": 99, "training": 100}
"""Distinct, so that a probe is not tested on filler and cues that it was fitted on."""
BATCH = 50
CONTINUATIONS, SWAPPED, PROBE_TRAIN, PROBE_TEST, CODED = 200, 200, 600, 300, 24
ONSET_FRAMES = 2
PROBE_SECONDS = 2.0
"""How long before its slot the decision is looked for."""
SETTLED_STEPS = 4
"""Steps after the cue's last frame in which its later codebooks are still being read."""
Estimate = dict[str, float]


def estimate(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """Mean with a 95 % percentile bootstrap interval over ``values``."""
    sample = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(0).integers(len(sample), size=(2000, len(sample)))
    low, high = np.quantile(sample[draws].mean(1), [0.025, 0.975])
    rounded = [round(float(value), 4) + 0.0 for value in (sample.mean(), low, high)]  # no -0.0
    return dict(zip(("mean", "low", "high"), rounded, strict=True)) | {"n": len(sample)}


def codec_chroma(world: World, codec: EncodecModel) -> Estimate:
    """Cosine of the chroma before and after the codec, mean over frames; one value a piece."""
    bank = SoundBank(world)
    values = []
    for score in _pieces(world, CODED, "held_out"):
        samples = render(bank, sounds(world, score))
        with torch.inference_mode():
            codes = codec.encode(torch.from_numpy(samples)[None, None]).audio_codes
            coded = codec.decode(codes, [None])[0][0, 0].numpy()
        before, after = (
            librosa.util.normalize(
                librosa.feature.chroma_cqt(
                    y=y, sr=world.sample_rate, hop_length=world.samples_per_frame
                ),
                norm=2,
            )
            for y in (samples, coded)
        )
        values.append(float((before * after).sum(0).mean()))
    return estimate(values)


class Examination:
    """One model's measures."""

    def __init__(self, world: World, table: NoteTable, model: HookedMusicGen) -> None:
        self._world, self._table, self._model = world, table, model
        self._sites = [f"layers.{layer}.residual" for layer in range(model.num_layers)]

    def slot_rates(self) -> dict[str, Estimate]:
        """How often sampled slots hold the motif, pitch for pitch, by what the cue says of them.

        Temperature 1, top-k 50, with the prompt but without guidance, after motif and cue.
        """
        world = self._world
        returned: dict[bool, list[float]] = {True: [], False: []}
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
            for score, heard in zip(some, self._table.transcribe(generation.codes), strict=True):
                bars = [
                    heard[at : at + world.notes_per_bar]
                    for at in range(0, len(heard), world.notes_per_bar)
                ]
                for slot, bar in enumerate(world.slot_bars):
                    same = bars[bar] == bars[world.statement_bars[0]]
                    returned[score.cue[slot]].append(float(same))
        return {
            "slot_rate_return": estimate(returned[True]),
            "slot_rate_no_return": estimate(returned[False]),
        }

    def effects(self) -> dict[str, Estimate | dict[str, Estimate]]:
        """Nats lost when the cue is swapped, and when only the gap's residual is."""
        swapped: list[float] = []
        patched: dict[str, list[float]] = {site: [] for site in self._sites}
        for slot, bar in enumerate(self._world.slot_bars):
            gap = self._gap(bar)
            for codes, other in self._swaps(slot):
                with torch.inference_mode():
                    logits, _ = self._model.run_with_cache(codes, sites=[])
                    twin_logits, twin = self._model.run_with_cache(other, sites=self._sites)
                    before = self._onset_nats(logits, codes, bar)
                    swapped += (self._onset_nats(twin_logits, other, bar) - before).tolist()
                    for site in self._sites:
                        patch = Intervention(
                            site, "replace", twin[site][:, gap.start : gap.stop], steps=gap,
                            rows=range(len(codes)),
                        )  # fmt: skip
                        after = self._onset_nats(
                            self._model(codes, interventions=[patch]), codes, bar
                        )
                        patched[site] += (after - before).tolist()
        return {
            "cue_swap_nats": estimate(swapped),
            "gap_patch_nats": {site: estimate(values) for site, values in patched.items()},
        }

    def probes(self) -> dict[str, Estimate]:
        """Accuracy of a linear probe for the decision, ``PROBE_SECONDS`` before each slot.

        Fitted on training motifs, scored on held-out ones; chance is a half.
        """
        right: dict[str, list[float]] = {site: [] for site in self._sites}
        train, test = (
            _pieces(self._world, PROBE_TRAIN, "training"),
            _pieces(self._world, PROBE_TEST, "held_out"),
        )
        steps = [
            bar * self._world.frames_per_bar - round(PROBE_SECONDS * self._model.frame_rate)
            for bar in self._world.slot_bars
        ]
        features = [self._residuals(scores, steps) for scores in (train, test)]
        for slot in range(len(steps)):
            wanted = [np.array([score.returns[slot] for score in part]) for part in (train, test)]
            for site in self._sites:
                fit, held_out = (part[site][:, slot] for part in features)
                probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=1000))
                probe.fit(fit, wanted[0])
                right[site] += (probe.predict(held_out) == wanted[1]).astype(float).tolist()
        return {site: estimate(values) for site, values in right.items()}

    def _gap(self, slot_bar: int) -> range:
        bar = self._world.frames_per_bar
        return range((self._world.cue_bar + 1) * bar + SETTLED_STEPS, slot_bar * bar)

    def _swaps(self, slot: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Codes of pieces in which this slot returns, and the same notes after the other cue."""
        scores = [s for s in _pieces(self._world, SWAPPED, "held_out") if s.returns[slot]]
        for first in range(0, len(scores), BATCH):
            some = scores[first : first + BATCH]
            yield self._table(some), self._table([s.with_cue_swapped(slot) for s in some])

    def _onset_nats(self, logits: Tensor | None, codes: Tensor, bar: int) -> Tensor:
        assert logits is not None
        onset = slice(
            bar * self._world.frames_per_bar, bar * self._world.frames_per_bar + ONSET_FRAMES
        )
        chances = logits[:, :, onset].permute(0, 3, 1, 2)
        return F.cross_entropy(chances, codes[:, :, onset], reduction="none").sum((1, 2))

    def _residuals(
        self, scores: Sequence[Score], steps: Sequence[int]
    ) -> dict[str, NDArray[np.float32]]:
        """The residual of each piece at each step: (pieces, steps, width) by site."""
        found: dict[str, list[Tensor]] = {site: [] for site in self._sites}
        for first in range(0, len(scores), BATCH):
            codes = self._table(scores[first : first + BATCH])
            with torch.inference_mode():
                _, cache = self._model.run_with_cache(codes, sites=self._sites)
            for site in self._sites:
                found[site].append(cache[site][:, steps])
        return {site: torch.cat(parts).numpy() for site, parts in found.items()}


def _pieces(world: World, count: int, part: Part) -> list[Score]:
    return [compose(world, SEEDS[part], index, part=part) for index in range(count)]


def main() -> None:
    """Measure every model that is there and write metrics.json."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.parse_args()
    torch.set_num_threads(1)
    world, codec = load_world(WORLD), load_codec(CODEC)
    table = NoteTable(world, codec)
    weights = FOLDER.rglob("*.safetensors")
    metrics: dict[str, object] = {
        "codec_chroma": codec_chroma(world, codec),
        "bytes": sum(path.stat().st_size for path in weights if path.parent.name != "work"),
    }
    for name, recipe in RECIPES.items():
        if not (FOLDER / name / "config.json").exists():
            continue
        model = HookedMusicGen.from_pretrained(str(FOLDER / name), device="cpu", dtype="float32")
        examination = Examination(world, table, model)
        metrics[name] = {
            **examination.slot_rates(),
            **examination.effects(),
            "gap_probe_accuracy": examination.probes(),
            "seeds": [recipe.seed],
        }
    write_json(FOLDER / "metrics.json", metrics)


if __name__ == "__main__":
    main()
