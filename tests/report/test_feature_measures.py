"""What the feature pages measure, where the truth is known."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from leitmotif.claims import Horizon
from leitmotif.errors import StoreError
from leitmotif.report.features import words
from leitmotif.report.features.around import BIN_SECONDS, AroundCurves
from leitmotif.report.features.chosen import Ref, choose
from leitmotif.report.features.density import Densities
from leitmotif.report.features.listening import ListenedSound, activity, tracks_of
from leitmotif.report.features.measurement import measure
from leitmotif.report.features.moments import BANDS, TOP, Moments, highest
from leitmotif.report.features.neighbours import vectors
from leitmotif.report.features.places import Places
from leitmotif.report.features.sounds import PROPERTIES, Clock, Links
from tests.report.made_features import (
    FRAMES,
    TIMING,
    candidate,
    coverage,
    label,
    track,
    used,
    write_activity,
    write_track,
)
from tests.tables.made import verdict

HORIZON = Horizon("2-4s", 2.0, 4.0)


def random_activity(rows: int, features: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    on = random.random((rows, features)) < 0.2
    return np.where(on, random.lognormal(size=(rows, features)), 0.0)


# ---- density


def test_density_counts_steps_tracks_and_strengths() -> None:
    parts = [random_activity(500, 3, seed) for seed in range(4)]
    for part in parts[1:]:
        part[:, 2] = 0
    counted = Densities(3)
    for part in parts:
        counted.add(part)
    whole = np.vstack(parts)
    for feature, density in enumerate(counted.result()):
        values = whole[:, feature][whole[:, feature] > 0]
        assert density.share == len(values) / 2000
        assert density.tracks_active == (1 if feature == 2 else 4)
        assert density.largest == values.max()
        for share in (0.1, 0.5, 0.9, 0.99):
            expected = np.quantile(values, share, method="inverted_cdf")
            assert density.quantile(share) == pytest.approx(expected, rel=0.045)
        edges, counts = density.histogram()
        assert counts.tolist() == np.histogram(values, edges)[0].tolist()


# ---- moments


def test_the_highest_places_are_apart() -> None:
    values = np.zeros(100)
    values[[10, 12, 40, 90]] = [5, 4.9, 3, 4]
    assert highest(values, apart=10, most=9) == [10, 90, 40]
    assert highest(np.zeros(5), apart=1, most=3) == []


def test_the_highest_moments_are_of_different_tracks_in_order() -> None:
    tracks = [track(number) for number in range(TOP + 3)]
    parts = []
    for listened in tracks:
        values = np.zeros((FRAMES, 1))
        values[50] = 10 + listened.number
        values[300] = 9.5 + listened.number  # second in its listened, yet higher than others' first
        parts.append(values)
    moments = collected(tracks, parts)[0]
    top = [moment for moment in moments if moment.band is None]
    assert [moment.track for moment in top] == list(range(TOP + 2, 2, -1))
    assert {moment.step for moment in top} == {50}


def test_drawn_moments_lie_in_their_band_and_depend_on_nothing_but_their_feature() -> None:
    tracks = [track(number) for number in range(10)]
    parts = [random_activity(FRAMES, 2, seed) for seed in range(10)]
    both = collected(tracks, parts, numbers=[4, 7])
    alone = collected(tracks, [part[:, 1:] for part in parts], numbers=[7])
    assert both[1] == alone[0]
    values = np.vstack(parts)[:, 1]
    values = values[values > 0]
    drawn = [moment for moment in both[1] if moment.band is not None]
    assert [moment.band for moment in drawn] == [0, 1, 2]
    for moment in drawn:
        assert moment.band is not None
        low, high = np.quantile(values, BANDS[moment.band])
        assert low * 0.95 <= moment.value <= high * 1.05
        assert parts[moment.track][moment.step, 1] == moment.value


def collected(tracks, parts, numbers=(0,)):  # type: ignore[no-untyped-def]
    counted = Densities(parts[0].shape[1])
    for part in parts:
        counted.add(part)
    moments = Moments(numbers, counted.result(), seed=0)
    for listened, part in zip(tracks, parts, strict=True):
        moments.add(listened, part)
    return moments.result()


# ---- around onsets


def curves(tracks, parts):  # type: ignore[no-untyped-def]
    measured = AroundCurves(parts[0].shape[1], ahead_seconds=5.0, context_frames=FRAMES)
    for listened, part in zip(tracks, parts, strict=True):
        measured.add(listened, part)
    for listened, part in zip(tracks, parts, strict=True):
        measured.compare(listened, part)
    return measured.result()


def test_a_feature_that_fires_before_onsets_shows_where_and_a_clock_does_not() -> None:
    tracks = [track(number, onsets=(6.0,) if number % 2 else ()) for number in range(12)]
    instants = TIMING.now(np.arange(FRAMES))
    clock = np.sin(np.arange(FRAMES) / 30) + 1
    parts = []
    for listened in tracks:
        ahead = 6.0 - instants
        foresees = (ahead > 3) & (ahead <= 3.5) & (listened.number % 2 == 1)
        parts.append(np.column_stack([2.0 * foresees, clock]))
    fires, ticks = curves(tracks, parts)
    inside = (fires.seconds > 3) & (fires.seconds < 3.5)
    assert inside.sum() == 2
    assert fires.before[inside] == pytest.approx(2)
    outside = ~inside & np.isfinite(fires.before)
    assert fires.before[outside] == pytest.approx(0)
    assert fires.elsewhere[np.isfinite(fires.elsewhere)] == pytest.approx(0)
    assert np.isfinite(fires.before).all()
    assert ticks.before == pytest.approx(ticks.elsewhere)
    assert fires.tracks.tolist() == [6] * len(fires.seconds)
    assert fires.seconds[1] - fires.seconds[0] == BIN_SECONDS
    assert (fires.sure == inside).all()
    assert not ticks.sure.any()
    assert "3.4 s before an onset: 2 against 0 at the same" in words.onsets(fires)
    assert "(6 and 6 tracks)" in words.onsets(fires)
    assert "nowhere differs significantly" in words.onsets(ticks)


def test_where_every_track_has_an_onset_nothing_is_compared() -> None:
    tracks = [track(number, onsets=(6.0,)) for number in range(4)]
    (around,) = curves(tracks, [random_activity(FRAMES, 1, seed) for seed in range(4)])
    assert np.isnan(around.before).all()
    assert words.onsets(around).startswith("No comparison is possible")
    assert not around.tracks.any()


def test_unknown_tracks_are_left_out() -> None:
    tracks = [track(number, onsets=(6.0,) if number % 2 else ()) for number in range(6)]
    tracks[1] = known_in(tracks[1], [])
    parts = [np.zeros((FRAMES, 1)) for _ in tracks]
    (around,) = curves(tracks, parts)
    assert set(around.tracks.tolist()) == {2}


def test_of_a_track_that_is_partly_known_the_known_part_is_used() -> None:
    tracks = [track(number, onsets=(6.0,) if number % 2 else ()) for number in range(6)]
    tracks[1] = known_in(tracks[1], [(5.0, 7.0)])  # an onset that all is known around
    tracks[3] = known_in(tracks[3], [(0.0, 4.0)])  # a verified one, where others may be missing
    tracks[4] = known_in(tracks[4], [(0.0, 2.0)])
    parts = [np.full((FRAMES, 1), float(listened.number == 4)) for listened in tracks]
    (around,) = curves(tracks, parts)
    assert set(around.tracks.tolist()) == {2}, "of tracks 1 and 5, not of 3"
    assert set(around.tracks_elsewhere.tolist()) == {2}, "tracks 0 and 2"
    assert around.elsewhere == pytest.approx(0.0), "at 6 s of track 4 nothing is known"


def known_in(listened, spans):  # type: ignore[no-untyped-def]
    contexts = [replace(context, known=spans) for context in listened.contexts]
    return replace(listened, contexts=contexts, complete=False)


def test_intervals_of_features_without_foresight_hold_zero_in_nineteen_of_twenty() -> None:
    features, tracks = 300, [track(n, onsets=(6.0,) if n % 2 else ()) for n in range(40)]
    random = np.random.default_rng(0)
    # One level for each track: rows within a track say the same, so that only tracks count.
    parts = [np.tile(random.exponential(size=features), (FRAMES, 1)) for _ in tracks]
    arounds = curves(tracks, parts)
    assert np.mean([around.sure.any() for around in arounds]) < 0.05
    held = np.mean(
        [abs(around.before[9] - around.elsewhere[9]) <= around.half_width[9] for around in arounds]
    )
    assert 0.90 <= held <= 0.98


# ---- places and sounds


def test_places_are_split_by_the_horizon_and_lines_sorted_by_recurrences() -> None:
    tracks = [track(0, onsets=(6.0,)), track(1), track(2, onsets=(6.0,))]
    places = Places(1, 3, horizon=HORIZON, context_frames=FRAMES, frame_rate=50)
    for listened in tracks:
        places.add(listened, np.full((FRAMES, 1), float(listened.number)))
    split = places.by_place(0)
    ahead = np.isfinite(split.ahead)
    assert split.seconds[ahead][[0, -1]] == pytest.approx([1.8, 3.8])  # now is 74 ms later
    assert split.ahead[ahead] == pytest.approx(1.0)  # of tracks 0 and 2
    assert split.share[ahead].max() == pytest.approx(2 / 3)
    assert [line.track.number for line in places.raster(0)] == [1, 0, 2]
    assert len(places.raster(0)[0].values) == FRAMES


def test_links_are_with_the_frame_that_was_heard_last() -> None:
    random = np.random.default_rng(0)
    links = Links(2)
    for number in range(3):
        chroma = random.random((12, FRAMES)).astype(np.float32)
        sound = ListenedSound(
            chroma, np.zeros(FRAMES, np.float32), np.zeros(FRAMES, np.float32), 50
        )
        heard = np.r_[0, chroma[3, :-1]]
        links.add(track(number), sound, np.column_stack([heard, chroma[3]]))
    past, present = links.result()
    assert past[3].name == PROPERTIES[3] == "D♯"
    assert past[3].r == pytest.approx(1)
    assert abs(present[3].r) < 0.1
    assert past[PROPERTIES.index("energy")].r == 0  # constant: no correlation, and no NaN


def test_a_clock_is_told_from_what_changes_from_track_to_track() -> None:
    clock, random = Clock(4, context_frames=FRAMES), np.random.default_rng(0)
    ticks = np.sin(np.arange(FRAMES) / 9)
    for number in range(20):
        noise = random.standard_normal(FRAMES)
        own = np.full(FRAMES, random.standard_normal())
        clock.add(track(number), np.column_stack([ticks, noise, own, ticks + noise / 2**0.5]))
    shares = clock.result()
    assert shares[0] == pytest.approx(1)
    assert shares[1:3] == pytest.approx([0, 0], abs=0.03)
    assert shares[3] == pytest.approx(0.5, abs=0.03)


# ---- neighbours


def test_neighbours_are_the_nearest_decoder_vectors() -> None:
    own, other = used("one", seed=0), used("other", seed=1)
    direction = torch.eye(8)[0]
    own.sae.W_dec[5] = 2 * direction
    for number, share in ((9, 0.95), (3, 0.9)):
        own.sae.W_dec[number] = share * direction + (1 - share**2) ** 0.5 * torch.eye(8)[1]
    own.sae.W_dec[20] = -direction
    other.sae.W_dec[40] = direction
    own.sae.W_enc[:, 5] = torch.eye(8)[0] + torch.eye(8)[2]
    nearest = vectors([own, other], "one", 5, nearest=2)
    assert [near.ref.feature for near in nearest.own_site] == [9, 3]
    assert [near.cosine for near in nearest.own_site] == pytest.approx([0.95, 0.9])
    assert (nearest.opposite.ref, nearest.opposite.cosine) == (Ref("one", 20), pytest.approx(-1))
    assert [near.ref for near in nearest.other_sites] == [Ref("other", 40)]
    assert nearest.encoder_decoder == pytest.approx(0.5**0.5)
    assert nearest.norm == pytest.approx(2)


# ---- which features


def test_the_surest_candidates_come_first_then_what_was_intervened_on() -> None:
    rows = [candidate(2, 8), candidate(1, 7), candidate(3, 9), candidate(1, 5, hook=None)]
    rows.append(candidate(1, 8, horizon="1-3s"))
    tested = [
        verdict(verdict="none"),
        verdict(candidate="a:2 features", hook="a", features=[9, 30]),
    ]
    shown = choose(rows, tested, horizon="4-6s", limit=2)
    assert [feature.ref.feature for feature in shown] == [7, 8, 9, 30]
    assert shown[1].others[0].horizon == "1-3s"
    assert shown[2].tested == [tested[1]]
    assert shown[3].claimed is None
    assert shown[3].site == "layers.1.residual"


# ---- reading


def test_tracks_have_their_recurrences_and_the_first_row_says_nothing(tmp_path: Path) -> None:
    row = write_track(tmp_path, 0, np.zeros(640 * 100))
    row = row.model_copy(
        update={"windows": [w.model_copy(update={"frames": 400}) for w in row.windows]}
    )
    (track,) = tracks_of(
        [row],
        tmp_path / "features",
        [label("track_0", 1.5)],
        [coverage("track_0")],
        timing=TIMING,
        exploratory=False,
    )
    assert track.contexts[0].frames == 100  # as far as the audio reaches
    assert track.contexts[0].onsets.tolist() == [1.5]
    write_activity(tmp_path / "sae", "track_0", np.ones((100, 4)))
    values = activity(tmp_path / "sae", track, [1, 3])
    assert values.shape == (100, 2)
    assert not values[0].any()
    assert values[1:].all()
    write_activity(tmp_path / "sae", "track_0", np.ones((99, 4)))
    with pytest.raises(StoreError, match="99 rows"):
        activity(tmp_path / "sae", track, [1])


def test_memory_does_not_grow_with_the_number_of_tracks(tmp_path: Path) -> None:
    few, many = 4, 40
    rows = [write_track(tmp_path, n, np.zeros(640 * FRAMES)) for n in range(many)]
    for n in range(many):
        write_activity(tmp_path / "sae", f"track_{n}", random_activity(FRAMES, 32, n))
    peaks = []
    for count in (few, many):
        tracks = tracks_of(
            rows[:count],
            tmp_path / "features",
            [label(row.track_id, 6.0) for row in rows[:count:2]],
            [coverage(row.track_id) for row in rows],
            timing=TIMING,
            exploratory=False,
        )
        tracemalloc.start()
        measured = measure(
            [2, 9, 30],
            tracks,
            encoded=tmp_path / "sae",
            features=tmp_path / "features",
            horizon=HORIZON,
            ahead_seconds=5.0,
            seed=0,
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert measured[9].density.tracks == count
    # A track's encoded file alone is 40 kB; its line in the raster, which ends at 100, 5 kB.
    assert peaks[1] - peaks[0] < (many - few) * 10_000, peaks
