"""The page's API: what it tells, what it saves, and how it says what went wrong."""

import errno
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from leitmotif.files import write_table
from leitmotif.review import index as index_module
from leitmotif.review import index_rows
from leitmotif.review.log import read_log
from leitmotif.review.session import Session
from tests.review.conftest import Build
from tests.review.made import key
from tests.review.paged import Page, client_of, saved


def test_a_queue_is_labelled_to_its_end(client: TestClient, session: Session) -> None:
    page = Page(client)
    verdicts = ["positive", "negative", "ambiguous", "rejected", "positive", "negative"]
    heard = []
    for verdict in verdicts:
        item = page.next()
        heard.append(item["pair"])
        assert page.decide(item, verdict, note="n").status_code == 200
    assert page.next() is None
    assert page.state()["progress"]["decided"] == 6
    assert page.state()["progress"]["remaining"] == 0
    decisions = saved(session)
    assert [decision.verdict for decision in decisions] == verdicts
    assert [decision.pair for decision in decisions] == heard
    assert len(set(heard)) == 6
    for decided in decisions:
        clip = session.material.clips.clip(
            session.material.item(decided.pair).track,
            decided.proposed_motif,
            decided.sample_rate,  # type: ignore[arg-type]
        )
        assert decided.motif.sha256 == session.material.clips.sha256(
            clip, decided.motif, decided.sample_rate
        )
        assert decided.note == "n"
        assert decided.versions.leitmotif


def test_an_answer_holds_what_the_page_draws(client: TestClient) -> None:
    item = Page(client).next()
    for name in ("motif", "recurrence"):
        clip, window = item["clips"][name], item["windows"][name]
        assert clip["start_sample"] <= window["start_sample"]
        assert clip["samples"] >= window["samples"]
        assert clip["chroma"]["frames"] * 640 >= clip["samples"]
        answer = client.get(f"/clips/{clip['name']}.wav")
        assert answer.headers["content-type"] == "audio/wav"
        assert answer.content[:4] == b"RIFF"
        assert len(answer.content) == 44 + 2 * clip["samples"]
    matrix = client.get(f"/matrix/{item['track']['id']}/0").content
    assert len(matrix) == 384 * 384


def test_scores_are_hidden_until_the_decision(client: TestClient, session: Session) -> None:
    page = Page(client)
    item = page.next()
    assert item["scores"] is None
    assert {"score", "texture", "rank", "proposal_id", "p"}.isdisjoint(item)
    answer = page.decide(item).json()
    assert answer["scores"]["score"] == session.material.item(item["pair"]).proposal.score
    session.show_scores = True
    assert page.next()["scores"]["p"] == 0.01


def test_nudged_windows_are_saved_with_the_proposed_ones(
    client: TestClient, session: Session
) -> None:
    page = Page(client)
    item = page.next()
    moved = {"start_sample": 640, "samples": 31360}
    assert page.decide(item, motif=moved).status_code == 200
    (decided,) = saved(session)
    assert (decided.motif.start_sample, decided.motif.samples) == (640, 31360)
    assert (decided.proposed_motif.start_sample, decided.proposed_motif.samples) == (0, 32000)
    assert decided.recurrence.sha256 != decided.motif.sha256


@pytest.mark.parametrize(
    ("window", "what"),
    [
        ({"start_sample": 0, "samples": 100}, "too short"),
        ({"start_sample": 0, "samples": 32000 * 6}, "moved too far"),
        ({"start_sample": 32000 * 9, "samples": 32000}, "moved too far"),
    ],
)
def test_an_impossible_window_is_refused(
    client: TestClient, session: Session, window: dict[str, int], what: str
) -> None:
    page = Page(client)
    answer = page.decide(page.next(), motif=window)
    assert answer.status_code == 422
    assert what in answer.json()["error"]["what"]
    assert saved(session) == []


def test_an_undo_is_a_further_line(client: TestClient, session: Session) -> None:
    page = Page(client)
    item = page.next()
    decided = page.decide(item, "negative").json()["saved"]
    answer = page.undo(decided["key"]).json()
    assert answer["undone"] == item["pair"]
    assert page.state()["last"] is None
    assert page.next()["pair"] == item["pair"]
    entries = read_log(session.sources.decisions / "ana.jsonl").entries
    assert [entry.action for entry in entries] == ["decide", "undo"]
    assert page.undo(decided["key"]).status_code == 409
    assert page.undo(key()).status_code == 404


def test_a_skipped_item_comes_again_at_the_end(client: TestClient) -> None:
    page = Page(client)
    first = page.next()
    assert page.skip(first).status_code == 200
    assert page.next()["pair"] != first["pair"]
    assert page.state()["progress"]["skipped"] == 1
    for _ in range(5):
        page.decide(page.next())
    assert page.next()["pair"] == first["pair"]


