"""From a folder of recordings to the report, as a person goes: commands, and the page by keyboard.

The recordings are pieces that the planner was trained to continue, without their scores. So the
answer is known: the planner carries the decision.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile
from playwright.sync_api import Browser, Page, expect

from benchmarks._listener import Heard, is_return, missed
from benchmarks.as_recordings import as_recordings
from benchmarks.rehearsal.run import lay
from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.causal.verdict import overall
from leitmotif.cli.preset_texts import preset
from leitmotif.files import read_json, read_table
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.notebook.pieces import compose
from leitmotif.review.known import searched
from leitmotif.review.log import read_log
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import Decision, Listening, pair_id, stretch_id
from leitmotif.tables.effects import EffectRow, VerdictRow
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.probes import HorizonRow, ProbeRow
from leitmotif.tables.proposals import Proposal, read_proposals
from tests.review.serving import lasting_port
from tests.waiting import wait_until

RECORDINGS = 14
SMALL = {
    ("activations", "sites"): ["layers.0.residual", "layers.1.residual"],
    ("sae", "hooks"): [],
    ("probes", "comparisons"): [],
    ("probes", "random_weights"): False,
    ("probes", "permutations"): 99,
    ("probes", "shifts"): 99,
    ("probes", "folds"): 3,
    ("calibration", "site"): "layers.0.residual",
    ("calibration", "targets"): 20,
    ("calibration", "each"): 1,
    ("calibration", "permutations"): 99,
    ("interventions", "candidates"): 1,
    ("interventions", "together"): 0,
    ("interventions", "random"): 1,
    ("interventions", "kept_tracks"): 2,
    ("decoderlens", "prompts"): 2,
    ("decoderlens", "seconds"): 0.6,
    ("decoderlens", "tuning_steps"): 2,
    ("swaps", "prompts"): 1,
    ("swaps", "seconds"): 0.4,
    ("swaps", "components"): ["mlp"],
    ("swaps", "together"): False,
    ("report", "features"): 2,
}
"""Less of what takes long; the rest of the settings is that for pieces of eight seconds."""


@dataclass(frozen=True)
class Way:
    """A copy of the repository, beside it a folder of recordings, and what is true of them."""

    root: Path
    heard: dict[str, Heard]
    """By the recording's name without its ending."""

    def run(self, *command: str, ok: bool = True) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def environment(self) -> dict[str, str]:
        places = {"PYTHONPATH": str(self.root / "src"), "COLUMNS": "140"}
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **places, "PATH": tools}

    def tracks(self) -> dict[str, ManifestTrack]:
        rows = read_table(self.root / "data/manifest.jsonl", ManifestTrack)
        return {row.track_id: row for row in rows}

    def heard_in(self, track: ManifestTrack) -> Heard:
        return self.heard[Path(track.path).stem]


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Way:
    """The recordings, and settings for them."""
    folder = tmp_path_factory.mktemp("way")
    root, recordings = folder / "repository", folder / "recordings"
    lay(root, with_dvc=True)
    recordings.mkdir()
    pieces = compose(RECORDINGS, seed=11, world=repo_root / "models/organism/world.json")
    for number, piece in enumerate(pieces):
        soundfile.write(recordings / f"piece {number:02d}.wav", piece.samples, piece.sample_rate)
    way = Way(root, {f"piece {n:02d}": Heard.of_score(p.truth) for n, p in enumerate(pieces)})
    given = parse_yaml(preset("folder", root=root))
    wanted = as_recordings()
    wanted["corpus"]["path"] = str(recordings)
    for (section, name), value in SMALL.items():
        wanted[section][name] = value
    changes = [
        f"--set={section}.{name}={_typed(value)}"
        for section, settings in wanted.items()
        for name, value in settings.items()
        if given[section].get(name) != value
    ]
    said = way.run("leitmotif", "use", "folder", *changes)
    assert "rehearses" in said.lower()
    return way


def _typed(value: Any) -> str:
    """A value as it is typed behind ``--set``."""
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Reviewed:
    """What was pressed on the page."""

    decided: dict[str, str]
    """Verdict by pair."""
    added: int
    listened: int


