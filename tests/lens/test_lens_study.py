"""The experiment as a whole, on a tiny model and a tagger that hears what it is told."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from leitmotif.errors import ModelError
from leitmotif.files import read_table
from leitmotif.lens.concepts import ConceptTable, load_concepts
from leitmotif.lens.heard import CLIPS, Exit, HeardExits
from leitmotif.lens.playing import Playing
from leitmotif.lens.study import DecoderLens
from leitmotif.lens.tuned import Tuning
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.tables.decoderlens import LensClipRow
from leitmotif.work.parallel import WORKERS
from tests.tiny import audible_musicgen

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class SpectrumTagger:
    """A tagger whose logits are spectra: they depend on the clip and on nothing else."""

    labels: tuple[str, ...]

    def logits(self, clips: list[NDArray[np.float32]], sample_rate: int) -> NDArray[np.float64]:
        spectra = np.abs(np.fft.rfft(np.stack(clips), axis=1))
        return np.log(spectra[:, 1 : 1 + len(self.labels)].astype(np.float64) + 1e-3)


def table() -> ConceptTable:
    """Two concepts of one slot."""
    whole = load_concepts(ROOT / "concepts.yaml")
    return whole.model_copy(update={"concepts": [whole["guitar"], whole["piano"]]})


def labels() -> tuple[str, ...]:
    return tuple(label for concept in table().concepts for label in concept.labels)


@pytest.fixture(scope="module")
def model() -> HookedMusicGen:
    return audible_musicgen()


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
        kept=1,
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
    assert set(heard_exits.clips) == ways | whole
    assert {len(clips) for clips in heard_exits.clips.values()} == {8}
    rows = heard_exits.rows()
    assert len(rows) == 3 * len(heard_exits.clips)
    assert {(row.slot, row.concept) for row in rows} == {
        ("instrument", None), ("instrument", "guitar"), ("instrument", "piano"),
    }  # fmt: skip
    assert {row.ndcg.n for row in rows if row.concept} == {4}


def test_batches_do_not_decide(study: DecoderLens, heard_exits: HeardExits) -> None:
    """Also not of rows that exit after different layers, by lenses of different halves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WORKERS, "1")
        other = replace(study, rows=8).run()
    assert set(other.clips) == set(heard_exits.clips)
    for way in heard_exits.clips:
        for concept in ("guitar", "piano"):
            logits = (heard.logits(way, concept) for heard in (heard_exits, other))
            assert np.allclose(*logits, atol=1e-6), (way, concept)
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


def test_kept_clips_are_written_with_what_they_are(heard_exits: HeardExits, tmp_path: Path) -> None:
    rows = heard_exits.write_clips(tmp_path)
    assert read_table(tmp_path / CLIPS, LensClipRow) == rows
    assert {path.name for path in tmp_path.iterdir()} == {CLIPS, *(row.file for row in rows)}
    assert len(rows) == 2 * len(heard_exits.clips)
    for row in rows:
        samples, rate = soundfile.read(tmp_path / row.file, dtype="int16")
        clips = heard_exits.clips[Exit(row.layer, row.lens, row.heard)]
        clip = clips[0 if row.concept == "guitar" else 4]
        assert rate == heard_exits.sample_rate
        assert np.array_equal(samples, clip.audio)
        loudest = labels()[int(np.argmax(clip.logits))]
        assert loudest in table()[row.named].labels
    # The whole model alone plays what it has played.
    alike = {
        row.file.replace("sampled", "read")
        for row in rows
        if row.layer == max(row.layer for row in rows)
    }
    for file in alike:
        whole = (tmp_path / file).read_bytes()
        assert (tmp_path / file.replace("read", "sampled")).read_bytes() == whole


def test_a_tagger_that_does_not_know_a_concept_is_refused_before_anything_is_played(
    study: DecoderLens,
) -> None:
    unheard = replace(study, load_tagger=partial(SpectrumTagger, ("Guitar", "Bell")))  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HookedMusicGen, "generate", None)
        with pytest.raises(ModelError, match="does not know the concept 'piano'"):
            unheard.run()


def test_a_second_tagger_says_how_far_both_agree_and_changes_nothing_else(
    study: DecoderLens, heard_exits: HeardExits
) -> None:
    backwards = tuple(reversed(labels()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WORKERS, "1")
        same = replace(study, load_second=study.load_tagger).run()
        other = replace(study, load_second=partial(SpectrumTagger, backwards)).run()  # type: ignore[arg-type]
    first = same.rows()
    assert [row.model_copy(update={"agreement": None}) for row in first] == heard_exits.rows()
    for row in first:
        assert row.agreement is not None
        assert (row.agreement.rank.mean, row.agreement.named.mean) == (1.0, 1.0)
        assert row.agreement.labels == len(labels())
    # The same numbers under other names.
    ranks = [row.agreement.rank.mean for row in other.rows() if row.agreement]
    assert len(ranks) == len(first)
    assert max(ranks) < 1.0


def test_a_second_tagger_that_does_not_know_a_concept_is_refused_before_anything_is_played(
    study: DecoderLens,
) -> None:
    unheard = replace(study, load_second=partial(SpectrumTagger, ("Guitar", "Bell")))  # type: ignore[arg-type]
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
