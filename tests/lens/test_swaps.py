"""Swaps between concepts, on a tiny model against `transformers`, and on the organism."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from leitmotif.errors import ConfigError, ModelError
from leitmotif.files import read_table
from leitmotif.judge.measures import kl_divergence, log_odds_effect
from leitmotif.judge.models.tagger import Tagger
from leitmotif.lens.concepts import ConceptTable, load_concepts
from leitmotif.lens.pairs import concept_pairs, twin_pairs
from leitmotif.lens.playing import Playing
from leitmotif.lens.swap_rows import HeardSwaps
from leitmotif.lens.swaps import Swaps, means_bytes, sets_held
from leitmotif.lens.sweep import SwapCell, SwapSweep, cells_of
from leitmotif.musicgen import GREEDY, HookedMusicGen, Sampling
from leitmotif.tables.swaps import SwapClipRow, SwapRow
from leitmotif.work.parallel import WORKERS
from tests.lens.spectrum import SpectrumTagger
from tests.tiny import audible_musicgen, their_tokens, tiny_musicgen, tiny_tokenizer

ROOT = Path(__file__).parents[2]


def table(*names: str) -> ConceptTable:
    whole = load_concepts(ROOT / "concepts.yaml")
    return whole.model_copy(update={"concepts": [whole[name] for name in names]})


LABELS = ("Silence", "Violin, fiddle", "Jazz", "Guitar", "Noise")
LABEL = {"guitar": "Guitar", "violin": "Violin, fiddle", "jazz": "Jazz"}
TWO = ("replace", "adjust")
CELLS = [*cells_of(["mlp"], [0, 2], together=True), *cells_of(["cross_attention"], [1])]


def _is_nan(values: object) -> bool:
    return bool(np.isnan(values).any())  # type: ignore[call-overload]


@pytest.fixture(scope="module", autouse=True)
def _in_one_process() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WORKERS, "1")
        yield


@pytest.fixture(scope="module")
def study() -> Swaps:
    return Swaps(
        load=audible_musicgen,
        load_tagger=partial(SpectrumTagger, LABELS),  # type: ignore[arg-type]
        sweep=SwapSweep(concept_pairs(table("guitar", "violin", "jazz"), 2), CELLS),
        playing=Playing(0.2, Sampling(top_k=20), 3.0, seed=1),
        rows=7,
        kept=1,
    )


@pytest.fixture(scope="module")
def heard_swaps(study: Swaps) -> HeardSwaps:
    return study.run()


def test_every_cell_and_pair_is_heard(study: Swaps, heard_swaps: HeardSwaps) -> None:
    rows = heard_swaps.rows()
    assert len(rows) == 2 * 4 * 6
    assert {(row.technique, row.component, *row.layers) for row in rows} == {
        (technique, cell.component, *cell.layers) for technique in TWO for cell in CELLS
    }
    assert {row.swap.effect.n for row in rows} == {2}
    assert all(set(row.controls) == {"itself", "redrawn", "mixed", "random"} for row in rows)
    assert any(row.swap.effect.mean for row in rows)


def test_a_second_tagger_says_how_far_both_agree_and_changes_nothing_else(
    study: Swaps, heard_swaps: HeardSwaps
) -> None:
    alone = heard_swaps.summary_rows()
    assert all(row.agreement is None for row in alone)
    same = replace(study, load_second=study.load_tagger).run()
    assert same.rows() == heard_swaps.rows()
    agreed = same.summary_rows()
    assert [row.model_copy(update={"agreement": None}) for row in agreed] == alone
    for row in agreed:
        assert row.agreement is not None
        assert (row.agreement.rank.mean, row.agreement.named.mean) == (1.0, 1.0)
        assert row.agreement.labels == 3
        # Two clips of each pair, in each of the cells that the row is of.
        cells = 1 if row.depth is None else len(row.layers)
        assert row.agreement.named.n == 2 * row.pairs * cells
    assert all(heard.second is None for heard in heard_swaps.after.values())
    assert {swap for swap, heard in same.after.items() if not _is_nan(heard.second)} == {
        study.sweep.of(pair, cell, technique)["swap"]
        for cell in CELLS
        for technique in TWO
        for pair in study.sweep.pairs.pairs
    }
    moved = ("Silence", "Guitar", "Jazz", "Violin, fiddle", "Noise")  # the same numbers, named anew
    other = replace(study, load_second=partial(SpectrumTagger, moved)).run()  # type: ignore[arg-type]
    ranks = [row.agreement.rank.mean for row in other.summary_rows() if row.agreement]
    assert len(ranks) == len(agreed)
    assert max(ranks) < 1.0


def test_a_second_tagger_that_does_not_know_a_concept_is_refused_before_anything_is_played(
    study: Swaps,
) -> None:
    unheard = replace(study, load_second=partial(SpectrumTagger, LABELS[:3]))  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HookedMusicGen, "generate", None)
        with pytest.raises(ModelError, match="without 'Guitar'"):
            unheard.run()


def test_a_concept_swapped_with_itself_under_adjust_changes_nothing(
    heard_swaps: HeardSwaps,
) -> None:
    adjusted = [row for row in heard_swaps.rows() if row.technique == "adjust"]
    for row in adjusted:
        itself = row.controls["itself"]
        for part in (itself.effect, itself.original, itself.desired, itself.precision):
            assert (part.mean, part.low, part.high) == (0.0, 0.0, 0.0)
    replaced = [row for row in heard_swaps.rows() if row.technique == "replace"]
    assert any(row.controls["itself"].effect.mean for row in replaced)


def test_batches_and_blocks_do_not_decide(
    study: Swaps, heard_swaps: HeardSwaps, tmp_path: Path
) -> None:
    other = replace(study, rows=40, held=4).run()
    assert set(other.after) == set(heard_swaps.after)
    assert other.rows() == heard_swaps.rows()
    assert other.summary_rows() == heard_swaps.summary_rows()
    written = [
        heard.write_clips(tmp_path / name) for heard, name in ((other, "a"), (heard_swaps, "b"))
    ]
    assert written[0] == written[1]
    for row in written[0]:
        assert (tmp_path / "a" / row.file).read_bytes() == (tmp_path / "b" / row.file).read_bytes()


def test_processes_do_not_decide(
    study: Swaps, heard_swaps: HeardSwaps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKERS, "2")
    assert study.run().rows() == heard_swaps.rows()


def test_a_seed_gives_the_same_and_another_one_not(study: Swaps, heard_swaps: HeardSwaps) -> None:
    few = replace(study, sweep=replace(study.sweep, cells=CELLS[:1]))
    same = [row for row in heard_swaps.rows() if (row.component, row.layers) == ("mlp", [0])]
    assert few.run().rows() == same
    other = replace(few, playing=replace(few.playing, seed=2)).run()
    assert other.rows() != same


def test_what_cannot_be_swapped_is_refused_before_anything_is_played(study: Swaps) -> None:
    deaf = replace(study, load_tagger=partial(SpectrumTagger, LABELS[:3]))  # type: ignore[arg-type]
    beyond = replace(study, sweep=replace(study.sweep, cells=[SwapCell("mlp", (3,))]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HookedMusicGen, "generate", None)
        with pytest.raises(ModelError, match="does not know what the concepts sound like"):
            deaf.run()
        with pytest.raises(ModelError, match=r"layers\.3\.mlp"):
            beyond.run()
    with pytest.raises(ConfigError, match="nothing to swap"):
        SwapSweep(study.sweep.pairs, [])


def test_summaries_are_means_over_pairs_and_layers(heard_swaps: HeardSwaps) -> None:
    rows, summary = heard_swaps.rows(), heard_swaps.summary_rows()
    scopes = {(row.scope, row.original_slot, row.desired_slot): row.pairs for row in summary}
    assert scopes == {
        ("all", None, None): 6,
        ("within", None, None): 2,
        ("across", None, None): 4,
        ("slots", "instrument", "instrument"): 2,
        ("slots", "instrument", "genre"): 2,
        ("slots", "genre", "instrument"): 2,
    }
    for row in summary:
        members = [
            one
            for one in rows
            if (one.technique, one.component) == (row.technique, row.component)
            and (one.layers == row.layers if row.depth is None else len(one.layers) == 1)
            and (row.depth in (None, "every") or one.layers == row.layers)
            and row.original_slot in (None, one.original_slot)
            and row.desired_slot in (None, one.desired_slot)
            and (row.scope != "within" or one.original_slot == one.desired_slot)
            and (row.scope != "across" or one.original_slot != one.desired_slot)
        ]
        assert len(members) == row.pairs * (1 if row.depth is None else len(row.layers))
        expected = np.mean([one.swap.effect.mean for one in members])
        assert row.swap.effect.mean == pytest.approx(expected, abs=2e-4)
        assert row.swap.effect.n == row.pairs
        assert (row.p is None) == (row.q is None) == (row.depth is not None)
    assert {row.depth for row in summary} == {None, "first", "last", "every"}


def test_cells_of_all_techniques_are_corrected_together(heard_swaps: HeardSwaps) -> None:
    sides = {side.concept: side for pair in heard_swaps.sweep.pairs.pairs for side in pair.sides}
    after = dict(heard_swaps.after)
    for swap, tagged in after.items():
        if swap.technique == "replace" and swap.target in sides and not swap.random:
            loud = tagged.log_odds.copy()
            loud[:, [*heard_swaps.columns].index(sides[swap.target].label)] += 20.0
            after[swap] = replace(tagged, log_odds=loud)
    summary = replace(heard_swaps, after=after).summary_rows()
    cells = [row for row in summary if (row.scope, row.depth) == ("all", None)]
    q = {technique: {row.q for row in cells if row.technique == technique} for technique in TWO}
    # The least p of six pairs, 2 / 2**6, at 4 of 8 cells.
    assert q == {"replace": {0.0625}, "adjust": {1.0}}


def test_kept_clips_sound_as_their_rows_say(
    study: Swaps, heard_swaps: HeardSwaps, tmp_path: Path
) -> None:
    rows = heard_swaps.write_clips(tmp_path)
    assert read_table(tmp_path / "clips.jsonl", SwapClipRow) == rows
    # Three concepts; four cells, of which one changes two layers at once; two techniques.
    assert len(rows) == len({row.file for row in rows}) == 3 * (1 + 3 * 2)
    assert {(row.original, row.desired) for row in rows if row.desired} == {
        ("guitar", "violin"), ("violin", "guitar"), ("jazz", "guitar"),
    }  # fmt: skip
    texts = {name: prompts.texts[0] for name, prompts in study.sweep.pairs.sets.items()}
    tagger, untouched = SpectrumTagger(LABELS), {}
    for row in rows:
        samples, rate = soundfile.read(tmp_path / row.file, dtype="float64")
        assert (rate, samples.size) == (audible_musicgen().sample_rate, round(0.2 * rate))
        assert row.prompt == texts[row.original]
        logits = tagger.logits([samples.astype(np.float32)], rate)[0]
        if row.original != "jazz":
            louder = "guitar" if logits[3] > logits[1] else "violin"
            assert row.named == louder
        if row.desired is None:
            untouched[row.original] = logits
            assert (row.technique, row.component, row.layer, row.effect) == (None,) * 4
            continue
        columns = [LABELS.index(LABEL[name]) for name in (row.original, row.desired)]
        effect = log_odds_effect(
            untouched[row.original][None], logits[None], original=columns[0], desired=columns[1]
        )
        # The file holds 16 bits of a quiet clip.
        assert row.effect == pytest.approx(effect[0], abs=0.1)
    assert max(abs(row.effect or 0.0) for row in rows) > 1.0


class _Hooks:
    """Forward hooks on the modules of `transformers`, which count the steps that they see."""

    def __init__(self, module: torch.nn.Module, rows: int) -> None:
        self.rows, self.seen, self.change = rows, list[Tensor](), None
        module.register_forward_hook(self)
        self.change: Callable[[Tensor, int], Tensor] | None = None

    def __call__(self, module: torch.nn.Module, args: object, out: object) -> object:
        x = out[0] if isinstance(out, tuple) else out
        step = sum(part.shape[1] for part in self.seen)
        self.seen.append(x[: self.rows].clone())  # the rows with their prompts come first
        if self.change is None:
            return out
        x = x.clone()
        x[: self.rows] = self.change(x[: self.rows], step)
        return (x, *out[1:]) if isinstance(out, tuple) else x


@pytest.mark.parametrize("technique", TWO)
@pytest.mark.parametrize("component", ["mlp", "self_attention", "cross_attention"])
def test_a_cell_is_what_forward_hooks_on_transformers_give(
    study: Swaps, component: str, technique: str
) -> None:
    model = study.load()
    cell = SwapCell(component, (1,))  # type: ignore[arg-type]
    pairs = concept_pairs(table("guitar", "violin"), 2)
    greedy = Playing(0.3, GREEDY, 3.0, seed=0)
    sweep = SwapSweep(pairs, [cell], [technique], controls=())  # type: ignore[list-item]
    found = replace(study, sweep=sweep, playing=greedy).run()
    theirs = tiny_musicgen().double()
    theirs.decoder.model.decoder.embed_positions.weights = model.positions(2048)
    layer = theirs.decoder.model.decoder.layers[1]
    modules = {
        "mlp": layer.fc2, "self_attention": layer.self_attn, "cross_attention": layer.encoder_attn,
    }  # fmt: skip
    hooks = _Hooks(modules[component], rows=2)

    def played(concept: str) -> Tensor:
        hooks.seen.clear()
        inputs = tiny_tokenizer()(
            list(pairs.sets[concept].texts), padding=True, return_tensors="pt"
        )
        return their_tokens(
            theirs, **inputs, do_sample=False, guidance_scale=3.0, max_new_tokens=18
        )

    violin = played("violin")
    desired = torch.cat(hooks.seen, dim=1).mean(0)
    guitar = played("guitar")
    original = torch.cat(hooks.seen, dim=1).mean(0)
    assert not torch.equal(violin, guitar)

    def change(x: Tensor, step: int) -> Tensor:
        at = slice(step, step + x.shape[1])
        if technique == "replace":
            return desired[at].expand_as(x)
        return x - original[at] + desired[at]

    hooks.change = change
    swapped = played("guitar")
    assert not torch.equal(swapped, guitar)
    tagger = study.load_tagger()
    before, after = (
        tagger.logits(list(model.decode_audio(codes).numpy()), model.sample_rate)
        for codes in (guitar, swapped)
    )
    row = next(row for row in found.rows() if row.original == "guitar")
    effect = log_odds_effect(before, after, original=3, desired=1).mean()
    assert abs(effect) > 0.01, "no effect would prove little"
    assert row.swap.effect.mean == pytest.approx(effect, abs=1e-4)
    assert row.swap.precision.mean == pytest.approx(-kl_divergence(before, after).mean(), abs=1e-4)


@cache
def organism() -> HookedMusicGen:
    folder = ROOT / "models/organism/concepts"
    return HookedMusicGen.from_pretrained(str(folder), device="cpu", dtype="float64")


@cache
def its_tagger() -> Tagger:
    return Tagger.from_pretrained(str(ROOT / "models/organism/judges/tagger"))


@pytest.fixture(scope="module")
def turned() -> list[SwapRow]:
    """The organism with the residual stream of another instrument's own run."""
    sweep = SwapSweep(
        twin_pairs(table("guitar", "piano", "trumpet", "violin"), 1),
        cells_of(["residual"], [5]),
        ["replace"],
        ["itself", "mixed"],
    )
    playing = Playing(1.0, Sampling(top_k=50), 3.0, seed=0)
    return Swaps(organism, its_tagger, sweep, playing, rows=32).run().rows()


