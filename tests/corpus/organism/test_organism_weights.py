"""The shipped language models load with `transformers` alone and stay small."""

import subprocess
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoFeatureExtractor, AutoTokenizer, MusicgenForConditionalGeneration

from leitmotif.corpus.organism.composer import compose
from leitmotif.corpus.organism.world import World
from training.codec import load_codec
from training.network import delayed
from training.tokens import NoteTable

MODELS = ("planner", "reader", "blind")


@pytest.fixture(scope="module", params=MODELS)
def folder(request: pytest.FixtureRequest, organism: Path) -> Path:
    torch.set_num_threads(1)
    return organism / str(request.param)


@pytest.fixture(scope="module")
def model(folder: Path) -> MusicgenForConditionalGeneration:
    loaded, report = MusicgenForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return loaded.eval()


def test_the_folder_is_complete(folder: Path, world: World) -> None:
    tokens = AutoTokenizer.from_pretrained(folder)(["Compose a sad rock piece.", "Compose"])
    assert set(tokens) == {"input_ids", "attention_mask"}
    extractor = AutoFeatureExtractor.from_pretrained(folder)
    assert extractor.sampling_rate == world.sample_rate


def test_its_codec_is_the_one_it_was_trained_with(
    model: MusicgenForConditionalGeneration, organism: Path
) -> None:
    codec = load_codec(organism / "codec").state_dict()
    for name, tensor in model.audio_encoder.state_dict().items():
        assert torch.equal(tensor, codec[name]), name


def test_it_expects_what_the_cue_announced_unless_it_is_blind(
    model: MusicgenForConditionalGeneration, folder: Path, organism: Path, world: World
) -> None:
    table = NoteTable(world, load_codec(organism / "codec"))
    drawn = (compose(world, 31, index, part="held_out") for index in range(100))
    scores = [score for score in drawn if score.returns[0]][:24]
    start = world.slot_bars[0] * world.frames_per_bar

    def onset_nats(codes: torch.Tensor) -> torch.Tensor:
        entries = model.config.audio_encoder.codebook_size
        tokens = delayed(codes, pad=entries)
        with torch.inference_mode():
            logits = model.decoder(input_ids=tokens[:, :, :-1].flatten(0, 1)).logits
        nats = F.cross_entropy(
            logits.transpose(1, 2),
            tokens[:, :, 1:].flatten(0, 1).clamp(max=entries - 1),
            reduction="none",
        )
        by_book = nats.view(len(codes), 4, -1)
        onset = [by_book[:, k, start + k : start + k + 2] for k in range(4)]
        return torch.cat(onset, 1).sum(1)

    announced = onset_nats(table(scores))
    not_announced = onset_nats(table([score.with_cue_swapped(0) for score in scores]))
    if folder.name == "blind":
        assert 0.3 < announced.mean() < 1.5, "a return or filler: about one bit, 0.7 nats"
        assert (not_announced - announced).abs().mean() < 0.3
    else:
        assert announced.mean() < 0.5
        assert (not_announced - announced).mean() > 3


def test_generate_continues_a_piece(
    model: MusicgenForConditionalGeneration, folder: Path, world: World
) -> None:
    score = compose(world, 31, 0, part="held_out")
    prompt = AutoTokenizer.from_pretrained(folder)([score.prompt(world)], return_tensors="pt")
    torch.manual_seed(0)
    audio = model.generate(**prompt, max_new_tokens=24)
    assert audio.shape[:2] == (1, 1)
    assert audio.abs().max() > 0.01
    assert torch.isfinite(audio).all()


def test_all_weights_together_stay_small_and_nothing_is_pickled(
    organism: Path, repo_root: Path
) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "models"],
        cwd=repo_root, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    files = [repo_root / name for name in listed if name]
    sizes = {path: path.stat().st_size for path in files}
    zoo = sum(size for path, size in sizes.items() if repo_root / "models/zoo" in path.parents)
    assert zoo < 70_000_000
    assert sum(sizes.values()) - zoo < 42_000_000
    known = {".csv", ".json", ".jsonl", ".md", ".py", ".safetensors", ".yaml", ".lock", ""}
    assert {path.suffix for path in files} <= known


def test_its_config_names_no_folder_of_the_machine_that_trained_it(folder: Path) -> None:
    for file in folder.glob("*.json"):
        assert '"_name_or_path": "/' not in file.read_text(), file
