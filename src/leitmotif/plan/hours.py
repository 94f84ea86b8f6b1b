"""Seconds of each stage: counts of its work times seconds of each piece, on one device."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from leitmotif.plan.sizes import (
    ModelSize,
    active_parameters,
    step_bytes,
    step_operations,
)
from leitmotif.plan.work import Generating, Reading, Work
from leitmotif.work.budget import GB

SECONDS_AN_EXCHANGE, SECONDS_A_PERMUTATION, SECONDS_A_SHIFT = 3.0e-9, 1.1e-9, 4.0e-11
"""Of one feature: for each track, where features are left alone once they are decided, and where
the number is fixed; for each row of the probes. Measured in one thread of an AMD EPYC, with 100 and
50 tracks."""
SECONDS_A_PANEL_ROW = 2.0e-5
"""Of a row on which controls are fitted: what remained of the shipped experiment's stage
calibration."""


class StepLoad(NamedTuple):
    """What decides how long a decoder step takes."""

    model: str
    rows: int
    """Rows of both halves."""
    steps: int
    """Steps that lie before it."""

    @classmethod
    def of(cls, one: Generating) -> "StepLoad":
        """The batch in the middle of a generation."""
        return cls(one.model.name, min(one.rows, max(1, one.clips)) * one.halves, one.mean_steps)


class PassLoad(NamedTuple):
    """What decides how long a pass takes."""

    model: str
    frames: int


@dataclass(frozen=True)
class Rates:
    """Seconds of each piece of work in one process."""

    step: Mapping[StepLoad, float]
    """Seconds of a decoder step of a batch."""
    read: Mapping[PassLoad, float]
    """Seconds of a pass over a context, alone in its batch."""
    encode: float = 0.0
    """Seconds of a second of audio, by the codec."""
    decode: float = 0.0
    compare: float = 0.0
    """Seconds of a window, by CLAP."""
    tag: float = 0.0
    """Seconds of a clip, by the tagger."""
    search: float = 0.0
    """Seconds of a context in which returns are searched for."""
    hear: float = 0.0
    """Seconds of a continuation in which a motif is looked for."""
    analyse: float = 0.0
    """Seconds of a second of audio."""
    operation: float = 0.0
    """Seconds of a floating-point operation of a matrix product."""
    notes: tuple[str, ...] = field(default=())
    """How they were measured."""


class Range(NamedTuple):
    """Seconds of a stage, at least and at most."""

    least: float
    """If no intervention moves a token, so that no clip is heard but those that are untouched, and
    no feature has a link with its target."""
    most: float
    """If every intervention does, and features stay undecided for as long as they can."""


_HEARD = ("reading", "codec", "judges", "listening")


def seconds_of(work: Work, rates: Rates, *, processes: int) -> Range:
    """Seconds of a stage whose work so many processes share; start-up is left out."""
    parts = parts_of(work, rates)
    heard = sum(parts[name] for name in _HEARD)
    most = sum(parts.values())
    spared = work.repeated * heard + work.spared * SECONDS_AN_EXCHANGE
    return Range((most - spared) / processes, most / processes)


def parts_of(work: Work, rates: Rates) -> dict[str, float]:
    """Seconds in one process by kind of work: generating, reading, codec, judges, the rest."""
    return {
        "generating": sum(
            part.batches * part.steps * rates.step[StepLoad.of(part)]
            for part in work.generating
            if part.clips
        ),
        "reading": sum(
            part.contexts * rates.read[PassLoad(part.model.name, part.frames)]
            for part in work.reading
            if part.contexts
        ),
        "codec": work.encoded_seconds * rates.encode + work.decoded_seconds * rates.decode,
        "judges": work.compared_windows * rates.compare + work.tagged_clips * rates.tag,
        "listening": work.searched_contexts * rates.search
        + work.heard_clips * rates.hear
        + work.analysed_seconds * rates.analyse,
        "fits": work.operations * rates.operation
        + work.exchanges * SECONDS_AN_EXCHANGE
        + work.permuted * SECONDS_A_PERMUTATION
        + work.shifts * SECONDS_A_SHIFT
        + work.panels * SECONDS_A_PANEL_ROW,
    }


@dataclass(frozen=True)
class DeviceClass:
    """A class of GPU, by published peaks."""

    name: str
    memory_bytes: int
    bandwidth: float
    """Bytes a second."""
    operations: Mapping[str, float]
    """Floating-point operations a second, by type."""


CLASSES = (
    DeviceClass(
        "24 GB consumer (RTX 4090)",
        24 * GB,
        1.008e12,
        {"float64": 1.29e12, "float32": 82.6e12, "bfloat16": 165e12, "float16": 165e12},
    ),
    DeviceClass(
        "A100 40 GB",
        40 * GB,
        1.555e12,
        {"float64": 9.7e12, "float32": 19.5e12, "bfloat16": 312e12, "float16": 312e12},
    ),
    DeviceClass(
        "A100 80 GB",
        80 * GB,
        2.039e12,
        {"float64": 9.7e12, "float32": 19.5e12, "bfloat16": 312e12, "float16": 312e12},
    ),
    DeviceClass(
        "H100 80 GB (SXM)",
        80 * GB,
        3.35e12,
        {"float64": 34e12, "float32": 67e12, "bfloat16": 989e12, "float16": 989e12},
    ),
)
"""Peaks of NVIDIA's data sheets, without sparsity; float32 without TF32, as torch computes it."""
OF_BANDWIDTH = 0.27
"""Share of the peak that was reached with 64 rows of musicgen-small in bfloat16 on an H100
(benchmarks/results/generation_gpu.json); taken for the other classes too."""
OF_OPERATIONS = 0.4
"""Share of the peak that is assumed to be reached."""
REPLAYED_SECONDS_A_BLOCK = 8e-5
"""Least time of a block in a step that a CUDA graph replays, as measured there with one row."""
LAUNCH_SECONDS_A_BLOCK = 2e-3
"""Least time of a block in a pass whose kernels Python starts, as measured there: 1.9 to 2.5 ms."""


