"""Graphs of a generation's steps: recorded once, replayed for many steps.

A step of musicgen-small is some 500 small operations, and with few rows a GPU waits for the
processor that starts them one by one. A CUDA graph starts all of them at once. It does the same to
the same memory at every replay. So whatever differs from step to step lies in tensors on the
device, the number of the step among them, and what Python decides by the step (which interventions
act, how far attention reaches) stays the same within a segment of steps.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Protocol

import torch

Replay = Callable[[], None]


class Graphs(Protocol):
    """Makes graphs on one device."""

    def of(self, body: Callable[[], None]) -> Replay:
        """What does again, to the same tensors, what ``body`` does.

        ``body`` has run before. It takes no value from the device to Python and none the other way;
        else this raises RuntimeError.
        """


class CudaGraphs:
    """Graphs of a CUDA GPU; they share memory, so that one is replayed until the next is made."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def of(self, body: Callable[[], None]) -> Replay:
        """See ``Graphs``."""
        graph = torch.cuda.CUDAGraph()
        with (
            torch.cuda.device(self._device),
            torch.cuda.graph(
                graph,
                pool=self._pool,
                stream=_stream(self._device),
                # Other threads may use the GPU meanwhile: only this one's calls are looked at.
                capture_error_mode="thread_local",
            ),
        ):
            body()

        def replay() -> None:
            with torch.cuda.device(self._device):
                graph.replay()

        return replay


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """The stream on which a GPU's graphs are recorded: torch's own is of the first GPU alone."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def graphs_on(device: torch.device) -> Graphs | None:
    """What makes graphs on a device; None where there are none."""
    return CudaGraphs(device) if device.type == "cuda" else None


WORTHWHILE = 4
"""Steps for which a graph is made: recording takes about as long as two steps."""

REACH = 128
"""Steps by which attention reaches further from one segment to the next."""


def segments(steps: range, cuts: Iterable[int]) -> Iterator[range]:
    """Parts of ``steps`` that begin at its start, at ``cuts`` and at multiples of ``REACH``."""
    within = {cut for cut in cuts if steps.start < cut < steps.stop}
    within.update(range(-(-(steps.start + 1) // REACH) * REACH, steps.stop, REACH))
    begins = [steps.start, *sorted(within)] if steps else []
    for begin, end in zip(begins, [*begins[1:], steps.stop], strict=False):
        yield range(begin, end)


def reach_of(step: int, steps: int) -> int:
    """Steps that attention looks at in the segment of ``step``, of a pass of ``steps`` steps."""
    return min((step // REACH + 1) * REACH, steps)
