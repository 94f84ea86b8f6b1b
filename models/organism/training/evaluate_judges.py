"""How often the shipped judges are right: ``python -m training.evaluate_judges``.

The clips are none of those that the judges learnt from: concept clips of prompts that were kept
from training, and crops of pieces with motifs that were; only ``new_clips_of_known_prompts`` are of
prompts that were not. The judges are loaded as any stage loads them. Writes judges/metrics.json.
"""

import argparse
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from leitmotif.corpus.organism.composer import Part
from leitmotif.files import write_json
from leitmotif.judge.models import Clap, Tagger
from training import FOLDER
from training.captions import TEMPLATES, Captions, Question
from training.estimates import Estimate, estimate
from training.judge_data import RATE, Coding, Heard, Origin, Source
from training.judge_labels import GENRES, NO_MUSIC, VOICES

SEED = 1000
"""Apart from those that were trained on."""
CLIPS = 400
CODINGS: tuple[Coding, ...] = ("plain", "coded", "any")
INSTRUMENTS = ("guitar", "piano", "trumpet", "violin")
CONCEPT_GENRES = tuple(genre for genre in GENRES if genre != "ambient")


class Examination:
    """Clips, and what the judges say of them."""

    def __init__(self, heard: Sequence[Heard]) -> None:
        self.heard, self.clips = heard, [clip.samples for clip in heard]

    def tagger(self, tagger: Tagger) -> dict[str, object]:
        """Accuracies of the tagger's best instrument and genre, over all and class by class."""
        logits = tagger.logits(self.clips, RATE)
        metrics: dict[str, object] = {}
        for name, classes, labels in (
            ("instrument", INSTRUMENTS, VOICES),
            ("genre", CONCEPT_GENRES, GENRES),
        ):
            columns = tagger.indices([labels[name][0] for name in classes])
            named = logits[:, columns].argmax(1)
            truth = [getattr(clip.words, name) for clip in self.heard]
            right = [classes[n] == true for n, true in zip(named, truth, strict=True)]
            metrics |= _by_class(name, right, truth)
        return metrics

    def clap(self, clap: Clap, captions: Captions) -> dict[str, object]:
        """How often CLAP finds the right prompt and the right word among all there are."""
        audio = clap.embed_audio(self.clips, RATE)
        ranks = self._ranks(clap, audio, captions.prompts())
        metrics: dict[str, object] = {
            "prompt_first": estimate(ranks == 1),
            "prompt_in_first_ten": estimate(ranks <= 10),
            "prompt_median_rank": float(np.median(ranks)),
            "prompts": len(captions.prompts().sentences) - len(NO_MUSIC),
        }
        wordings = range(len(TEMPLATES["mood"]))
        for place, name in enumerate(TEMPLATES):
            questions = [captions.fields(wording)[place] for wording in wordings]
            right = [self._ranks(clap, audio, question) == 1 for question in questions]
            truth = [getattr(clip.words, name) for clip in self.heard]
            metrics |= _by_class(name, np.mean(right, 0), truth)
        return metrics

    def _ranks(
        self, clap: Clap, audio: NDArray[np.float32], question: Question
    ) -> NDArray[np.int64]:
        cosines = audio @ clap.embed_text(question.sentences).T
        own = np.array([question.answer(clip) for clip in self.heard])
        return 1 + (cosines > cosines[np.arange(len(own)), own][:, np.newaxis]).sum(1)


def _by_class(
    name: str, right: Sequence[float] | NDArray[np.float64], truth: Sequence[str]
) -> dict[str, object]:
    values = np.asarray(right, dtype=float)
    classes = {
        name: estimate(values[[true == name for true in truth]]) for name in sorted(set(truth))
    }
    return {f"{name}_accuracy": estimate(values), f"{name}_by_class": classes}


def pieces(tagger: Tagger, heard: Sequence[Heard]) -> dict[str, Estimate]:
    """How often each label is rightly said to be there or not, at a probability of a half."""
    said = tagger.probabilities([clip.samples for clip in heard], RATE) > 0.5
    occurring = [label for label in tagger.labels if any(label in clip.labels for clip in heard)]
    return {
        label: estimate(
            [said[row, column] == (label in clip.labels) for row, clip in enumerate(heard)]
        )
        for label, column in zip(occurring, tagger.indices(occurring), strict=True)
    }


def no_music(
    taggers: Mapping[str, Tagger], clap: Clap, heard: Sequence[Heard]
) -> dict[str, Estimate]:
    """How often noise and near silence are taken for neither an instrument nor music."""
    clips = [clip.samples for clip in heard]
    sentences = clap.embed_text(["noise", "silence", *INSTRUMENTS])
    nearest = (clap.embed_audio(clips, RATE) @ sentences.T).argmax(1)
    found = {"clap_nearer_noise": estimate(nearest < 2)}
    for name, tagger in taggers.items():
        columns = tagger.indices([VOICES[voice][0] for voice in INSTRUMENTS])
        chances = tagger.probabilities(clips, RATE)[:, columns]
        found[f"{name}_no_instrument"] = estimate(chances.max(1) < 0.5)
    return found


def main() -> None:
    """Measure all judges and write judges/metrics.json."""
    argparse.ArgumentParser(description=main.__doc__).parse_args()
    torch.set_num_threads(1)
    folder = FOLDER / "judges"
    taggers = {
        name: Tagger.from_pretrained(str(folder / name), device="cpu")
        for name in ("tagger", "second_tagger")
    }
    clap = Clap.from_pretrained(str(folder / "clap"), device="cpu")
    source = Source.shipped()
    captions = Captions([*source.words("training"), *source.words("held_out")])
    metrics: dict[str, dict[str, object]] = {"clap": {}, **{name: {} for name in taggers}}

    def drawn(origin: Origin, coding: Coding, part: Part = "held_out") -> list[Heard]:
        return source(SEED, range(CLIPS), part=part, coding=coding, origin=origin)

    known = Examination(drawn("concepts", "coded", "training"))
    metrics["clap"]["new_clips_of_known_prompts"] = known.clap(clap, captions)
    for coding in CODINGS:
        concepts = Examination(drawn("concepts", coding))
        metrics["clap"][f"concepts_{coding}"] = concepts.clap(clap, captions)
        world = Examination(drawn("world", coding))
        metrics["clap"][f"pieces_{coding}"] = world.clap(clap, captions)
        for name, tagger in taggers.items():
            metrics[name][f"concepts_{coding}"] = concepts.tagger(tagger)
            metrics[name][f"pieces_{coding}"] = pieces(tagger, world.heard)
    metrics["no_music"] = dict(no_music(taggers, clap, drawn("nothing", "any")))
    metrics["clap"]["text_collapse"] = round(clap.text_collapse, 4)
    write_json(folder / "metrics.json", metrics)


if __name__ == "__main__":
    main()
