"""Train a judge: ``python -m training.judges tagger``, ``second_tagger`` or ``clap``.

Every step draws its own clips from the seed and its number. The second tagger has another seed, so
it starts from other weights and learns from other clips of the same kind.
"""

import argparse
import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leitmotif.audio.reading.samples import Samples
from leitmotif.judge.models.clips import prepare
from training import FOLDER, WORK
from training.captions import Captions
from training.judge_data import RATE, Heard, Source
from training.judge_labels import LABELS
from training.judge_networks import (
    TAGGERS,
    build_clap,
    build_tagger,
    build_tokenizer,
    clap_extractor,
    save_clap,
    save_tagger,
    tagger_extractor,
)
from training.loop import Run, Schedule, finish

JUDGES = FOLDER / "judges"
BATCH = 32
SEEDS = {"tagger": 0, "second_tagger": 1, "clap": 0}
STEPS = {"tagger": 700, "second_tagger": 700, "clap": 600}
SMOOTHING = 0.02
"""The tagger's targets are so far from 0 and 1, which keeps logits finite and log-odds telling."""
_TABLES = ("embeddings.", "relative_position", "classifier")
"""Matrices that are looked up in, or end in labels: not for Muon."""


class JudgeRun(Run):
    """What all judges have in common."""

    def __init__(self, model: nn.Module, name: str, source: Source) -> None:
        super().__init__(model, Schedule(steps=STEPS[name], adam_rate=2e-3, decay=0.5))
        self._name, self._source = name, source
        self.model.train()

    def matrices(self) -> list[nn.Parameter]:
        """Those of the blocks and projections."""
        return [
            p
            for name, p in self.model.named_parameters()
            if p.ndim == 2 and not any(word in name for word in _TABLES)
        ]

    def heard(self) -> list[Heard]:
        """This step's clips."""
        numbers = range(self.step * BATCH, (self.step + 1) * BATCH)
        return self._source(SEEDS[self._name], numbers, part="training", coding="any")

    def _weights(self) -> Iterable[tuple[str, Tensor]]:
        # With the running means of batch normalisation, which are no parameters.
        yield from self.model.state_dict().items()


class TaggerRun(JudgeRun):
    """Each label apart: binary cross-entropy, in nats a label."""

    def __init__(self, name: str, source: Source) -> None:
        super().__init__(build_tagger(TAGGERS[name], LABELS), name, source)
        self._extractor = tagger_extractor(TAGGERS[name])

    def losses(self) -> tuple[Tensor, dict[str, float]]:
        """See ``Run``."""
        heard, rate = self.heard(), self._extractor.sampling_rate
        inputs = self._extractor(_resampled(heard, rate), sampling_rate=rate, return_tensors="pt")
        logits = self.model(inputs["input_values"]).logits
        wanted = torch.tensor([[label in clip.labels for label in LABELS] for clip in heard])
        targets = SMOOTHING + (1 - 2 * SMOOTHING) * wanted.float()
        sure = torch.tensor([[label not in clip.unclear for label in LABELS] for clip in heard])
        loss = F.binary_cross_entropy_with_logits(logits[sure], targets[sure])
        return loss, {"loss": loss.item()}

    def ship(self) -> None:
        """Write models/organism/judges/tagger, or second_tagger."""
        save_tagger(self.model.eval(), TAGGERS[self._name], JUDGES / self._name)


class ClapRun(JudgeRun):
    """Each clip must find its sentence among those that answer the same question, and be found."""

    CURVE = ("loss", "prompt", "reverse", "mood", "genre", "instrument", "tempo")

    def __init__(self, name: str, source: Source) -> None:
        self._captions = Captions(source.words("training"))
        self._tokenizer = build_tokenizer(self._captions.every_sentence())
        super().__init__(build_clap(self._tokenizer), name, source)
        self._extractor = clap_extractor()

    def losses(self) -> tuple[Tensor, dict[str, float]]:
        """The sum over questions of cross-entropies in nats; see ``Run``."""
        heard, rate = self.heard(), self._extractor.sampling_rate
        inputs = self._extractor(_resampled(heard, rate), sampling_rate=rate, return_tensors="pt")
        audio = self.model.get_audio_features(inputs["input_features"].float()).pooler_output
        questions = self._captions.asked(heard, self.step)
        sentences = [sentence for question in questions for sentence in question.sentences]
        text = self._embed(sentences).split([len(question.sentences) for question in questions])
        nats = {}
        for question, embedded in zip(questions, text, strict=True):
            answers = torch.tensor([question.answer(clip) for clip in heard])
            cosines = audio @ embedded.T
            scale_audio, scale_text = self.model.logit_scale_a.exp(), self.model.logit_scale_t.exp()
            nats[question.name] = F.cross_entropy(scale_audio * cosines, answers)
            if question.name == "prompt":
                nats["reverse"] = _found(scale_text * cosines.T, answers)
        loss = torch.stack(list(nats.values())).sum()
        return loss, {"loss": loss.item(), **{name: value.item() for name, value in nats.items()}}

    def _embed(self, sentences: Sequence[str]) -> Tensor:
        tokens = self._tokenizer(list(sentences), padding=True, return_tensors="pt")
        out = self.model.get_text_features(tokens["input_ids"], tokens["attention_mask"])
        return out.pooler_output

    def ship(self) -> None:
        """Write models/organism/judges/clap."""
        save_clap(self.model.eval(), self._tokenizer, JUDGES / "clap")


def run_of(name: str, source: Source) -> JudgeRun:
    """The run of one of the judges, at its start; draws from torch's global generator."""
    return TaggerRun(name, source) if name in TAGGERS else ClapRun(name, source)


def _found(logits: Tensor, answers: Tensor) -> Tensor:
    """Nats with which each sentence (row) that some clip (column) is of finds such clips."""
    right = answers[None] == torch.arange(len(logits))[:, None]
    asked = right.any(1)
    chances = logits[asked].log_softmax(1)
    return -chances.masked_fill(~right[asked], -math.inf).logsumexp(1).mean()


def _resampled(heard: Sequence[Heard], rate: int) -> list[Samples]:
    return prepare([clip.samples for clip in heard], RATE, rate)


def main() -> None:
    """Train one of the judges in models/organism/judges."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name", choices=list(SEEDS))
    name = parser.parse_args().name
    torch.set_num_threads(1)
    torch.manual_seed(SEEDS[name])
    run = run_of(name, Source.shipped())
    finish(run, WORK / "judges" / f"{name}.safetensors", FOLDER / "curves" / f"{name}.csv")
    run.ship()


if __name__ == "__main__":
    main()
