"""The API of stretches and added pairs: what it tells, what it saves, what it refuses."""

import errno
import json
import os
import sqlite3
from typing import Any

import pytest
from starlette.testclient import TestClient

from leitmotif.review import index as index_module
from leitmotif.review import index_rows
from leitmotif.review.log import read_log
from leitmotif.review.session import Session
from leitmotif.tables.corpus import Window
from leitmotif.tables.decisions import pair_id, stretch_id
from tests.review.conftest import Build
from tests.review.made import key
from tests.review.paged import Page, client_of, heard, saved, span

MOTIF, RECURRENCE = span(1, 2), span(9, 2)


def stretches(client: TestClient, reviewer: str = "ana") -> Page:
    return Page(client, reviewer, "stretches")


def test_every_window_of_every_track_is_asked_about(build: Build) -> None:
    windows = [Window(start_frame=0, frames=300), Window(start_frame=300, frames=300)]
    session = Session(build(tracks=2, proposals=1, windows=windows))
    page = stretches(client_of(session))
    asked = []
    while item := page.next():
        asked.append((item["track"]["id"], item["stretch"]))
        assert page.listen(item).status_code == 200
    assert sorted(asked, key=str) == sorted(
        [(f"track_{n}", span(start, 6)) for n in range(2) for start in (0, 6)], key=str
    )
    assert page.state()["progress"]["decided"] == 4
    tracks = [track for track, _ in asked]
    assert tracks == sorted(tracks, key=tracks.index)  # a track's stretches stay together


def test_tracks_of_which_nothing_is_known_come_first(build: Build) -> None:
    session = Session(build(tracks=2, proposals=1, unproposed=2))
    client = client_of(session)
    page, pairs = stretches(client), Page(client)
    decided = pairs.next()
    pairs.decide(decided, "negative")
    asked = []
    while item := page.next(*asked):
        asked.append(item["pair"])
    tracks = [session.material.stretch(pair).track.track_id for pair in asked]
    assert set(tracks[:2]) == {"track_2", "track_3"}
    assert tracks[2] == decided["track"]["id"]


def test_a_listening_is_a_line_with_the_hash_of_what_was_heard(
    client: TestClient, session: Session
) -> None:
    page = stretches(client)
    item = page.next()
    part = span(0.5, 9)
    answer = page.listen(item, "nothing_else", stretch=part, note="quiet")
    assert answer.json()["saved"]["windows"] == {"stretch": part}
    (said,) = heard(session)
    stretch = session.material.stretch(item["pair"])
    assert said.pair == stretch_id(stretch.track.sha256, 32000, stretch.span)
    assert (said.verdict, said.note, said.queue) == ("nothing_else", "quiet", "stretches")
    assert said.stretch.model_dump(include={"start_sample", "samples"}) == part
    clip = session.material.sound(stretch)
    assert said.stretch.sha256 == session.material.clips.sha256(clip, said.stretch, 32000)
    again = client.get(f"{page.api}/items/{item['pair']}").json()["item"]
    assert again["decision"]["verdict"] == "nothing_else"


def test_an_answer_holds_what_is_played_and_drawn(build: Build) -> None:
    windows = [Window(start_frame=0, frames=300), Window(start_frame=400, frames=300)]
    session = Session(build(tracks=1, proposals=1, windows=windows))
    client = client_of(session)
    page = stretches(client)
    item = page.next()
    assert item["recording"]["samples"] == 16 * 32000
    assert item["recording"]["searched"] == [span(0, 6), span(8, 6)]
    sound = item["sound"]
    # All that is searched, with its context: a motif may lie in another stretch.
    assert (sound["start_sample"], sound["samples"]) == (0, 16 * 32000)
    assert len(client.get(f"/clips/{sound['name']}.wav").content) == 44 + 2 * sound["samples"]
    later = page.next(item["pair"])
    assert later["sound"]["name"] == sound["name"]  # one file for a recording
    assert later["view"]["start_sample"] == 4 * 32000
    assert later["alike"]


