"""Proposals of recurrences on annotated music: quality and speed beside two peers.

    python -m benchmarks.recurrence --tool TOOL --plain DIR --controls DIR --wander DIR

The folders hold what the evaluation tool's ``render.py`` writes: WAV files with ``*.truth.json``;
``TOOL`` is the folder of its ``evaluate.py``, whose measures are used here as they are. Peers:

brute force
    the first 10 s are the motif, and dynamic time warping of chroma is tried at every later frame
    (43 a second); every local minimum of the cost is a proposal
chroma windows
    windows of 4 s of centred chroma, compared in 12 keys

Ours has weights that were chosen on music like this, so its quality is also given with weights
chosen without the movement that is judged: of a grid, those that do best on all the others.
"""

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import librosa
import numpy as np
from librosa.sequence import dtw
from numpy.typing import NDArray

from benchmarks._report import Row, report, row
from leitmotif.audio.decode import load_audio
from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.recurrence.listing import FALSE_PER_MINUTE, P
from leitmotif.recurrence.proposals import engine
from leitmotif.recurrence.proposals.engine import accepted, suggest_in_audio
from leitmotif.recurrence.search.pairs import distinct
from leitmotif.recurrence.search.settings import SearchSettings

QUALITY = ("p10", "p50", "ap50", "types50", "p10_far")
PEERS = ("brute force", "chroma windows")
GRID = [(rhythm, length) for rhythm in (0.25, 0.45, 0.6) for length in (0.1, 0.3, 0.5)]
"""Weights of rhythm and preferences of length from which those for a movement are chosen."""
_RATE = 22_050
_GRID = 10
"""Frames a second of chroma windows."""
_MOST = 60


@dataclass(frozen=True)
class Proposed:
    """Windows [n, 4] in seconds (motif, recurrence), scores [n], and which are accepted [n]."""

    windows: NDArray[np.float64]
    scores: NDArray[np.float64]
    accepted: NDArray[np.bool_]


Engine = Callable[[Path], Proposed]


def ours(path: Path, search: SearchSettings | None = None) -> Proposed:
    """Leitmotif's engine, with its default settings unless a search is given."""
    audio = load_audio(path, sample_rate=SAMPLE_RATE)
    suggestions = suggest_in_audio(audio.samples, SAMPLE_RATE, search or SearchSettings())
    good = accepted(suggestions, p=P, false_per_minute=FALSE_PER_MINUTE)
    windows = [
        (
            suggestion.motif_start,
            suggestion.motif_end,
            suggestion.recurrence_start,
            suggestion.recurrence_end,
        )
        for suggestion in suggestions
    ]
    return Proposed(
        np.array(windows).reshape(-1, 4),
        np.array([suggestion.score for suggestion in suggestions]),
        np.array([suggestion in good for suggestion in suggestions], dtype=bool),
    )


def brute_force(path: Path) -> Proposed:
    """Compare the first 10 s with every later place, on librosa's default frames."""
    samples, _ = librosa.load(path, sr=_RATE)
    chroma = librosa.feature.chroma_cqt(y=samples, sr=_RATE)
    per_second = _RATE / 512
    length = int(10 * per_second)
    starts = np.arange(length, chroma.shape[1] - length)
    costs = np.full(len(starts), np.inf)
    for n, start in enumerate(starts):
        total, steps = dtw(chroma[:, :length], chroma[:, start : start + length])
        costs[n] = total[-1, -1] / len(steps)
    padded = np.pad(costs, 1, constant_values=np.inf)
    lowest = (costs <= padded[:-2]) & (costs < padded[2:])
    order = np.flatnonzero(lowest)[np.argsort(costs[lowest])][:_MOST]
    begin = starts[order] / per_second
    zero = np.zeros(len(order))
    windows = np.stack([zero, zero + 10, begin, begin + 10], axis=1)
    return Proposed(windows, -costs[order], np.ones(len(order), bool))


