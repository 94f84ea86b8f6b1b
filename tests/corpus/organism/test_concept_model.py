"""The model of the concept clips: its training, and what was shipped."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoTokenizer, EncodecModel, MusicgenForConditionalGeneration

from training import evaluate_concepts
from training.concept_world import ConceptWorld
from training.concepts import compose_clip, every_concepts
from training.concepts_codec import load_concept_codec
from training.concepts_tokens import ClipTable
from training.concepts_train import ConceptRecipe, ConceptRun
from training.evaluate_concepts import PER_PAIR, TAGGER, Heard, balanced_prompts, hear
from training.loop import Schedule
from training.network import delayed, encode_prompts, logits_of, residuals_of

SMALL = ConceptRecipe(Schedule(steps=3, warm_up=1), short_steps=1, columns_per_step=450, seed=5)


@pytest.fixture(scope="module")
def concept_codec(organism: Path) -> EncodecModel:
    torch.set_num_threads(1)
    return load_concept_codec(organism / "concepts")


@pytest.fixture(scope="module")
def shipped(organism: Path) -> MusicgenForConditionalGeneration:
    torch.set_num_threads(1)
    model, report = MusicgenForConditionalGeneration.from_pretrained(
        organism / "concepts", dtype=torch.float32, output_loading_info=True
    )
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return model.eval()


def test_prompts_of_unequal_length_are_read_as_transformers_does(
    concept_world: ConceptWorld, concept_codec: EncodecModel
) -> None:
    run = ConceptRun(concept_world, concept_codec, SMALL)
    model = run.model.eval()
    clips = [compose_clip(concept_world, 6, index) for index in range(6)]
    prompts = run.tokenizer(
        [clip.concepts.prompt for clip in clips], padding=True, return_tensors="pt"
    )
    ids, mask = prompts["input_ids"], prompts["attention_mask"]
    assert not mask.all(), "no prompt is shorter than another"
    tokens = delayed(ClipTable(concept_world, concept_codec)(clips)[:, :, :40], 256)[:, :, :-1]
    prompted = torch.tensor([True, True, True, True, True, False])
    with torch.no_grad():
        text = encode_prompts(model, ids, torch.arange(6), prompted, mask.bool())
        columns = torch.arange(tokens.shape[2])
        residuals = residuals_of(model, tokens, columns, text, text_mask=mask.bool())
        ours = logits_of(model, residuals[-1])
        theirs = model(
            input_ids=ids, attention_mask=mask * prompted[:, None],
            decoder_input_ids=tokens.flatten(0, 1),
        ).logits.view(ours.shape)  # fmt: skip
    torch.testing.assert_close(ours[:5], theirs[:5], atol=1e-5, rtol=0)
    torch.testing.assert_close(ours[5], theirs[5], atol=1e-5, rtol=0)


def test_a_broken_run_ends_in_the_same_weights(
    concept_world: ConceptWorld, concept_codec: EncodecModel, tmp_path: Path
) -> None:
    whole, broken = (ConceptRun(concept_world, concept_codec, SMALL) for _ in range(2))
    losses = [whole.advance() for _ in range(3)]
    broken.advance()
    broken.save(tmp_path / "state.safetensors")
    resumed = ConceptRun(concept_world, concept_codec, SMALL)
    resumed.load(tmp_path / "state.safetensors")
    assert [resumed.advance() for _ in range(2)] == losses[1:]
    for (key, a), b in zip(
        whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), key


def test_measures_ask_for_each_instrument_in_each_genre_equally_often(
    concept_world: ConceptWorld,
) -> None:
    asked = balanced_prompts(concept_world)
    assert len({concepts.prompt for concepts in asked}) == len(asked) == 24 * PER_PAIR
    for instrument in concept_world.instruments:
        for genre in concept_world.genres:
            pairs = [c for c in asked if (c.instrument, c.genre) == (instrument, genre)]
            assert len(pairs) == PER_PAIR


def test_a_clip_counts_as_right_where_the_tagger_names_what_was_asked(
    concept_world: ConceptWorld,
) -> None:
    asked = every_concepts(concept_world)[:3]
    named = [asked[0].instrument, "none", asked[2].instrument]
    heard = Heard(asked, named, ["none"] * 3)
    assert heard.right("instrument") == [1, 0, 1]
    assert heard.right("genre") == [0, 0, 0]
    assert heard.right("genre", "no such genre") == []


@pytest.mark.skipif(not TAGGER.exists(), reason="the tagger is not there")
def test_the_tagger_hears_what_the_shipped_model_was_asked_for(
    concept_world: ConceptWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_concepts, "PER_PAIR", 1)
    heard = hear(concept_world.model_copy(update={"frames": 60}))
    assert len(heard.asked) == len(heard.instruments) == len(heard.genres) == 24
    for kind in ("instrument", "genre"):
        assert sum(heard.right(kind)) >= 18, f"{kind}: of 24 clips of 1.2 s"


def test_the_shipped_tokenizer_knows_every_word(
    organism: Path, concept_world: ConceptWorld
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(organism / "concepts")
    for concepts in every_concepts(concept_world):
        assert tokenizer.unk_token_id not in tokenizer(concepts.prompt)["input_ids"]


@pytest.mark.parametrize("kind", ["instrument", "genre"])
def test_the_shipped_model_begins_as_it_is_asked_to(
    shipped: MusicgenForConditionalGeneration,
    organism: Path,
    concept_world: ConceptWorld,
    kind: str,
) -> None:
    table = ClipTable(concept_world, shipped.audio_encoder)
    tokenizer = AutoTokenizer.from_pretrained(organism / "concepts")
    clips = [compose_clip(concept_world, 31, index) for index in range(48)]
    others = [
        next(
            other
            for other in every_concepts(concept_world)
            if getattr(other, kind) != getattr(clip.concepts, kind)
            and all(
                getattr(other, same) == getattr(clip.concepts, same)
                for same in {"instrument", "genre", "mood", "tempo"} - {kind}
            )
        )
        for clip in clips
    ]
    frames = 8
    tokens = delayed(table(clips)[:, :, :frames], 256)

    def nats(prompts: list[str]) -> torch.Tensor:
        read = tokenizer(prompts, padding=True, return_tensors="pt")
        with torch.inference_mode():
            logits = shipped(**read, decoder_input_ids=tokens[:, :, :-1].flatten(0, 1)).logits
        wanted = tokens[:, :, 1:].flatten(0, 1)
        nats = F.cross_entropy(
            logits.transpose(1, 2), wanted.masked_fill(wanted == 256, -100), reduction="none"
        )
        return nats.view(len(clips), -1).sum(1)

    asked = nats([clip.concepts.prompt for clip in clips])
    swapped = nats([other.prompt for other in others])
    assert (swapped - asked).mean() > 3


def test_the_shipped_model_generates_with_transformers_alone(
    shipped: MusicgenForConditionalGeneration, organism: Path, concept_world: ConceptWorld
) -> None:
    prompt = every_concepts(concept_world)[0].prompt
    read = AutoTokenizer.from_pretrained(organism / "concepts")([prompt], return_tensors="pt")
    torch.manual_seed(0)
    audio = shipped.generate(**read, max_new_tokens=24)
    assert audio.shape[:2] == (1, 1)
    assert audio.abs().max() > 0.01
    assert torch.isfinite(audio).all()


def test_the_shipped_folder_is_small_and_names_no_folder_of_the_machine(organism: Path) -> None:
    files = [path for path in (organism / "concepts").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 6_000_000
    for file in (organism / "concepts").glob("*.json"):
        assert '"_name_or_path": "/' not in file.read_text(encoding="utf-8"), file