@pytest.fixture(scope="module")
def reviewed(way: Way, browser: Browser) -> Reviewed:
    """Propose, then decide, add and listen on the page, by keyboard."""
    assert "dvc repro proposals" in way.run("leitmotif", "status")
    way.run("dvc", "repro", "proposals")
    status = way.run("leitmotif", "status")
    assert "leitmotif review" in status.split("Next")[1]
    stopped = way.run("dvc", "repro", ok=False)
    assert "leitmotif review" in stopped
    assert "Running stage 'activations'" not in stopped
    with page_of(way, browser) as page:
        decided = decide(way, page)
        added, listened = listen(way, page, decided)
    return Reviewed(decided, added, listened)


@pytest.fixture(scope="module")
def done(way: Way, reviewed: Reviewed) -> Way:
    """All that follows the review."""
    assert "dvc repro" in way.run("leitmotif", "status").split("Next")[1]
    way.run("dvc", "repro")
    return way


class page_of:  # noqa: N801
    """The review's page, served by the command that people type."""

    def __init__(self, way: Way, browser: Browser) -> None:
        self.way, self.browser = way, browser

    def __enter__(self) -> Page:
        port = lasting_port()
        options = ["--reviewer", "ana", "--no-browser", "--port", str(port)]
        self.server = subprocess.Popen(
            [sys.executable, "-m", "leitmotif", "review", *options],
            cwd=self.way.root,
            env=self.way.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.server.stdout is not None
        line = next(text for text in self.server.stdout if text.startswith("ana: "))
        self.page = self.browser.new_context().new_page()
        self.page.set_default_timeout(120_000)
        self.page.goto(line.removeprefix("ana: ").strip())
        expect(self.page.locator("#item, #stretch, #message").filter(visible=True)).to_be_visible()
        return self.page

    def __exit__(self, *error: object) -> None:
        self.page.context.close()
        self.server.terminate()
        self.server.wait()


def decide(way: Way, page: Page) -> dict[str, str]:
    """Press P or N on every item of the first queue."""
    tracks, pairs = way.tracks(), {}
    for proposal in read_proposals(way.root / "data/proposals.jsonl"):
        track = tracks[proposal.track_id]
        pair = pair_id(track.sha256, proposal.sample_rate, proposal.motif, proposal.recurrence)
        pairs[pair] = (proposal, way.heard_in(track))
    decided: dict[str, str] = {}
    while pair := page.evaluate("review.current?.pair"):
        positive = is_return(*pairs[pair])
        page.keyboard.press("p" if positive else "n")
        wait_until(lambda shown=pair: page.evaluate("review.current?.pair") != shown)
        decided[pair] = "positive" if positive else "negative"
    assert set(decided) == set(pairs)
    return decided


def listen(way: Way, page: Page, decided: dict[str, str]) -> tuple[int, int]:
    """Add the returns that were not proposed, and answer every stretch."""
    page.goto(re.sub(r"/review.*$", "/stretches", page.url))
    expect(page.locator("#stretch")).to_be_visible()
    proposals = read_proposals(way.root / "data/proposals.jsonl")
    stretches = {
        stretch_id(track.sha256, SAMPLE_RATE, stretch): track
        for track in way.tracks().values()
        for stretch in searched(track)
    }
    added = listened = 0
    while pair := page.evaluate("review.current?.pair"):
        track = stretches[pair]
        heard = way.heard_in(track)
        found = [row.recurrence for row in own(track, proposals) if is_return(row, heard)]
        for each in missed(heard, found):
            mark(page, heard.motif, each.window)
            page.keyboard.press("p")
            expect(page.locator("#stretch")).to_be_visible()
            added += 1
        page.locator("#stretch-question").click()
        page.keyboard.press("n")
        wait_until(lambda shown=pair: page.evaluate("review.current?.pair") != shown)
        listened += 1
    return added, listened


def own(track: ManifestTrack, proposals: list[Proposal]) -> Iterator[Proposal]:
    return (row for row in proposals if row.track_id == track.track_id)


def mark(page: Page, motif: Span, recurrence: Span) -> None:
    """Type where a pair lies, and open it."""
    for name, window in (("motif", motif), ("recurrence", recurrence)):
        end = window.start_sample + window.samples
        for edge, sample in (("start", window.start_sample), ("end", end)):
            page.locator(f"#mark-{name}-{edge}").fill(f"{sample / SAMPLE_RATE:.2f}")
    page.locator("#mark-recurrence-end").press("Enter")
    expect(page.get_by_role("button", name="Save this pair")).to_be_visible()


def test_all_that_was_pressed_is_in_the_log(way: Way, reviewed: Reviewed) -> None:
    entries = read_log(way.root / "data/decisions/ana.jsonl").entries
    decisions = [entry for entry in entries if isinstance(entry, Decision)]
    proposed = {row.pair: row.verdict for row in decisions if row.proposal_id is not None}
    assert proposed == reviewed.decided
    assert sum(row.proposal_id is None for row in decisions) == reviewed.added > 0
    assert sum(isinstance(entry, Listening) for entry in entries) == reviewed.listened
    assert reviewed.listened == len(way.tracks())


def test_labels_are_the_returns_and_all_is_known(done: Way) -> None:
    labels = read_table(done.root / "data/labels.jsonl", Label)
    coverage = read_table(done.root / "data/coverage.jsonl", Coverage)
    assert all(row.complete for row in coverage)
    for name, track in done.tracks().items():
        own_labels = [row for row in labels if row.track_id == name]
        assert missed(done.heard_in(track), [row.recurrence for row in own_labels]) == []
    recall = read_json(done.root / "metrics/labels.json")["recall"]
    assert 0 < recall["mean"] < 1
    assert recall["low"] < recall["mean"] < recall["high"]


def test_the_numbers_of_tracks_and_pieces_are_those_that_were_used(done: Way) -> None:
    horizons = read_table(done.root / "data/horizons.jsonl", HorizonRow)
    tracks = len(done.tracks())
    assert {row.tracks for row in horizons} == {tracks}
    effects = read_table(done.root / "data/effects.jsonl", EffectRow)
    (pieces,) = {row.clips for row in effects if row.condition == "baseline"}
    assert 8 <= pieces <= tracks
    verdicts = read_table(done.root / "data/verdicts.jsonl", VerdictRow)
    assert {row.effect.n for row in verdicts if row.effect is not None} == {pieces}


def test_the_answer_is_the_true_one_as_far_as_so_few_recordings_can_tell(done: Way) -> None:
    """The first block decides the return. The probes can decode nothing in so few tracks."""
    verdicts = read_table(done.root / "data/verdicts.jsonl", VerdictRow)
    whole = {row.site: row for row in verdicts if not row.features}
    carrier = whole["layers.0.residual"]
    assert carrier.verdict == "causal, not decoded"
    assert overall([row.verdict for row in verdicts]) == "causal, not decoded"
    assert carrier.effect is not None
    assert carrier.possible is not None
    assert carrier.possible.least is not None
    assert carrier.effect.mean >= carrier.possible.least
    probed = read_table(done.root / "data/probes.jsonl", ProbeRow)
    assert all(row.least is not None and row.least > 0.5 for row in probed if row.after >= 4)


def test_the_report_says_so(done: Way, browser: Browser) -> None:
    page = browser.new_context().new_page()
    page.goto((done.root / "data/report/index.html").as_uri())
    text = page.locator("body").inner_text()
    effects = read_table(done.root / "data/effects.jsonl", EffectRow)
    (pieces,) = {row.clips for row in effects if row.condition == "baseline"}
    assert f"{pieces} pieces" in text
    assert f"Of {len(done.tracks())} tracks, {len(done.tracks())} were probed" in text
    assert "holds ahead of time what decides the return" in text
    assert "No finding" in text
    page.context.close()
    assert "leitmotif" in done.run("leitmotif", "status").split("Next")[1]
