"""Settings that are ``auto`` follow from tracks and labels; those that are set stay."""

from collections.abc import Callable
from pathlib import Path

import pytest

from leitmotif.config import Params, load_params
from leitmotif.config.auto import CONTEXT_SECONDS
from leitmotif.feasibility.lengths import known_throughout
from leitmotif.feasibility.pieces import continuable
from leitmotif.feasibility.settled import as_metrics, in_words, settled_folds, settled_lengths
from leitmotif.tables.base import Span
from leitmotif.tables.labels import Label
from leitmotif.timing.frames import AS_MUSICGEN
from tests.status.half_made import RATE, folder_experiment, name, track
from tests.tables.made import label_row

AUTO = (
    "probes.folds=auto",
    "interventions.prefix_seconds=auto",
    "interventions.seconds=auto",
    "interventions.opening_seconds=2.0",
    "interventions.treated_seconds=1.5",
)


@pytest.fixture
def params_of(tmp_path: Path, repo_root: Path) -> Callable[..., Params]:
    def of(*settings: str) -> Params:
        root = tmp_path / "repository"
        folder_experiment(root, repo_root, *settings)
        return load_params(root / "params.yaml")

    return of


def label(number: int, start: float, onset: float = 14.0, seconds: float = 3.0) -> Label:
    motif, recurrence = (
        Span(start_sample=round(at * RATE), samples=round(seconds * RATE)) for at in (start, onset)
    )
    return label_row(
        track_id=name(number),
        sample_rate=RATE,
        motif=motif,
        recurrence=recurrence,
        source="decisions",
        reviewers=["ana"],
    )


@pytest.mark.parametrize(("count", "folds"), [(9, 3), (12, 3), (16, 4), (19, 4), (20, 5), (60, 5)])
def test_folds_are_as_many_as_the_tracks_make(
    count: int, folds: int, params_of: Callable[..., Params]
) -> None:
    tracks = [track(number) for number in range(count)]
    labels = [label(number, 1.0) for number in range(0, count, 2)]
    coverage = [known_throughout(row, "decisions") for row in tracks]
    given = tracks, labels, coverage
    auto = params_of(*AUTO)
    assert settled_folds(auto, *given, timing=AS_MUSICGEN).probes.folds == folds


def test_the_prefix_is_the_shortest_for_most_recordings(params_of: Callable[..., Params]) -> None:
    tracks = [track(number) for number in range(4)]
    labels = [label(0, 1.0), label(1, 4.2), label(2, 4.3), label(3, 20.0)]
    settled = settled_lengths(params_of(*AUTO), tracks, labels)
    lengths = settled.interventions
    assert lengths.prefix_seconds == 7.5  # 4.3 + 3, in half seconds
    assert lengths.seconds == 1.5 + 15.0  # treated, and to the end of the claimed horizon
    assert continuable(settled, tracks, labels) == 3


def test_the_context_bounds_prefix_and_continuation(params_of: Callable[..., Params]) -> None:
    tracks = [track(0)]
    lengths = settled_lengths(params_of(*AUTO), tracks, [label(0, 15.0)]).interventions
    assert lengths.prefix_seconds == 18.0
    assert lengths.prefix_seconds + lengths.opening_seconds + lengths.seconds == CONTEXT_SECONDS


def test_a_prefix_leaves_room_for_a_continuation_that_is_set(
    params_of: Callable[..., Params],
) -> None:
    params = params_of(*AUTO[:2], "interventions.seconds=20.0", *AUTO[3:])
    lengths = settled_lengths(params, [track(0)], [label(0, 1.0), label(0, 15.0)]).interventions
    assert (lengths.prefix_seconds, lengths.seconds) == (4.0, 20.0)
    only_late = settled_lengths(params, [track(0)], [label(0, 15.0)]).interventions
    assert only_late.prefix_seconds == params.interventions.prefix_seconds


def test_what_is_set_stays(params_of: Callable[..., Params]) -> None:
    settings = ("probes.folds=5", "interventions.prefix_seconds=6.0", "interventions.seconds=12.0")
    params = params_of(*settings)
    tracks, labels = [track(0)], [label(0, 15.0)]
    coverage = [known_throughout(tracks[0], "decisions")]
    assert settled_folds(params, tracks, labels, coverage, timing=AS_MUSICGEN) == params
    assert settled_lengths(params, tracks, labels) == params
    assert as_metrics(params, "probes") == as_metrics(params, "interventions") == {}


def test_values_are_recorded_and_said(params_of: Callable[..., Params]) -> None:
    params = settled_lengths(params_of(*AUTO), [track(0)], [label(0, 1.0)])
    assert as_metrics(params, "probes") == {"folds": 5}
    assert as_metrics(params, "interventions") == {"prefix_seconds": 4.0, "seconds": 16.5}
    assert in_words(params, "interventions") == [
        "interventions.prefix_seconds 4",
        "interventions.seconds 16.5",
    ]
