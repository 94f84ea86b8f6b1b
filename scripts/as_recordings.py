"""Are the verdicts on the organisms the same when they are run as recordings?

    python scripts/as_recordings.py

Music is composed as for the organism's preset. Its audio alone is copied into a folder, and the
pipeline reads it as it would read anybody's recordings: without score, cue or twins. A listener who
knows the score decides every proposal, adds what the engine missed, and says of every track that
nothing else returns, so labels come from a log alone. The verdicts of the shipped organisms go into
metrics/validity.json under ``as_recordings``. Takes about a quarter of an hour on two cores.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.causal.verdict import overall
from leitmotif.files import read_json, read_table, write_json, write_text
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.recurrence.proposals.scoring import MATCH, overlap
from leitmotif.review.known import searched
from leitmotif.review.log import append
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.decisions import (
    Decision,
    JudgedSpan,
    Listening,
    Versions,
    pair_id,
    stretch_id,
)
from leitmotif.tables.effects import EffectRow, VerdictRow
from leitmotif.tables.proposals import Proposal, read_proposals
from leitmotif.tables.truth import TRUTH, Truth

ROOT = Path(__file__).resolve().parents[1]
VALIDITY = ROOT / "metrics/validity.json"
READ = ("models", "controls.yaml", "hooks.yaml", "concepts.yaml", "presets")
COMPOSED = ("corpus", "manifest")
HEARD = ("recordings", "corpus", "manifest", "features", "activations", "proposals")
JUDGED = ("labels", "sae", "probes", "interchange", "interventions")
LISTENER = "score"
OVERLAP = 0.5
"""Share of a window that lies within a statement or return of the motif, for it to be one."""


def main() -> int:
    """Run the organisms as recordings and write what they are called; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--folder", type=Path, help="kept, and gone on with (a temporary one)")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="leitmotif-recordings-") as temporary:
        root = (arguments.folder or Path(temporary)).resolve()
        run_in(root, arguments.set)
        by_model = verdicts_in(root)
    known = read_json(VALIDITY) if VALIDITY.exists() else {}
    write_json(VALIDITY, {**known, "as_recordings": by_model})
    print(by_model)
    return 0


def run_in(root: Path, settings: Sequence[str]) -> None:
    """Compose, hide the score, decide, and run the stages below ``root``."""
    composed, recorded = root / "composed", root / "recorded"
    lay(composed, "organism", settings)
    run_stages(composed, COMPOSED)
    lay(recorded, as_recordings(), settings)
    tracks = read_table(composed / "data/manifest.jsonl", ManifestTrack)
    hidden = {row.track_id: row for row in read_table(composed / "data/corpus" / TRUTH, Truth)}
    by_hash = {track.sha256: hidden[track.track_id] for track in tracks}
    for track in tracks:
        target = recorded / "recordings" / Path(track.path).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(composed / "data/corpus" / track.path, target)
    run_stages(recorded, HEARD)
    decide(recorded, by_hash)
    run_stages(recorded, JUDGED)


def as_recordings() -> dict[str, Any]:
    """The organism's preset with the source, the labels and the manifest of a folder."""
    given = parse_yaml((ROOT / "presets/organism.yaml").read_text(encoding="utf-8"))
    folder = parse_yaml((ROOT / "presets/folder.yaml").read_text(encoding="utf-8"))
    given["corpus"] = {**folder["corpus"], "path": "recordings"}
    given["labels"] = {**given["labels"], **folder["labels"]}
    # By decisions nothing is known past a recording's end, and in these short pieces no event is
    # nearer than 4 s to a step from which 6 s are left.
    given["probes"]["horizons"] = [[4.0, 6.0]]
    kept = ("required_tag_prefixes", "excluded_tag_words", "require_licence")
    given["manifest"] = {**given["manifest"], **{key: folder["manifest"][key] for key in kept}}
    return dict(given)


def lay(root: Path, preset: str | dict[str, Any], settings: Sequence[str]) -> None:
    """Make a folder in which stages can run, unless it is there."""
    if (root / "params.yaml").exists():
        return
    (root / "data/decisions").mkdir(parents=True, exist_ok=True)
    for name in READ:
        if not (root / name).exists():
            (root / name).symlink_to(ROOT / name)
    if isinstance(preset, str):
        given = parse_yaml((ROOT / f"presets/{preset}.yaml").read_text(encoding="utf-8"))
    else:
        given = preset
    for setting in settings:
        key, _, value = setting.partition("=")
        section, _, name = key.partition(".")
        given[section][name] = parse_yaml(value)
    write_text(root / "params.yaml", json.dumps(given, indent=2) + "\n")  # JSON is YAML


def run_stages(root: Path, stages: Sequence[str]) -> None:
    """Run stages in ``root``, but for those that have run there."""
    for name in stages:
        done = root / f".{name}.done"
        if done.exists():
            continue
        started = time.monotonic()
        command = [sys.executable, "-m", f"leitmotif.stages.{name}"]
        subprocess.run(command, cwd=root, check=True)
        done.touch()
        print(f"{root.name}: {name} in {time.monotonic() - started:.0f} s", file=sys.stderr)


