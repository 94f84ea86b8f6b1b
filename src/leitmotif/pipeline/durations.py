"""How long stages take and how much memory, which each says: at its start, and at its end.

Known from the stage's last run in this folder, or else, for the shipped experiment, from
benchmarks/results/pipeline.json. Either may be wrong here and now (finished work is found again, a
machine does other things besides), so the line says where its numbers come from.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from leitmotif.config import Params, load_params
from leitmotif.errors import LeitmotifError
from leitmotif.files import read_json, sha256_json, write_json
from leitmotif.files.owned import stage_outs
from leitmotif.files.provenance import machine
from leitmotif.files.yaml_files import read_stages
from leitmotif.work.peak import Peak, watched_memory

PIPELINE = Path("dvc.yaml")
SHIPPED = Path("presets/organism.yaml")
BENCHMARK = Path("benchmarks/results/pipeline.json")
RECORDS = Path(".leitmotif/runs")
_HERE, _OTHERWISE = "as last time", "as last time with other settings"
_PARTLY = "as last time, partly with other settings"


@dataclass(frozen=True)
class Duration:
    """Seconds of a stage, and of which run: ``as last time``."""

    seconds: float
    source: str
    bytes: int | None = None
    """Bytes of memory at its peak, all processes together; None: not measured."""


@contextmanager
def announced(stage: str, params: Params, root: Path = Path()) -> Iterator[None]:
    """Say on standard error how long ``stage`` and what follows may take; measure the body.

    Its time and its peak of memory are said at the end and kept for the next run, unless the body
    raises.
    """
    durations = Durations(params, root)
    print(durations.announcement(stage), file=sys.stderr, flush=True)
    start = time.monotonic()
    with watched_memory() as peak:
        yield
    seconds = time.monotonic() - start
    durations.record(stage, seconds, peak)
    print(f"{stage}: took {as_time(seconds)}, {_at_most(peak)}", file=sys.stderr, flush=True)


class Durations:
    """What is known of the stages of the repository at ``root``, for the settings ``params``."""

    def __init__(self, params: Params, root: Path = Path()) -> None:
        path = root / PIPELINE
        self.params, self.root = params, root
        self.stages: dict[str, Any] = {}
        if path.exists():
            self.stages = read_stages(path)

    def announcement(self, stage: str) -> str:
        """``interventions: about 3 min, then summary and report: about 2 min (as last time)``."""
        names = [stage, *following(stage, self.stages)]
        known = {name: duration for name in names if (duration := self.of(name))}
        if not known:
            return f"{stage}: how long it takes is not known here yet"
        parts = [f"{stage}: {_about(known, [stage])}"]
        if later := names[1:]:
            what = _joined(later) if len(later) <= 3 else f"the {len(later)} stages after it"
            parts.append(f"then {what}: {_about(known, later)}")
        return f"{', '.join(parts)} ({sources_of(known.values())})"

    def of(self, stage: str) -> Duration | None:
        """What ``stage`` took last time here, or in the benchmark; None if neither is known."""
        match record := _read(self.root / RECORDS / f"{stage}.json"):
            case {"seconds": int() | float() as seconds, "settings": str() as settings}:
                same = settings == self._settings(stage)
                return Duration(seconds, _HERE if same else _OTHERWISE, _bytes_of(record))
        return self._benchmark.get(stage)

    def record(self, stage: str, seconds: float, peak: Peak | None = None) -> None:
        """Keep what a run of ``stage`` took, and on what machine: no output says."""
        values = {"seconds": round(seconds, 1), "settings": self._settings(stage), **machine()}
        if peak is not None:
            values |= {"peak_mb": peak.host // 10**6, "gpu_peak_mb": peak.gpu // 10**6}
        write_json(self.root / RECORDS / f"{stage}.json", values)

    def _settings(self, stage: str) -> str:
        """Hash of the sections of params.yaml on which a stage depends."""
        sections = set(self.stages.get(stage, {}).get("params", []))
        return sha256_json(self.params.model_dump(mode="json", include=sections))

    @cached_property
    def _benchmark(self) -> dict[str, Duration]:
        """Seconds by stage, if the settings are those that were timed."""
        shipped = self.root / SHIPPED
        if not shipped.exists() or self.params != load_params(shipped):
            return {}
        match _read(self.root / BENCHMARK):
            case {"machine": {"cpu": cpu, "cores": cores}, "rows": [*rows]}:
                source = f"as on {cpu} with {cores} cores"
                peaks = {row["case"]: row["ours"] for row in rows if row["unit"] == "MB"}
                return {
                    row["case"]: Duration(
                        row["ours"],
                        source,
                        round(peaks[row["case"]] * 1e6) if row["case"] in peaks else None,
                    )
                    for row in rows
                    if row["unit"] == "s"
                }
        return {}


def sources_of(durations: Iterable[Duration]) -> str:
    """Of which runs the seconds are: ``as last time, partly with other settings``."""
    sources = list(dict.fromkeys(duration.source for duration in durations))
    if {_HERE, _OTHERWISE} <= {*sources}:
        sources = [source for source in sources if source != _OTHERWISE]
        sources[sources.index(_HERE)] = _PARTLY
    return "; ".join(sources)


def following(stage: str, stages: Mapping[str, Any]) -> list[str]:
    """Stages of a dvc.yaml that depend on ``stage``, directly or not, in the file's order."""
    makers = {path: name for name, entry in stages.items() for path in stage_outs(entry)}
    reached = {stage}
    grown = True
    while grown:
        more = {
            name
            for name, entry in stages.items()
            if reached.intersection(makers.get(dep, "") for dep in entry.get("deps", []))
        }
        grown = not more <= reached
        reached |= more
    return [name for name in stages if name in reached - {stage}]


def _read(path: Path) -> Any:
    """A JSON file that may be missing or damaged: nothing but a line on the screen needs it."""
    try:
        return read_json(path)
    except LeitmotifError:
        return None


def _bytes_of(record: Mapping[str, Any]) -> int | None:
    megabytes = record.get("peak_mb")
    return megabytes * 10**6 if isinstance(megabytes, int) else None


def _at_most(peak: Peak) -> str:
    """``at most 1.4 GB of memory``, and what of a GPU's."""
    gpu = f" and {peak.gpu / 1e9:.1f} GB of the GPU's" if peak.gpu else ""
    return f"at most {peak.host / 1e9:.1f} GB of memory{gpu}"


def as_time(seconds: float) -> str:
    """Seconds below a minute and a half, minutes below one and a half hours, else hours."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _about(known: Mapping[str, Duration], names: Sequence[str]) -> str:
    timed = [known[name].seconds for name in names if name in known]
    if not timed:
        return "not known here yet"
    return f"{'about' if len(timed) == len(names) else 'more than'} {as_time(sum(timed))}"


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
