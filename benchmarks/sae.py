"""Encoding a 30-s track by an autoencoder of the published size: 1,024 to 32,768 features, k = 100.

    LEITMOTIF_SAE_LENS_PYTHON=... python -m benchmarks.sae

Beside sae-lens on the same tensors and weights; where there is none, beside the plain definition
in torch (and the table says so). Each side has a process of its own, which waits while the other
encodes. Seconds are medians of the calls after the first. Memory is the peak of the first call
above what was resident before it, as the kernel counts (Linux), median over new processes; the
dense matrix that must not be there is 197 MB.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import torch

from benchmarks._report import report, row
from leitmotif.sae.autoencoder import load_sae, save_sae
from tests.peers import missing, python_with
from tests.sae.making import random_sae

ROWS, WIDTH, FEATURES, K = 1500, 1024, 32_768, 100
PROCESSES, CALLS = 3, 5
CASE = f"a track of {ROWS} rows, {WIDTH} to {FEATURES:,}, k = {K}"

OURS = """
from leitmotif.sae.autoencoder import load_sae
encode = load_sae(root / "sae").encode
"""
SAE_LENS = """
from sae_lens import SAE
encode = SAE.load_from_disk(root / "sae", device="cpu").encode
"""
PLAIN = f"""
from safetensors.torch import load_file
w = load_file(root / "sae" / "sae_weights.safetensors")
def encode(x):
    pre = (x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    top = pre.topk({K}, dim=1, sorted=False)
    return torch.zeros_like(pre).scatter_(1, top.indices, top.values.relu())
"""
WORKER = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(int(sys.argv[2]))
root = Path(sys.argv[1])
x = torch.load(root / "x.pt")
{load}
def megabytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))

print("ready", flush=True)
for line in sys.stdin:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from now
    before = megabytes("VmRSS:")
    start = time.perf_counter()
    with torch.no_grad():
        codes = encode(x)
    seconds = time.perf_counter() - start
    print(seconds, megabytes("VmHWM:") - before, flush=True)
    if torch.is_tensor(codes) and not (root / "theirs.pt").exists():
        torch.save(codes.topk({k}, dim=1).values, root / "theirs.pt")
    del codes
"""


class Worker:
    """A process that encodes whenever it is asked to."""

    def __init__(self, python: str, load: str, folder: Path, threads: int) -> None:
        self._process = subprocess.Popen(
            [python, "-c", WORKER.format(load=load, k=K), str(folder), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"},
        )
        self._answer()

    def encode(self) -> tuple[float, float]:
        """Seconds, and megabytes above what was resident."""
        assert self._process.stdin
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        seconds, megabytes = map(float, self._answer().split())
        return seconds, megabytes

    def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker ended with status {self._process.wait()}")
        return line


def main() -> None:
    """Measure, print the table and write benchmarks/results/sae.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    python = python_with("sae_lens")
    if python is None:
        print(
            f"{missing('sae_lens', 'sae-lens>=6.54')}; comparing with plain torch", file=sys.stderr
        )
    name = "sae-lens" if python else "plain torch: topk, relu, scatter to dense"
    peer = (python, SAE_LENS) if python else (sys.executable, PLAIN)
    times: tuple[list[float], list[float]] = ([], [])
    peaks: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        save_sae(random_sae(width=WIDTH, features=FEATURES, k=K), folder / "sae")
        x = torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(1))
        torch.save(x, folder / "x.pt")
        for _ in range(PROCESSES):
            both = [
                Worker(python, load, folder, threads)
                for python, load in ((sys.executable, OURS), peer)
            ]
            for call in range(CALLS + 1):
                for side, worker in enumerate(both):
                    seconds, megabytes = worker.encode()
                    (times if call else peaks)[side].append(seconds if call else megabytes)
            for worker in both:
                worker.end()
        check(folder, x)
    ours, theirs = map(median, times)
    little, much = map(median, peaks)
    report(
        "sae",
        [
            row(CASE, ours, theirs, peer_name=name, unit="s", better="lower"),
            row(f"{CASE}: peak memory", little, much, peer_name=name, unit="MB", better="lower"),
        ],
    )


def check(folder: Path, x: torch.Tensor) -> None:
    """Both found the same k values in each row; near-equal ones may be of other features."""
    dense = load_sae(folder / "sae").encode(x).dense(FEATURES)
    theirs = torch.load(folder / "theirs.pt", weights_only=True)
    torch.testing.assert_close(dense.topk(K, dim=1).values, theirs, atol=1e-5, rtol=1e-5)


if __name__ == "__main__":
    main()
