"""The experiment as a whole, on a tiny model and a tagger that hears what it is told."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from leitmotif.errors import ModelError
from leitmotif.lens.concepts import ConceptTable, load_concepts
from leitmotif.lens.study import DecoderLens, Exit, HeardExits, Playing
from leitmotif.lens.tuned import Tuning
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.work.parallel import WORKERS
from tests.tiny import tiny_musicgen, tiny_tokenizer

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class SpectrumTagger:
    """A tagger whose logits are spectra: they depend on the clip and on nothing else."""

    labels: tuple[str, ...]

    def logits(self, clips: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
        spectra = np.abs(np.fft.rfft(clips.reshape(len(clips), -1), axis=1))
        return np.log(spectra[:, 1 : 1 + len(self.labels)].astype(np.float64) + 1e-3)


def table() -> ConceptTable:
    """Two concepts of one slot."""
    whole = load_concepts(ROOT / "concepts.yaml")
    return whole.model_copy(update={"concepts": [whole["guitar"], whole["piano"]]})


def labels() -> tuple[str, ...]:
    return tuple(label for concept in table().concepts for label in concept.labels)


@pytest.fixture(scope="module")
def model() -> HookedMusicGen:
    return HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer()).to(dtype="float64")


@pytest.fixture(scope="module")
def study(model: HookedMusicGen) -> DecoderLens:
    return DecoderLens(
        load=lambda: model,
        load_tagger=partial(SpectrumTagger, labels()),  # type: ignore[arg-type]
        table=table(),
        prompts=4,
        playing=Playing(0.4, Sampling(top_k=20), 3.0, seed=1),
        tuning=Tuning(penalty=0.1, steps=2),
        rows=3,
    )


@pytest.fixture(scope="module")
def heard_exits(study: DecoderLens) -> HeardExits:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WORKERS, "1")
        return study.run()


def test_every_layer_is_heard_in_every_way(heard_exits: HeardExits, model: HookedMusicGen) -> None:
    last = model.num_layers - 1
    ways = {
        Exit(layer, lens, heard)
        for layer in range(last)
        for lens in ("plain", "tuned")
        for heard in ("read", "sampled")
    }
    whole = {Exit(last, "plain", "read"), Exit(last, "plain", "sampled")}
    assert set(heard_exits.logits) == ways | whole
    assert {x.shape for x in heard_exits.logits.values()} == {(8, len(labels()))}
    rows = heard_exits.rows()
    assert len(rows) == 3 * len(heard_exits.logits)
    assert {(row.slot, row.concept) for row in rows} == {
        ("instrument", None), ("instrument", "guitar"), ("instrument", "piano"),
    }  # fmt: skip
    assert {row.ndcg.n for row in rows if row.concept} == {4}


def test_batches_do_not_decide(study: DecoderLens, heard_exits: HeardExits) -> None:
    """Also not of rows that exit after different layers, by lenses of different halves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WORKERS, "1")
        other = replace(study, rows=8).run()
    assert set(other.logits) == set(heard_exits.logits)
    for way, logits in heard_exits.logits.items():
        assert np.allclose(logits, other.logits[way], atol=1e-6), way
    assert heard_exits.rows() == other.rows()
    assert heard_exits.divergence_rows() == other.divergence_rows()
    assert heard_exits.similarity_rows() == other.similarity_rows()


def test_divergences_are_of_prompts_that_the_lens_has_not_seen(
    heard_exits: HeardExits, model: HookedMusicGen
) -> None:
    rows = heard_exits.divergence_rows()
    assert len(rows) == (model.num_layers - 1) * model.codebooks * 2
    assert {row.nats.n for row in rows} == {8}
    assert all(row.nats.mean > 0 for row in rows)


def test_layers_are_compared_for_each_concept_and_for_all(
    heard_exits: HeardExits, model: HookedMusicGen
) -> None:
    rows = heard_exits.similarity_rows()
    pairs = model.num_layers * (model.num_layers + 1) // 2
    assert len(rows) == 3 * pairs
    for row in rows:
        if row.first == row.second:
            assert (row.distance, row.cka, row.cka_biased) == (0.0, 1.0, 1.0)


def test_a_tagger_that_does_not_know_a_concept_is_refused_before_anything_is_played(
    study: DecoderLens,
) -> None:
    unheard = replace(study, load_tagger=partial(SpectrumTagger, ("Guitar", "Bell")))  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HookedMusicGen, "generate", None)
        with pytest.raises(ModelError, match="does not know the concept 'piano'"):
            unheard.run()


def test_each_half_of_the_prompts_has_every_value_of_every_slot(study: DecoderLens) -> None:
    """Slots step through their values, so every other prompt has every other genre."""
    more = replace(study, prompts=24)
    for half in (0, 1):
        chosen = [p for p, of in zip(more.all_prompts, more.halves, strict=True) if of == half]
        assert len(chosen) == 24
        for slot, values in more.table.slots.items():
            seen = {prompt.values[slot] for prompt in chosen}
            expected = {"guitar", "piano"} if slot == "instrument" else {*values}
            assert seen == expected
