"""Swaps in some frames of a clip, and in some layers at once, as factors of a sweep."""

from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import false_discovery_control
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.judge.measures import log_odds_effect
from leitmotif.lens.components import outputs
from leitmotif.lens.concepts import ConceptTable, load_concepts
from leitmotif.lens.pairs import PromptSet, concept_pairs
from leitmotif.lens.playing import Playing
from leitmotif.lens.swaps import Swaps
from leitmotif.lens.sweep import SwapSweep, cells_of
from leitmotif.musicgen import Intervention, Sampling
from leitmotif.tables.swaps import SwapRow
from leitmotif.work.parallel import WORKERS
from tests.lens.spectrum import SpectrumTagger
from tests.tiny import audible_musicgen

ROOT = Path(__file__).parents[2]
LABELS = ("Silence", "Violin, fiddle", "Jazz", "Guitar", "Noise")


def table(*names: str) -> ConceptTable:
    whole = load_concepts(ROOT / "concepts.yaml")
    return whole.model_copy(update={"concepts": [whole[name] for name in names]})


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Swaps:
    """Of the ten frames of a clip, three concepts and six pairs of them."""
    monkeypatch.setenv(WORKERS, "1")
    return Swaps(
        load=audible_musicgen,
        load_tagger=partial(SpectrumTagger, LABELS),  # type: ignore[arg-type]
        sweep=SwapSweep(
            concept_pairs(table("guitar", "violin", "jazz"), 2), cells_of(["mlp"], [0])
        ),
        playing=Playing(0.2, Sampling(top_k=20), 3.0, seed=1),
        rows=40,
        kept=1,
    )


def in_spans(study: Swaps, *spans: range | None) -> Swaps:
    """The swaps of all MLPs at once, in some spans of the clip."""
    cells = cells_of(["mlp"], range(3), together=True, spans=spans)
    sweep = replace(study.sweep, cells=cells, controls=("itself", "random"))
    return replace(study, sweep=sweep)


def effects(of: Swaps | list[SwapRow]) -> list[float]:
    """Of swaps and controls, in rows or of a run; the spectra of near silence cost a last digit."""
    rows = of if isinstance(of, list) else of.run().rows()
    return [measure.effect.mean for row in rows for measure in (row.swap, *row.controls.values())]


def test_spans_of_frames_are_a_factor_of_the_sweep(study: Swaps) -> None:
    spans = (range(10), range(3), range(5, 8))
    rows = in_spans(study, *spans).run().rows()
    assert len(rows) == 2 * 4 * 3 * 6
    by_span = {
        span: [row for row in rows if row.frames == (span.start, span.stop)] for span in spans
    }
    assert effects(by_span[spans[0]]) == pytest.approx(effects(in_spans(study, None)), abs=2e-4)
    for span in spans[1:]:
        alone = effects(in_spans(study, span))
        assert effects(by_span[span]) == pytest.approx(alone, abs=2e-4)
        assert alone != pytest.approx(effects(by_span[spans[0]]), abs=0.1)


def test_a_span_is_swapped_as_an_intervention_at_its_steps_does_it(study: Swaps) -> None:
    model, tagger, span = study.load(), study.load_tagger(), range(3, 8)
    sweep = SwapSweep(
        concept_pairs(table("guitar", "violin"), 2),
        cells_of(["mlp"], [1], spans=[None, span]),
        ["replace"],
        controls=(),
    )
    row = next(row for row in replace(study, sweep=sweep).run().rows() if row.frames == (3, 8))
    guitar, violin = (sweep.pairs.sets[name] for name in ("guitar", "violin"))

    def played(of: PromptSet, *interventions: Intervention) -> Tensor:
        playing = study.playing
        return model.generate(
            list(of.texts), seconds=playing.seconds, tracks=list(of.tracks), seed=playing.seed,
            sampling=playing.sampling, guidance_scale=playing.guidance_scale,
            interventions=interventions,
        ).codes  # fmt: skip

    mean = outputs(model, played(violin), list(violin.texts), ["layers.1.mlp"])[:, 0].mean(0)
    steps = range(3, 8 + max(model.delays))
    desired = torch.from_numpy(np.stack([mean[steps.start : steps.stop]] * 2))
    change = Intervention(
        "layers.1.mlp", "replace", desired, rows=[0, 1], steps=steps, half="conditional"
    )
    before, after = (
        tagger.logits(list(model.decode_audio(codes).numpy()), model.sample_rate)
        for codes in (played(guitar), played(guitar, change))
    )
    effect = log_odds_effect(before, after, original=3, desired=1).mean()
    assert abs(effect) > 0.01, "no effect would prove little"
    assert row.swap.effect.mean == pytest.approx(effect, abs=1e-4)


def test_cells_of_all_spans_are_corrected_together_and_averaged_apart(study: Swaps) -> None:
    summary = in_spans(study, range(10), range(3)).run().summary_rows()
    rows = [row for row in summary if row.scope == "all"]
    cells = [row for row in rows if row.depth is None]
    assert [row.frames for row in cells] == [(0, 10), (0, 3)] * 8
    assert [row.technique for row in cells] == ["replace"] * 8 + ["adjust"] * 8
    p = [row.p for row in cells if row.p is not None]
    assert [row.q for row in cells] == pytest.approx(false_discovery_control(p), rel=0.01)
    for way in product(("replace", "adjust"), ((0, 10), (0, 3))):
        of_way = [row for row in rows if (row.technique, row.frames) == way]
        (mean,) = [row for row in of_way if row.depth == "every"]
        single = [row for row in of_way if row.depth is None and len(row.layers) == 1]
        expected = np.mean([row.swap.effect.mean for row in single])
        assert mean.swap.effect.mean == pytest.approx(expected, abs=2e-4)


def test_of_several_spans_the_clips_of_the_first_are_kept(study: Swaps) -> None:
    kept = [
        clip.swap.cell.frames for clip in in_spans(study, range(3), None).kept_clips if clip.swap
    ]
    assert set(kept) == {range(3)}


def test_frames_that_the_clip_lacks_are_refused(study: Swaps) -> None:
    with pytest.raises(ModelError, match="cannot be swapped"):
        in_spans(study, None, range(5, 11)).run()


def test_groups_of_layers_change_at_once_beside_single_ones() -> None:
    cells = cells_of(["mlp"], range(4), groups=[[1, 0], [2, 3]], together=True)
    layers = [cell.layers for cell in cells]
    assert layers == [(0,), (1,), (2,), (3,), (0, 1), (2, 3), (0, 1, 2, 3)]
    assert len(cells_of(["mlp"], range(2), groups=[[0, 1]], together=True)) == 3
