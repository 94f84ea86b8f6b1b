from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.config import ManifestParams
from leitmotif.corpus.manifest import REASONS, judge_track, select, windows
from leitmotif.corpus.sources.metadata import metadata_path, read_checksums, read_tags
from leitmotif.tables.corpus import CorpusTrack, Exclusion, Licence, ManifestTrack, Window
from leitmotif.timing.frames import whole_frames

RULES = ManifestParams(
    tracks=100,
    min_seconds=40.0,
    required_tag_prefixes=["instrument---"],
    excluded_tag_words=["voice", "vocal"],
    require_licence=True,
    window_seconds=30.0,
    windows="first",
)
LICENCE = Licence(name="CC BY 3.0", url=None, attribution=None)


def track(
    *,
    number: int = 1,
    seconds: float | None = 60.0,
    tags: tuple[str, ...] = ("instrument---piano",),
    licence: Licence | None = LICENCE,
) -> CorpusTrack:
    return CorpusTrack(
        track_id=f"track_{number}",
        path=f"audio/{number}.mp3",
        sha256="0" * 64,
        bytes=1,
        seconds=seconds,
        tags=list(tags),
        licence=licence,
    )


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (track(), None),
        (track(seconds=40.0), None),
        (track(seconds=39.99), "too_short"),
        (track(seconds=None), "unknown_duration"),
        (track(licence=None), "no_licence"),
        (track(tags=()), "no_required_tag"),
        (track(tags=("mood/theme---calm",)), "no_required_tag"),
        (track(tags=("instrument---piano", "instrument---voice")), "excluded_tag"),
        (track(tags=("instrument---piano", "genre---Vocaloid")), "excluded_tag"),
        (track(tags=("instrument---voice",), seconds=1.0, licence=None), "excluded_tag"),
        (track(tags=(), seconds=None), "no_required_tag"),
    ],
)
def test_each_rule(candidate: CorpusTrack, reason: str | None) -> None:
    verdict = judge_track(candidate, RULES)
    if reason is None:
        assert isinstance(verdict, ManifestTrack)
    else:
        assert isinstance(verdict, Exclusion)
        assert (verdict.track_id, verdict.reason) == (candidate.track_id, reason)


def test_rules_that_ask_for_nothing_leave_out_nothing() -> None:
    lenient = ManifestParams(
        tracks=1,
        min_seconds=0.001,
        required_tag_prefixes=[],
        excluded_tag_words=[],
        require_licence=False,
        window_seconds=30.0,
        windows="first",
    )
    assert isinstance(
        judge_track(track(tags=(), licence=None, seconds=0.5), lenient), ManifestTrack
    )
    assert isinstance(judge_track(track(seconds=0.019), lenient), Exclusion)


CORPORA = st.lists(
    st.builds(
        track,
        seconds=st.none() | st.floats(min_value=0, max_value=400),
        tags=st.sampled_from(
            [(), ("instrument---piano",), ("instrument---voice",), ("mood/theme---calm",)]
        ),
        licence=st.sampled_from([None, LICENCE]),
    ),
    max_size=30,
).map(
    lambda rows: [
        row.model_copy(update={"track_id": f"track_{number}"}) for number, row in enumerate(rows)
    ]
)


@given(corpus=CORPORA, wanted=st.integers(min_value=1, max_value=40), mode=st.booleans())
def test_every_track_is_accounted_for_once_and_in_order(
    corpus: list[CorpusTrack], wanted: int, mode: bool
) -> None:
    rules = RULES.model_copy(update={"tracks": wanted, "windows": "all" if mode else "first"})
    chosen = select(corpus, rules)
    assert chosen.eligible + len(chosen.excluded) == len(corpus)
    assert sum(chosen.counts().values()) == len(chosen.excluded)
    assert tuple(chosen.counts()) == REASONS
    excluded = {row.track_id for row in chosen.excluded}
    eligible = [row.track_id for row in corpus if row.track_id not in excluded]
    assert len(eligible) == chosen.eligible
    assert [row.track_id for row in chosen.tracks] == eligible[:wanted]
    # A larger number only adds tracks at the end.
    more = select(corpus, rules.model_copy(update={"tracks": wanted + 1}))
    assert more.tracks[:wanted] == chosen.tracks


@given(
    frames=st.integers(min_value=1, max_value=10_000),
    seconds=st.floats(min_value=1, max_value=30),
)
def test_windows_cover_the_track_without_gap_or_overlap(frames: int, seconds: float) -> None:
    rules = RULES.model_copy(update={"window_seconds": seconds, "windows": "all"})
    chosen = windows(frames, rules)
    position = 0
    for window in chosen:
        assert window.start_frame == position
        position += window.frames
    assert frames - 50 < position <= frames
    assert all(window.frames == whole_frames(seconds, 50) for window in chosen[:-1])
    assert all(window.frames <= whole_frames(seconds, 50) for window in chosen)
    assert len(chosen) == 1 or chosen[-1].frames >= 50
    assert windows(frames, rules.model_copy(update={"windows": "first"})) == chosen[:1]


def test_windows_of_known_lengths() -> None:
    every = RULES.model_copy(update={"windows": "all"})
    assert windows(3049, every) == [
        Window(start_frame=0, frames=1500),
        Window(start_frame=1500, frames=1500),
    ]
    assert windows(3050, every)[2] == Window(start_frame=3000, frames=50)
    assert windows(416, every) == [Window(start_frame=0, frames=416)]


@given(frames=st.integers(min_value=0, max_value=10**6))
def test_whole_frames_survive_the_division_to_seconds(frames: int) -> None:
    assert whole_frames(frames * 640 / 32_000, 50) == frames
    assert whole_frames((frames * 640 + 639) / 32_000, 50) == frames


def test_the_first_shard_of_the_real_data_set_has_a_hundred_tracks(shared_data: Path) -> None:
    """The official tags and durations, as if every track had a licence."""
    folder = shared_data / "mtg_jamendo"
    sums = read_checksums(folder / "autotagging_moodtheme_audio-low_sha256_tracks.txt")
    shard = {metadata_path(name) for name in sums if name.startswith("00/")}
    tagged = [row for row in read_tags(folder / "autotagging_instrument.tsv") if row.path in shard]
    corpus = [
        CorpusTrack(
            track_id=row.track_id,
            path=f"audio/{row.path}",
            sha256="0" * 64,
            bytes=1,
            seconds=row.seconds,
            tags=list(row.tags),
            licence=LICENCE,
        )
        for row in tagged
    ]
    corpus += [track(number=number, tags=()) for number in range(len(shard) - len(tagged))]
    chosen = select(corpus, RULES)
    assert chosen.eligible == 115
    assert len(chosen.tracks) == 100
    assert chosen.counts() == {
        "excluded_tag": 3,
        "no_required_tag": 82,
        "unknown_duration": 0,
        "too_short": 2,
        "no_licence": 0,
        "duplicate": 0,
    }
    assert all(row.windows == [Window(start_frame=0, frames=1500)] for row in chosen.tracks)


def test_of_equal_recordings_the_first_eligible_one_is_used() -> None:
    copies = [
        track(number=1, licence=None),
        track(number=2).model_copy(update={"duplicate_of": "track_1"}),
        track(number=3).model_copy(update={"duplicate_of": "track_1"}),
        track(number=4),
    ]
    chosen = select(copies, RULES)
    assert [row.track_id for row in chosen.tracks] == ["track_2", "track_4"]
    assert [(row.track_id, row.reason) for row in chosen.excluded] == [
        ("track_1", "no_licence"),
        ("track_3", "duplicate"),
    ]
    assert "track_2" in chosen.excluded[1].detail
