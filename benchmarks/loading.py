"""Peak memory of a process while it loads a checkpoint, beside `transformers` in the same run.

    python -m benchmarks.loading

Checkpoints of 300 MB with random weights: in one file, in shards, and in torch's own format; and
one in musicgen-medium's shapes, 8 GB in five shards, written tensor by tensor. Each row is a
process of its own for each side, which the parent looks at a thousand times a second. What counts
is anonymous memory: pages of a file that is mapped can be dropped at any time. The unit is the
weights in the precision in which they are loaded: 1.0 is one copy of them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file

from benchmarks._report import report, row
from benchmarks.rehearsal.shapes import PUBLISHED

SIZES: dict[str, Any] = {
    "layers": 4,
    "width": 1024,
    "heads": 16,
    "mlp_width": 4096,
    "codebook_size": 2048,
}
SHARD = "60MB"
MEDIUM: dict[str, Any] = {
    **PUBLISHED.musicgen, "layers": 48, "width": 1536, "heads": 24, "mlp_width": 6144,
}  # fmt: skip
MEDIUM_SHARDS, MEDIUM_FILES = 5, "medium's shapes, five shards"


class Case(NamedTuple):
    """A checkpoint, and the precision in which it is loaded."""

    files: str
    stored: str
    dtype: str


CASES = (
    Case("one file", "float32", "float32"),
    Case("one file", "float32", "float64"),
    Case("one file", "float32", "bfloat16"),
    Case("one file", "float16", "float32"),
    Case("shards", "float32", "float32"),
    Case("shards", "float32", "float64"),
    Case("shards", "float32", "bfloat16"),
    Case("torch's format", "float32", "float32"),
    Case("torch's format", "float32", "float64"),
    Case(MEDIUM_FILES, "float32", "float32"),
)


def write(folder: Path, case: Case) -> None:
    """Write the checkpoint of a case."""
    from tests.tiny import save_checkpoint, tiny_musicgen

    if case.files == MEDIUM_FILES:  # in a process of its own, which keeps no memory
        written = f"from benchmarks.loading import *; write_medium(Path({str(folder)!r}))"
        subprocess.run([sys.executable, "-c", written], check=True, stderr=subprocess.DEVNULL)
        return
    model = tiny_musicgen(**SIZES).to(getattr(torch, case.stored))
    save_checkpoint(model, folder)
    if case.files == "shards":
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size=SHARD)
    elif case.files == "torch's format":
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")


def write_medium(folder: Path) -> None:
    """Write random weights in medium's shapes; a shard is in memory at a time."""
    from tests.tiny import tiny_musicgen, tiny_tokenizer

    with torch.device("meta"):
        model = tiny_musicgen(**MEDIUM)
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    tensors = model.state_dict()
    most, held = sum(x.nbytes for x in tensors.values()) / MEDIUM_SHARDS, 0
    shards: list[list[str]] = [[] for _ in range(MEDIUM_SHARDS)]
    for name, x in tensors.items():
        shards[min(MEDIUM_SHARDS - 1, int(held / most))].append(name)
        held += x.nbytes
    places: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        file = f"model-{number:05}-of-{MEDIUM_SHARDS:05}.safetensors"
        random = torch.Generator().manual_seed(number)
        drawn = {
            name: torch.randn(tensors[name].shape, generator=random).mul_(0.02)
            if tensors[name].is_floating_point()
            else torch.zeros(tensors[name].shape, dtype=tensors[name].dtype)
            for name in names
        }
        save_file(drawn, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(names, file)
    index = {"metadata": {"total_size": held}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def load(side: str, folder: str, dtype: str, files: str) -> None:
    """Load it, in a process of its own; says when it begins, and how large the weights are."""
    from transformers import MusicgenForConditionalGeneration

    from leitmotif.checkpoints.weights import load_weights
    from leitmotif.musicgen import HookedMusicGen

    # What the first use of these libraries takes is no part of it.
    torch.randn(300, 300) @ torch.randn(300, 300)
    print("begin", flush=True)
    sys.stdin.readline()
    chosen = getattr(torch, dtype)
    if side == "peer":
        model = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=chosen)
        parts: tuple[torch.nn.Module, ...] = (model,)
    elif files == "torch's format":  # as judges are loaded; of a MusicGen only safetensors are
        parts = (load_weights(MusicgenForConditionalGeneration, Path(folder), dtype=chosen),)
    else:
        hooked = HookedMusicGen.from_pretrained(folder, device="cpu", dtype=dtype)
        parts = (hooked.decoder, hooked.text, hooked.codec)
    held = {id(t): t.nbytes for part in parts for t in part.state_dict(keep_vars=True).values()}
    print(sum(held.values()), flush=True)
    sys.stdin.readline()


def copies(side: str, folder: Path, case: Case) -> float:
    """Peak of anonymous memory while it is loaded, in copies of the weights."""
    command = [sys.executable, "-m", "benchmarks.loading", "--side", side]
    command += ["--folder", str(folder), "--dtype", case.dtype, "--files", case.files]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline() == "begin\n"
        before = anonymous(child.pid)
        child.stdin.write("\n")
        child.stdin.flush()
        peak = most(lambda: anonymous(child.pid), child.stdout.fileno())
        weights = int(child.stdout.readline())
        peak = max(peak, anonymous(child.pid))
        child.stdin.write("\n")
        child.stdin.flush()
    return (peak - before) / weights


def most(value: Callable[[], int], until: int) -> int:
    """The largest value until something can be read from a file descriptor."""
    import select

    peak = 0
    while not select.select([until], [], [], 0)[0]:
        peak = max(peak, value())
        time.sleep(0.001)
    return peak


def anonymous(pid: int) -> int:
    """Bytes of a process that are no pages of files."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon")


def main() -> int:
    """Measure, print the table and write benchmarks/results/loading.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side")
    parser.add_argument("--folder")
    parser.add_argument("--dtype")
    parser.add_argument("--files")
    asked = parser.parse_args()
    if asked.side:
        load(asked.side, asked.folder, asked.dtype, asked.files)
        return 0
    rows = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), case)
            ours, peer = (copies(side, Path(folder), case) for side in ("ours", "peer"))
        name = f"{case.files}, {case.stored} as {case.dtype}"
        rows.append(row(name, ours, peer, peer_name="transformers", unit="copies", better="lower"))
    report("loading", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
