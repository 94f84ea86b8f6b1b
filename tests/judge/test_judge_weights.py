"""The shipped judges load with `transformers` alone, stay small, and are right on unseen clips."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    ASTFeatureExtractor,
    ASTForAudioClassification,
    ClapModel,
    ClapProcessor,
)

from leitmotif.judge.models import Clap, Tagger
from leitmotif.lens.concepts import load_concepts
from training.evaluate_judges import Examination
from training.judge_data import RATE, Heard, Source

MOST_BYTES = 1_500_000


@pytest.fixture(scope="module")
def judges(repo_root: Path) -> Path:
    torch.set_num_threads(1)
    return repo_root / "models" / "organism" / "judges"


@pytest.fixture(scope="module")
def heard() -> list[Heard]:
    """Clips of unseen prompts, as the codec gives them back."""
    source = Source.shipped()
    return source(2000, range(48), part="held_out", coding="coded", origin="concepts")


@pytest.mark.parametrize(
    ("name", "model_class"), [("tagger", ASTForAudioClassification), ("clap", ClapModel)]
)
def test_the_folder_is_complete_small_and_names_no_folder_of_the_machine_that_trained_it(
    judges: Path, name: str, model_class: type
) -> None:
    _, report = model_class.from_pretrained(
        judges / name, dtype=torch.float32, output_loading_info=True
    )
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    reader = ASTFeatureExtractor if name == "tagger" else ClapProcessor
    reader.from_pretrained(judges / name)
    assert sum(file.stat().st_size for file in (judges / name).iterdir()) <= MOST_BYTES
    for file in (judges / name).glob("*.json"):
        assert '"_name_or_path": "/' not in file.read_text(), file


def test_the_tagger_names_instrument_and_genre(
    judges: Path, heard: list[Heard], repo_root: Path
) -> None:
    tagger = Tagger.from_pretrained(str(judges / "tagger"), device="cpu")
    concepts = load_concepts(repo_root / "concepts.yaml").concepts
    assert {concept.labels[0] for concept in concepts} <= set(tagger.labels)
    assert {"Bell", "Ambient music", "Silence", "Noise"} <= set(tagger.labels)
    metrics = Examination(heard).tagger(tagger)
    assert metrics["instrument_accuracy"]["mean"] > 0.93
    assert metrics["genre_accuracy"]["mean"] > 0.93


def test_clap_finds_the_words_of_a_clip(judges: Path, heard: list[Heard]) -> None:
    clap = Clap.from_pretrained(str(judges / "clap"), device="cpu")
    assert clap.text_collapse < 0.9
    audio = clap.embed_audio([clip.samples for clip in heard], RATE)
    for field, least in (("instrument", 0.9), ("genre", 0.9)):
        values = sorted({getattr(clip.words, field) for clip in heard})
        named = (audio @ clap.embed_text([f"{value} music" for value in values]).T).argmax(1)
        right = [
            values[n] == getattr(clip.words, field) for n, clip in zip(named, heard, strict=True)
        ]
        assert np.mean(right) > least, field
    own = clap.embed_text([clip.words.prompt for clip in heard])
    matched, crossed = (audio * own).sum(1), (audio * own[::-1]).sum(1)
    assert matched.mean() > crossed.mean() + 0.2


def test_the_cards_numbers_are_the_measured_ones(judges: Path) -> None:
    metrics = json.loads((judges / "metrics.json").read_text())
    for name, key in (("tagger", "instrument_accuracy"), ("clap", "prompt_in_first_ten")):
        value = metrics[name]["concepts_coded"][key]["mean"]
        card = (judges / name / "README.md").read_text()
        assert f"{value:.3f}" in card, (name, key, value)
