"""A plan as lines of text for a terminal."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

from leitmotif.files.targets import json_object
from leitmotif.plan.disk import DiskItem
from leitmotif.plan.hours import OF_BANDWIDTH, OF_OPERATIONS, REPLAYED_SECONDS_A_BLOCK
from leitmotif.plan.plan import FORMAT, Plan, Stage

WIDTH = 100
_COMPUTED = (
    f"computed from published peaks: {OF_BANDWIDTH:.0%} of the bandwidth and "
    f"{REPLAYED_SECONDS_A_BLOCK * 1e3:.2f} ms a block and step at least, as an H100 was measured, "
    f"{OF_OPERATIONS:.0%} of the operations, which is assumed; codec, judges, listening and fits "
    "come on top"
)


def as_lines(plan: Plan) -> list[str]:
    """Lines of at most ``WIDTH`` characters."""
    return [
        *_wrapped(
            f"{plan.model} on {plan.device}, {_times(plan.processes, 'process', 'processes')}"
        ),
        "",
        "Download",
        *_items(plan.downloads),
        "",
        "Disk",
        *_items(plan.folders),
        "",
        *_stages(plan),
        "",
        *_gpus(plan),
        "",
        *_people(plan),
        "",
        "Settings that are impossible or unwise",
        *(_bulleted(plan.notices) if plan.notices else ["  none was found"]),
        *(["", "How it was measured", *_bulleted(plan.notes)] if plan.notes else []),
    ]


def is_plan(path: Path) -> bool:
    """Whether a file is a plan, which may be written over."""
    return json_object(path).get("format") == FORMAT


def _items(items: list[DiskItem]) -> Iterator[str]:
    for item in items:
        line = f"  {item.name[:40]:<40} {size(item.bytes):>8}  "
        first, *rest = textwrap.wrap(item.note, WIDTH - len(line)) or [""]
        yield (line + first).rstrip()
        yield from (" " * len(line) + more for more in rest)
    yield f"  {'all':<40} {size(sum(item.bytes or 0 for item in items)):>8}"


def _stages(plan: Plan) -> Iterator[str]:
    yield (
        "Stages              clips  rows   device memory     host     time, computed"
        "            recorded"
    )
    for stage in plan.stages:
        yield (
            f"  {stage.name:<13} {stage.clips:>9,}  {stage.rows or '':>4}  "
            f"{size(stage.memory.device):>14}  {size(stage.memory.host):>7}  "
            f"{_computed(stage):>17}  {_recorded(stage):>18}"
        ).rstrip()
    timed = [stage.seconds for stage in plan.stages if stage.seconds is not None]
    if timed:
        least, most = sum(stage.least for stage in timed), sum(stage.most for stage in timed)
        yield f"  {'all':<13} {'':>9}  {'':>4}  {'':>14}  {'':>7}  {_span(least, most):>17}"
    else:
        yield "  time was not measured (--no-measure)"
    if sources := list(dict.fromkeys(s.recorded.source for s in plan.stages if s.recorded)):
        yield from _wrapped(f"recorded: {'; '.join(sources)}", indent="  ")
    yield from _wrapped(
        "start-up, corpus, manifest, labels and report are left out; the range is of how many "
        "interventions move a token, and of how soon features are decided",
        indent="  ",
    )


def _gpus(plan: Plan) -> Iterator[str]:
    names = [name for name in plan.gpus[0].seconds if name not in ("activations", "sae", "probes")]
    yield "Sampling and reading by class of GPU, and memory of it"
    yield "  " + " " * 26 + "".join(f"{name[:13]:>14}" for name in names)
    for gpu in plan.gpus:
        cells = [duration(gpu.seconds[name]) if gpu.fits[name] else "no room" for name in names]
        yield f"  {gpu.name:<26}" + "".join(f"{cell:>14}" for cell in cells)
        yield "  " + " " * 26 + "".join(f"{size(gpu.memory[name]):>14}" for name in names)
    yield from _wrapped(_COMPUTED, indent="  ")


def _people(plan: Plan) -> Iterator[str]:
    if plan.decisions is None or plan.decision_seconds is None:
        yield "Decisions by hand: none, the labels come from a score"
        return
    yield from _wrapped(
        f"Decisions by hand: at most {plan.decisions:,}, about {duration(plan.decision_seconds)} "
        f"({plan.decision_seconds / plan.decisions:.0f} s each is assumed)"
    )


def size(count: int | None) -> str:
    """Bytes such as ``1.5 GB``; ``?`` where they are not known.

    >>> size(1_537_000_000), size(33_800_000), size(0), size(None)
    ('1.5 GB', '34 MB', '0', '?')
    """
    if count is None:
        return "?"
    if count >= 10**9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count else "0"


def duration(seconds: float) -> str:
    """Seconds such as ``40 s``, ``12 min``, ``3.4 h`` or ``9 days``.

    >>> duration(40), duration(720), duration(12_240), duration(777_600)
    ('40 s', '12 min', '3.4 h', '9 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 3 * 86400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:,.0f} days"


def _computed(stage: Stage) -> str:
    if stage.seconds is None:
        return ""
    return _span(*stage.seconds) if stage.seconds.most else "nothing to do"


def _recorded(stage: Stage) -> str:
    if stage.recorded is None:
        return ""
    held = "" if stage.recorded.bytes is None else f", {size(stage.recorded.bytes)}"
    return duration(stage.recorded.seconds) + held


def _span(least: float, most: float) -> str:
    """``2 to 8 min``, or one duration where the two are alike."""
    low, high = duration(least), duration(most)
    if low == high:
        return high
    (number, unit), (_, other) = low.split(), high.split()
    return f"{number} to {high}" if unit == other else f"{low} to {high}"


def _times(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _bulleted(texts: list[str] | tuple[str, ...]) -> Iterator[str]:
    for text in texts:
        yield from _wrapped(text, indent="  ")


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
    )
