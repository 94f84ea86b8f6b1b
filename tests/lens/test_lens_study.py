"""The experiment as a whole, on a tiny model and a tagger that hears what it is told."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from leitmotif.errors import ModelError
from leitmotif.lens.concepts import ConceptTable, load_concepts
from leitmotif.lens.study import DecoderLens, Exit, Heeded, Playing
from leitmotif.lens.tuned import Tuning
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.work.parallel import WORKERS
from tests.tiny import tiny_musicgen, tiny_tokenizer

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Told:
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
        load_tagger=partial(Told, labels()),  # type: ignore[arg-type]
        table=table(),
        prompts=4,
        playing=Playing(0.4, Sampling(top_k=20), 3.0, seed=1),
        tuning=Tuning(penalty=0.1, steps=2),
        rows=3,
    )


@pytest.fixture(scope="module")
def heeded(study: DecoderLens) -> Heeded:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WORKERS, "1")
        return study.run()


def test_every_layer_is_heard_in_every_way(heeded: Heeded, model: HookedMusicGen) -> None:
    last = model.num_layers - 1
    ways = {
        Exit(layer, lens, heard)
        for layer in range(last)
        for lens in ("plain", "tuned")
        for heard in ("read", "sampled")
    }
    whole = {Exit(last, "plain", "read"), Exit(last, "plain", "sampled")}
    assert set(heeded.logits) == ways | whole
    assert {x.shape for x in heeded.logits.values()} == {(8, len(labels()))}
    rows = heeded.rows()
    assert len(rows) == 3 * len(heeded.logits)
    assert {(row.slot, row.concept) for row in rows} == {
        ("instrument", None), ("instrument", "guitar"), ("instrument", "piano"),
    }  # fmt: skip
    assert {row.ndcg.n for row in rows if row.concept} == {4}


def test_batches_do_not_decide(study: DecoderLens, heeded: Heeded) -> None:
    """Also not of rows that exit after different layers, by lenses of different halves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WORKERS, "1")
        other = replace(study, rows=8).run()
    assert set(other.logits) == set(heeded.logits)
    for way, logits in heeded.logits.items():
        assert np.allclose(logits, other.logits[way], atol=1e-6), way
    assert heeded.rows() == other.rows()
    assert heeded.divergence_rows() == other.divergence_rows()
    assert heeded.similarity_rows() == other.similarity_rows()


def test_divergences_are_of_prompts_that_the_lens_has_not_seen(
    heeded: Heeded, model: HookedMusicGen
) -> None:
    rows = heeded.divergence_rows()
    assert len(rows) == (model.num_layers - 1) * model.codebooks * 2
    assert {row.nats.n for row in rows} == {8}
    assert all(row.nats.mean > 0 for row in rows)


def test_layers_are_compared_for_each_concept_and_for_all(
    heeded: Heeded, model: HookedMusicGen
) -> None:
    rows = heeded.similarity_rows()
    pairs = model.num_layers * (model.num_layers + 1) // 2
    assert len(rows) == 3 * pairs
    for row in rows:
        if row.first == row.second:
            assert (row.distance, row.cka, row.cka_biased) == (0.0, 1.0, 1.0)


def test_a_tagger_that_does_not_know_a_concept_is_refused_before_anything_is_played(
    study: DecoderLens,
) -> None:
    unheard = replace(study, load_tagger=partial(Told, ("Guitar", "Bell")))  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HookedMusicGen, "generate", None)
        with pytest.raises(ModelError, match="does not know the concept 'piano'"):
            unheard.run()
