"""The search against its definition, and the merging of pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.recurrence.search.pairs import WindowPairs, distinct
from leitmotif.recurrence.search.refine import refine
from leitmotif.recurrence.search.seeds import peaks, seeds
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.recurrence.search.texture import texture_share
from leitmotif.recurrence.search.views import Views, make_views, transposed


def random_views(frames: int, seed: int = 0) -> Views:
    pitch = np.random.default_rng(seed).random((264, frames))
    pitch /= np.linalg.norm(pitch, axis=0)
    return Views(pitch, np.ones((3, frames)), 10.0)


def test_similarities_are_the_means_along_the_diagonals_in_the_best_key() -> None:
    views, search = random_views(150), SearchSettings(lengths=(4.0,), tempo=0.0)
    pairs = peaks(views, search, 10, 20)
    assert len(pairs) > 0
    for n in range(len(pairs)):
        a, b = pairs.motif[n] + np.arange(40), pairs.recurrence[n] + np.arange(40)
        by_key = {
            shift: float(
                np.mean(np.sum(transposed(views.pitch[:, a], shift) * views.pitch[:, b], 0))
            )
            for shift in search.shifts
        }
        assert pairs.similarity[n] == pytest.approx(max(by_key.values()), rel=1e-4)
        assert by_key[int(pairs.transposition[n])] == pytest.approx(max(by_key.values()), rel=1e-4)


@pytest.mark.parametrize("tempo", [1 / 1.08, 1.08])
def test_another_tempo_is_found(tempo: float) -> None:
    views, search = random_views(300), SearchSettings(lengths=(4.0,))
    pitch = views.pitch.copy()
    target = 200 + np.round(np.arange(40) * tempo).astype(int)
    pitch[:, target[0] : target[-1] + 1] = pitch[
        :, 20 + np.round(np.arange(target[-1] - 199) / tempo).astype(int)
    ]
    pairs = peaks(Views(pitch, views.rhythm, 10.0), search, 20, 21)
    best = int(pairs.similarity.argmax())
    assert pairs.recurrence[best] == pytest.approx(200, abs=2)
    assert pairs.tempo[best] == pytest.approx(tempo)


def test_the_shortest_and_the_longest_windows_are_compared_to_the_end() -> None:
    views, search = random_views(150), SearchSettings(lengths=(3.0, 4.0, 6.0), tempo=0.0)
    pairs = peaks(views, search, 0, 150)
    assert set(pairs.frames) == {30, 60}
    for frames in (30, 60):
        assert int(pairs.ends[pairs.frames == frames].max()) > 150 - 4
        some = pairs.taken(pairs.frames == frames)
        for n in range(0, len(some), 50):
            a = some.motif[n] + np.arange(frames)
            b = some.recurrence[n] + np.arange(frames)
            raised = transposed(views.pitch[:, a], int(some.transposition[n]))
            mean = np.mean(np.sum(raised * views.pitch[:, b], 0))
            assert some.similarity[n] == pytest.approx(mean, rel=1e-4)


def test_seeds_of_each_length_are_distinct() -> None:
    views = random_views(300)
    pairs = seeds(views, SearchSettings(lengths=(3.0, 4.0, 6.0), max_texture=1.0))
    for frames in (30, 60):
        some = pairs.taken(pairs.frames == frames)
        assert 0 < len(some) <= 40
        kept = distinct(some.starts, some.ends, overlap=0.4, most=40)
        assert len(kept) == len(some)


pairs = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 30), st.integers(0, 50), st.integers(1, 30)),
    max_size=30,
)


@given(pairs=pairs, overlap=st.floats(0.1, 1.0), most=st.integers(1, 30))
def test_what_is_kept_is_distinct_and_what_is_dropped_repeats_something_better(
    pairs: list[tuple[int, int, int, int]], overlap: float, most: int
) -> None:
    starts = np.array([[a, c] for a, _, c, _ in pairs], float).reshape(-1, 2)
    ends = starts + np.array([[b, d] for _, b, _, d in pairs], float).reshape(-1, 2)

    def repeats(i: int, j: int) -> bool:
        both = np.minimum(ends[i], ends[j]) - np.maximum(starts[i], starts[j])
        either = np.maximum(ends[i], ends[j]) - np.minimum(starts[i], starts[j])
        return bool(np.all(both >= overlap * either - 1e-9))

    kept = list(distinct(starts, ends, overlap=overlap, most=most))
    assert kept == sorted(kept)
    assert len(kept) <= most
    assert not any(repeats(i, j) for i in kept for j in kept if i < j)
    if len(kept) < most:
        dropped = set(range(len(pairs))) - set(kept)
        assert all(any(repeats(i, j) for j in kept if j < i) for i in dropped)


@given(shift=st.integers(-6, 6))
def test_transposing_moves_every_view(shift: int) -> None:
    pitch = np.zeros((264, 1), np.float32)
    for view, start in enumerate((0, 12, 96, 180)):
        pitch[start + (4 if view == 0 else 40)] = 1
    expected = [(4 + shift) % 12, *(start + 40 + shift for start in (12, 96, 180))]
    assert list(np.flatnonzero(transposed(pitch, shift)[:, 0])) == expected


GRID = 2**20


def heard(seconds: float = 16.0) -> Views:
    """Views of noise under a few tones that swell and decay, at 10 frames a second."""
    random = np.random.default_rng(0)
    t = np.arange(round(seconds * 32_000)) / 32_000
    tones = sum(
        np.sin(2 * np.pi * random.uniform(100, 1500) * t) * np.exp(-3 * np.abs(t - start))
        for start in np.arange(0.2, seconds, 0.4)
    )
    audio = 0.05 * tones + 0.01 * random.normal(size=len(t))
    return make_views(audio.astype(np.float32), 32_000, rate=10.0)


def test_views_lie_on_a_grid_on_which_similarities_are_exact() -> None:
    """Summed as whole numbers, and so in any order, the similarities are the same to the bit."""
    views, search = heard(), SearchSettings(lengths=(4.0, 6.0), tempo=0.08)
    for view in (views.pitch, views.rhythm):
        assert (np.rint(view * GRID) == view * GRID).all()
    whole = {
        shift: (transposed(views.pitch, shift) * GRID).astype(np.int64) for shift in search.shifts
    }
    pitch = (views.pitch * GRID).astype(np.int64)

    def similarity(pairs: WindowPairs, n: int) -> float:
        path = np.arange(int(pairs.frames[n]))
        later = pairs.recurrence[n] + np.round(path * pairs.tempo[n]).astype(int)
        raised = whole[int(pairs.transposition[n])][:, pairs.motif[n] + path]
        return int((raised * pitch[:, later]).sum()) / GRID**2 / len(path)

    pairs = peaks(views, search, 0, views.frames)
    exact = pairs.taken(pairs.tempo == 1)
    assert len(exact) > 20
    for n in range(len(exact)):
        assert exact.similarity[n] == similarity(exact, n)
    steady = SearchSettings(lengths=(4.0, 6.0), tempo=0.0)
    refined = refine(views, exact, steady).pairs
    for n in range(0, len(refined), 50):
        assert refined.similarity[n] == similarity(refined, n)


def test_texture_is_the_best_similarity_of_the_windows_apart_over_theirs_together() -> None:
    views = heard()
    search = SearchSettings(lengths=(4.0,), tempo=0.08, min_lag=0.0)
    pairs = peaks(views, search, 0, views.frames)
    # Windows at an edge are judged by one side alone unless they are far apart.
    some = pairs.taken(np.flatnonzero(pairs.recurrence - pairs.motif >= 80)[::7])
    assert len(some) > 10
    assert len(np.unique(some.tempo)) > 1
    path = np.arange(40)
    moves = np.round(np.array([k for k in range(-8, 9) if k]) / 8 * 40).astype(int)
    for n, share in enumerate(texture_share(views, some)):
        tempo, raised = float(some.tempo[n]), transposed(views.pitch, int(some.transposition[n]))

        def alike(motif: int, recurrence: int, tempo: float = tempo, raised=raised) -> float:
            later = np.round(recurrence + path * tempo).astype(int)
            if motif < 0 or later[-1] >= views.frames or recurrence < motif + 40:
                return 0.0
            return float((raised[:, motif + path] * views.pitch[:, later]).sum())

        motif, recurrence = int(some.motif[n]), int(some.recurrence[n])
        by_motif = max(alike(motif + move, recurrence) for move in moves)
        by_recurrence = max(alike(motif, recurrence + move) for move in moves)
        expected = min(by_motif, by_recurrence) / alike(motif, recurrence)
        assert share == np.clip(expected, 0, 1)