def step_seconds(of: DeviceClass, generating: Generating, dtype: str, size: int) -> float:
    """A decoder step on a class of GPU: what memory, arithmetic or kernels take, the longest."""
    config, batch = generating.model.decoder, StepLoad.of(generating)
    read = step_bytes(config, batch.rows, batch.steps, size) / (of.bandwidth * OF_BANDWIDTH)
    peak = of.operations[dtype] * OF_OPERATIONS
    computed = step_operations(config, batch.rows, batch.steps) / peak
    return max(read, computed, config.layers * REPLAYED_SECONDS_A_BLOCK)


def read_seconds(of: DeviceClass, reading: Reading, dtype: str) -> float:
    """A teacher-forced pass over a context, alone in its batch."""
    peak = of.operations[dtype] * OF_OPERATIONS
    config = reading.model.decoder
    return max(
        read_operations(reading.model, reading.frames) / peak,
        config.layers * LAUNCH_SECONDS_A_BLOCK,
    )


def read_operations(model: ModelSize, frames: int) -> float:
    """Of a pass over a context: two a weight and step, and causal attention."""
    config = model.decoder
    steps = frames + max(config.delays)
    return 2.0 * steps * (active_parameters(config) + config.layers * config.width * steps)


def seconds_on(of: DeviceClass, work: Work, dtype: str, size: int) -> float:
    """Seconds of the decoder alone, sampling and reading, on a class of GPU."""
    step = {StepLoad.of(part): step_seconds(of, part, dtype, size) for part in work.generating}
    read = {
        PassLoad(part.model.name, part.frames): read_seconds(of, part, dtype)
        for part in work.reading
    }
    parts = parts_of(work, Rates(step, read))
    return parts["generating"] + parts["reading"]
