"""Decisions made up for tests."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from leitmotif.tables.base import Span
from leitmotif.tables.decisions import Decision, JudgedSpan, Listening, Undo, Versions

_keys = itertools.count(1)
_START = datetime(2026, 1, 1, tzinfo=UTC)
VERSIONS = Versions(leitmotif="0.1.0", review="0" * 64, page="1" * 64)
MOTIF = Span(start_sample=0, samples=32000)
RECURRENCE = Span(start_sample=320000, samples=32000)
STRETCH = Span(start_sample=0, samples=30 * 32000)


def key() -> str:
    return f"{next(_keys):032x}"


def pair(number: int) -> str:
    return f"{number:016x}"


def decision(
    reviewer: str = "ana", number: int = 1, verdict: str = "positive", **fields: Any
) -> Decision:
    made = key()
    values: dict[str, Any] = {
        "action": "decide",
        "key": made,
        "reviewer": reviewer,
        "time": _START + timedelta(seconds=int(made, 16)),
        "queue": "review",
        "pair": pair(number),
        "verdict": verdict,
        "note": "",
        "track_id": f"track_{number % 5}",
        "audio_sha256": "a" * 64,
        "sample_rate": 32000,
        "motif": JudgedSpan(**dict(MOTIF), sha256="b" * 64),
        "recurrence": JudgedSpan(**dict(RECURRENCE), sha256="c" * 64),
        "proposal_id": "d" * 64,
        "proposed_motif": MOTIF,
        "proposed_recurrence": RECURRENCE,
        "transposition": 0,
        "score": 0.5,
        "p": 0.01,
        "texture": 0.2,
        "versions": VERSIONS,
    }
    return Decision(**(values | fields))


def listening(
    reviewer: str = "ana", number: int = 1, verdict: str = "nothing_else", **fields: Any
) -> Listening:
    made = key()
    values: dict[str, Any] = {
        "action": "listen",
        "key": made,
        "reviewer": reviewer,
        "time": _START + timedelta(seconds=int(made, 16)),
        "queue": "stretches",
        "pair": pair(number),
        "verdict": verdict,
        "note": "",
        "track_id": f"track_{number % 5}",
        "audio_sha256": "a" * 64,
        "sample_rate": 32000,
        "stretch": JudgedSpan(**dict(STRETCH), sha256="b" * 64),
        "versions": VERSIONS,
    }
    return Listening(**(values | fields))


def undo(of: Decision | Listening, **fields: Any) -> Undo:
    values: dict[str, Any] = {
        "action": "undo",
        "key": key(),
        "reviewer": of.reviewer,
        "time": of.time + timedelta(seconds=1),
        "queue": of.queue,
        "pair": of.pair,
        "undoes": of.key,
        "versions": VERSIONS,
    }
    return Undo(**(values | fields))
