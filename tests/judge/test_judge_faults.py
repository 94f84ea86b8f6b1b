"""What a judge gives is a number, or an error that names the clip."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from leitmotif.errors import AudioError, ModelError
from leitmotif.judge.models import Clap, Tagger
from leitmotif.judge.models.clips import over_windows, prepare

RATE = 32_000


@pytest.mark.fault("judge", "NaN from the network for one clip", outcome="ModelError, by clip")
def test_a_judgement_that_is_no_number_names_its_clip(noise: NDArray[np.float32]) -> None:
    clips = prepare(list(noise), RATE, RATE)

    def judge(pieces: list[NDArray[np.float32]]) -> torch.Tensor:
        rows = torch.ones(len(pieces), 4)
        for row, piece in enumerate(pieces):
            if np.array_equal(piece, clips[1]):
                rows[row, 2] = float("nan")
        return rows

    with pytest.raises(ModelError, match="clip 1 of 3"):
        over_windows(clips, 2 * RATE, judge, batch_size=2)


@pytest.mark.fault(
    "judge", "an embedding that is 0, or too large for a norm", outcome="ModelError, by clip"
)
@pytest.mark.parametrize("value", [0.0, 1e30])
def test_an_embedding_without_a_direction_is_refused(
    value: float, clap_folder: Path, noise: NDArray[np.float32], tmp_path: Path
) -> None:
    folder = tmp_path / "clap"
    shutil.copytree(clap_folder, folder)
    (path,) = folder.glob("*.safetensors")
    weights = load_file(path)
    weights["audio_projection.linear2.weight"].zero_()
    weights["audio_projection.linear2.bias"].fill_(value)
    save_file(weights, path, {"format": "pt"})
    clap = Clap.from_pretrained(str(folder), device="cpu")
    with pytest.raises(ModelError, match="for clip 0, 1, 2 of 3"):
        clap.embed_audio(list(noise), RATE)


@pytest.mark.fault("judge", "names of labels with gaps, or empty ones", outcome="refused by name")
@pytest.mark.parametrize("change", [{"0": ""}, {"99": "Guitar"}])
def test_labels_with_gaps_are_refused(
    change: dict[str, str], tagger_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(tagger_folder, tmp_path / "tagger")
    path = tmp_path / "tagger" / "config.json"
    config = json.loads(path.read_text())
    names = config["id2label"] | change
    if len(names) > len(config["id2label"]):
        del names["1"]
    path.write_text(json.dumps(config | {"id2label": names}))
    with pytest.raises(ModelError, match="have no names of their own"):
        Tagger.from_pretrained(str(tmp_path / "tagger"), device="cpu")


@pytest.mark.fault("judge", "samples beyond float32", outcome="AudioError, by clip")
def test_samples_beyond_float32_are_refused(clap: Clap, tagger: Tagger) -> None:
    clip = np.zeros(RATE)
    clip[7] = 1e300
    for judged in (clap.embed_audio, tagger.logits):
        with pytest.raises(AudioError, match="clip 1 has samples that are no numbers"):
            judged([np.zeros(RATE), clip], RATE)


@pytest.mark.fault("judge", "a device or precision that is not there", outcome="ModelError")
def test_a_device_or_precision_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="expected: cpu"):
        Clap.from_pretrained("anything", device="cuda:7")
    with pytest.raises(ModelError, match="float32, float64"):
        Tagger.from_pretrained("anything", device="cpu", dtype="float16")  # type: ignore[arg-type]
