"""A small corpus with a queue of proposals, as the stages before the review leave them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser
from starlette.testclient import TestClient

from leitmotif.audio.features import HOP, SAMPLE_RATE
from leitmotif.files import sha256_file, write_table
from leitmotif.review.material import ReviewSources
from leitmotif.review.session import Session
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack, Window
from leitmotif.tables.proposals import Proposal, write_proposals
from leitmotif.tensors import write_tensors
from tests.review.paged import client_of
from tests.review.serving import threaded
from tests.review.tabs import Tab
from tests.tables.made import manifest_track, proposal_row

Build = Callable[..., ReviewSources]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a function that makes the sources of a review of tones below a temporary folder."""

    def make(
        *,
        tracks: int = 2,
        proposals: int = 3,
        seconds: int = 16,
        window_seconds: float = 1.0,
        name: str = "{number}.wav",
        windows: list[Window] | None = None,
        unproposed: int = 0,
    ) -> ReviewSources:
        """Make ``tracks`` with proposals, and then those in which nothing was proposed."""
        root = tmp_path / "data"
        rows, queue = [], []
        for number in range(tracks + unproposed):
            row = write_track(root, f"track_{number}", name.format(number=number), seconds, windows)
            rows.append(row)
            queue += [(row.track_id, place) for place in range(proposals) if number < tracks]
        write_table(root / "manifest.jsonl", rows)
        write_proposals(
            root / "proposals.jsonl",
            (
                proposal(track_id, place, rank, window_seconds)
                for rank, (track_id, place) in enumerate(queue, start=1)
            ),
        )
        (root / "decisions").mkdir(parents=True)
        return ReviewSources(
            proposals=root / "proposals.jsonl",
            manifest=root / "manifest.jsonl",
            corpus=root / "corpus",
            features=root / "features",
            decisions=root / "decisions",
            work=tmp_path / ".leitmotif" / "review",
        )

    return make


@pytest.fixture
def session(build: Build) -> Iterator[Session]:
    """Return a session over six proposals of two tracks."""
    session = Session(build())
    yield session
    session.index.close()


@pytest.fixture
def client(session: Session) -> TestClient:
    """Return a client of a server on loopback, with the page's own origin."""
    return client_of(session)


@pytest.fixture
def tab(browser: Browser, session: Session) -> Iterator[Tab]:
    with threaded(session) as address:
        tab = Tab(browser, address)
        yield tab
        tab.page.context.close()
    assert tab.errors == []


def write_track(
    root: Path, track_id: str, name: str, seconds: int, windows: list[Window] | None = None
) -> ManifestTrack:
    """Write a recording of rising tones with its features; returns its row in the manifest.

    All of it is searched unless ``windows`` says otherwise.
    """
    path = root / "corpus" / "audio" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    pitch = 220 * 2 ** (np.floor(time * 2) % 12 / 12 + int(track_id.split("_")[1]) / 24)
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE), SAMPLE_RATE)
    frames = seconds * SAMPLE_RATE // HOP
    chroma = np.zeros((12, frames), np.float32)
    chroma[(np.arange(frames) // 25) % 12, np.arange(frames)] = 1
    row = manifest_track(
        track_id=track_id,
        path=f"audio/{name}",
        sha256=sha256_file(path),
        seconds=seconds,
        windows=windows or [Window(start_frame=0, frames=frames)],
    )
    write_tensors(
        root / "features" / f"{track_id}.safetensors",
        {"chroma": chroma, "energy": np.full(frames, -12, np.float32)},
        {"audio_sha256": row.sha256, "frame_rate": "50"},
    )
    return row


def proposal(track_id: str, place: int, rank: int, window_seconds: float = 1.0) -> Proposal:
    """Return the proposal that the first second of a track returns at second 6 + ``place``."""
    samples = round(window_seconds * SAMPLE_RATE)
    motif = Span(start_sample=0, samples=samples)
    # Hundredths of a second apart, so that any number of windows fits.
    recurrence = Span(start_sample=6 * SAMPLE_RATE + place * SAMPLE_RATE // 100, samples=samples)
    return proposal_row(
        track_id=track_id,
        motif=motif,
        recurrence=recurrence,
        score=1 / rank,
        texture=0.2,
        rank=rank,
    )