def test_a_recording_that_ends_a_little_early_can_be_answered(build: Build) -> None:
    """Durations in metadata are rounded."""
    windows = [Window(start_frame=0, frames=820)]
    session = Session(build(tracks=1, proposals=1, windows=windows))  # 16.4 s of 16 s
    page = stretches(client_of(session))
    item = page.next()
    assert item["stretch"] == span(0, 16)
    assert page.listen(item).status_code == 200
    assert heard(session)[0].stretch.samples == 16 * 32000


def test_pairs_that_stand_are_told_with_the_reviewers_own_verdicts_alone(
    client: TestClient, session: Session
) -> None:
    ana, ben = Page(client, "ana"), Page(client, "ben")
    item = ana.next()
    ana.decide(item, "positive")
    ben.decide(item, "negative", note="secret")
    listen_at = item["listen_at"]
    shown = client.get(f"/as/ana/api/stretches/items/{listen_at}").json()["item"]
    assert len(shown["pairs"]) == 3
    assert {pair["pair"]: pair["verdict"] for pair in shown["pairs"]}[item["pair"]] == "positive"
    assert sum(pair["verdict"] is None for pair in shown["pairs"]) == 2
    assert "secret" not in json.dumps(shown)
    assert "negative" not in json.dumps(shown)


@pytest.mark.parametrize(
    ("stretch", "what"),
    [(span(0, 0.5), "too short"), (span(10, 10), "beyond the stretch")],
)
def test_an_impossible_part_is_refused(
    client: TestClient, session: Session, stretch: dict[str, int], what: str
) -> None:
    page = stretches(client)
    answer = page.listen(page.next(), stretch=stretch)
    assert answer.status_code == 422
    assert what in answer.json()["error"]["what"]
    assert heard(session) == []


def test_an_undo_and_a_skip_of_a_stretch(client: TestClient, session: Session) -> None:
    page = stretches(client)
    first = page.next()
    said = page.listen(first, "cannot_tell").json()["saved"]
    assert page.state()["last"]["verdict"] == "cannot_tell"
    assert page.undo(said["key"]).json()["undone"] == first["pair"]
    assert session.index.listened() == []
    assert page.skip(first).status_code == 200
    assert page.next()["pair"] != first["pair"]
    assert page.state()["progress"]["skipped"] == 1


# ---- pairs that people add


def test_an_added_pair_is_a_positive_decision_without_a_proposal(
    client: TestClient, session: Session
) -> None:
    page = stretches(client)
    draft = page.draft("track_0", MOTIF, RECURRENCE).json()["item"]
    assert draft["kind"] == "draft"
    assert saved(session) == []
    answer = page.add("track_0", MOTIF, RECURRENCE, transposition=3, note="clear")
    assert answer.status_code == 200
    (added,) = saved(session)
    track = session.material.item(added.pair).track
    assert track is not None
    assert added.pair == pair_id(
        track.sha256, 32000, added.proposed_motif, added.proposed_recurrence
    )
    assert (added.verdict, added.queue, added.note) == ("positive", "review", "clear")
    assert (added.proposal_id, added.score, added.p, added.texture) == (None,) * 4
    assert added.transposition == 3
    assert added.motif.model_dump(include={"start_sample", "samples"}) == MOTIF
    assert added.motif.sha256 is not None
    assert added.motif.sha256 != added.recurrence.sha256


def test_an_added_pair_comes_to_the_others_like_a_proposal(
    client: TestClient, session: Session
) -> None:
    added = stretches(client).add("track_0", MOTIF, RECURRENCE).json()["saved"]["pair"]
    ana, ben = Page(client, "ana"), Page(client, "ben")
    assert added not in session.overview("ana")["review"].waiting
    assert added in session.overview("ben")["review"].waiting
    assert ben.state()["progress"]["remaining"] == 7
    item = client.get(f"{ben.api}/items/{added}").json()["item"]
    proposed = ana.next()
    assert item.keys() == proposed.keys()
    assert item["kind"] == "pair"
    assert "ana" not in json.dumps(item)
    answer = ben.decide(item, "negative")
    assert answer.json()["scores"] is None
    settling = Page(client, "ben", "disagreements").next()
    assert settling["pair"] == added


