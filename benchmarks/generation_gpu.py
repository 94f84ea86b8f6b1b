"""Generation on a CUDA GPU beside `transformers`, and beside what its memory allows.

    python -m benchmarks.generation_gpu

musicgen-small's shapes with random weights in bfloat16, ten seconds without a prefix, guidance and
top-k as MusicGen has them. Milliseconds a decoder step; the codec is left out on both sides. A step
reads every weight of the decoder once and the keys and values of the steps so far: the second rows
compare with the time in which the GPU copies as many bytes. Interventions take part in the third.
"""

import sys
from collections.abc import Callable, Sequence
from statistics import median
from types import SimpleNamespace
from typing import Any

import torch

from benchmarks._report import Row, report, row
from benchmarks.generation import PROMPT, SMALL
from leitmotif.musicgen import HookedMusicGen, Intervention, Replayable, Sampling
from leitmotif.musicgen.room import key_value_bytes
from tests.tiny import tiny_musicgen, tiny_tokenizer

SECONDS, REPEATS, BATCHES = 10.0, 2, (1, 8, 64)
SHORT = 1.0
"""Seconds for what takes long: it reads fewer keys and values, which favours it."""
KEPT = Sampling(top_k=250)


def main() -> None:
    """Measure, print the table and write benchmarks/results/generation_gpu.json."""
    if not torch.cuda.is_available():
        print("generation_gpu needs a CUDA GPU: not run")
        return
    theirs = tiny_musicgen(**SMALL)
    tokenizer = tiny_tokenizer()
    ours = HookedMusicGen.from_transformers(theirs, tokenizer)
    ours.to(device="cuda", dtype="bfloat16")
    theirs.to(device="cuda", dtype=torch.bfloat16)
    theirs.audio_encoder.decode = lambda codes, **_: SimpleNamespace(audio_values=codes)
    rows = []
    for batch in BATCHES:
        rows += of_batch(ours, theirs, tokenizer, batch)
    report("generation_gpu", rows)


def of_batch(ours: HookedMusicGen, theirs: Any, tokenizer: Any, batch: int) -> list[Row]:
    """The rows of one size of batch."""
    name = f"musicgen-small, bfloat16, batch {batch}"
    steps, few = (round(seconds * 50) + 3 for seconds in (SECONDS, SHORT))
    replayed = milliseconds(lambda: generate(ours, batch), steps)
    ours.use_graphs = False
    single = milliseconds(lambda: generate(ours, batch, seconds=SHORT), few, repeats=1, warm=False)
    ours.use_graphs = True
    inputs = tokenizer([PROMPT] * batch, return_tensors="pt").to("cuda")

    def run_theirs(steps: int) -> None:
        theirs.generate(
            **inputs, do_sample=True, top_k=250, guidance_scale=3.0, max_new_tokens=steps
        )

    run_theirs(8)
    peer = milliseconds(lambda: run_theirs(few), few, repeats=1, warm=False)
    changed = milliseconds(lambda: generate(ours, batch, changes(ours, batch)), steps, repeats=1)
    common: Any = {"unit": "ms/step", "better": "lower"}
    rows = [
        row(name, replayed, peer, peer_name="transformers generate", **common),
        row(f"{name}, no graphs", single, peer, peer_name="transformers generate", **common),
        row(
            f"{name}, beside memory",
            replayed,
            least(ours, batch, steps),
            peer_name="bytes of a step at the speed of a copy",
            **common,
        ),
        row(
            f"{name}, four interventions",
            changed,
            replayed,
            peer_name="without interventions",
            **common,
        ),
    ]
    for line in rows:
        print(line, file=sys.stderr, flush=True)
    return rows


def generate(
    model: HookedMusicGen,
    batch: int,
    interventions: Sequence[Intervention] = (),
    *,
    seconds: float = SECONDS,
) -> None:
    """So many clips."""
    model.generate(
        [PROMPT] * batch,
        seconds=seconds,
        sampling=KEPT,
        guidance_scale=3.0,
        interventions=interventions,
    )


def changes(model: HookedMusicGen, batch: int) -> list[Intervention]:
    """One of each kind, at blocks of their own; small, so that nothing overflows."""
    direction = torch.ones(model.width) / model.width**0.5
    row = [batch - 1]
    return [
        Intervention("layers.5.residual", "add", direction, strength=0.1, rows=row),
        Intervention("layers.11.residual", "project_out", direction, rows=row),
        Intervention("layers.15.mlp", "scale", strength=0.5, rows=row),
        Intervention("layers.19.residual", Replayable(lambda x: x * 1.01), rows=row),
    ]


def milliseconds(
    run: Callable[[], None], steps: int, *, repeats: int = REPEATS, warm: bool = True
) -> float:
    """Of a step, by the GPU's clock; the median of several runs after one that is not counted."""
    if warm:
        run()
    times = []
    for _ in range(repeats):
        begin, end = (event() for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / steps)
    return median(times)


def event() -> Any:
    """A moment on the GPU's clock."""
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def least(model: HookedMusicGen, batch: int, steps: int) -> float:
    """Milliseconds in which the GPU reads as many bytes as a step does, on average."""
    weights = sum(
        weight.nbytes
        for name, weight in model.decoder.named_parameters()
        # Of the embeddings a step reads a few rows, and the text's keys are made once.
        if "embedding" not in name and "cross_key_value" not in name
    )
    # Both halves of the guidance; half of the steps lie behind on average.
    read = weights + key_value_bytes(model.config, 2 * batch, steps // 2, 2)
    size = 1 << 30
    source = torch.randint(256, (size,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)

    copied = milliseconds(copy, 1, repeats=9)
    return read / (2 * size / copied)  # a copy reads and writes


if __name__ == "__main__":
    main()
