"""The count of pieces is that of the rule by which the interventions take recordings."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.causal.experiment import pieces
from leitmotif.claims import Claims
from leitmotif.config import Params, load_params
from leitmotif.errors import ProbeError
from leitmotif.feasibility.pieces import continuable
from leitmotif.tables.base import Span
from leitmotif.tables.labels import Label
from tests.status.half_made import RATE, folder_experiment, name, track
from tests.tables.made import label_row

COUNT = 4
WINDOWS = st.tuples(st.integers(0, COUNT - 1), st.integers(0, 80), st.integers(5, 80))


@dataclass(frozen=True)
class Codec:
    """Encodes nothing: no audio is read."""

    sample_rate: int = RATE


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Params:
    root = tmp_path_factory.mktemp("folder") / "repository"
    folder_experiment(root, repo_root, "interventions.tracks=3")
    return load_params(root / "params.yaml")


def label(number: int, start: float, seconds: float) -> Label:
    motif = Span(start_sample=round(start * RATE), samples=round(seconds * RATE))
    return label_row(
        track_id=name(number),
        sample_rate=RATE,
        motif=motif,
        recurrence=Span(start_sample=20 * RATE, samples=motif.samples),
        source="decisions",
        reviewers=["ana"],
    )


@given(windows=st.lists(WINDOWS, max_size=6))
def test_it_is_the_rule_of_the_interventions(
    params: Params, windows: list[tuple[int, int, int]]
) -> None:
    tracks = [track(number) for number in range(COUNT)]
    labels = [label(number, start / 10, length / 10) for number, start, length in windows]
    assert continuable(params, tracks, labels) == taken(params, labels)


def test_tracks_that_cannot_be_continued_take_no_place(params: Params) -> None:
    """Of four labelled tracks three are asked for, and the first has its motif too late."""
    labels = [label(0, 8.5, 1.0), *(label(number, 0.0, 1.0) for number in range(1, COUNT))]
    params = params.model_copy(
        update={"interventions": params.interventions.model_copy(update={"prefix_seconds": 8.0})}
    )
    assert continuable(params, [track(number) for number in range(COUNT)], labels) == 3
    assert taken(params, labels) == 3


def taken(params: Params, labels: list[Label]) -> int:
    """How many recordings the interventions take, as their study calls the rule."""
    settings = params.interventions
    labelled = {row.track_id for row in labels}
    tracks = [row for row in map(track, range(COUNT)) if row.track_id in labelled]
    heard = settings.seconds - settings.treated_seconds - Claims.of(params.probes).claimed.after
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "prefix_of", lambda *_, **__: None)
        try:
            rows = pieces.recordings_with_motifs(
                Codec(),  # type: ignore[arg-type]
                tracks,
                Path(),
                labels,
                most=settings.tracks,
                seconds=settings.prefix_seconds,
                longest=heard,
                prompt=False,
            )
        except ProbeError:
            return 0
    return len(rows)
