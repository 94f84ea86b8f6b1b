"""Who is let in: names, origins, tokens, paths."""

import json

import pytest
from starlette.testclient import TestClient

from leitmotif.review.guard import LARGEST_BODY
from leitmotif.review.serve import access_for
from leitmotif.review.session import Session
from tests.review.made import key
from tests.review.paged import ORIGIN, Page, client_of, saved


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8321", 200),
        ("localhost:9000", 200),  # through a tunnel
        ("[::1]:8321", 200),
        ("LOCALHOST", 200),
        ("evil.example", 421),
        ("evil.example:8321", 421),
        ("127.0.0.1.evil.example:8321", 421),
        ("192.168.1.2:8321", 421),
        ("localhost@evil.example", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_only_its_own_names_are_answered(client: TestClient, host: str, status: int) -> None:
    answer = client.get("/as/ana/review", headers={"host": host})
    assert answer.status_code == status
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),  # another server on this machine
        ({"origin": "http://127.0.0.1:8321.evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-length": str(LARGEST_BODY + 1)}, 413),
    ],
)
def test_another_site_changes_nothing(
    client: TestClient, session: Session, headers: dict[str, str], status: int
) -> None:
    page = Page(client)
    item = page.next()
    press = {"key": key(), "pair": item["pair"], "verdict": "positive", **item["windows"]}
    sent = {"content-type": "application/json", **headers}
    answer = client.post(f"{page.api}/decisions", content=json.dumps(press), headers=sent)
    assert answer.status_code == status
    assert saved(session) == []
    assert "access-control-allow-origin" not in answer.headers


def test_a_request_without_an_origin_changes_nothing(session: Session) -> None:
    client = client_of(session)
    del client.headers["origin"]
    assert Page(client).skip({"pair": "0" * 16}).status_code == 403


def test_nothing_is_changed_by_reading(client: TestClient) -> None:
    for what in ("decisions", "undo", "skip"):
        assert client.get(f"/as/ana/api/review/{what}").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/clips/../../manifest.jsonl",
        "/clips/..%2f..%2fmanifest.wav",
        "/clips/%2e%2e%2f%2e%2e%2findex.wav",
        "/clips/index.sqlite.wav",
        "/static/x/..%2fserver.py",
        "/static/x/../server.py",
        "/static/x/__init__.py",
        "/static/x/%00",
        "/matrix/..%2f..%2fmanifest/0",
        "/matrix/track_0/zero",
        "/as/../review",
        "/as/eve/review",
        "/as/ana/queue",
        "/as/ana/api/review/items/%2e%2e",
        "/data/decisions/ana.jsonl",
        "/etc/passwd",
    ],
)
def test_no_other_path_is_served(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"


def test_a_token_opens_its_own_reviewers_page_only(session: Session) -> None:
    access = access_for("0.0.0.0", ["ana", "ben"])
    tokens = {reviewer: token for token, reviewer in access.tokens.items()}
    assert set(tokens) == {"ana", "ben"}
    assert all(len(token) >= 32 for token in access.tokens)
    client = client_of(session, access, "http://192.168.1.2:8321")
    assert client.get("/").status_code == 401
    assert client.get("/static/x/main.js").status_code == 401
    assert client.get("/", params={"token": "wrong"}).status_code == 401

    answer = client.get("/", params={"token": tokens["ana"]}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    assert "HttpOnly; SameSite=Strict" in answer.headers["set-cookie"]
    answer = client.get("/", follow_redirects=True)
    assert answer.url.path == "/as/ana/review"
    assert Page(client, "ana").decide(Page(client, "ana").next()).status_code == 200
    for api in ("/as/ben/api/review/next", "/as/ben/review"):
        assert client.get(api).status_code == 403
    bearer = {"authorization": f"Bearer {tokens['ben']}"}
    client.cookies.clear()
    assert client.get("/as/ben/api/review/next", headers=bearer).status_code == 200


def test_a_token_link_leads_nowhere_else(session: Session) -> None:
    access = access_for("127.0.0.1", ["ana"], token=True)
    (token,) = access.tokens
    client = client_of(session, access)
    answer = client.get(f"{ORIGIN}//evil.example/", params={"token": token}, follow_redirects=False)
    assert answer.headers["location"] == "/evil.example/"


def test_loopback_needs_no_token_and_others_do() -> None:
    assert not access_for("127.0.0.1", ["ana"]).tokens
    assert not access_for("::1", ["ana"]).tokens
    assert access_for("127.0.0.1", ["ana"], token=True).tokens
    wide = access_for("0.0.0.0", ["ana"], host_names=["Lab.Example"])
    assert wide.tokens
    assert "lab.example" in wide.hosts
    assert wide.any_address
    access = access_for("192.168.1.2", ["ana"])
    assert access.tokens
    assert not access.any_address


def test_a_rebound_name_is_refused_though_addresses_are_not(session: Session) -> None:
    access = access_for("0.0.0.0", ["ana"])
    (token,) = access.tokens
    client = client_of(session, access, "http://10.0.0.7:8321")
    bearer = {"authorization": f"Bearer {token}"}
    assert client.get("/as/ana/review", headers=bearer).status_code == 200
    assert (
        client.get("/as/ana/review", headers={**bearer, "host": "evil.example"}).status_code == 421
    )
