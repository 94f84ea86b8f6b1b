"""Replayed steps: what they draw and capture is what steps that run one by one do."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pretend_graphs import PretendGraphs
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen import (
    GREEDY,
    Generation,
    HookedMusicGen,
    Intervention,
    Replayable,
    Sampling,
)
from leitmotif.musicgen import generate as generation
from leitmotif.musicgen import graphs as graphs_module
from leitmotif.musicgen.graphs import reach_of, segments

WORDS = ["a calm piece", "a happy fast piece with guitar melody", "a sad piece with drums"]
SECONDS = 0.5
"""25 frames, so 28 steps, of which the first is the prefix's."""
RANDOM = torch.Generator().manual_seed(4)
VECTOR = torch.randn(32, generator=RANDOM)
REFUSED = r"(?s)step 2 cannot be replayed.*captur.*layers\.0\.residual.*without Replayable"
STEPWISE = torch.randn(2, 9, 32, generator=RANDOM)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> PretendGraphs:
    """Graphs on the CPU, which attention makes reach 8 steps further from segment to segment."""
    made = PretendGraphs()
    monkeypatch.setattr(generation, "graphs_on", lambda device: made)
    monkeypatch.setattr(graphs_module, "REACH", 8)
    return made


def both(
    model: HookedMusicGen, monkeypatch: pytest.MonkeyPatch, **settings: object
) -> tuple[Generation, Generation]:
    """Generate with graphs and without."""
    replayed = model.generate(**settings)  # type: ignore[arg-type]
    with monkeypatch.context() as patch:
        patch.setattr(model, "use_graphs", False)
        return replayed, model.generate(**settings)  # type: ignore[arg-type]


def same(replayed: Generation, plain: Generation) -> None:
    assert torch.equal(replayed.codes, plain.codes)
    for ours, theirs in (
        (replayed.activations, plain.activations),
        (replayed.unconditional, plain.unconditional),
    ):
        assert list(ours) == list(theirs)
        for site in ours:
            torch.testing.assert_close(ours[site], theirs[site], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(temperature=0.7, top_k=9),
        Sampling(top_k=None, top_p=0.8),
        GREEDY,
    ],
)
@pytest.mark.parametrize("prompts", [None, WORDS])
@pytest.mark.parametrize("held", [0, 11])
def test_replayed_steps_draw_the_same(
    exact_model: HookedMusicGen,
    graphs: PretendGraphs,
    monkeypatch: pytest.MonkeyPatch,
    sampling: Sampling,
    prompts: list[str] | None,
    held: int,
) -> None:
    prefix = torch.randint(64, (3, 4, held), generator=RANDOM) if held else None
    replayed, plain = both(
        exact_model,
        monkeypatch,
        prompts=prompts,
        tracks=["a", "b", "c"],
        prefix=prefix,
        seconds=SECONDS,
        sampling=sampling,
        capture=["layers.1.residual", "layers.0.cross_attention", "layers.1.self_attention.head.1"],
    )
    same(replayed, plain)
    assert graphs.made >= 3
    assert graphs.replayed >= 28 - 4 - graphs.made, "most steps are replayed"


CHANGES: dict[str, Callable[[], Intervention]] = {
    "a vector, always": lambda: Intervention("layers.1.residual", "add", VECTOR, strength=2.0),
    "a vector for some steps": lambda: Intervention(
        "layers.0.residual", "replace", VECTOR, steps=range(5, 23), rows=[1]
    ),
    "vectors by step and row": lambda: Intervention(
        "layers.0.mlp", "add", 3 * STEPWISE, steps=range(10, 19), rows=[2, 0], half="conditional"
    ),
    "a direction": lambda: Intervention("layers.0.self_attention", "project_out", VECTOR),
    "a scale at a head": lambda: Intervention(
        "layers.1.self_attention.head.0", "scale", strength=0.0, steps=range(12, 27)
    ),
    "a function that may be replayed": lambda: Intervention(
        "layers.1.residual", Replayable(lambda x: x.flip(0) * 1.1)
    ),
    "a function that may not": lambda: Intervention(
        "layers.1.residual", lambda x: x * (1 + float(x.mean())), steps=range(9, 14)
    ),
}


@settings(max_examples=25)
@given(
    names=st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=4, unique=True),
    offsets=st.lists(st.integers(0, 40), min_size=3, max_size=3),
)
def test_interventions_act_in_replayed_steps(
    exact_model: HookedMusicGen, names: list[str], offsets: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        graphs = PretendGraphs()
        patch.setattr(generation, "graphs_on", lambda device: graphs)
        patch.setattr(graphs_module, "REACH", 8)
        replayed, plain = both(
            exact_model,
            patch,
            prompts=WORDS,
            seconds=SECONDS,
            interventions=[CHANGES[name]() for name in names],
            position_offset=offsets,
            capture=["layers.1.residual"],
        )
    same(replayed, plain)
    assert graphs.replayed


@pytest.mark.parametrize(("mark", "calls"), [(Replayable, range(2, 14)), (None, range(28, 29))])
def test_a_function_runs_at_every_step_unless_it_may_be_replayed(
    exact_model: HookedMusicGen, graphs: PretendGraphs, mark: type | None, calls: range
) -> None:
    seen: list[Tensor] = []

    def function(x: Tensor) -> Tensor:
        seen.append(x)
        return x

    change = function if mark is None else mark(function)
    exact_model.generate(
        WORDS[0], seconds=SECONDS, interventions=[Intervention("layers.0.residual", change)]
    )
    assert len(seen) in calls
    assert bool(graphs.replayed) == (mark is not None)


def test_what_is_not_a_number_is_named(exact_model: HookedMusicGen, graphs: PretendGraphs) -> None:
    def break_later(x: Tensor) -> Tensor:
        return x / (x - x)

    change = Intervention("layers.0.residual", Replayable(break_later), steps=range(17, 24))
    with pytest.raises(ModelError, match=r"step 17.*layers\.0\.residual made it of numbers"):
        exact_model.generate(WORDS[0], seconds=SECONDS, interventions=[change])
    assert graphs.replayed


@pytest.mark.fault("GPU", "a function that a graph cannot hold", outcome="refused")
def test_a_change_that_a_graph_cannot_hold_fails(
    exact_model: HookedMusicGen, graphs: PretendGraphs
) -> None:
    def look(x: Tensor) -> Tensor:
        return x * 2 if bool((x > 1e9).any()) else x

    change = Intervention("layers.0.residual", Replayable(look))
    with pytest.raises(
        ModelError,
        match=REFUSED,
    ):
        exact_model.generate(WORDS[0], seconds=SECONDS, interventions=[change])


@given(start=st.integers(0, 300), length=st.integers(0, 600), cuts=st.lists(st.integers(0, 1000)))
def test_segments_are_the_steps_and_end_where_something_changes(
    start: int, length: int, cuts: list[int]
) -> None:
    steps = range(start, start + length)
    parts = list(segments(steps, cuts))
    assert [step for part in parts for step in part] == list(steps)
    assert all(parts)
    for part in parts:
        assert not any(part.start < cut < part.stop for cut in cuts)
        assert len({reach_of(step, steps.stop) for step in part}) == 1
        assert reach_of(part[-1], steps.stop) >= part.stop
