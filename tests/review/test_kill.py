"""kill -9 in the middle of a thousand decisions: nothing acknowledged is lost or doubled."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from leitmotif.files import read_table
from leitmotif.review.index import Index
from leitmotif.review.log import log_files, read_log
from leitmotif.review.material import ReviewSources
from leitmotif.review.queue import Item, items
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import Decision
from leitmotif.tables.proposals import read_proposals
from tests.review.conftest import Build
from tests.review.made import key
from tests.review.serving import lasting_port, start

REVIEWERS = ("ana", "ben")
CLIENTS = 4
DECISIONS = 1000
KILLS = 3


@dataclass
class Client:
    """One of two pages of a reviewer; sends each decision again until it is acknowledged."""

    address: str
    reviewer: str
    items: list[Item]
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Verdict by key."""
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=200))
    repeated: int = 0
    """Acknowledged only as found again: the server died between the disk and the answer."""

    def label(self, done: Callable[[], None], alive: threading.Event) -> None:
        for number, item in enumerate(self.items):
            verdict = ("positive", "negative", "ambiguous", "rejected")[number % 4]
            windows = item.proposal.model_dump(include={"motif", "recurrence"})
            self._send({"key": key(), "pair": item.pair, "verdict": verdict, **windows}, alive)
            done()

    def _send(self, press: dict[str, Any], alive: threading.Event) -> None:
        while True:
            alive.wait()
            try:
                answer = self.http.post(
                    f"{self.address}/as/{self.reviewer}/api/review/decisions",
                    json=press,
                    headers={"origin": self.address},
                )
            except httpx.TransportError:
                continue  # killed under way
            assert answer.status_code == 200, answer.text
            self.acknowledged[press["key"]] = press["verdict"]
            self.repeated += answer.json()["repeated"]
            return


@pytest.mark.fault(
    "leitmotif review", "process killed at random moments", outcome="no decision lost or doubled"
)
@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled(build: Build) -> None:
    pairs = DECISIONS // len(REVIEWERS)
    sources = build(tracks=5, proposals=pairs // 5, window_seconds=0.1)
    server = start(sources, port=lasting_port())
    clients = divided(sources, server.address)
    made, alive = threading.Semaphore(0), threading.Event()
    alive.set()
    with ThreadPoolExecutor(CLIENTS) as pool:
        labelling = [pool.submit(client.label, made.release, alive) for client in clients]
        for _ in range(KILLS):
            for _ in range(DECISIONS // (KILLS + 1)):
                assert made.acquire(timeout=200), [future for future in labelling if future.done()]
            alive.clear()
            server.kill()
            server = start(sources, port=server.port)
            alive.set()
        for future in labelling:
            future.result(timeout=200)
    server.kill()

    entries = [entry for path in log_files(sources.decisions) for entry in read_log(path).entries]
    assert max(Counter(entry.key for entry in entries).values()) == 1
    assert max(Counter((entry.reviewer, entry.pair) for entry in entries).values()) == 1
    on_disk = {entry.key: entry.verdict for entry in entries if isinstance(entry, Decision)}
    acknowledged = {key: said for client in clients for key, said in client.acknowledged.items()}
    assert len(acknowledged) == DECISIONS
    assert on_disk == acknowledged
    index = Index(sources.work / "index.sqlite", sources.decisions)
    assert {standing.key for standing in index.standing()} == set(acknowledged)
    index.close()


def divided(sources: ReviewSources, address: str) -> list[Client]:
    """Give each reviewer's items to two clients, which take turns."""
    tracks = {row.track_id: row for row in read_table(sources.manifest, ManifestTrack)}
    queue = list(items(read_proposals(sources.proposals), tracks).values())
    share = CLIENTS // len(REVIEWERS)
    clients = [
        Client(address, reviewer, queue[part::share])
        for reviewer in REVIEWERS
        for part in range(share)
    ]
    assert sum(len(client.items) for client in clients) == DECISIONS
    return clients
