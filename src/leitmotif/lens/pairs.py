"""Which prompts are swapped with which: pairs of concepts, of single prompts, of a CSV file.

A swap puts the mean activations of one set of prompts into the clips of another one. In the paper a
set holds all prompts of a concept. It may also hold a single prompt, and its mean is then that
prompt's own run; an original prompt and a desired one can differ in one word alone (counterfactual
prompts).
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations
from pathlib import Path

import numpy as np

from leitmotif.errors import ConfigError
from leitmotif.files import read_text
from leitmotif.lens.concepts import Concept, ConceptTable, Prompt

COLUMNS = ("original_prompt", "counterfactual_prompt", "original_label", "desired_label")
"""Columns of a CSV file of counterfactual prompts."""


@dataclass(frozen=True)
class PromptSet:
    """Prompts over which activations are averaged."""

    texts: tuple[str, ...]
    tracks: tuple[str, ...]
    """Names the noise of each."""

    @classmethod
    def of(cls, prompts: Sequence[Prompt]) -> "PromptSet":
        """The prompts of concepts, each with the noise of its own name."""
        return cls(
            tuple(prompt.text for prompt in prompts), tuple(prompt.name for prompt in prompts)
        )


@dataclass(frozen=True)
class Side:
    """A concept as an original or as a desired one."""

    concept: str
    label: str
    """Label by which a tagger knows it."""
    slot: str | None


@dataclass(frozen=True)
class ConceptPair:
    """Names of sets: whose clips are played again, and whose means are put in."""

    sides: tuple[Side, Side]
    """Original and desired."""
    original: str
    desired: str
    redrawn: str | None
    """Other prompts of the original concept; None if there are none."""
    mixed: str | None
    """Prompts of neither concept; likewise."""

    @property
    def names(self) -> set[str]:
        """Of all its sets."""
        named = {self.original, self.desired, self.redrawn, self.mixed}
        return {name for name in named if name is not None}


@dataclass(frozen=True)
class ConceptPairs:
    """The pairs of an experiment. Those of the same two concepts are reported as one."""

    sets: Mapping[str, PromptSet]
    pairs: Sequence[ConceptPair]

    def __post_init__(self) -> None:
        if not self.pairs:
            raise ConfigError("there is nothing to swap", expected="one pair of concepts or more")
        for pair in self.pairs:
            original, desired = pair.sides
            if original.label == desired.label:
                raise ConfigError(
                    "two concepts that sound alike to a tagger cannot be swapped",
                    found=f"{original.concept} and {desired.concept}, both {original.label!r}",
                    expected="concepts whose first labels differ",
                )

    @cached_property
    def by_concepts(self) -> dict[tuple[Side, Side], list[ConceptPair]]:
        """The pairs of each two concepts."""
        groups: dict[tuple[Side, Side], list[ConceptPair]] = {}
        for pair in self.pairs:
            groups.setdefault(pair.sides, []).append(pair)
        return groups

    @property
    def labels(self) -> list[str]:
        """All labels by which concepts are known, each once."""
        return list(dict.fromkeys(side.label for sides in self.by_concepts for side in sides))

    def blocks(self, sets: int) -> Iterator["ConceptPairs"]:
        """The pairs in parts, each with its sets, which are so many or those of one pair."""
        block: list[ConceptPair] = []
        names: set[str] = set()
        for pair in self.pairs:
            if block and len(names | pair.names) > sets:
                yield _with_sets(self.sets, block)
                block, names = [], set()
            block.append(pair)
            names |= pair.names
        yield _with_sets(self.sets, block)


def concept_pairs(
    table: ConceptTable,
    prompts: int,
    *,
    within: bool = True,
    across: bool = True,
    seed: int = 0,
) -> ConceptPairs:
    """Every ordered pair of a table's concepts, as in the paper.

    Parameters
    ----------
    table : concepts and their prompts.
    prompts : of each concept.
    within : whether to pair concepts of one slot.
    across : whether to pair concepts of two slots.
    seed : of the draw of prompts for the control ``mixed``.

    The control ``redrawn`` has the original concept's next prompts, as many, and ``mixed`` as many
    drawn from those of all concepts but the two. Raises ConfigError if there are no such pairs.
    """
    sets, pairs = {}, []
    for concept in table.concepts:
        twice = table.prompts(concept.name, 2 * prompts)
        sets[concept.name] = PromptSet.of(twice[:prompts])
        sets[f"{concept.name} redrawn"] = PromptSet.of(twice[prompts:])
    for number, (one, other) in enumerate(combinations(table.concepts, 2)):
        if others := [third.name for third in table.concepts if third not in (one, other)]:
            sets[_neither(one, other)] = _mixed(table, others, prompts, [seed, number])
    for original, desired in permutations(table.concepts, 2):
        mixed = _neither(*sorted((original, desired), key=table.concepts.index))
        if within if original.slot == desired.slot else across:
            pairs.append(
                ConceptPair(
                    (_side(original), _side(desired)),
                    original.name,
                    desired.name,
                    redrawn=f"{original.name} redrawn",
                    mixed=mixed if mixed in sets else None,
                )
            )
    return _with_sets(sets, pairs)


def twin_pairs(table: ConceptTable, prompts: int) -> ConceptPairs:
    """Prompts that differ in one word alone, with the same noise: pairs of single prompts.

    The sets are the first ``prompts`` prompts of each concept, and each is paired with the one that
    has another concept of its slot and else the same values. The control ``redrawn`` is the next
    prompt of the original concept, ``mixed`` that of a third concept of the slot. Raises
    ConfigError if no two concepts share a slot.
    """
    sets, pairs = {}, []
    for slot in dict.fromkeys(concept.slot for concept in table.concepts):
        concepts = [concept for concept in table.concepts if concept.slot == slot]
        for concept in concepts:
            for each in table.prompts(concept.name, prompts):
                # The noise is that of the slot's prompt of this number, whatever the concept.
                sets[each.name] = PromptSet((each.text,), (f"{slot}/{each.number}",))
        for original, desired in permutations(concepts, 2):
            others = [each.name for each in concepts if each not in (original, desired)]
            pairs += [
                ConceptPair(
                    (_side(original), _side(desired)),
                    f"{original.name}/{number}",
                    f"{desired.name}/{number}",
                    redrawn=f"{original.name}/{(number + 1) % prompts}" if prompts > 1 else None,
                    mixed=f"{others[number % len(others)]}/{number}" if others else None,
                )
                for number in range(prompts)
            ]
    return _with_sets(sets, pairs)


def read_pairs(path: Path, *, seed: int = 0) -> ConceptPairs:
    """Counterfactual prompts from a CSV file with a header.

    Its columns are ``COLUMNS``: a prompt, the same prompt with something else in it, and the
    tagger's labels of what is in either; others are ignored. Both prompts of a row share their
    noise. The control ``mixed`` is the counterfactual prompt of another row, drawn by ``seed`` from
    those with another desired label. Raises ConfigError naming the file and the row.
    """
    rows = list(_rows(path))
    sets, pairs = {}, []
    random = np.random.default_rng(seed)
    for number, (original, counterfactual, label, desired) in enumerate(rows):
        track = f"row {number}"
        sets[f"{number} original"] = PromptSet((original,), (track,))
        sets[f"{number} desired"] = PromptSet((counterfactual,), (track,))
        others = [n for n, row in enumerate(rows) if row[3] not in (label, desired)]
        other = int(random.choice(others)) if others else None
        pairs.append(
            ConceptPair(
                (Side(label, label, None), Side(desired, desired, None)),
                f"{number} original",
                f"{number} desired",
                redrawn=None,
                mixed=None if other is None else f"{other} desired",
            )
        )
    return _with_sets(sets, pairs)


def _rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    text = read_text(path, fix="name a CSV file of counterfactual prompts", error=ConfigError)
    try:
        table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if missing := [name for name in COLUMNS if name not in (table.fieldnames or [])]:
            raise ConfigError(
                f"{path}: there is no column {', '.join(missing)}",
                found=", ".join(table.fieldnames or []) or "no header",
                expected=", ".join(COLUMNS),
            )
        if len(set(table.fieldnames or [])) < len(table.fieldnames or []):
            raise ConfigError(
                f"{path}: two columns have one name", found=", ".join(table.fieldnames or [])
            )
        for row in table:
            if None in row:  # what csv calls the cells past the header's
                raise ConfigError(
                    f"{path}, line {table.line_num}: there are more cells than columns",
                    found=str([*row.values()]),
                    expected=f"{len(table.fieldnames or [])} cells",
                    fix="put a prompt or label with a comma in it into double quotes",
                )
            values = [(row[name] or "").strip() for name in COLUMNS]
            if not all(values):
                raise ConfigError(
                    f"{path}, line {table.line_num}: a value is missing",
                    found=str(values),
                    expected="two prompts and two labels",
                )
            if values[0] == values[1]:
                raise ConfigError(
                    f"{path}, line {table.line_num}: both prompts are the same",
                    found=repr(values[0]),
                    expected="a prompt, and the same one with something else in it",
                )
            yield values[0], values[1], values[2], values[3]
    except csv.Error as error:
        raise ConfigError(
            f"{path}: the pairs of prompts cannot be read", found=error, expected="a CSV file"
        ) from error


def _side(concept: Concept) -> Side:
    return Side(concept.name, concept.labels[0], concept.slot)


def _neither(first: Concept, second: Concept) -> str:
    return f"neither {first.name} nor {second.name}"


def _mixed(
    table: ConceptTable, others: Sequence[str], prompts: int, seed: Sequence[int]
) -> PromptSet:
    """Prompts drawn from those of other concepts."""
    all_of_them = [prompt for name in others for prompt in table.prompts(name, prompts)]
    drawn = np.random.default_rng(list(seed)).permutation(len(all_of_them))[:prompts]
    return PromptSet.of([all_of_them[n] for n in sorted(drawn)])


def _with_sets(sets: Mapping[str, PromptSet], pairs: Sequence[ConceptPair]) -> ConceptPairs:
    """Pairs with those sets that they name."""
    used = {name for pair in pairs for name in pair.names}
    return ConceptPairs({name: prompts for name, prompts in sets.items() if name in used}, pairs)
