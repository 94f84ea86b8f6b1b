"""concepts.yaml: the paper's table, and prompts that vary everything else evenly."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from leitmotif.errors import ConfigError
from leitmotif.files import read_json
from leitmotif.lens.concepts import ConceptTable, load_concepts

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table() -> ConceptTable:
    return load_concepts(ROOT / "concepts.yaml")


def test_the_table_is_the_papers(table: ConceptTable) -> None:
    slots = Counter(concept.slot for concept in table.concepts)
    assert slots == {"instrument": 4, "genre": 6}
    labels = [label for concept in table.concepts for label in concept.labels]
    assert len(set(labels)) == len(labels) == 28


def test_the_organism_knows_every_word_of_the_prompts(table: ConceptTable) -> None:
    world = read_json(ROOT / "models/organism/concepts.json")
    assert set(table.slots["mood"]) == set(world["moods"])
    assert set(table.slots["tempo"]) == set(world["tempos"])
    assert set(table.slots["instrument"]) == set(world["instruments"])
    assert set(table.slots["genre"]) == set(world["genres"])


@given(count=st.integers(1, 160), number=st.integers(0, 9))
def test_other_values_occur_equally_often_and_no_prompt_comes_twice_before_all_have(
    count: int, number: int
) -> None:
    table = load_concepts(ROOT / "concepts.yaml")
    concept = table.concepts[number]
    prompts = table.prompts(concept.name, count)
    assert len(prompts) == count
    assert {prompt.values[concept.slot] for prompt in prompts} == {concept.name}
    every = 1
    for slot, values in table.slots.items():
        if slot != concept.slot:
            every *= len(values)
            counts = Counter(prompt.values[slot] for prompt in prompts)
            assert max(counts.values()) - min(counts[value] for value in values) <= 1
    times = Counter(prompt.text for prompt in prompts)
    assert len(times) == min(count, every)
    assert len({prompt.name for prompt in prompts}) == count


def test_more_prompts_begin_with_fewer(table: ConceptTable) -> None:
    assert table.prompts("jazz", 40)[:15] == table.prompts("jazz", 15)


def test_a_concept_may_be_called_otherwise_than_its_value() -> None:
    table = ConceptTable.model_validate(
        {
            "format": "leitmotif-concepts/1",
            "template": "{who} sings",
            "slots": {"who": ["a woman", "a man"]},
            "concepts": [{"name": "female", "slot": "who", "value": "a woman", "labels": ["Song"]}],
        }
    )
    assert [prompt.text for prompt in table.prompts("female", 2)] == ["a woman sings"] * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"template": "A {genre} piece."}, "the template has the slots"),
        ({"template": "A {genre piece."}, "cannot be filled in"),
        ({"template": "A {} piece with a {instrument}."}, "slots in braces, and nothing else"),
        ({"template": "A {mood} {genre:5d} {instrument} {tempo}."}, r"\{genre\} has no name, or a"),
        ({"template": "A {mood} {genre!r} {instrument} {tempo}."}, "or a format"),
        ({"template": "A {mood} {genre} {tempo}."}, "the template has the slots"),
        ({"template": ""}, "template"),
        ({"concepts": []}, "concepts"),
        ({"concepts": [{"name": "jazz", "slot": "style", "labels": ["Jazz"]}]}, "no slot 'style'"),
        ({"concepts": [{"name": "jazz", "slot": "genre", "labels": ["Jazz", "Jazz"]}]}, "Jazz"),
        ({"concepts": [{"name": "jazz", "slot": "genre", "labels": [7]}]}, "concepts.0.labels.0"),
        (
            {
                "concepts": [
                    {"name": name, "slot": "genre", "value": "jazz", "labels": [name]}
                    for name in ("Jazz", "Swing")
                ]
            },
            "values of concepts named twice: 'jazz' of genre",
        ),
        ({"slots": {"genre": []}}, "slots"),
        ({"concepts": [{"name": "kazoo", "slot": "instrument", "labels": ["Kazoo"]}]}, "'kazoo'"),
        ({"concepts": [{"name": "jazz", "slot": "genre", "labels": []}]}, "labels"),
        ({"format": "leitmotif-concepts/9"}, "format"),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    change: dict[str, object], words: str, tmp_path: Path
) -> None:
    yaml = YAML()
    values = yaml.load((ROOT / "concepts.yaml").read_text())
    path = tmp_path / "concepts.yaml"
    with path.open("w") as file:
        yaml.dump({**values, **change}, file)
    with pytest.raises(ConfigError, match=words):
        load_concepts(path)


def test_a_table_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "concepts.yaml"
    with pytest.raises(ConfigError, match=r"concepts\.yaml"):
        load_concepts(path)
    path.write_bytes((ROOT / "concepts.yaml").read_bytes().decode().encode("utf-16"))
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_concepts(path)
    path.write_bytes(b"format: leitmotif-concepts/1\ntemplate: caf\xe9\n")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_concepts(path)
    path.write_text("")
    with pytest.raises(ConfigError, match=r"concepts\.yaml"):
        load_concepts(path)


def test_names_that_come_twice_are_refused(table: ConceptTable) -> None:
    values = table.model_dump()
    values["concepts"].append(values["concepts"][0])
    with pytest.raises(ValueError, match="concepts named twice: guitar"):
        ConceptTable.model_validate(values)


def test_an_unknown_concept_and_no_prompts_are_refused(table: ConceptTable) -> None:
    with pytest.raises(ConfigError, match="'kazoo'"):
        table.prompts("kazoo", 1)
    with pytest.raises(ConfigError, match="1 or more"):
        table.prompts("jazz", 0)