def test_a_request_that_is_sent_again_is_saved_once(client: TestClient, session: Session) -> None:
    page = Page(client)
    item, same = page.next(), key()
    answers = [page.decide(item, key=same).json() for _ in range(3)]
    assert [answer["repeated"] for answer in answers] == [False, True, True]
    assert len(saved(session)) == 1


def test_a_repeated_request_is_known_though_the_item_is_gone(
    client: TestClient, session: Session
) -> None:
    page = Page(client)
    item, same = page.next(), key()
    assert page.decide(item, key=same).status_code == 200
    write_table(session.sources.proposals, [])
    answer = page.decide(item, key=same).json()
    assert answer["repeated"]
    assert answer["saved"]["pair"] == item["pair"]
    other = page.decide(item, "negative", key=same)
    assert other.status_code == 409
    assert len(saved(session)) == 1


def test_a_window_is_not_moved_beyond_the_recording(build: Build) -> None:
    session = Session(build(tracks=1, proposals=1, seconds=8))  # the recurrence lasts from 6 to 7 s
    page = Page(client_of(session))
    item = page.next()
    beyond = {"start_sample": 7 * 32000 + 16000, "samples": 32000}
    answer = page.decide(item, recurrence=beyond)
    assert answer.status_code == 422
    assert "out of its clip" in answer.json()["error"]["what"]
    assert saved(session) == []


def test_a_second_tab_is_told(client: TestClient, session: Session) -> None:
    page = Page(client)
    item = page.next()
    page.decide(item, "positive")
    answer = page.decide(item, "negative")
    assert answer.status_code == 409
    error = answer.json()["error"]
    assert "decided this item already" in error["what"]
    assert error["found"] == "positive"
    assert len(saved(session)) == 1
    again = client.get(f"{page.api}/items/{item['pair']}").json()["item"]
    assert again["decision"]["verdict"] == "positive"


# ---- two reviewers


def test_reviewers_are_blind_until_they_disagree(client: TestClient) -> None:
    ana, ben = Page(client, "ana"), Page(client, "ben")
    item = ana.next()
    ana.decide(item, "positive", note="secret")
    assert ben.state()["progress"] == {
        "decided": 0,
        "remaining": 6,
        "skipped": 0,
        "per_minute": None,
        "seconds_left": None,
    }
    answers = json.dumps([client.get(f"{ben.api}/items/{item['pair']}").json(), ben.state()])
    assert "secret" not in answers
    assert "ana" not in answers
    ben.decide(item, "negative")
    assert ben.state()["waiting"] == {"review": 5, "disagreements": None, "stretches": 2}
    settling = Page(client, "ben", "disagreements")
    shown = settling.next()
    assert shown["pair"] == item["pair"]
    assert shown["others"] == [
        {"reviewer": "ana", "verdict": "positive", "note": "secret"},
        {"reviewer": "ben", "verdict": "negative", "note": ""},
    ]
    assert settling.state()["waiting"] == {"review": 5, "disagreements": 1, "stretches": 2}
    assert settling.decide(shown, "positive").status_code == 200
    assert settling.state()["waiting"] == {"review": 5, "disagreements": 0, "stretches": 2}
    assert ana.state()["progress"]["decided"] == 1


def test_first_and_second_decisions_stay_apart(client: TestClient, session: Session) -> None:
    ana, ben = Page(client, "ana"), Page(client, "ben")
    settling = Page(client, "eva", "disagreements")
    item = ana.next()
    ana.decide(item, "positive")
    answer = settling.decide(item, "negative")
    assert answer.status_code == 422
    assert "no disagreement" in answer.json()["error"]["what"]
    ben.decide(item, "negative")
    assert settling.decide(item, "negative").status_code == 200
    answer = Page(client, "eva").decide(item, "negative")
    assert answer.status_code == 422
    assert "know what the others said" in answer.json()["error"]["what"]
    assert len(saved(session, "eva")) == 1


# ---- what goes wrong is said


def test_an_empty_queue_is_said(build: Build) -> None:
    session = Session(build(proposals=0))
    page = Page(client_of(session))
    assert page.next() is None
    assert page.state()["proposals"] == 0


@pytest.mark.fault("leitmotif review", "a recording is missing", outcome="said; can be rejected")
def test_missing_audio_is_said_and_can_be_rejected(client: TestClient, session: Session) -> None:
    for path in (session.sources.corpus / "audio").iterdir():
        path.unlink()
    page = Page(client)
    item = page.next()
    assert "does not exist" in item["problem"]["what"]
    assert item["clips"] is None
    answer = page.decide(item, "positive")
    assert answer.status_code == 422
    assert "only be rejected or skipped" in answer.json()["error"]["what"]
    assert page.decide(item, "rejected").status_code == 200
    (decided,) = saved(session)
    assert (decided.motif.sha256, decided.motif.samples) == (None, 32000)