def chroma_windows(path: Path) -> Proposed:
    """Mean cosine of centred chroma over windows of 4 s; in each of 12 keys, peaks of diagonals."""
    samples, _ = librosa.load(path, sr=_RATE)
    chroma = np.log1p(10 * librosa.feature.chroma_cqt(y=samples, sr=_RATE, hop_length=1024))
    edges = np.round(np.arange(int(len(samples) / _RATE * _GRID) + 1) * _RATE / _GRID / 1024)
    spans = zip(edges[:-1].astype(int), edges[1:].astype(int), strict=True)
    chroma = np.stack([chroma[:, begin:end].mean(1) for begin, end in spans], axis=1)
    chroma = chroma - chroma.mean(0)
    chroma /= np.maximum(1e-6, np.linalg.norm(chroma, axis=0))
    window, least = 4 * _GRID, 2 * _GRID
    parts = []
    for key in range(12):
        frames = np.roll(chroma, key, axis=0).T @ chroma
        total = np.zeros((len(frames) + 1, len(frames) + 1))
        for n, line in enumerate(frames):
            total[n + 1, 1:] = total[n, :-1] + line
        mean = (total[window:, window:] - total[:-window, :-window]) / window
        padded = np.pad(mean, 1, constant_values=-1)
        peak = (mean >= padded[:-2, :-2]) & (mean > padded[2:, 2:]) & (mean > 0.3)
        pairs = np.nonzero(np.triu(peak, least))
        parts.append((*pairs, mean[pairs]))
    motif, recurrence, likeness = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(-likeness, kind="stable")[:20_000]
    starts = np.stack([motif, recurrence], axis=1)[order] / _GRID
    kept = distinct(starts, starts + 4, overlap=0.4, most=_MOST)
    starts = starts[kept]
    windows = np.stack([starts[:, 0], starts[:, 0] + 4, starts[:, 1], starts[:, 1] + 4], axis=1)
    return Proposed(windows, likeness[order][kept], np.ones(len(kept), bool))


ENGINES: dict[str, Engine] = {
    "ours": ours,
    "brute force": brute_force,
    "chroma windows": chroma_windows,
}


def measure(tool: Any, propose: Engine, folders: list[Path]) -> dict[str, Any]:
    """Propose for every WAV file of the folders, and evaluate."""
    truths = []
    with tempfile.TemporaryDirectory() as folder:
        for path in (
            path for folder_of_tracks in folders for path in sorted(folder_of_tracks.glob("*.wav"))
        ):
            truth = tool.Truth(json.loads(path.with_suffix(".truth.json").read_text()))
            truths.append(truth)
            start = time.perf_counter()
            proposed = propose(path)
            seconds = time.perf_counter() - start
            _write(Path(folder) / f"{truth.track}.jsonl", proposed, seconds, truth.seconds)
        return dict(tool.evaluate(Path(folder), truths))


def _write(path: Path, proposed: Proposed, seconds: float, audio_seconds: float) -> None:
    lines: list[dict[str, Any]] = [{"meta": {"seconds": seconds, "audio_seconds": audio_seconds}}]
    names = ("motif_start", "motif_end", "recurrence_start", "recurrence_end")
    for window, score, good in zip(
        proposed.windows, proposed.scores, proposed.accepted, strict=True
    ):
        numbers = dict(zip(names, map(float, window), strict=True))
        lines.append(numbers | {"score": float(score), "accepted": bool(good)})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def left_out(tool: Any, folder: Path) -> dict[str, float]:
    """Quality on each movement with the weights that do best on the others, mean over movements."""
    by_weights = []
    for rhythm, length in GRID:
        weighed = partial(ours, search=SearchSettings(rhythm=rhythm))
        with patch.object(engine, "LENGTH_PREFERENCE", length):
            by_weights.append(measure(tool, weighed, [folder])["tracks"])
    # [weights, movements, measures]
    movements = sorted(by_weights[0])
    values = np.array(
        [
            [[tracks[movement][name] for name in QUALITY] for movement in movements]
            for tracks in by_weights
        ]
    )
    chosen = []
    for n in range(len(movements)):
        others = np.delete(values, n, axis=1).mean((1, 2))
        chosen.append(values[int(others.argmax()), n])
    return dict(zip(QUALITY, np.mean(chosen, axis=0).tolist(), strict=True))


