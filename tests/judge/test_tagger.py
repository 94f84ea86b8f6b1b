"""The tagger gives what `transformers` gives, for all of a clip, with labels by name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
from numpy.typing import NDArray
from transformers import ASTFeatureExtractor, ASTForAudioClassification

from leitmotif.errors import ModelError
from leitmotif.judge.models import Tagger
from tests.judge.tiny_judges import LABELS, save_tiny_ast

RATE = 32_000


def test_logits_are_those_of_transformers(
    tagger: Tagger, tagger_folder: Path, noise: NDArray[np.float32]
) -> None:
    short = noise[:, : round(1.3 * RATE)]
    at_16k = [soxr.resample(clip, RATE, 16_000, quality="HQ") for clip in short]
    inputs = ASTFeatureExtractor.from_pretrained(tagger_folder)(
        at_16k, sampling_rate=16_000, return_tensors="pt"
    )
    with torch.no_grad():
        theirs = ASTForAudioClassification.from_pretrained(tagger_folder)(**inputs).logits
    ours = tagger.logits(list(short), RATE)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert ours.dtype == np.float32
    assert not np.allclose(ours[0], ours[1], atol=1e-2)
    np.testing.assert_allclose(tagger.probabilities(list(short), RATE), theirs.sigmoid(), atol=1e-5)


def test_the_whole_of_a_long_clip_is_heard(tagger: Tagger) -> None:
    assert tagger.context_samples == 400 + 160 * 199, "200 frames: 2 s and a window's end"
    random = np.random.default_rng(2)
    clip = random.standard_normal(5 * 16_000).astype(np.float32) * 0.1
    changed = clip.copy()
    changed[-8_000:] *= 0.01
    assert not np.allclose(tagger.logits(clip, 16_000), tagger.logits(changed, 16_000), atol=1e-3)
    n = tagger.context_samples
    parts = tagger.logits([clip[:n], clip[n : 2 * n], clip[-n:]], 16_000)
    np.testing.assert_allclose(tagger.logits(clip, 16_000)[0], parts.mean(0), atol=1e-5)


def test_clips_of_any_length_go_together(tagger: Tagger, noise: NDArray[np.float32]) -> None:
    clips = [noise[0], noise[1, :20_000], np.tile(noise[2], 3)]
    together = tagger.logits(clips, RATE)
    for row, clip in enumerate(clips):
        np.testing.assert_allclose(tagger.logits(clip, RATE)[0], together[row], atol=1e-5)


def test_labels_are_found_by_name(tagger: Tagger) -> None:
    assert tagger.labels == tuple(LABELS)
    assert tagger.indices(["Violin, fiddle", "Music"]) == [2, 0]
    with pytest.raises(ModelError, match="no label called 'Violin'"):
        tagger.indices(["Violin", "Music"])


def test_labels_without_names_and_other_checkpoints_are_refused(
    tmp_path: Path, clap_folder: Path
) -> None:
    folder = save_tiny_ast(tmp_path / "unnamed", labels=["LABEL_0", "LABEL_1", "LABEL_2"])
    with pytest.raises(ModelError, match="no names of their own"):
        Tagger.from_pretrained(str(folder), device="cpu")
    with pytest.raises(ModelError, match=r"another kind[\s\S]*clap"):
        Tagger.from_pretrained(str(clap_folder), device="cpu")


@pytest.mark.parametrize("key", ["max_length", "num_mel_bins", "sampling_rate"])
def test_an_extractor_that_does_not_fit_is_refused(
    key: str, tagger_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(tagger_folder, tmp_path / "x")
    path = tmp_path / "x" / "preprocessor_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {key: settings[key] // 2}))
    with pytest.raises(ModelError, match="does not fit"):
        Tagger.from_pretrained(str(tmp_path / "x"), device="cpu")
