"""Pairs of concepts, of single prompts, and of a CSV file."""

import re
from collections import Counter
from pathlib import Path

import pytest

from leitmotif.errors import ConfigError
from leitmotif.lens.concepts import ConceptTable, load_concepts
from leitmotif.lens.pairs import COLUMNS, ConceptPairs, concept_pairs, read_pairs, twin_pairs

ROOT = Path(__file__).parents[2]
HEADER = ",".join(COLUMNS)


def table(*names: str) -> ConceptTable:
    whole = load_concepts(ROOT / "concepts.yaml")
    kept = [whole[name] for name in names] if names else whole.concepts
    return whole.model_copy(update={"concepts": kept})


def test_every_ordered_pair_of_concepts_comes_once() -> None:
    pairs = concept_pairs(table(), 3)
    assert len(pairs.pairs) == len(pairs.by_concepts) == 90
    slots = Counter((a.slot, b.slot) for a, b in pairs.by_concepts)
    assert slots == {
        ("instrument", "instrument"): 12,
        ("genre", "genre"): 30,
        ("instrument", "genre"): 24,
        ("genre", "instrument"): 24,
    }
    assert len(concept_pairs(table(), 3, across=False).pairs) == 42
    assert len(concept_pairs(table(), 3, within=False).pairs) == 48
    assert len(pairs.labels) == 10


def test_controls_have_other_prompts_as_many_and_none_of_the_original() -> None:
    pairs = concept_pairs(table(), 5)
    for pair in pairs.pairs:
        assert pair.redrawn is not None
        assert pair.mixed is not None
        original, redrawn, mixed = (
            pairs.sets[name] for name in (pair.original, pair.redrawn, pair.mixed)
        )
        assert {len(one.texts) for one in (original, redrawn, mixed)} == {5}
        assert not set(original.texts) & set(redrawn.texts)
        word = pair.sides[0].concept
        assert all(word in text for text in redrawn.texts)
        both = {side.concept for side in pair.sides}
        assert not both & {track.partition("/")[0] for track in mixed.tracks}


def test_two_concepts_have_no_third_one_to_mix_in() -> None:
    assert {pair.mixed for pair in concept_pairs(table("guitar", "jazz"), 2).pairs} == {None}


def test_the_mixed_control_is_drawn_by_the_seed() -> None:
    first, again, other = (concept_pairs(table(), 5, seed=seed).sets for seed in (0, 0, 1))
    assert first == again
    assert first["neither guitar nor piano"] != other["neither guitar nor piano"]
    assert first["guitar"] == other["guitar"]


def test_twins_differ_in_one_word_and_share_their_noise() -> None:
    pairs = twin_pairs(table("guitar", "violin", "piano", "jazz"), 2)
    assert len(pairs.pairs) == 6 * 2  # jazz has no other genre beside it
    for pair in pairs.pairs:
        original, desired = pairs.sets[pair.original], pairs.sets[pair.desired]
        assert original.tracks == desired.tracks
        (text,), (other,) = original.texts, desired.texts
        apart = [(a, b) for a, b in zip(text.split(), other.split(), strict=True) if a != b]
        assert apart == [(pair.sides[0].concept, pair.sides[1].concept)]
    third = {pair.mixed for pair in pairs.pairs if pair.original == "guitar/0"}
    assert third == {"violin/0", "piano/0"}


def write(folder: Path, *lines: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_file_of_counterfactual_prompts_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '"A calm, slow guitar","A calm, slow violin",Guitar,"Violin, fiddle"',
        "Rock with a guitar,Rock with a piano,Guitar,Piano",
        'A guitar,A violin,Guitar,"Violin, fiddle"',
    )
    pairs = read_pairs(path)
    assert [len(group) for group in pairs.by_concepts.values()] == [2, 1]
    first, second, _ = pairs.pairs
    assert first.sides[1].label == "Violin, fiddle"
    assert pairs.sets[first.original].texts == ("A calm, slow guitar",)
    assert pairs.sets[first.original].tracks == pairs.sets[first.desired].tracks
    assert first.redrawn is None
    assert first.mixed == second.desired  # the only row with another desired label


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("original_prompt,desired_label\na,b\n", "no column counterfactual_prompt, original_label"),
        (f"{HEADER}\na,b,Guitar,\n", "line 2: a value is missing"),
        (f"{HEADER}\na,b,Guitar,Guitar\n", "sound alike"),
        (f"{HEADER}\n", "nothing to swap"),
        ("", "no column"),
        (f"{HEADER}\nA calm, slow guitar,A violin,Guitar,Violin\n", "line 2: there are more cells"),
        (f"{HEADER}\nA guitar,A guitar,Guitar,Piano\n", "line 2: both prompts are the same"),
        (f"{HEADER},desired_label\na,b,Guitar,Piano,Violin\n", "two columns have one name"),
        (f"{HEADER}\na,b,Guitar\n", "line 2: a value is missing"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=match):
        read_pairs(path)


def test_tadas_pairs_become_pairs_by_the_example_of_the_docs(
    tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "generated_prompts.csv").write_text(
        "original_feature,clean_prompt,corrupted_prompt\n"
        'violin,"A folk piece, with violin","A folk piece, with trumpet"\n'
        "trombone,A trombone plays,A xylophone plays\n"
        "metal,Loud rock,Loud rock\n"  # no word of theirs was exchanged
        "fast,A fast piece,A slow piece\n",  # no label of AudioSet
        encoding="utf-8",
    )
    page = (repo_root / "docs/stages/swaps.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    pairs = read_pairs(Path("pairs.csv"))
    assert [
        (pairs.sets[pair.desired].texts[0], *(side.label for side in pair.sides))
        for pair in pairs.pairs
    ] == [
        ("A folk piece, with trumpet", "Violin, fiddle", "Trumpet"),
        ("A xylophone plays", "Trombone", "Marimba, xylophone"),
    ]


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(HEADER.encode("utf-16"))
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        read_pairs(path)
    path.write_text(f'{HEADER}\n"a,b,Guitar,Piano\n', encoding="utf-8")  # a quote without an end
    with pytest.raises(ConfigError, match="cannot be read"):
        read_pairs(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv"):
        read_pairs(tmp_path / "none.csv")


def test_a_single_concept_has_no_pairs() -> None:
    for made in (concept_pairs, twin_pairs):
        with pytest.raises(ConfigError, match="nothing to swap"):
            made(table("guitar"), 2)


def test_blocks_hold_all_pairs_with_their_sets() -> None:
    pairs = twin_pairs(table("guitar", "violin", "piano"), 2)
    blocks = list(pairs.blocks(4))
    assert [pair for block in blocks for pair in block.pairs] == list(pairs.pairs)
    assert len(blocks) > 1
    for block in blocks:
        assert set(block.sets) == {name for pair in block.pairs for name in pair.names}
        assert len(block.sets) <= 4
    (whole,) = pairs.blocks(100)
    assert whole == ConceptPairs(pairs.sets, pairs.pairs)
