"""Counts of work against what the shipped experiment did."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from leitmotif.lens.pairs import COLUMNS
from leitmotif.plan.scale import Scale
from leitmotif.plan.work import work_of


def test_conditions_are_those_that_the_shipped_experiment_ran(
    scale_of: Callable[..., Scale],
) -> None:
    scale = scale_of("organism")
    rows = [json.loads(line) for line in Path("data/effects.jsonl").read_text().splitlines()]
    counts = Counter(row["model"] for row in rows)
    assert counts["planner"] == scale.conditions(of_features=True)
    assert counts["reader"] == counts["blind"] == scale.conditions(of_features=False)
    # Candidates share their local control, so that its clips are made once.
    shared = scale.pieces * scale.params.interventions.candidates
    clips = [scale.clips(of_features=name == "planner") for name in counts]
    metrics = json.loads(Path("metrics/interventions.json").read_text())
    assert metrics["clips"] == sum(clips) - shared
    assert sum(clips) == sum(row["clips"] for row in rows)


def test_interchange_exchanges_at_as_many_windows(scale_of: Callable[..., Scale]) -> None:
    scale = scale_of("organism")
    rows = [json.loads(line) for line in Path("data/interchange.jsonl").read_text().splitlines()]
    of_site = [
        row
        for row in rows
        if (row["model"], row["site"], row["slot"]) == ("planner", "layers.5.residual", None)
    ]
    # Nothing is computed after the last block, so only the three readings of its events count.
    last = scale_of("organism", "activations.sites=[layers.5.residual]")
    first = scale_of("organism", "activations.sites=[layers.2.residual]")
    contexts = [work_of(one)["interchange"].reading[0].contexts for one in (last, first)]
    events = scale.params.interchange.tracks * 2 * len(scale.models)
    assert contexts[0] == 3 * events
    assert contexts[1] - contexts[0] == pytest.approx(events * len(of_site) / 2)


def test_lens_and_swaps_hear_as_many_clips(scale_of: Callable[..., Scale]) -> None:
    works = work_of(scale_of("organism"))
    # 10 concepts with 6 prompts; 6 layers as they are and 5 mapped, read; and 5 of either, alone.
    assert works["decoderlens"].tagged_clips == 60 * (6 + 5 + 2 * 5)
    assert works["swaps"].generating[0].halves == 2
    prompts = work_of(scale_of("organism", "swaps.prompts=4"))
    assert prompts["swaps"].tagged_clips == 2 * works["swaps"].tagged_clips


def test_a_row_of_pairs_has_one_prompt_and_spans_multiply_the_clips(
    scale_of: Callable[..., Scale], tmp_path: Path
) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(f"{','.join(COLUMNS)}\na piano,a trumpet,Piano,Trumpet\n", encoding="utf-8")
    settings = (f"swaps.pairs={path}", "swaps.controls=[]")
    work = work_of(scale_of("organism", *settings, "swaps.prompts=9"))["swaps"]
    cells = 4 * (6 + 1) * 2
    assert work.tagged_clips == 2 + cells
    more = ("swaps.spans=[[0.0, 0.4], [0.4, 0.8]]", "swaps.groups=[[0, 1]]")
    assert work_of(scale_of("organism", *settings, *more))["swaps"].tagged_clips == 2 + 2 * (
        cells + 4 * 2
    )


def test_pieces_of_recordings_are_made_first(scale_of: Callable[..., Scale]) -> None:
    scale = scale_of("musicgen-small")
    settings, works = scale.params.interventions, work_of(scale)
    work, first = works["interventions"], works["interchange"]
    (made, tried), (measured,) = first.generating, work.generating
    assert first.heard_clips == tried.clips
    assert made.clips == settings.tracks * settings.openings
    assert tried.clips == made.clips * settings.opening_trials
    assert measured.prefix_frames == 50 * (settings.prefix_seconds + settings.opening_seconds)
    assert measured.steps == 50 * settings.seconds + 3
    assert work.heard_clips == scale.clips(of_features=True)  # what trials say is kept
    assert 0 < work.repeated < 1


def test_events_of_recordings_are_read_with_both_endings(scale_of: Callable[..., Scale]) -> None:
    few, many = (
        work_of(scale_of("musicgen-small", f"interventions.tracks={tracks}"))["interchange"]
        for tracks in (20, 40)
    )
    # Two events with two endings each, and three readings of each.
    assert few.reading[-1].contexts > 20 * 4 * 3
    assert many.reading[-1].contexts == 2 * few.reading[-1].contexts


def test_longer_contexts_and_more_tracks_are_more_work(scale_of: Callable[..., Scale]) -> None:
    whole, half = scale_of("musicgen-small"), scale_of("musicgen-small", "manifest.tracks=50")
    assert work_of(whole)["activations"].encoded_seconds == 3000
    assert work_of(half)["activations"].encoded_seconds == 1500
    every = scale_of("musicgen-small", "manifest.windows=all")
    assert every.contexts == 9 * whole.contexts
    few = scale_of("organism", "corpus.pieces=40")
    assert few.tracks == 40


def test_guidance_doubles_the_rows(scale_of: Callable[..., Scale]) -> None:
    without = work_of(scale_of("musicgen-small"))["summary"].generating[0]
    prompted = work_of(scale_of("musicgen-small", "activations.prompt=tags"))["summary"]
    assert (without.halves, prompted.generating[0].halves) == (1, 2)
