"""Interchange interventions: exact identities, and the organisms' planted truth."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from leitmotif.causal.experiment.effects import effect_of
from leitmotif.causal.experiment.events import Event, composed_events
from leitmotif.causal.interchange.exchange import (
    Exchange,
    ExchangedOdds,
    Interchange,
    StepWindow,
    windows_of,
)
from leitmotif.claims import Claims
from leitmotif.corpus.organism.world import load_world
from leitmotif.errors import ProbeError
from leitmotif.musicgen import HookedMusicGen
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.work.parallel import WORKERS
from tests.causal.test_events import composed
from tests.other_model import other_model
from tests.tables.made import exchanged

CLAIMS = Claims.of_horizons([[1, 3], [3, 5], [5, 7]], minimum_seconds=3.0, alpha=0.05)
TOTAL = Exchange(None, StepWindow("deciding"), "counterfactual")
GAP, AHEAD = StepWindow("ahead", 0.0), StepWindow("ahead", 3.0)


def organism(repo_root: Path, name: str) -> HookedMusicGen:
    return HookedMusicGen.from_pretrained(
        str(repo_root / "models/organism" / name), device="cpu", dtype="float64"
    )


def read(
    model: HookedMusicGen,
    repo_root: Path,
    root: Path,
    sites: list[str],
    windows: list[StepWindow],
    count: int = 8,
) -> tuple[Interchange, ExchangedOdds]:
    tracks, twins = composed(load_world(repo_root / "models/organism/world.json"), root, count)
    events = composed_events(model, tracks, root, twins)
    interchange = Interchange(lambda: model, sites, windows, [AHEAD], rows=5)
    return interchange, interchange.run(events)


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKERS, "1")


def test_the_planner_carries_events_ahead_and_the_reader_does_not(
    repo_root: Path, tmp_path: Path
) -> None:
    sites = ["layers.0.residual", "layers.1.residual"]
    rows: list[InterchangeRow] = []
    for name in ("planner", "reader"):
        (tmp_path / name).mkdir()
        model = organism(repo_root, name)
        interchange, found = read(model, repo_root, tmp_path / name, sites, [GAP, AHEAD])
        rows += found.rows(name, list(interchange.exchanges()))
    # Block 0 hands the event on at 3.0 to 4.0 s, block 1 at 1.0 to 2.4 s.
    assert CLAIMS.leads(rows, model="planner") == {"layers.0.residual": 3.0}
    assert CLAIMS.leads(rows, model="reader") == {}
    of = {(r.model, r.site, r.after, r.donor): r for r in rows if r.slot is None}
    carried = of["planner", sites[0], 3.0, "counterfactual"]
    assert carried.share is not None
    assert carried.share.mean > 0.95
    # The whole counterfactual turns no more events: of some the model was not sure beforehand.
    assert carried.accuracy == of["planner", None, None, "counterfactual"].accuracy
    assert carried.accuracy.mean > 0.5
    assert abs(of["planner", sites[0], 3.0, "control"].nats.mean) < 0.5
    assert abs(of["reader", sites[0], 0.0, "counterfactual"].nats.mean) < 0.5
    total = of["reader", None, None, "counterfactual"]
    assert total.share is not None
    assert total.share.mean == 1.0
    assert total.nats.mean > 5


def test_another_site_is_exchanged_by_an_intervention(repo_root: Path, tmp_path: Path) -> None:
    """All steps of block 0's input are the whole beginning; those of the last block do nothing."""
    model = organism(repo_root, "reader")
    first, last = "layers.0.input", "layers.5.residual"
    _, found = read(model, repo_root, tmp_path, [first, last], [StepWindow("deciding"), GAP], 3)
    for odds in found.odds:
        # The tokens of the gap are the same, so that the gap's input says nothing.
        assert odds[Exchange(first, GAP, "counterfactual")] == pytest.approx(odds[None], abs=1e-9)
        assert odds[Exchange(last, GAP, "counterfactual")] == pytest.approx(odds[None], abs=1e-9)
        exchanged = odds[Exchange(first, StepWindow("deciding"), "counterfactual")]
        assert exchanged == pytest.approx(odds[TOTAL], abs=1e-3)


def test_batches_do_not_decide(tmp_path: Path) -> None:
    """A model of another kind: 12 codebooks, of which the first lags behind by nothing."""
    random = torch.Generator().manual_seed(0)

    def event(number: int, frames: int) -> Event:
        codes = torch.randint(16, (12, frames), generator=random)
        other = codes.clone()
        other[:, 5:10] = torch.randint(16, (12, 5), generator=random)
        gap, onset = range(12, frames - 2), frames - 2
        return Event(
            f"t{number}", 0, number % 2 == 0, codes, other, None, onset, onset, (3, 4), gap,
            range(5, 12),
        )  # fmt: skip

    events = [event(number, 30 + number % 3) for number in range(6)]
    sites = ["layers.0.residual", "layers.0.self_attention"]
    windows = windows_of(events, 25.0, every=0.2)
    found = [Interchange(other_model, sites, windows, [], rows=rows).run(events) for rows in (1, 4)]
    for one, four in zip(*(each.odds for each in found), strict=True):
        assert one.keys() == four.keys()
        assert [one[key] for key in one] == pytest.approx([four[key] for key in one], abs=1e-10)
    # Without a control donor nothing is said of one.
    assert not any(key is not None and key.donor == "control" for key in found[0].odds[0])


