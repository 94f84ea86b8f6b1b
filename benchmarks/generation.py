"""Generation beside `transformers`' ``generate``: same weights, sampling and guidance.

    python -m benchmarks.generation

Milliseconds a decoder step, the two sides alternating in one process; the codec is left out on both
(``transformers``' is replaced by nothing), since it is the same code.
"""

import argparse
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import torch

from benchmarks._report import Row, report, row
from leitmotif.musicgen import HookedMusicGen, Sampling
from tests.tiny import tiny_musicgen, tiny_tokenizer

ORGANISM: dict[str, Any] = {
    "layers": 6, "width": 128, "heads": 4, "mlp_width": 512, "codebook_size": 128, "text_width": 64,
}  # fmt: skip
SMALL: dict[str, Any] = {
    "layers": 24, "width": 1024, "heads": 16, "mlp_width": 4096, "codebook_size": 2048,
    "text_width": 768,
}  # fmt: skip
PROMPT = "a happy fast piece with guitar melody"


def main() -> None:
    """Measure, print the table and write benchmarks/results/generation.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(parser.parse_args().threads)
    rows = [
        *compare("organism 6 x 128, float32", ORGANISM, torch.float32, {1: 7, 8: 7, 32: 5}, 416),
        *compare("musicgen-small 24 x 1024, float32", SMALL, torch.float32, {1: 3, 8: 3}, 64),
        *compare("musicgen-small 24 x 1024, bfloat16", SMALL, torch.bfloat16, {1: 3, 8: 3}, 64),
    ]
    report("generation", rows)


def compare(
    name: str, sizes: Mapping[str, Any], dtype: torch.dtype, batches: dict[int, int], frames: int
) -> list[Row]:
    """Time both sides for each batch size, as many times as ``batches`` says."""
    theirs = tiny_musicgen(**sizes)
    tokenizer = tiny_tokenizer()
    ours = HookedMusicGen.from_transformers(theirs, tokenizer)
    ours.decoder.to(dtype=dtype)
    ours.text.to(dtype=dtype)
    theirs.to(dtype=dtype)
    theirs.audio_encoder.decode = lambda codes, **_: SimpleNamespace(audio_values=codes)
    rows = []
    for batch, repeats in batches.items():
        prompts = [PROMPT] * batch
        inputs = tokenizer(prompts, return_tensors="pt")
        steps = frames + ours.config.codebooks - 1

        def run_ours(prompts: list[str] = prompts) -> None:
            ours.generate(
                prompts, seconds=frames / 50, sampling=Sampling(top_k=50), guidance_scale=3.0
            )

        def run_theirs(inputs: dict[str, torch.Tensor] = inputs, steps: int = steps) -> None:
            theirs.generate(
                **inputs, do_sample=True, top_k=50, guidance_scale=3.0, max_new_tokens=steps
            )

        mine, peer = alternate(run_ours, run_theirs, repeats)
        rows.append(
            row(
                f"{name}, batch {batch}",
                1000 * mine / steps,
                1000 * peer / steps,
                peer_name="transformers generate",
                unit="ms/step",
                better="lower",
            )
        )
        print(rows[-1], flush=True)
    return rows


def alternate(
    ours: Callable[[], object], peer: Callable[[], object], repeats: int
) -> tuple[float, float]:
    """Median seconds of each side, taking turns after one unmeasured turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats + 1):
        for side, run in enumerate((ours, peer)):
            start = perf_counter()
            run()
            times[side].append(perf_counter() - start)
    return median(times[0][1:]), median(times[1][1:])


if __name__ == "__main__":
    main()
