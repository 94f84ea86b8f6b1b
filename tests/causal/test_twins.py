"""The counterfactual beginnings of composed tracks."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.twins import Twins, shared_twins
from leitmotif.corpus.organism import composer
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.errors import CorpusError, LeitmotifError
from leitmotif.files import write_table
from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.cache.entries import WorkCache
from leitmotif.tables.truth import Truth


def test_only_the_cue_differs(pieces: list[Prefix], world: World) -> None:
    """The first half of the cue decides the first slot; MP3 smears a frame or two around it."""
    bar = world.frames_per_bar
    for piece in pieces:
        differs = (piece.codes[0] != piece.sources["twin"][0]).nonzero().flatten()
        assert len(differs) > bar / 4
        assert bar - 2 <= int(differs.min())
        assert int(differs.max()) < bar + bar // 2 + 2


def test_windows_and_steps_follow_the_form(
    twins: Twins, world: World, planner: HookedMusicGen
) -> None:
    known = twins.planted("piece_0", planner)
    assert known is not None
    bar = world.frames_per_bar
    assert known.prefix_samples == 2 * world.samples_per_bar
    assert [motif.start_sample for motif in known.motifs] == [0]
    assert [slot.start_sample for slot in known.slots] == [
        8 * world.samples_per_bar,
        10 * world.samples_per_bar,
    ]
    assert known.cue_steps == range(bar + 1, 2 * bar + 4)
    assert known.gap_steps(0) == range(2 * bar + 4, 10 * bar)
    assert known.slot_steps(1) == range(12 * bar, 13 * bar)
    assert known.returns == [known.truth.slots[i].returns for i in (0, 1)]


def test_a_corpus_without_truth_has_no_twins(planner: HookedMusicGen, tmp_path: Path) -> None:
    none = Twins.of_corpus(tmp_path, None)
    assert none.planted("piece_0", planner) is None
    assert none.counterfactual(planner, "piece_0", 0) is None


def test_a_corpus_is_read_from_its_folder(
    planner: HookedMusicGen,
    pieces: list[Prefix],
    truths: list[Truth],
    tmp_path: Path,
    repo_root: Path,
) -> None:
    described = repo_root / "models/organism/world.json"
    with pytest.raises(LeitmotifError, match="does not exist"):
        Twins.of_corpus(tmp_path, described)
    write_table(tmp_path / "truth.jsonl", truths)
    read = Twins.of_corpus(tmp_path, described)
    twin = read.counterfactual(planner, "piece_1", 0)
    assert twin is not None
    assert torch.equal(twin, pieces[1].sources["twin"])
    with pytest.raises(CorpusError, match="no slot 2"):
        read.counterfactual(planner, "piece_1", 2)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The sounds of each twin that is rendered from now on."""
    seen: list[object] = []

    def render(*arguments: Any) -> Any:
        seen.append(arguments[1])
        return composer.render(*arguments)

    monkeypatch.setattr("leitmotif.causal.experiment.twins.render", render)
    return seen


def test_a_twin_is_rendered_once_for_all_models(
    planner: HookedMusicGen,
    pieces: list[Prefix],
    truths: list[Truth],
    tmp_path: Path,
    repo_root: Path,
    rendered: list[object],
) -> None:
    described = repo_root / "models/organism/world.json"
    write_table(tmp_path / "truth.jsonl", truths)
    for _ in range(2):
        twin = shared_twins(tmp_path, described).counterfactual(planner, "piece_1", 0)
        assert twin is not None
        assert torch.equal(twin, pieces[1].sources["twin"])
    assert len(rendered) == 1
    write_table(tmp_path / "truth.jsonl", truths[:1])
    assert shared_twins(tmp_path, described).counterfactual(planner, "piece_1", 0) is None


def test_a_twin_is_kept_for_other_processes_and_only_if_the_same_things_decide_it(
    planner: HookedMusicGen,
    truths: list[Truth],
    tmp_path: Path,
    repo_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    rendered: list[object],
) -> None:
    world = load_world(repo_root / "models/organism/world.json")

    def twin(truth: Truth, slot: int = 0) -> Tensor:
        twins = Twins(world, {truth.track_id: truth}, WorkCache(tmp_path))
        codes = twins.counterfactual(planner, truth.track_id, slot)
        assert codes is not None
        return codes

    first = twin(truths[0])
    assert torch.equal(twin(truths[0]), first)
    assert len(rendered) == 1
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])  # damaged
    assert torch.equal(twin(truths[0]), first)
    assert len(rendered) == 2
    assert not torch.equal(twin(truths[1]), first)
    twin(truths[0], 1)
    monkeypatch.setattr("leitmotif.causal.experiment.twins.code_version", lambda name: "another")
    twin(truths[0])
    assert len(rendered) == 5
