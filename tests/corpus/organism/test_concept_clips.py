"""Concept clips: deterministic, independent in their concepts, and audibly what they are called."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leitmotif.errors import CorpusError
from leitmotif.lens.concepts import load_concepts
from training.concept_sounds import LENGTHS, ConceptSounds
from training.concept_world import ConceptWorld, load_concept_world
from training.concepts import (
    LINES,
    Clip,
    Concepts,
    compose_clip,
    every_concepts,
    render_clip,
    single_line,
)

SEEDS, INDICES = st.integers(0, 2**31), st.integers(0, 10_000)


@pytest.fixture(scope="module")
def concept_sounds(concept_world: ConceptWorld) -> ConceptSounds:
    return ConceptSounds(concept_world)


def clips_of(world: ConceptWorld, seed: int, count: int) -> Iterator[Clip]:
    return (compose_clip(world, seed, index) for index in range(count))


@given(seed=SEEDS, index=INDICES)
def test_the_notes_of_a_line_follow_each_other_and_stay_within_the_clip(
    concept_world: ConceptWorld, seed: int, index: int
) -> None:
    clip = compose_clip(concept_world, seed, index)
    for line in LINES:
        notes = getattr(clip, line)
        assert all(first.start + first.frames <= then.start for first, then in pairwise(notes))
        for note in notes:
            assert 1 <= note.frames <= LENGTHS.get(note.voice, concept_world.longest_note)
            assert note.start + note.frames <= concept_world.frames
    assert clip.melody[0].start == 0


@given(seed=SEEDS, index=INDICES)
def test_a_clip_plays_what_its_prompt_names(
    concept_world: ConceptWorld, seed: int, index: int
) -> None:
    clip = compose_clip(concept_world, seed, index)
    asked = clip.concepts
    mood, genre = concept_world.moods[asked.mood], concept_world.genres[asked.genre]
    assert {note.voice for note in clip.melody} == {asked.instrument}
    reached = {note.pitch - concept_world.tonic for note in clip.melody}
    assert reached <= {*mood.scale, 12}
    assert {note.voice for note in clip.bass} <= {genre.bass.voice, *genre.drums.values()}
    assert {note.voice for note in clip.cymbals} <= {*genre.drums.values()}
    assert asked.prompt == (
        f"Compose a {asked.mood} {asked.genre} piece with a {asked.instrument} melody. "
        f"Use a {asked.tempo} tempo."
    )


@given(seed=SEEDS, index=INDICES)
def test_another_instrument_plays_the_same_notes(
    concept_world: ConceptWorld, seed: int, index: int
) -> None:
    clip = compose_clip(concept_world, seed, index)
    others = [name for name in concept_world.instruments if name != clip.concepts.instrument]
    asked = replace(clip.concepts, instrument=others[0])
    other = compose_clip(concept_world, seed, index, asked)
    assert (other.bass, other.cymbals) == (clip.bass, clip.cymbals)
    assert [note._replace(voice=others[0]) for note in clip.melody] == [*other.melody]


def test_every_concept_has_a_hundred_prompts_and_concepts_yaml_names_it(
    concept_world: ConceptWorld, repo_root: Path
) -> None:
    everything = every_concepts(concept_world)
    assert len({concepts.prompt for concepts in everything}) == len(everything) == 600
    assert set(Counter(concepts.genre for concepts in everything).values()) == {100}
    assert set(Counter(concepts.instrument for concepts in everything).values()) == {150}
    slots = load_concepts(repo_root / "concepts.yaml").slots
    assert list(concept_world.instruments) == slots["instrument"]
    assert list(concept_world.genres) == slots["genre"]


def test_concepts_are_drawn_uniformly_and_apart_from_each_other(
    concept_world: ConceptWorld,
) -> None:
    drawn = Counter(
        (clip.concepts.instrument, clip.concepts.genre) for clip in clips_of(concept_world, 4, 4800)
    )
    # 200 clips of each pair are expected; four standard deviations of their number are 55.
    assert len(drawn) == 24
    assert all(abs(count - 200) < 55 for count in drawn.values())


def test_the_same_clip_is_the_same_samples_and_does_not_clip(
    concept_world: ConceptWorld, concept_sounds: ConceptSounds
) -> None:
    for clip in clips_of(concept_world, 1, 24):
        samples = render_clip(concept_sounds, clip)
        assert samples.dtype == np.float32
        assert samples.shape == (4 * 32_000,)
        assert 0.2 < np.abs(samples).max() < 1
    twice = (
        render_clip(sounds, compose_clip(concept_world, 1, 0))
        for sounds in (concept_sounds, ConceptSounds(concept_world))
    )
    np.testing.assert_array_equal(*twice)


def test_a_faster_tempo_is_heard_as_one(concept_world: ConceptWorld) -> None:
    def beat(tempo: str) -> int:
        concepts = Concepts("piano", "EDM", "happy", tempo)
        kicks = [
            note.start
            for note in compose_clip(concept_world, 0, 0, concepts).bass
            if note.voice == "club kick"
        ]
        (gap,) = {b - a for a, b in pairwise(kicks)}
        return gap

    beats = [beat(tempo) for tempo in concept_world.tempos]
    assert beats == sorted(beats, reverse=True)
    assert beats == [4 * frames for frames in concept_world.tempos.values()]


def test_jazz_swings(concept_world: ConceptWorld) -> None:
    concepts = Concepts("piano", "jazz", "energetic", "medium")
    starts = {note.start % 24 for note in compose_clip(concept_world, 0, 0, concepts).melody}
    assert starts == {0, 16}


def test_each_line_keeps_to_its_band(
    concept_world: ConceptWorld, concept_sounds: ConceptSounds
) -> None:
    bands = {"bass": (0, 400), "melody": (400, 5_600), "cymbals": (5_600, 16_000)}
    for clip in clips_of(concept_world, 2, 12):
        for line, (low, high) in bands.items():
            samples = render_clip(concept_sounds, single_line(clip, line))
            energy = np.abs(np.fft.rfft(samples)) ** 2
            hertz = np.fft.rfftfreq(len(samples), 1 / concept_world.sample_rate)
            inside = energy[(hertz >= low) & (hertz < high)].sum()
            assert inside >= 0.97 * energy.sum(), (line, clip.concepts)


def test_instruments_and_genres_can_be_told_by_ear(
    concept_world: ConceptWorld, concept_sounds: ConceptSounds
) -> None:
    def features(clip: Clip) -> np.ndarray:
        mel = librosa.feature.melspectrogram(
            y=render_clip(concept_sounds, clip), sr=concept_world.sample_rate,
            n_fft=2048, hop_length=1280, n_mels=40,
        )  # fmt: skip
        level = librosa.power_to_db(mel, top_db=None).clip(-60)
        return np.concatenate([level.mean(1), level.std(1), np.diff(level).std(1)])

    train, test = ([*clips_of(concept_world, seed, count)] for seed, count in ((11, 240), (12, 80)))
    x, y = ([features(clip) for clip in clips] for clips in (train, test))
    for kind in ("instrument", "genre"):
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        classifier.fit(x, [getattr(clip.concepts, kind) for clip in train])
        right = classifier.score(y, [getattr(clip.concepts, kind) for clip in test])
        assert right >= 0.95, kind


def test_an_unknown_concept_is_named_with_those_there_are(concept_world: ConceptWorld) -> None:
    concepts = Concepts("kazoo", "jazz", "happy", "fast")
    with pytest.raises(CorpusError, match="instrument") as caught:
        compose_clip(concept_world, 0, 0, concepts)
    assert "'kazoo'" in str(caught.value)
    assert "guitar, piano, trumpet, violin" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("instruments", 0), "kazoo", "instruments.0"),
        (("tempos", "slow"), 0, "tempos.slow"),
        (("moods", "sad", "scale"), [0, 2, 3], "moods.sad.scale"),
        (("moods", "sad", "progressions"), [[0, 7]], "moods.sad.progressions.0.1"),
        (("genres", "jazz", "drums"), {}, "drums does not explain"),
        (("genres", "jazz", "figures", 0, "bass"), "1...3...5...9...", "figures.0.bass"),
        (("genres", "jazz", "figures", 0, "cymbals"), "r...", "figures.0.cymbals"),
        (("genres", "jazz", "bass", "voice"), "tuba", "bass.voice"),
        (("gains", "melody"), 0.6, "clips"),
        (("swing",), True, "swing"),
    ],
)
def test_a_description_that_cannot_be_composed_is_refused_by_name(
    organism: Path, tmp_path: Path, path: tuple[Any, ...], value: object, named: str
) -> None:
    description = json.loads((organism / "concepts.json").read_text(encoding="utf-8"))
    place = description
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    changed = tmp_path / "concepts.json"
    changed.write_text(json.dumps(description), encoding="utf-8")
    with pytest.raises(CorpusError, match=named):
        load_concept_world(changed)


def test_a_missing_description_says_which_one_to_use(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"models/organism/concepts\.json"):
        load_concept_world(tmp_path / "none.json")


def test_clips_of_different_numbers_differ(concept_world: ConceptWorld) -> None:
    assert len({astuple(clip) for clip in clips_of(concept_world, 3, 200)}) == 200
