"""From measured clips to rows of effects: what could not be heard is counted and left out."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.findings import MeasuresByCondition
from leitmotif.causal.experiment.hearing import ListeningSettings
from leitmotif.causal.experiment.measures import ClipMeasurer, MeasuredClip
from leitmotif.causal.experiment.pieces import Piece, Pieces
from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.runner import ContinuationSettings, Runner
from leitmotif.causal.experiment.targets import WholeSite
from leitmotif.judge.models import Clap
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.store.cache.entries import WorkCache
from leitmotif.tables.interventions import ClipMetrics

BASELINE = Condition("baseline")
LAST = WholeSite("layers.5.residual", torch.zeros(128))
FAR = WholeSite("layers.5.residual", torch.full((128,), 1e200, dtype=torch.float64))
BEYOND = Condition("ablate", "beyond", FAR, 0.0)
PATCH = Condition("patch", "last", LAST, source="twin")


@pytest.fixture(scope="module")
def pieces_of_four(pieces: list[Prefix]) -> Pieces:
    return Pieces([Piece(piece, [], None, 1) for piece in pieces[:4]], "twin", "other")


@pytest.fixture(scope="module")
def measured(
    planner: HookedMusicGen,
    pieces_of_four: Pieces,
    repo_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[MeasuredClip]:
    cache = WorkCache(tmp_path_factory.mktemp("clips"))
    continuation = ContinuationSettings(seconds=2.0, sampling=Sampling(top_k=50))
    clips = Runner(planner, cache, continuation).run(
        pieces_of_four.prefixes, [BASELINE, BEYOND, PATCH]
    )
    clap = Clap.from_pretrained(str(repo_root / "models/organism/judges/clap"), device="cpu")
    return list(ClipMeasurer(planner, clap, ListeningSettings(SearchSettings(), {})).measure(clips))


def with_rates(measured: list[MeasuredClip]) -> list[MeasuredClip]:
    """As if the motif had returned in every patched clip and in no other."""
    return [
        clip
        if clip.excluded
        else replace(
            clip,
            metrics=clip.metrics.model_copy(
                update={"recurrence": float(clip.clip.condition is PATCH)}
            ),
        )
        for clip in measured
    ]


def test_a_run_without_numbers_is_counted_and_is_no_effect(
    measured: list[MeasuredClip], pieces_of_four: Pieces
) -> None:
    measures = MeasuresByCondition(pieces_of_four, BASELINE, with_rates(measured))
    beyond = measures.row(BEYOND, model="planner", name="ablate_ahead")
    assert beyond.excluded == {"non_finite": 4}
    assert beyond.delta_recurrence is beyond.clap_similarity is None
    patch = measures.row(PATCH, model="planner", name="patch_ahead", tested=True)
    assert (patch.model, patch.candidate, patch.name) == ("planner", "last", "patch_ahead")
    assert (patch.condition, patch.site, patch.window) == ("patch", LAST.site, None)
    assert patch.tested
    assert patch.excluded == {}
    assert patch.delta_recurrence
    assert patch.clap_similarity
    assert patch.delta_recurrence.mean == 100
    assert patch.delta_recurrence.n == patch.clap_similarity.n == 4


def test_silence_leaves_the_other_tracks_effect(
    measured: list[MeasuredClip], pieces_of_four: Pieces
) -> None:
    given = with_rates(measured)
    first = next(i for i, clip in enumerate(given) if clip.clip.condition is PATCH)
    given[first] = replace(given[first], metrics=ClipMetrics(), excluded="silent")
    patch = MeasuresByCondition(pieces_of_four, BASELINE, given).row(
        PATCH, model="planner", name="patch_ahead"
    )
    assert patch.excluded == {"silent": 1}
    assert patch.delta_recurrence
    assert patch.loudness_db
    assert patch.delta_recurrence.mean == 100
    assert patch.delta_recurrence.n == patch.loudness_db.n == 3


def test_a_baseline_that_cannot_be_heard_takes_its_track_along(
    measured: list[MeasuredClip], pieces_of_four: Pieces
) -> None:
    track = pieces_of_four.pieces[0].prefix.track_id
    given = [
        replace(clip, metrics=ClipMetrics(), excluded="silent")
        if clip.clip.prefix.track_id == track and clip.clip.condition is BASELINE
        else clip
        for clip in with_rates(measured)
    ]
    measures = MeasuresByCondition(pieces_of_four, BASELINE, given)
    baseline = measures.row(BASELINE, model="planner", name="baseline")
    assert baseline.excluded == {"silent": 1}
    patch = measures.row(PATCH, model="planner", name="patch_ahead")
    assert patch.delta_recurrence
    assert patch.delta_recurrence.n == 3


def test_clips_that_come_out_otherwise_than_their_baselines_are_counted(
    measured: list[MeasuredClip], pieces_of_four: Pieces
) -> None:
    given = [
        replace(clip, clip=replace(clip.clip, codes=clip.clip.codes.roll(1, dims=-1)))
        if clip.clip.condition is PATCH
        else clip
        for clip in measured
    ]
    measures = MeasuresByCondition(pieces_of_four, BASELINE, given)
    assert measures.changed(BASELINE) == 0
    row = measures.row(PATCH, model="planner", name="patch_ahead")
    assert (row.clips, row.changed) == (4, 4)


def test_without_pieces_rows_say_that_nothing_was_measured() -> None:
    nothing = MeasuresByCondition(Pieces([], "twin", "other"), BASELINE, [])
    row = nothing.row(PATCH, model="planner", name="patch_ahead")
    assert (row.clips, row.changed, row.excluded) == (0, 0, {})
    assert row.delta_recurrence is row.towards_source is row.clap_similarity is None
