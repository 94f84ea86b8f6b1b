"""Which heads carry a decision: exact where that can be computed, and the organisms' own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from leitmotif.causal.experiment.events import Event, composed_events
from leitmotif.causal.interchange.heads import HeadPaths
from leitmotif.causal.interchange.reader import EventReader
from leitmotif.corpus.organism.world import load_world
from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen, Intervention
from leitmotif.tables.heads import HeadRow
from leitmotif.work.parallel import WORKERS
from tests.causal.test_events import composed
from tests.causal.test_interchange import organism
from tests.other_model import other_model


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKERS, "1")


def events_of(model: HookedMusicGen, count: int) -> list[Event]:
    """Random pieces of 30 frames; steps 6 to 11 decide, and the event is at step 28."""
    random = torch.Generator().manual_seed(1)
    made = []
    for number in range(count):
        codes = torch.randint(64, (4, 29), generator=random)
        other = codes.clone()
        other[:, 5:10] = torch.randint(64, (4, 5), generator=random)
        made.append(
            Event(f"t{number}", 0, number % 2 == 0, codes, other, None, 28, 28, (3, 4),
                  range(14, 28), range(6, 14))
        )  # fmt: skip
    return made


def alone(rows: Sequence[HeadRow], receiver: str) -> dict[str, HeadRow]:
    return {
        row.heads[0]: row for row in rows if row.receiver == receiver and not row.measured_apart
    }


def test_edges_to_the_slot_are_exact_in_the_last_block(exact_model: HookedMusicGen) -> None:
    """Nothing reads what the last block's attention adds there but the event itself."""
    events = events_of(exact_model, 4)
    last = f"layers.{exact_model.num_layers - 1}.self_attention"
    rows = HeadPaths(lambda: exact_model, rows=3).run("tiny", events)
    ranking = [event for event in events if event.track_id in ("t0", "t2")]
    reader = EventReader(exact_model, ranking, [f"{last}.k", f"{last}.v"])
    size = exact_model.width // exact_model.config.heads
    codes = torch.stack([event.codes for event in ranking])
    for head in range(exact_model.config.heads):
        at = slice(head * size, (head + 1) * size)
        edits = []
        for part in "kv":
            x = reader.own.at[f"{last}.{part}"].clone()
            mixed = reader.mixed(f"{last}.{part}", [event.deciding for event in ranking])
            x[..., at] = mixed[..., at]
            edits.append(
                Intervention(f"{last}.{part}", "replace", x, rows=range(2), steps=range(x.shape[1]))
            )
        logits = exact_model(codes, interventions=edits)[:, 0, 28]
        moved = [
            (float(now[3] - now[4]) - own) * (-1 if event.returns else 1)
            for now, own, event in zip(logits, reader.own.odds.tolist(), ranking, strict=True)
        ]
        row = alone(rows, "slot")[f"{last}.head.{head}"]
        assert row.nats.mean == pytest.approx(sum(moved) / 2, abs=2e-3)
        assert row.nats.n == 2


def test_every_head_is_ranked_and_the_first_are_measured_on_other_tracks(
    exact_model: HookedMusicGen,
) -> None:
    rows = HeadPaths(lambda: exact_model).run("tiny", events_of(exact_model, 6))
    heads = {site for site in exact_model.parts if ".head." in site}
    for receiver in ("gap", "slot"):
        of = alone(rows, receiver)
        assert set(of) == heads
        moved = [row.nats.mean for row in of.values()]
        assert moved == sorted(moved, reverse=True)
        together = [row for row in rows if row.receiver == receiver and row.measured_apart]
        order = list(of)
        assert [row.heads for row in together] == [order[: n + 1] for n in range(len(together))]
        assert {row.nats.n for row in together} == {3}


def test_nothing_is_a_share_of_a_total_that_is_not_there(exact_model: HookedMusicGen) -> None:
    """As of a model that does not know the event: chance would be divided by chance."""
    same = [replace(event, counterfactual=event.codes) for event in events_of(exact_model, 6)]
    rows = HeadPaths(lambda: exact_model).run("tiny", same)
    assert {row.share for row in rows} == {None}
    assert {row.nats.mean for row in rows} == {0.0}


def test_batches_do_not_decide(exact_model: HookedMusicGen) -> None:
    events = events_of(exact_model, 6)
    one, four = (HeadPaths(lambda: exact_model, rows=n).run("tiny", events) for n in (1, 4))
    assert one == four


def test_a_model_without_heads_is_refused() -> None:
    with pytest.raises(ModelError, match="blind offers no heads"):
        HeadPaths(other_model).run("blind", [])


def test_two_heads_write_the_decision_into_the_planners_gap_and_one_head_of_the_reader_looks_back(
    repo_root: Path, tmp_path: Path
) -> None:
    by_model = {}
    for name in ("planner", "reader"):
        (tmp_path / name).mkdir()
        model = organism(repo_root, name)
        world = load_world(repo_root / "models/organism/world.json")
        tracks, twins = composed(world, tmp_path / name, 4)
        events = composed_events(model, tracks, tmp_path / name, twins)
        by_model[name] = HeadPaths(lambda model=model: model).run(name, events)

    def together(name: str, receiver: str, count: int) -> float:
        share = next(
            row.share
            for row in by_model[name]
            if row.receiver == receiver and row.measured_apart and len(row.heads) == count
        )
        assert share is not None
        return share

    assert together("planner", "gap", 2) > 0.9
    assert abs(together("planner", "slot", 8)) < 0.05
    assert together("reader", "slot", 1) > 0.9
    assert abs(together("reader", "gap", 8)) < 0.05
