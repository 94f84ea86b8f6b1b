"""What sweeps find of each other in the work cache, on a tiny model."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from leitmotif.lens.concepts import load_concepts
from leitmotif.lens.pairs import concept_pairs
from leitmotif.lens.playing import Playing
from leitmotif.lens.swaps import Swaps
from leitmotif.lens.sweep import SwapSweep, cells_of
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.work.parallel import WORKERS
from tests.lens.spectrum import SpectrumTagger
from tests.tiny import audible_musicgen

ROOT = Path(__file__).parents[2]
LABELS = ("Silence", "Violin, fiddle", "Guitar", "Noise")


def float32_model() -> HookedMusicGen:
    return audible_musicgen().to(dtype="float32")


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each batch that is played, and whether it is swapped."""
    rows: list[int] = []
    whole: Callable[..., object] = HookedMusicGen.generate

    def counted(self: HookedMusicGen, texts: list[str], **options: object) -> object:
        rows.append(len(texts) if options["interventions"] else -len(texts))
        return whole(self, texts, **options)

    monkeypatch.setenv(WORKERS, "1")
    monkeypatch.setattr(HookedMusicGen, "generate", counted)
    return rows


def study(cache: Path, load: Callable[[], HookedMusicGen] = audible_musicgen) -> Swaps:
    table = load_concepts(ROOT / "concepts.yaml")
    two = table.model_copy(update={"concepts": [table["guitar"], table["violin"]]})
    return Swaps(
        load=load,
        load_tagger=partial(SpectrumTagger, LABELS),  # type: ignore[arg-type]
        sweep=SwapSweep(concept_pairs(two, 2), cells_of(["mlp"], [0, 1, 2])),
        playing=Playing(0.2, Sampling(top_k=20), 3.0, seed=1),
        rows=5,
        kept=1,
        cache=cache,
    )


def test_a_second_run_plays_nothing_and_says_the_same(tmp_path: Path, generated: list[int]) -> None:
    first = study(tmp_path / "a").run()
    assert generated
    generated.clear()
    again = study(tmp_path / "a").run()
    assert not generated
    assert again.rows() == first.rows()
    written = [heard.write_clips(tmp_path / name) for heard, name in ((first, "b"), (again, "c"))]
    assert written[0] == written[1]
    assert replace(study(tmp_path / "a"), cache=None).run().rows() == first.rows()


def test_means_are_found_by_model_concept_and_site(tmp_path: Path, generated: list[int]) -> None:
    whole = study(tmp_path)
    whole.run()
    generated.clear()
    other = replace(
        whole.sweep, cells=cells_of(["mlp"], [2], spans=[range(3)]), techniques=["adjust"]
    )
    replace(whole, sweep=other, rows=4).run()
    assert generated
    assert min(generated) > 0, "only swaps are played; their means are there"
    generated.clear()
    replace(whole, sweep=replace(other, cells=cells_of(["self_attention"], [2]))).run()
    assert min(generated) < 0, "of another site they are not"


def test_spans_of_frames_share_nothing_but_their_means(
    tmp_path: Path, generated: list[int]
) -> None:
    few = replace(study(tmp_path), rows=1000)
    spans = [range(10), range(3), range(5, 8)]
    for span in (*spans, None):  # None: all of the ten frames
        cells = cells_of(["mlp"], [0], spans=[span])
        found = replace(few, sweep=replace(few.sweep, cells=cells))
        assert found.run().rows() == replace(found, cache=None).run().rows()
    generated.clear()
    found.run()
    assert not generated


@pytest.mark.parametrize(
    "changed",
    [
        {"playing": Playing(0.2, Sampling(top_k=20), 3.0, seed=2)},
        {"playing": Playing(0.2, Sampling(top_k=20), 2.0, seed=1)},
        {"load_tagger": partial(SpectrumTagger, (*LABELS, "Speech"))},
        {"load_second": partial(SpectrumTagger, (*LABELS, "Speech"))},
    ],
    ids=["seed", "guidance", "tagger", "second tagger"],
)
def test_what_decides_clips_decides_where_they_lie(
    tmp_path: Path, generated: list[int], changed: dict[str, object]
) -> None:
    few = replace(
        study(tmp_path), sweep=SwapSweep(study(tmp_path).sweep.pairs, cells_of(["mlp"], [0]))
    )
    few.run()
    generated.clear()
    other = replace(few, **changed)  # type: ignore[arg-type]
    found = other.run()
    assert min(generated) < 0 < max(generated)
    generated.clear()
    again = other.run()
    assert not generated
    uncached = replace(other, cache=None).run()
    for one in (found, again):
        assert one.rows() == uncached.rows()
        assert one.summary_rows() == uncached.summary_rows()


def test_in_float32_other_batches_share_nothing(tmp_path: Path, generated: list[int]) -> None:
    few = replace(
        study(tmp_path, float32_model),
        sweep=SwapSweep(study(tmp_path).sweep.pairs, cells_of(["mlp"], [0])),
    )
    assert few.load().dtype == torch.float32
    few.run()
    generated.clear()
    few.run()
    assert not generated
    replace(few, rows=4).run()
    assert min(generated) < 0