def test_an_added_pair_is_undone_from_either_queue(client: TestClient, session: Session) -> None:
    page = stretches(client)
    made = page.add("track_0", MOTIF, RECURRENCE).json()["saved"]
    assert page.state()["last"]["key"] == made["key"]
    answer = page.undo(made["key"]).json()
    # The pair is gone; what is shown again is the stretch in which it lay.
    assert session.material.stretch(answer["undone"]).track.track_id == "track_0"
    assert made["pair"] not in session.material.items()
    made = page.add("track_0", MOTIF, RECURRENCE).json()["saved"]
    assert Page(client).undo(made["key"]).json()["undone"] is None


def test_what_another_reviewer_decided_on_an_undone_pair_stays(
    client: TestClient, session: Session
) -> None:
    page = stretches(client)
    made = page.add("track_0", MOTIF, RECURRENCE).json()["saved"]
    ben = Page(client, "ben")
    ben.decide(client.get(f"{ben.api}/items/{made['pair']}").json()["item"], "positive")
    page.undo(made["key"])
    assert made["pair"] in session.overview("ana")["review"].waiting


@pytest.mark.parametrize(
    ("motif", "recurrence", "what"),
    [
        (span(1, 0.05), span(9, 2), "the motif is too short"),
        (span(1, 2), span(9, 0.05), "the recurrence is too short"),
        (span(1, 2), span(2.5, 2), "before the motif has ended"),
        (span(9, 2), span(1, 2), "before the motif has ended"),
        (span(1, 2), span(15, 2), "the recurrence ends after the recording"),
        (span(1, 2), span(11, 2), "within a section that is searched"),
    ],
)
def test_what_cannot_be_a_pair_is_refused(
    build: Build, motif: dict[str, int], recurrence: dict[str, int], what: str
) -> None:
    session = Session(build(windows=[Window(start_frame=0, frames=600)]))
    page = stretches(client_of(session))
    for answer in (
        page.draft("track_0", motif, recurrence),
        page.add("track_0", motif, recurrence),
    ):
        assert answer.status_code == 422
        error = answer.json()["error"]
        assert what in error["what"]
        assert error["found"]
        assert error["expected"]
    assert saved(session) == []


def test_a_pair_that_stands_is_named(client: TestClient, session: Session) -> None:
    item = Page(client).next()
    motif, recurrence = item["windows"]["motif"], item["windows"]["recurrence"]
    near = {"start_sample": recurrence["start_sample"] + 6400, "samples": recurrence["samples"]}
    answer = stretches(client).add(item["track"]["id"], motif, near)
    assert answer.status_code == 422
    assert "nearly these windows" in answer.json()["error"]["what"]
    there = session.material.item(answer.json()["pair"])
    assert there.track_id == item["track"]["id"]
    assert saved(session) == []


def test_a_pair_in_an_unknown_track_is_refused(client: TestClient) -> None:
    answer = stretches(client).draft("nowhere", MOTIF, RECURRENCE)
    assert answer.status_code == 404


def test_the_transposition_is_estimated_from_the_chroma(client: TestClient) -> None:
    """The tones of a track rise by a semitone every half second."""
    page = stretches(client)
    up = page.draft("track_0", span(0, 2), span(7, 2)).json()["item"]  # 14 semitones: 2
    assert up["transposition"] == 2
    same = page.draft("track_0", span(0, 2), span(12, 2)).json()["item"]
    assert same["transposition"] == 0
    assert same["likeness"]["0"] == 1.0
    given = page.draft("track_0", span(0, 2), span(12, 2), transposition=-4).json()["item"]
    assert given["transposition"] == -4


# ---- faults


@pytest.mark.fault(
    "leitmotif review", "a listening is sent again", outcome="saved once under its key"
)
def test_a_listening_that_is_sent_again_is_saved_once(client: TestClient, session: Session) -> None:
    page = stretches(client)
    item, same = page.next(), key()
    answers = [page.listen(item, key=same).json() for _ in range(3)]
    assert [answer["repeated"] for answer in answers] == [False, True, True]
    assert page.listen(item, "cannot_tell", key=same).status_code == 409
    assert page.listen(item).status_code == 409  # another tab
    assert len(heard(session)) == 1