def decide(root: Path, hidden: dict[str, Truth]) -> None:
    """Let a listener who knows the score decide every proposal, and listen to every track."""
    log = root / f"data/decisions/{LISTENER}.jsonl"
    if log.exists():
        return
    tracks = read_table(root / "data/manifest.jsonl", ManifestTrack)
    hashes = {track.track_id: track.sha256 for track in tracks}
    numbers = count()
    returning: dict[str, list[Span]] = {track.track_id: [] for track in tracks}
    for proposal in read_proposals(root / "data/proposals.jsonl"):
        truth = hidden[hashes[proposal.track_id]]
        said = decision(next(numbers), proposal, hashes[proposal.track_id], truth)
        append(log, said)
        if said.verdict == "positive":
            returning[proposal.track_id].append(proposal.recurrence)
    for track in tracks:
        known = returning[track.track_id]
        for missed in added(numbers, track, hidden[track.sha256], known):
            append(log, missed)
        for listening in heard(numbers, track):
            append(log, listening)


def decision(number: int, proposal: Proposal, sha256: str, truth: Truth) -> Decision:
    """What the listener says of one proposal: a return if the motif sounds in both windows."""
    sounding = [truth.motif, *truth.statements, *(slot for slot in truth.slots if slot.returns)]
    windows = (proposal.motif, proposal.recurrence)
    sounds = [any(overlaps(window, motif) for motif in sounding) for window in windows]
    return Decision(
        **line(number, proposal.track_id, sha256),
        action="decide",
        queue="review",
        pair=pair_id(sha256, proposal.sample_rate, proposal.motif, proposal.recurrence),
        verdict="positive" if all(sounds) else "negative",
        motif=judged(proposal.motif),
        recurrence=judged(proposal.recurrence),
        proposal_id=proposal.proposal_id,
        proposed_motif=proposal.motif,
        proposed_recurrence=proposal.recurrence,
        transposition=proposal.transposition,
        score=proposal.score,
        p=proposal.p,
        texture=proposal.texture,
    )


def added(
    numbers: Iterator[int], track: ManifestTrack, truth: Truth, known: Sequence[Span]
) -> Iterator[Decision]:
    """The returns of the score that the engine missed; ``known`` are those that it proposed."""
    returns = [(span, 0) for span in truth.statements]
    returns += [(slot, slot.transposition) for slot in truth.slots if slot.returns]
    motif = plain(truth.motif)
    for span, transposition in returns:
        recurrence = plain(span)
        if any(overlap(recurrence, other) >= MATCH for other in known):
            continue
        yield Decision(
            **line(next(numbers), track.track_id, track.sha256),
            action="decide",
            queue="review",
            pair=pair_id(track.sha256, SAMPLE_RATE, motif, recurrence),
            verdict="positive",
            motif=judged(motif),
            recurrence=judged(recurrence),
            proposal_id=None,
            proposed_motif=motif,
            proposed_recurrence=recurrence,
            transposition=transposition,
            score=None,
            p=None,
            texture=None,
        )


def heard(numbers: Iterator[int], track: ManifestTrack) -> Iterator[Listening]:
    """Beside what was said, nothing returns in a track."""
    for stretch in searched(track):
        yield Listening(
            **line(next(numbers), track.track_id, track.sha256),
            action="listen",
            queue="stretches",
            pair=stretch_id(track.sha256, SAMPLE_RATE, stretch),
            verdict="nothing_else",
            stretch=judged(stretch),
        )


def line(number: int, track_id: str, sha256: str) -> dict[str, Any]:
    """What all lines have."""
    return {
        "key": f"{number:032x}",
        "reviewer": LISTENER,
        "time": datetime.fromtimestamp(number, UTC),
        "note": "",
        "track_id": track_id,
        "audio_sha256": sha256,
        "sample_rate": SAMPLE_RATE,
        "versions": Versions(leitmotif="0", review="0" * 64, page="0" * 64),
    }


def plain(span: Span) -> Span:
    """Where a window lies, without what else a score says of it."""
    return Span(start_sample=span.start_sample, samples=span.samples)


def judged(span: Span) -> JudgedSpan:
    """A window that was heard as it was offered."""
    return JudgedSpan(start_sample=span.start_sample, samples=span.samples, sha256=None)


def overlaps(window: Span, motif: Span) -> bool:
    """Whether enough of a window lies within a motif; both count samples at one rate."""
    start = max(window.start_sample, motif.start_sample)
    stop = min(window.start_sample + window.samples, motif.start_sample + motif.samples)
    return stop - start >= OVERLAP * window.samples


def verdicts_in(root: Path) -> dict[str, Any]:
    """By model: its verdict, the whole sites that carry the event, and how many pieces it has."""
    verdicts = read_table(root / "recorded/data/verdicts.jsonl", VerdictRow)
    effects = read_table(root / "recorded/data/effects.jsonl", EffectRow)
    return {
        name: {
            "verdict": overall([row.verdict for row in verdicts if row.model == name]),
            "carriers": {
                row.site: row.effect.mean
                for row in verdicts
                if row.model == name and row.verdict == "foresight" and not row.features
                if row.effect is not None
            },
            "pieces": next(
                row.clips for row in effects if row.model == name and row.name == "baseline"
            ),
        }
        for name in dict.fromkeys(row.model for row in verdicts)
    }


if __name__ == "__main__":
    sys.exit(main())
