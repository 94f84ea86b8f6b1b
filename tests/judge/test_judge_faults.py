"""What a judge gives is a number, or an error that names the clip."""

import json
import shutil
from collections.abc import Callable
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


@pytest.fixture
def copy_of(
    clap_folder: Path, tagger_folder: Path, tmp_path: Path
) -> Callable[[type[Clap] | type[Tagger]], Path]:
    """Copies a judge's folder, to be changed."""

    def copied(judge: type[Clap] | type[Tagger]) -> Path:
        source = clap_folder if judge is Clap else tagger_folder
        return Path(shutil.copytree(source, tmp_path / "judge"))

    return copied


EXTRACTORS = {
    Clap: {
        "sampling_rate": (44_100, 0, -1, 7, 48_000.0, "48000"),
        "feature_size": (0, -1, 7, 128),
        "fft_window_size": (0, 1, 2**70),
        "hop_length": (0, -1, None, "x", 2**70),
        "max_length_s": (0, -1, 11, 2**70, "x", []),
        "frequency_min": (-1, 24_000, True),
        "frequency_max": (0, 50, 2**70, 24_001),
        "padding": (None, 0, "x", []),
        "truncation": ("fusion", "x"),
    },
    Tagger: {
        "sampling_rate": (48_000, 0, None),
        "max_length": (None, "x", [], 100),
        "num_mel_bins": (64, 0),
        "do_normalize": (None, 0, [], False),
        "mean": (None, "x", [], 2**70),
        "std": (None, "x", [], 0, -1, 2**70),
    },
}


@pytest.mark.fault(
    "judge",
    "a feature extractor with a field that is missing or does not fit the model",
    outcome="ModelError that names the field",
)
@pytest.mark.parametrize("judge", list(EXTRACTORS))
def test_an_extractor_that_does_not_fit_is_refused(
    judge: type[Clap] | type[Tagger],
    copy_of: Callable[[type[Clap] | type[Tagger]], Path],
    record_property: Callable[[str, object], None],
) -> None:
    folder = copy_of(judge)
    (folder / "processor_config.json").unlink(missing_ok=True)
    path = folder / "preprocessor_config.json"
    whole = json.loads(path.read_text())
    tried = 0
    for field, values in EXTRACTORS[judge].items():
        without = {key: value for key, value in whole.items() if key != field}
        for fields in (without, *({**whole, field: value} for value in values)):
            path.write_text(json.dumps(fields))
            with pytest.raises(ModelError) as caught:
                judge.from_pretrained(str(folder), device="cpu")
            assert folder.name in caught.value.what
            tried += 1
        path.write_text(json.dumps(without))
        with pytest.raises(ModelError, match=f"does not fit its model\n  found:    {field}: "):
            judge.from_pretrained(str(folder), device="cpu")
    record_property("inputs", tried)


@pytest.mark.fault(
    "judge", "two files of a feature extractor that differ", outcome="the one that is read is held"
)
def test_of_two_files_of_an_extractor_the_one_that_is_read_is_held(
    clap_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(clap_folder, tmp_path / "clap")
    path = tmp_path / "clap" / "processor_config.json"
    both = json.loads(path.read_text())
    both["feature_extractor"]["sampling_rate"] = 44_100
    path.write_text(json.dumps(both))
    with pytest.raises(ModelError, match=r"sampling_rate: 44100[\s\S]*processor_config\.json"):
        Clap.from_pretrained(str(tmp_path / "clap"), device="cpu")


SIZES: dict[type[Clap] | type[Tagger], dict[str, tuple[object, ...]]] = {
    Clap: {
        "audio_config.patch_stride": (-1, 1, 3, 7, 64, 2**40, [3, 3]),
        "audio_config.spec_size": (255, 257, 2**40),
        "audio_config.flatten_patch_embeds": (False,),
        "text_config.num_attention_heads": (-1,),
        "text_config.pad_token_id": (None, -1, 0, 7, 64),
    },
    Tagger: {"num_attention_heads": (-1,)},
}


@pytest.mark.fault(
    "judge",
    "sizes in its config.json that no weight depends on, and that do not fit",
    outcome="ModelError when it is loaded",
)
@pytest.mark.parametrize("judge", list(SIZES))
def test_sizes_that_no_weight_depends_on_are_refused_at_once(
    judge: type[Clap] | type[Tagger],
    copy_of: Callable[[type[Clap] | type[Tagger]], Path],
    record_property: Callable[[str, object], None],
) -> None:
    folder = copy_of(judge)
    path = folder / "config.json"
    whole = path.read_text()
    tried = [(place, value) for place, values in SIZES[judge].items() for value in values]
    for place, value in tried:
        config = json.loads(whole)
        *parts, field = place.split(".")
        fields = config[parts[0]] if parts else config
        fields[field] = value
        path.write_text(json.dumps(config))
        with pytest.raises(ModelError, match=r"judge[\s\S]*to do: .*config\.json"):
            judge.from_pretrained(str(folder), device="cpu")
    record_property("inputs", len(tried))


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