def rows(
    results: dict[str, dict[str, Any]],
    drifting: dict[str, dict[str, Any]],
    without: dict[str, float],
    minutes: dict[str, float],
) -> list[Row]:
    """Ours beside each peer.

    ``without`` is our quality with weights chosen without the movement, ``minutes`` the length of
    each kind of piece.
    """
    made = []
    for peer in PEERS:

        def compare(case: str, ours: float, theirs: float, unit: str, peer: str = peer) -> None:
            least = 1e-3  # a peer that finds nothing has no ratio
            made.append(
                row(case, ours, max(theirs, least), peer_name=peer, unit=unit, better="higher")
            )

        mean, theirs = results["ours"]["mean"], results[peer]["mean"]
        for name in QUALITY:
            compare(name, mean[name], theirs[name], "share")
        for name in QUALITY:
            compare(f"{name}, weights chosen without", without[name], theirs[name], "share")
        hits = [results[who]["hits_at_1fa"] for who in ("ours", peer)]
        compare("hits_at_1fa", hits[0], hits[1], "correct at one false alarm a minute")
        drift = [drifting[who]["mean"]["p10"] for who in ("ours", peer)]
        compare("p10, tempo drifting by 8 %", drift[0], drift[1], "share")
        for kind, length in sorted(minutes.items()):
            if kind != "music":
                made.append(_false_alarms(kind, results, peer, 1 / length))
        made.append(
            row(
                "time",
                mean["s_per_min"],
                theirs["s_per_min"],
                peer_name=peer,
                unit="s/min of audio",
                better="lower",
            )
        )
    return made


def _false_alarms(kind: str, results: dict[str, dict[str, Any]], peer: str, single: float) -> Row:
    """Accepted proposals a minute of a kind of control; a peer accepts all that it proposes."""
    ours, theirs = (results[who]["accepted_per_minute"][kind] for who in ("ours", peer))
    # What was never seen may happen once in all the minutes: the ratio is no higher than that.
    made = row(
        f"accepted on {kind}",
        max(ours, single),
        max(theirs, single),
        peer_name=peer,
        unit="proposals a minute",
        better="lower",
    )
    return made | {"ours": round(ours, 4), "peer": round(theirs, 4)}


def _minutes(folders: list[Path]) -> dict[str, float]:
    """Length of each kind of piece."""
    minutes: dict[str, float] = {}
    for path in (path for folder in folders for path in folder.glob("*.truth.json")):
        truth = json.loads(path.read_text())
        minutes[truth["kind"]] = minutes.get(truth["kind"], 0.0) + truth["seconds"] / 60
    return minutes


def main() -> None:
    """Measure, print the table and write benchmarks/results/recurrence.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("tool", "plain", "controls", "wander"):
        parser.add_argument(f"--{name}", type=Path)
    arguments = parser.parse_args()
    if not all(vars(arguments).values()):
        print("recurrence: skipped, it needs --tool, --plain, --controls and --wander")
        return
    spec = importlib.util.spec_from_file_location("evaluate", arguments.tool / "evaluate.py")
    if spec is None or spec.loader is None:
        sys.exit(f"no evaluate.py in {arguments.tool}")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for path in sorted(arguments.plain.glob("*.wav"))[:1]:
        ours(path)  # imports and compiled code are not timed
    folders = [arguments.plain, arguments.controls]
    results, drifting = {}, {}
    for name, propose in ENGINES.items():
        results[name] = measure(tool, propose, folders)
        drifting[name] = measure(tool, propose, [arguments.wander])
        print(name, {kind: round(n, 2) for kind, n in results[name]["accepted_per_minute"].items()})
    without = left_out(tool, arguments.plain)
    report("recurrence", rows(results, drifting, without, _minutes(folders)))


if __name__ == "__main__":
    main()
