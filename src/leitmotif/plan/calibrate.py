"""How long pieces of work take on this machine: some seconds of each, measured.

A model that is on this machine is measured with its weights. In the place of another one stand two
decoders of its shapes with random weights and few blocks: their difference is the time of a block,
and the time of all blocks is computed from it. Everything runs in one process with one thread, as
the stages' processes do, and processor time counts, so that other work on the machine matters
little; on a GPU, one process works and the clock counts.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from leitmotif.audio.analysis import analyse_track
from leitmotif.audio.reading.samples import Samples
from leitmotif.audio.writing import as_int16, write_wav
from leitmotif.files import sha256_file
from leitmotif.judge.models.loading import shared_clap, shared_tagger
from leitmotif.musicgen import HookedMusicGen, Intervention
from leitmotif.musicgen.graphs import REACH
from leitmotif.musicgen.loading import load_model
from leitmotif.plan.hours import PassLoad, Rates, StepLoad, read_operations
from leitmotif.plan.scale import Scale
from leitmotif.plan.sizes import ModelSize, judge_bytes
from leitmotif.plan.stand_ins import clap_audio, musicgen_of, tagger
from leitmotif.plan.work import Work
from leitmotif.recurrence.continuation import Listener
from leitmotif.recurrence.proposals.engine import suggest_in_audio
from leitmotif.recurrence.search.settings import search_of
from leitmotif.tables.base import Span

BLOCKS = (1, 3)
"""Numbers of blocks of the two decoders that stand for a larger one."""
MOST_ROWS = 16
"""Of a batch that is measured on such decoders; the time of more rows is in proportion."""
MOST_FRAMES = 250
"""Of a context that is measured on such decoders; the time of more is as their operations."""
NEW_FRAMES = 8
"""New frames of the generation whose steps are timed."""
GPU_FRAMES = (REACH // 4, REACH * 5 // 4)
"""Of the two whose difference is timed on a GPU: it has a graph more, as so many steps have."""
WARM_UP_SECONDS = 0.5
"""What takes longer has no run that is not timed."""
AUDIO_SECONDS = 1.0
"""Length of what the codec reads and writes."""


@dataclass(frozen=True)
class DeviceTimer:
    """Measures the pieces of work of an experiment on a device."""

    scale: Scale
    device: str
    """Device, such as ``cpu``, ``cuda`` or ``auto``."""

    def rates(self, works: Iterable[Work]) -> Rates:
        """Measure what these works consist of, in some seconds."""
        works = list(works)
        with threadpool_limits(limits=1):
            step, read = self._passes(works)
            codec = self._stand_for(self.scale.model)[-1][1]
            return Rates(
                step=step,
                read=read,
                **self._codec(codec),
                **self._judges(),
                **self._listening(),
                operation=self._operation(),
                notes=self._notes(),
            )

    def _passes(
        self, works: Iterable[Work]
    ) -> tuple[Mapping[StepLoad, float], Mapping[PassLoad, float]]:
        """Seconds of a step of each batch, and of a pass over each context."""
        step: dict[StepLoad, float] = {}
        read: dict[PassLoad, float] = {}
        for work in works:
            for batch in work.generating:
                if StepLoad.of(batch) not in step:
                    step[StepLoad.of(batch)] = self._step(batch.model, StepLoad.of(batch))
            for reading in work.reading:
                key = PassLoad(reading.model.name, reading.frames)
                if reading.contexts and key not in read:
                    read[key] = self._pass(reading.model, key.frames)
        return step, read

    def _step(self, size: ModelSize, batch: StepLoad) -> float:
        rows = batch.rows if size.here else min(batch.rows, MOST_ROWS)
        seconds = self._whole(size, lambda model: self._steps(model, rows, batch.steps))
        return seconds * batch.rows / rows

    def _pass(self, size: ModelSize, frames: int) -> float:
        short = frames if size.here else min(frames, MOST_FRAMES)
        seconds = self._whole(size, lambda model: self._read(model, short))
        return seconds * read_operations(size, frames) / read_operations(size, short)

    def _whole(self, size: ModelSize, measure: Callable[[HookedMusicGen], float]) -> float:
        """Seconds with all blocks, measured or computed from models with few."""
        measured = [(blocks, measure(model)) for blocks, model in self._stand_for(size)]
        if len(measured) == 1:
            return measured[0][1]
        (few, less), (many, more) = measured
        block = max(0.0, more - less) / (many - few)
        return max(0.0, less - few * block) + size.decoder.layers * block

    @cached_property
    def _models(self) -> dict[str, list[tuple[int, HookedMusicGen]]]:
        return {}

    def _stand_for(self, size: ModelSize) -> list[tuple[int, HookedMusicGen]]:
        """The model itself, or two of few blocks, with their numbers of blocks."""
        if size.name not in self._models:
            params = self.scale.params.model
            if size.here:
                settings = params.beside(size.name).model_copy(update={"device": self.device})
                made = [(size.decoder.layers, load_model(settings))]
            else:
                made = [
                    (
                        blocks,
                        musicgen_of(size.decoder, blocks=blocks).to(
                            device=self.device, dtype=params.dtype
                        ),
                    )
                    for blocks in BLOCKS
                ]
            self._models[size.name] = made
        return self._models[size.name]

    def _steps(self, model: HookedMusicGen, rows: int, before: int) -> float:
        """Seconds of a step of ``rows`` rows that have read ``before`` steps, the median."""
        prefix = torch.zeros(1, model.codebooks, max(1, before), dtype=torch.long)
        times: list[float] = []

        def at_step(x: torch.Tensor) -> torch.Tensor:
            times.append(_now())
            return x

        # Steps are replayed on a GPU, and nothing of Python runs in them.
        steps_seen = model.device.type == "cpu"
        last = f"layers.{model.num_layers - 1}.residual"

        def generate(frames: int) -> None:
            model.generate(
                prefix=prefix.expand(rows, -1, -1),
                seconds=frames / model.frame_rate,
                interventions=[Intervention(last, at_step)] if steps_seen else (),
            )

        if steps_seen:
            generate(NEW_FRAMES)
            # The first call is for the prefix, and the step after it makes room for new ones.
            return float(np.median(np.diff(times)[1:]))
        few, many = (_timed(partial(generate, frames)) for frames in GPU_FRAMES)
        return max(0.0, many - few) / (GPU_FRAMES[1] - GPU_FRAMES[0])

    def _read(self, model: HookedMusicGen, frames: int) -> float:
        codes = torch.zeros(1, model.codebooks, frames, dtype=torch.long)
        with torch.inference_mode():
            return _timed(lambda: model(codes))

    def _codec(self, model: HookedMusicGen) -> dict[str, float]:
        samples = melody(AUDIO_SECONDS, model.sample_rate)
        codes = model.encode_audio(samples)
        return {
            "encode": _timed(lambda: model.encode_audio(samples)) / AUDIO_SECONDS,
            "decode": _timed(lambda: model.decode_audio(codes)) / AUDIO_SECONDS,
        }

    def _judges(self) -> dict[str, float]:
        settings = self.scale.params.judge.model_copy(update={"device": self.device})
        dtype, rate = self.scale.params.model.dtype_beside, self.scale.model.sample_rate
        clips = [melody(2.0, rate)] * 4
        if judge_bytes(settings.clap, settings.clap_revision)[1]:
            clap = shared_clap(settings, dtype)
            compare = _timed(lambda: clap.embed_audio(clips, rate)) / len(clips)
        else:
            compare = self._stand_in(*clap_audio())
        if judge_bytes(settings.tagger, settings.tagger_revision)[1]:
            judge = shared_tagger(settings, dtype)
            tag = _timed(lambda: judge.logits(clips, rate)) / len(clips)
        else:
            tag = self._stand_in(*tagger())
        return {"compare": compare, "tag": tag}

    def _stand_in(self, model: torch.nn.Module, window: torch.Tensor) -> float:
        place = self._stand_for(self.scale.model)[0][1].device
        moved, given = model.to(place), window.to(place)
        with torch.inference_mode():
            return _timed(lambda: moved(given))

    def _listening(self) -> dict[str, float]:
        """Of a context that is searched, a continuation that is heard, and a second analysed."""
        scale, rate = self.scale, self.scale.model.sample_rate
        settings, search = scale.params.interventions, search_of(scale.params.proposals)
        context = melody(scale.context_seconds, rate)
        prefix = melody(scale.prefix_frames / scale.model.frame_rate, rate)
        length = min(len(prefix), round(scale.params.proposals.lengths[0] * rate))
        listener = Listener(
            prefix, [Span(start_sample=0, samples=length)], sample_rate=rate, search=search
        )
        new = melody(settings.seconds, rate)
        with TemporaryDirectory(prefix="leitmotif-") as folder:
            path = Path(folder) / "melody.wav"
            write_wav(path, as_int16(context), rate)
            digest = sha256_file(path)
            analysed = _timed(
                lambda: analyse_track(
                    path, track_id="melody", sha256=digest, params=scale.params.features
                )
            )
        return {
            "search": _timed(lambda: suggest_in_audio(context, rate, search)),
            "hear": _timed(lambda: listener.returns(new)),
            "analyse": analysed / scale.context_seconds,
        }

    def _operation(self) -> float:
        """Of products of float64 matrices, which is what fits consist of."""
        size = 512
        matrix = np.random.default_rng(0).normal(size=(size, size))
        return _timed(lambda: matrix @ matrix) / (2.0 * size**3)

    def _notes(self) -> tuple[str, ...]:
        lacking = [m.name for m in self._sizes if not m.here]
        return tuple(
            f"{name}: random weights in its shapes, {BLOCKS[0]} and {BLOCKS[1]} blocks measured "
            f"and multiplied; more than {MOST_ROWS} rows and {MOST_FRAMES} frames in proportion"
            for name in lacking
        )

    @property
    def _sizes(self) -> list[ModelSize]:
        """Models that were measured."""
        known = {self.scale.model.name: self.scale.model}
        known[self.scale.lens_model.name] = self.scale.lens_model
        return [size for name, size in known.items() if name in self._models]


def _timed(work: Callable[[], object]) -> float:
    """Seconds of the shorter of two runs; of what takes little, after one that is not timed."""
    times: list[float] = []
    while len(times) < 2 or (len(times) < 3 and times[0] < WARM_UP_SECONDS):
        start = _now()
        work()
        times.append(_now() - start)
    return min(times[-2:])


def _now() -> float:
    """Seconds of a clock: where there is no GPU, those of the processor, spent in this process.

    Other work on the machine does not add to them, and there is one thread.
    """
    if not torch.accelerator.is_available():
        return time.process_time()
    torch.accelerator.synchronize()
    return time.perf_counter()


def melody(seconds: float, rate: int) -> Samples:
    """Audio [n] of notes that are drawn, four a second: something to search in and to listen to."""
    n = round(seconds * rate)
    pitches = np.random.default_rng(0).integers(48, 72, size=int(seconds * 4) + 1)
    frequency = 440.0 * 2.0 ** ((np.repeat(pitches, rate // 4 + 1)[:n] - 69) / 12)
    return (0.3 * np.sin(2 * np.pi * np.cumsum(frequency) / rate)).astype(np.float32)
