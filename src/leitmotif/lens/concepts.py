"""concepts.yaml: the concepts of an experiment, the prompts that ask for them, and their labels.

A prompt is a template with slots, each of which has a few values. A concept is one value of one
slot. The prompts of a concept hold that value and vary all the others evenly, so that no concept
goes with another. By its labels an audio tagger recognises a concept; the first is its name there.
"""

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leitmotif.config import Settings
from leitmotif.config.section import read_settings
from leitmotif.errors import ConfigError

TABLE = Path("concepts.yaml")
SCHEMA = Path("schemas/concepts.schema.json")
Name = Annotated[str, Field(min_length=1, max_length=100)]


class Concept(Settings):
    """One value of one slot, and how a tagger recognises it."""

    name: Name
    """Names its rows in the tables."""
    slot: Name
    """Slot of the template whose value it is."""
    value: Name | None = None
    """What stands in the slot; null: the concept's name."""
    labels: Annotated[list[Name], Field(min_length=1)]
    """As the tagger spells them; the first names the concept, and log-odds use it."""

    @property
    def text(self) -> str:
        """What stands in the slot."""
        return self.name if self.value is None else self.value


@dataclass(frozen=True)
class Prompt:
    """One prompt of one concept."""

    concept: str
    number: int
    """Among the prompts of the concept, from 0."""
    values: Mapping[str, str]
    """Values by slot."""
    text: str

    @property
    def name(self) -> str:
        """Names the noise with which the prompt is sampled."""
        return f"{self.concept}/{self.number}"


class ConceptTable(Settings):
    """All of concepts.yaml."""

    format: Literal["leitmotif-concepts/1"]
    """Name and version of this form."""
    template: Annotated[str, Field(min_length=1)]
    """A sentence with every slot in braces."""
    slots: Annotated[dict[Name, Annotated[list[Name], Field(min_length=1)]], Field(min_length=1)]
    """The values of each slot."""
    concepts: Annotated[list[Concept], Field(min_length=1)]
    """Values that are looked for in what the model plays."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        try:
            parts = [
                part for part in string.Formatter().parse(self.template) if part[1] is not None
            ]
        except ValueError as error:
            raise ValueError(f"the template cannot be filled in: {error}") from error
        if odd := [
            field for _, field, form, conversion in parts if not field or form or conversion
        ]:
            raise ValueError(
                f"the template may name slots in braces, and nothing else: {{{odd[0]}}} has no "
                "name, or a format"
            )
        fields = [str(field) for _, field, _, _ in parts]
        if sorted(fields) != sorted(self.slots):
            raise ValueError(
                f"the template has the slots {sorted(fields)}, and slots has {sorted(self.slots)}"
            )
        for what, names in (
            ("concepts", [concept.name for concept in self.concepts]),
            (
                "values of concepts",
                [f"{each.text!r} of {each.slot}" for each in self.concepts],
            ),
            *((f"values of {slot}", values) for slot, values in self.slots.items()),
            *((f"labels of {each.name}", each.labels) for each in self.concepts),
        ):
            if repeated := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{what} named twice: {', '.join(repeated)}")
        for concept in self.concepts:
            if concept.text not in self.slots.get(concept.slot, []):
                raise ValueError(
                    f"{concept.name}: no slot {concept.slot!r} has the value {concept.text!r}"
                )
        return self

    def __getitem__(self, name: str) -> Concept:
        """The concept of a name; raises ConfigError naming those that there are."""
        for concept in self.concepts:
            if concept.name == name:
                return concept
        raise ConfigError(
            f"there is no concept {name!r}",
            expected=", ".join(concept.name for concept in self.concepts),
        )

    @property
    def concept_slots(self) -> list[str]:
        """Slots that have concepts, in the order of the concepts."""
        return list(dict.fromkeys(concept.slot for concept in self.concepts))

    def of_slot(self, slot: str) -> list[Concept]:
        """The concepts of one slot."""
        return [concept for concept in self.concepts if concept.slot == slot]

    def only(self, slots: Sequence[str]) -> Self:
        """The table with the concepts of these slots; raises ConfigError for a slot without any."""
        if unknown := [slot for slot in slots if slot not in self.concept_slots]:
            raise ConfigError(
                f"there is no concept of {', '.join(map(repr, unknown))}",
                expected=", ".join(self.concept_slots),
            )
        chosen = [concept for concept in self.concepts if concept.slot in slots]
        return self.model_copy(update={"concepts": chosen})

    def prompts(self, name: str, count: int) -> list[Prompt]:
        """The first ``count`` prompts of a concept; more begin with fewer.

        Values of each other slot occur equally often, give or take one, and no prompt comes twice
        before all have come. Raises ConfigError for an unknown concept or a count below 1.

        >>> table = load_concepts(Path("concepts.yaml"))
        >>> table.prompts("guitar", 1)[0].text
        'Compose a calm classical piece with a guitar melody. Use a slow tempo.'
        """
        concept = self[name]
        if count < 1:
            raise ConfigError("prompts cannot be made", found=f"{count}", expected="1 or more")
        others = {slot: values for slot, values in self.slots.items() if slot != concept.slot}
        prompts = []
        for number, values in zip(range(count), _evenly(others), strict=False):
            filled = {**values, concept.slot: concept.text}
            text = self.template.format(**filled)
            prompts.append(Prompt(name, number, filled, text))
        return prompts


def load_concepts(path: Path = TABLE) -> ConceptTable:
    """Read concepts.yaml; raises ConfigError naming the key."""
    return read_settings(path, ConceptTable, fix=f"see {SCHEMA} and docs/lens.md")


def _evenly(slots: Mapping[str, list[str]]) -> Iterator[dict[str, str]]:
    """All combinations again and again, each value of a slot in its turn.

    From a combination every slot steps to its next value, until the first one comes back. All
    values came equally often by then. It goes on from the first combination that has not come yet.
    """
    while True:
        came: set[tuple[int, ...]] = set()
        for first in product(*(range(len(values)) for values in slots.values())):
            at = first
            while at not in came:
                came.add(at)
                yield {
                    slot: values[number]
                    for (slot, values), number in zip(slots.items(), at, strict=True)
                }
                at = tuple(
                    (number + 1) % len(values)
                    for number, values in zip(at, slots.values(), strict=True)
                )
