"""Sentences that CLAP is asked to find a clip's own among: prompts, and single words of them."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from training.judge_data import Heard, Words
from training.judge_labels import NO_MUSIC

TEMPLATES: dict[str, tuple[str, ...]] = {
    "mood": ("{}", "a {} piece", "{} music", "This audio is a {} song."),
    "genre": ("{}", "{} music", "a {} piece", "This audio is a {} song."),
    "instrument": ("{}", "a {} melody", "the sound of a {}", "a piece with a {}"),
    "tempo": ("{}", "a {} tempo", "{} music", "Use a {} tempo."),
}
"""By field of ``Words``. LAION trained on ``This audio is a <genre> song``
(https://github.com/LAION-AI/CLAP/issues/138)."""
PROMPTS = 128
"""Prompts that a clip's own is found among in one step, at least its batch's."""


@dataclass(frozen=True)
class Question:
    """Sentences of which one, and only one, is true of any clip that is asked about."""

    name: str
    sentences: tuple[str, ...]
    numbers: dict[Hashable, int]
    """Of the sentence for a field's value, a prompt's ``Words``, or a label of no music."""

    def answer(self, heard: Heard) -> int:
        """Number of the sentence that is true of a clip."""
        if heard.words is None:
            (label,) = heard.labels
            return self.numbers[label]
        field = getattr(heard.words, self.name, heard.words)
        return self.numbers[heard.words if self.name == "prompt" else field]


class Captions:
    """Every question that can be asked about clips with these prompts."""

    def __init__(self, words: Iterable[Words]) -> None:
        self._words = sorted(set(words))
        self._values = {
            field: sorted({getattr(words, field) for words in self._words}) for field in TEMPLATES
        }

    def prompts(self) -> Question:
        """Which of all prompts."""
        return _question("prompt", self._words, [words.prompt for words in self._words])

    def fields(self, wording: int) -> list[Question]:
        """Which mood, genre, instrument and tempo, in one of the wordings."""
        return [
            _question(name, values, [TEMPLATES[name][wording].format(value) for value in values])
            for name, values in self._values.items()
        ]

    def asked(self, heard: Sequence[Heard], step: int) -> list[Question]:
        """The questions of one step of training."""
        random = np.random.default_rng(step)
        own = {clip.words for clip in heard if clip.words is not None}
        others = [self._words[n] for n in random.permutation(len(self._words))[:PROMPTS]]
        some = Captions({*own, *others[: max(0, PROMPTS - len(own))]})
        return [some.prompts(), *self.fields(step % len(TEMPLATES["mood"]))]

    def every_sentence(self) -> list[str]:
        """What a tokenizer learns its words from."""
        wordings = range(len(TEMPLATES["mood"]))
        questions = [self.prompts(), *(q for wording in wordings for q in self.fields(wording))]
        return [sentence for question in questions for sentence in question.sentences]


def _question(name: str, values: Sequence[Hashable], sentences: Sequence[str]) -> Question:
    keys = [*values, *NO_MUSIC]
    nothing = [label.lower() for label in NO_MUSIC]
    return Question(name, (*sentences, *nothing), {key: n for n, key in enumerate(keys)})
