"""The review page's requests, without a browser."""

from typing import Any

from starlette.testclient import TestClient

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.review.guard import Access
from leitmotif.review.log import read_log
from leitmotif.review.server import application
from leitmotif.review.session import Session
from leitmotif.tables.decisions import Decision, Listening
from tests.review.made import key

ORIGIN = "http://127.0.0.1:8321"


class Page:
    """A reviewer's page, without the browser."""

    def __init__(self, client: TestClient, reviewer: str = "ana", queue: str = "review") -> None:
        self.client, self.api = client, f"/as/{reviewer}/api/{queue}"

    def next(self, *but: str) -> Any:
        return self.client.get(f"{self.api}/next", params={"but": but}).json()["item"]

    def state(self) -> Any:
        return self.client.get(f"{self.api}/state").json()

    def decide(self, item: Any, verdict: str = "positive", **fields: Any) -> Any:
        press = {"key": key(), "pair": item["pair"], "verdict": verdict, **item["windows"]}
        return self.client.post(f"{self.api}/decisions", json=press | fields)

    def listen(self, item: Any, verdict: str = "nothing_else", **fields: Any) -> Any:
        hearing = {"key": key(), "pair": item["pair"], "verdict": verdict}
        hearing |= {"stretch": item["stretch"], "note": ""}
        return self.client.post(f"{self.api}/listenings", json=hearing | fields)

    def draft(self, track_id: str, motif: Any, recurrence: Any, **fields: Any) -> Any:
        windows = {"track_id": track_id, "motif": motif, "recurrence": recurrence}
        draft = windows | {"transposition": None} | fields
        return self.client.post(f"{self.api}/draft", json=draft)

    def add(self, track_id: str, motif: Any, recurrence: Any, **fields: Any) -> Any:
        windows = {"track_id": track_id, "motif": motif, "recurrence": recurrence}
        addition = windows | {"key": key(), "transposition": 0} | fields
        return self.client.post(f"{self.api}/pairs", json=addition)

    def undo(self, undoes: str) -> Any:
        return self.client.post(f"{self.api}/undo", json={"key": key(), "undoes": undoes})

    def skip(self, item: Any) -> Any:
        return self.client.post(f"{self.api}/skip", json={"pair": item["pair"]})


def client_of(session: Session, access: Access | None = None, origin: str = ORIGIN) -> TestClient:
    app = application(session, reviewers=("ana", "ben", "eva"), access=access or Access())
    return TestClient(
        app, base_url=origin, headers={"origin": origin}, raise_server_exceptions=False
    )


def saved(session: Session, reviewer: str = "ana") -> list[Decision]:
    entries = read_log(session.sources.decisions / f"{reviewer}.jsonl").entries
    return [entry for entry in entries if isinstance(entry, Decision)]


def heard(session: Session, reviewer: str = "ana") -> list[Listening]:
    entries = read_log(session.sources.decisions / f"{reviewer}.jsonl").entries
    return [entry for entry in entries if isinstance(entry, Listening)]


def span(start: float, seconds: float) -> dict[str, int]:
    """Return a window in samples."""
    return {"start_sample": round(start * SAMPLE_RATE), "samples": round(seconds * SAMPLE_RATE)}
