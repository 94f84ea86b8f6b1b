"""kill -9 in the middle of a thousand decisions: nothing acknowledged is lost or doubled."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
import pytest

from leitmotif.files import read_table
from leitmotif.review.index import Index
from leitmotif.review.log import log_files, read_log
from leitmotif.review.material import ReviewSources
from leitmotif.review.queue import QueueItem, items
from leitmotif.review.stretches import Stretch, stretches
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tables.decisions import Undo
from leitmotif.tables.proposals import read_proposals
from tests.review.conftest import Build
from tests.review.made import key
from tests.review.paged import span
from tests.review.serving import lasting_port, start

REVIEWERS = ("ana", "ben")
CLIENTS = 4
DECISIONS = 1000
KILLS = 3
STRETCHES = 60
"""Of a track, in the test of listenings."""


class Sent(NamedTuple):
    """What a page sends, to which part of the API."""

    where: str
    body: dict[str, Any]

    @property
    def verdict(self) -> str:
        return str(self.body.get("verdict", "positive"))  # of an added pair


@dataclass
class Client:
    """One of two pages of a reviewer; sends all again until it is acknowledged."""

    address: str
    reviewer: str
    presses: list[Sent]
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Verdict by key."""
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=200))
    repeated: int = 0
    """Acknowledged only as found again: the server died between the disk and the answer."""

    def label(self, done: Callable[[], None], alive: threading.Event) -> None:
        for press in self.presses:
            self._send(press, alive)
            done()

    def _send(self, press: Sent, alive: threading.Event) -> None:
        while True:
            alive.wait()
            try:
                answer = self.http.post(
                    f"{self.address}/as/{self.reviewer}/api/{press.where}",
                    json=press.body,
                    headers={"origin": self.address},
                )
            except httpx.TransportError:
                continue  # killed under way
            assert answer.status_code == 200, answer.text
            self.acknowledged[press.body["key"]] = press.verdict
            self.repeated += answer.json()["repeated"]
            return


@pytest.mark.fault(
    "leitmotif review", "process killed at random moments", outcome="no decision lost or doubled"
)
def test_nothing_acknowledged_is_lost_or_doubled(build: Build) -> None:
    pairs = DECISIONS // len(REVIEWERS)
    sources = build(tracks=5, proposals=pairs // 5, window_seconds=0.1)
    tracks = {row.track_id: row for row in read_table(sources.manifest, ManifestTrack)}
    queue = list(items(read_proposals(sources.proposals), tracks).values())
    killed(
        sources, {reviewer: [verdict(*row) for row in enumerate(queue)] for reviewer in REVIEWERS}
    )


@pytest.mark.fault(
    "leitmotif review",
    "process killed between listenings and added pairs",
    outcome="none lost or doubled",
)
def test_no_listening_or_added_pair_is_lost_or_doubled(build: Build) -> None:
    windows = [Window(start_frame=5 * number, frames=50) for number in range(STRETCHES)]
    sources = build(tracks=0, proposals=0, unproposed=2, windows=windows)
    rows = read_table(sources.manifest, ManifestTrack)
    presses = {
        reviewer: [
            press
            for number, stretch in enumerate(stretches(rows).values())
            for press in (
                listening(number, stretch),
                addition(number, share, stretch.track.track_id),
            )
        ]
        for share, reviewer in enumerate(REVIEWERS)
    }
    killed(sources, presses)


def killed(sources: ReviewSources, presses: dict[str, list[Sent]]) -> None:
    """Send what each reviewer presses from two pages, kill the server, and look what is there."""
    total = sum(map(len, presses.values()))
    server = start(sources, port=lasting_port())
    share = CLIENTS // len(REVIEWERS)
    clients = [
        Client(server.address, reviewer, presses[reviewer][part::share])
        for reviewer in REVIEWERS
        for part in range(share)
    ]
    made, alive = threading.Semaphore(0), threading.Event()
    alive.set()
    with ThreadPoolExecutor(CLIENTS) as pool:
        labelling = [pool.submit(client.label, made.release, alive) for client in clients]
        for _ in range(KILLS):
            for _ in range(total // (KILLS + 1)):
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
    on_disk = {entry.key: entry.verdict for entry in entries if not isinstance(entry, Undo)}
    acknowledged = {key: said for client in clients for key, said in client.acknowledged.items()}
    assert len(acknowledged) == total
    assert on_disk == acknowledged
    index = Index(sources.work / "index.sqlite", sources.decisions)
    standing = [*index.standing(), *index.listened()]
    assert {row.key for row in standing} == set(acknowledged)
    index.close()


def verdict(number: int, item: QueueItem) -> Sent:
    said = ("positive", "negative", "ambiguous", "rejected")[number % 4]
    windows = {"motif": item.motif.model_dump(), "recurrence": item.recurrence.model_dump()}
    return Sent("review/decisions", {"key": key(), "pair": item.pair, "verdict": said, **windows})


def listening(number: int, stretch: Stretch) -> Sent:
    said = ("nothing_else", "cannot_tell")[number % 2]
    body = {"key": key(), "pair": stretch.pair, "verdict": said}
    return Sent("stretches/listenings", body | {"stretch": stretch.span.model_dump()})


def addition(number: int, share: int, track_id: str) -> Sent:
    """A recurrence of 0.1 s; half of it overlaps the next one, which is the other reviewer's."""
    start = 0.5 + 0.05 * (2 * (number % STRETCHES) + share)
    windows = {"motif": span(0, 0.1), "recurrence": span(start, 0.1)}
    body = {"key": key(), "track_id": track_id, "transposition": 0}
    return Sent("stretches/pairs", body | windows)