@pytest.mark.fault(
    "leitmotif review", "an added pair is sent again", outcome="saved once under its key"
)
def test_an_added_pair_that_is_sent_again_is_saved_once(
    client: TestClient, session: Session
) -> None:
    page, same = stretches(client), key()
    answers = [page.add("track_0", MOTIF, RECURRENCE, key=same).json() for _ in range(3)]
    assert [answer["repeated"] for answer in answers] == [False, True, True]
    assert page.add("track_0", MOTIF, span(10, 2), key=same).status_code == 409
    assert page.add("track_0", MOTIF, RECURRENCE).json()["pair"]  # another tab
    assert len(saved(session)) == 1


@pytest.mark.fault(
    "leitmotif review", "full disk, at a listening or an added pair", outcome="said; nothing saved"
)
def test_a_full_disk_is_said_of_listenings_and_pairs(
    client: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = stretches(client)
    item = page.next()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    page.draft("track_0", MOTIF, RECURRENCE)  # the clips are cut
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        answers = [page.listen(item), page.add("track_0", MOTIF, RECURRENCE)]
    for answer in answers:
        assert answer.status_code == 507
        assert "not saved" in answer.json()["error"]["fix"]
    assert read_log(session.sources.decisions / "ana.jsonl").entries == []
    assert page.listen(item).status_code == 200
    assert page.add("track_0", MOTIF, RECURRENCE).status_code == 200


@pytest.mark.fault(
    "leitmotif review", "index locked, at a listening or an added pair", outcome="said"
)
def test_a_locked_index_is_said_of_listenings_and_pairs(
    client: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = stretches(client)
    item = page.next()
    session.index.close()
    monkeypatch.setattr(index_rows, "LOCK_SECONDS", 0.1)
    index = index_module.Index(session.index.database, session.index.decisions)
    session.index = session.material.index = index
    holder = sqlite3.connect(index.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for answer in (page.listen(item), page.add("track_0", MOTIF, RECURRENCE)):
        assert answer.status_code == 503
        assert "locked by another program" in answer.json()["error"]["what"]
    holder.execute("ROLLBACK")
    assert page.listen(item).status_code == 200


@pytest.mark.fault(
    "leitmotif review", "a stretch's recording is missing", outcome="said; absence is refused"
)
def test_absence_is_not_known_of_what_cannot_be_heard(client: TestClient, session: Session) -> None:
    for path in (session.sources.corpus / "audio").iterdir():
        path.unlink()
    page = stretches(client)
    item = page.next()
    assert "does not exist" in item["problem"]["what"]
    assert item["sound"] is None
    answer = page.listen(item, "nothing_else")
    assert answer.status_code == 422
    assert "cannot be heard" in answer.json()["error"]["what"]
    assert page.listen(item, "cannot_tell").status_code == 200
    assert heard(session)[0].stretch.sha256 is None
    assert page.add("track_0", MOTIF, RECURRENCE).status_code == 422


def test_missing_features_leave_the_sound_of_a_stretch(
    client: TestClient, session: Session
) -> None:
    for path in session.sources.features.iterdir():
        path.unlink()
    page = stretches(client)
    item = page.next()
    assert (item["problem"], item["matrix"], item["alike"]) == (None, None, None)
    assert "are not shown" in item["warning"]["what"]
    assert page.draft("track_0", MOTIF, RECURRENCE).json()["item"]["transposition"] == 0


@pytest.mark.fault("leitmotif review", "malformed listenings and pairs", outcome="refused")
@pytest.mark.parametrize(
    "fields", [{"key": "short"}, {"verdict": "positive"}, {"pair": "../x"}, {"extra": 1}]
)
def test_a_malformed_listening_is_refused(
    client: TestClient, session: Session, fields: dict[str, Any]
) -> None:
    page = stretches(client)
    assert page.listen(page.next(), **fields).status_code == 422
    assert page.add("track_0", MOTIF, RECURRENCE, transposition=12).status_code == 422
    pair = {"pair": "0" * 16, "windows": {"motif": MOTIF, "recurrence": RECURRENCE}}
    assert page.decide(pair).status_code == 422  # a verdict on a pair, among the stretches
    assert read_log(session.sources.decisions / "ana.jsonl").entries == []