def test_windows_reach_as_far_as_the_gap_and_include_the_claims() -> None:
    codes = torch.zeros(1, 200, dtype=torch.long)
    event = Event("x", 0, True, codes, codes, None, 190, 190, (0, 1), range(65, 190), range(30, 65))
    windows = windows_of([event], 50.0, every=1.0, claimed=[1.5, 9.0])
    assert [(w.name, w.after, w.until) for w in windows] == [
        ("deciding", None, None),
        ("between", 0.0, 1.0),
        ("between", 1.0, 2.0),
        ("between", 2.0, 3.0),
        ("ahead", 0.0, None),
        ("ahead", 1.0, None),
        ("ahead", 1.5, None),
        ("ahead", 2.0, None),
    ]
    covered = {step for w in windows[1:4] for step in w.steps(event, 50.0)}
    assert covered == set(event.gap)


def made(moved: dict[str, tuple[bool, float]], total: float = 10.0) -> ExchangedOdds:
    """Events of which ``moved`` has the truth and the change towards the counterfactual."""
    codes = torch.zeros(1, 2, dtype=torch.long)
    key = Exchange("layers.0.residual", AHEAD, "counterfactual")
    control = replace(key, donor="control")
    events, odds = [], []
    for track, (returns, change) in moved.items():
        sign = -1 if returns else 1
        events.append(
            Event(track, 0, returns, codes, codes, codes, 1, 1, (0, 1), range(1), range(1))
        )
        base = -sign * total / 2
        odds.append({None: base, TOTAL: base + sign * total, key: base + sign * change})
        odds[-1][control] = base
    return ExchangedOdds(events, odds)


def test_an_event_counts_as_moved_towards_what_the_counterfactual_would_have_it() -> None:
    moved = {f"t{n}": (n % 2 == 0, 8.0 if n % 2 else 6.0) for n in range(12)}
    exchanged = made(moved)
    key = Exchange("layers.0.residual", AHEAD, "counterfactual")
    (row,) = exchanged.rows("m", [key])
    assert (row.nats.mean, row.nats.n, row.events) == (7.0, 12, 12)
    assert row.share is not None
    assert row.share.mean == 0.7
    assert row.accuracy.mean == 1.0
    assert row.towards is not None
    assert row.away is not None
    assert (row.towards.mean, row.away.mean) == (8.0, 6.0)
    assert CLAIMS.leads([row], model="m") == {"layers.0.residual": 3.0}
    without = row.model_copy(update={"over_control": None})
    assert CLAIMS.leads([without], model="m") == {}


def test_a_model_that_was_wrong_before_is_not_right_by_the_exchange() -> None:
    """A blind model expects the same of both pieces, and so is right of one of them by chance."""
    exchanged = made({f"t{n}": (n % 2 == 0, 0.0) for n in range(8)})
    turned = [{key: -value for key, value in odds.items()} for odds in exchanged.odds]
    wrong = ExchangedOdds(exchanged.events, turned)
    key = Exchange("layers.0.residual", AHEAD, "counterfactual")
    for given in (exchanged, wrong):
        (row,) = given.rows("m", [key])
        assert row.accuracy.mean == 0.0


def test_what_only_takes_events_away_carries_nothing() -> None:
    moved = {f"t{n}": (n % 2 == 0, 8.0 if n % 2 == 0 else 0.0) for n in range(16)}
    (row,) = made(moved).rows("m", [Exchange("layers.0.residual", AHEAD, "counterfactual")])
    assert effect_of({"a": 1.0, "b": 2.0}).interval.low <= row.nats.mean
    assert row.nats.low > 0
    assert CLAIMS.leads([row], model="m") == {}


def test_damage_by_either_donor_is_no_carrier_however_many_sites_are_tried() -> None:
    """Foreign residuals move recorded events both ways, the control's as much as the other's."""
    random, called = np.random.default_rng(0), 0
    for _ in range(100):
        excesses = random.normal(size=(10, 28))
        rows = [
            exchanged(
                site=f"layers.{number}.residual",
                over_control=effect_of({str(n): x for n, x in enumerate(excess)}).row(3),
            )
            for number, excess in enumerate(excesses)
        ]
        called += bool(CLAIMS.leads(rows, model="planner"))
    # By their intervals alone, one of ten excesses lies above 0 in a quarter.
    assert called <= 8


def test_what_touches_events_a_little_carries_nothing() -> None:
    moved = {f"t{n}": (n % 2 == 0, 0.5) for n in range(16)}
    (row,) = made(moved).rows("m", [Exchange("layers.0.residual", AHEAD, "counterfactual")])
    assert row.nats.low > 0
    assert CLAIMS.leads([row], model="m") == {}


def test_one_track_is_no_population() -> None:
    codes = torch.zeros(12, 9, dtype=torch.long)
    event = Event("x", 0, True, codes, codes, None, 8, 8, (0, 1), range(4, 8), range(1, 4))
    with pytest.raises(ProbeError, match="too few tracks have events"):
        Interchange(partial(other_model), ["layers.0.residual"], [GAP], []).run([event])