def test_the_whole_stream_of_another_instrument_turns_the_instrument(turned: list[SwapRow]) -> None:
    assert len(turned) == 12
    assert np.mean([row.turned_before for row in turned]) <= 0.1
    assert np.mean([row.turned.mean for row in turned]) >= 0.9
    assert np.mean([row.swap.effect.mean for row in turned]) > 5.0


def test_its_own_stream_changes_nothing_and_a_third_one_brings_no_desired_instrument(
    turned: list[SwapRow],
) -> None:
    for row in turned:
        assert row.controls["itself"].effect.mean == 0.0
    wanted = np.mean([row.swap.desired.mean for row in turned])
    third = np.mean([row.controls["mixed"].desired.mean for row in turned])
    assert third < 0.25 * wanted


def test_means_of_few_sets_are_held_where_they_are_large() -> None:
    # Sites, steps and widths of small, medium and large at 4 s.
    assert sets_held(12, 53, 128, 8) == 128
    held = [sets_held(72, 203, 1024, 4), sets_held(144, 203, 1536, 4), sets_held(144, 203, 2048, 4)]
    assert held == [16, 5, 4]
    assert means_bytes(65, 72, 203, 1024, 4) < 2.0e9
    assert means_bytes(3, 72, 203, 1024, 4) == 2 * 3 * 72 * 203 * 1024 * 4
