"""Which stretches are asked about, in which order, and what is heard with each."""

from leitmotif.review.queue import BATCH, added_items, order
from leitmotif.review.stretches import LONGEST_SOUND_SECONDS, in_order, sound_of, stretches
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tables.decisions import stretch_id
from tests.review.made import decision
from tests.tables.made import manifest_track

RATE = 32000


def track(name: str, *windows: tuple[int, int]) -> ManifestTrack:
    """Return a track of an hour with windows in seconds: start, length."""
    return manifest_track(
        track_id=name,
        sha256=f"{len(name):x}" * 64,
        seconds=3600.0,
        windows=[Window(start_frame=50 * start, frames=50 * length) for start, length in windows],
    )


def test_a_stretch_is_a_window_under_the_id_of_its_samples() -> None:
    made = stretches([track("a", (0, 30), (60, 30))])
    spans = [stretch.span for stretch in made.values()]
    assert spans == [
        Span(start_sample=0, samples=30 * RATE),
        Span(start_sample=60 * RATE, samples=30 * RATE),
    ]
    assert list(made) == [stretch_id("1" * 64, RATE, span) for span in spans]


def test_what_nobody_looked_at_comes_first_and_what_is_pending_last() -> None:
    tracks = [track(name * 3, (0, 30), (30, 30)) for name in "abcdef"]
    tracks = [row.model_copy(update={"sha256": f"{n}" * 64}) for n, row in enumerate(tracks)]
    offered = list(stretches(tracks).values())
    proposed = {"ccc": 2, "ddd": 1, "eee": 1, "fff": 3}
    pending = {"eee": 1, "fff": 1, "ddd": 0}
    by_pair = {stretch.pair: stretch for stretch in offered}
    for reviewer in ("ana", "ben"):
        ordered = [by_pair[pair] for pair in in_order(offered, proposed, pending, reviewer)]
        names = [stretch.track.track_id for stretch in ordered]
        assert set(names[:4]) == {"aaa", "bbb"}
        assert set(names[4:8]) == {"ccc", "ddd"}
        assert set(names[8:]) == {"eee", "fff"}
        starts = [stretch.span.start_sample for stretch in ordered]
        assert starts == [0, 30 * RATE] * 6
        assert names[::2] == names[1::2]


def test_all_that_is_searched_is_heard_with_each_stretch() -> None:
    sounds = {sound_of(stretch) for stretch in stretches([track("a", (5, 30), (90, 30))]).values()}
    (sound,) = sounds
    assert (sound.start_sample, sound.samples) == (5 * RATE, 115 * RATE)


def test_of_a_long_recording_what_ends_with_the_stretch_is_heard() -> None:
    longest = round(LONGEST_SOUND_SECONDS * RATE)
    made = list(stretches([track("a", *((start, 30) for start in range(0, 3600, 30)))]).values())
    for stretch in (made[0], made[50], made[-1]):
        sound = sound_of(stretch)
        assert sound.samples == longest
        assert sound.start_sample <= stretch.span.start_sample
        assert sound.start_sample + longest >= stretch.end


# ---- pairs that people add


def test_added_pairs_have_any_place_among_proposals() -> None:
    proposed = [f"{number:016x}" for number in range(5 * BATCH)]
    added = [f"a{number:015x}" for number in range(50)]
    ordered = order(proposed, "ana", added)
    assert sorted(ordered) == sorted(proposed + added)
    assert [pair for pair in ordered if pair in proposed] == order(proposed, "ana")
    places = [ordered.index(pair) for pair in added]
    assert min(places) < BATCH
    assert max(places) > 4 * BATCH


def test_added_pairs_without_any_proposal_are_asked_about() -> None:
    assert sorted(order([], "ana", ["a", "b"])) == ["a", "b"]


def test_pairs_on_other_recordings_and_old_proposals_are_no_items() -> None:
    row = track("a", (0, 30)).model_copy(update={"sha256": "a" * 64})
    by_hand = decision(proposal_id=None, score=None, p=None, texture=None, number=1)
    old = decision(number=2)
    elsewhere = by_hand.model_copy(update={"audio_sha256": "b" * 64, "pair": "f" * 16})
    made = added_items([by_hand, old, elsewhere], {row.sha256: row})
    assert list(made) == [by_hand.pair]
    (item,) = made.values()
    assert (item.track_id, item.proposal) == ("a", None)  # today's name
    assert (item.motif, item.recurrence) == (by_hand.proposed_motif, by_hand.proposed_recurrence)