def test_a_window_beyond_the_file_is_said(build: Build) -> None:
    session = Session(build(tracks=1, proposals=1, seconds=6))
    item = Page(client_of(session)).next()
    assert "beyond the end" in item["problem"]["what"]
    assert item["problem"]["found"] == "a recording of 6.00 s"


def test_a_proposal_without_its_track_is_said(build: Build) -> None:
    sources = build(tracks=2, proposals=1)
    write_table(sources.manifest, [])
    page = Page(client_of(Session(sources)))
    item = page.next()
    assert "manifest has no such track" in item["problem"]["what"]
    assert page.decide(item, "rejected").status_code == 404
    assert page.skip(item).status_code == 200


def test_missing_features_leave_the_sound(client: TestClient, session: Session) -> None:
    for path in session.sources.features.iterdir():
        path.unlink()
    item = Page(client).next()
    assert item["problem"] is None
    assert "are not shown" in item["warning"]["what"]
    assert item["clips"]["motif"]["chroma"] is None
    assert item["matrix"] is None
    assert client.get(f"/matrix/{item['track']['id']}/0").status_code == 500


@pytest.mark.fault("leitmotif review", "full disk", outcome="said; nothing half saved")
def test_a_full_disk_is_said_and_nothing_half_saved(
    client: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(client)
    item = page.next()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        answer = page.decide(item)
    assert answer.status_code == 507
    assert answer.json()["error"]["found"] == "No space left on device"
    assert "not saved" in answer.json()["error"]["fix"]
    assert page.decide(item).status_code == 200
    assert len(saved(session)) == 1


@pytest.mark.fault("leitmotif review", "full disk for clips", outcome="said")
def test_a_disk_too_full_for_clips_is_said(
    client: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    answer = client.get("/as/ana/api/review/next")
    assert answer.status_code == 507
    assert "the disk is full" in answer.json()["error"]["what"]


def test_a_locked_index_is_said(
    client: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(client)
    item = page.next()
    session.index.close()
    monkeypatch.setattr(index_rows, "LOCK_SECONDS", 0.1)
    index = index_module.Index(session.index.database, session.index.decisions)
    session.index = session.material.index = index
    holder = sqlite3.connect(session.index.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    answer = page.decide(item)
    assert answer.status_code == 503
    assert "locked by another program" in answer.json()["error"]["what"]
    holder.execute("ROLLBACK")
    assert page.decide(item).status_code == 200


def test_a_bug_answers_with_the_headers_and_without_details(
    client: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret path")

    monkeypatch.setattr(session.material, "item", broken)
    answer = client.get(f"/as/ana/api/review/items/{'0' * 16}")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "content-security-policy" in answer.headers


def test_new_proposals_are_taken_up(client: TestClient, session: Session) -> None:
    page = Page(client)
    old = page.next()
    lines = session.sources.proposals.read_text().splitlines()
    kept = [
        line
        for line in lines
        if session.material.item(old["pair"]).proposal.proposal_id not in line
    ]
    rows = [json.loads(line) | {"rank": rank} for rank, line in enumerate(kept, start=1)]
    session.sources.proposals.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.utime(session.sources.proposals, ns=(1, 1))
    answer = page.decide(old)
    assert answer.status_code == 404
    assert "not in the queue" in answer.json()["error"]["what"]
    assert page.state()["proposals"] == 5


def test_markup_in_a_name_stays_text(build: Build) -> None:
    name = "<img src=x onerror=alert(1)>.wav"
    session = Session(build(tracks=1, proposals=1, name=name))
    client = client_of(session)
    assert Page(client).next()["track"]["name"] == name
    assert "onerror" not in client.get("/as/ana/review").text


@pytest.mark.fault("leitmotif review", "malformed requests", outcome="refused")
@pytest.mark.parametrize(
    "fields",
    [
        {"key": "short"},
        {"verdict": "maybe"},
        {"motif": {"start_sample": -1, "samples": 10}},
        {"motif": {"start_sample": "x", "samples": 10}},
        {"note": "n" * 2001},
        {"extra": 1},
        {"pair": "../../../etc"},
    ],
)
def test_a_malformed_decision_is_refused(
    client: TestClient, session: Session, fields: dict[str, Any]
) -> None:
    page = Page(client)
    answer = page.decide(page.next(), **fields)
    assert answer.status_code == 422
    assert saved(session) == []
