"""Every loop over recordings: what goes wrong with one is its own failure, and the others are done.

Whatever the cause: the file, the libraries that read it, a lack of memory, even the end of the
process that worked on it. Only a full disk stops everything, since it is no fault of a recording.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

from leitmotif.audio.reading.failures import named_failure, worker_lost
from leitmotif.errors import AudioError, WorkerError
from leitmotif.work.parallel import in_parts

Item = TypeVar("Item")
Result = TypeVar("Result")


def each_recording(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    path: Callable[[Item], Path],
    size: int = 1,
) -> Iterator[Result | AudioError]:
    """Yield ``function(item)`` of each, in their order, or the error that prevents it.

    Parameters
    ----------
    function
        Works on one recording, in another process; it and the items must pickle.
    items
        What stands for the recordings.
    path
        Gives the file of an item, which an error names.
    size
        Number of recordings that a process gets at a time.

    Raises
    ------
    FullDiskError, OSError
        If the disk is full.
    """
    tried, lost = partial(_tried, function, path), partial(_lost, path)
    return chain.from_iterable(in_parts(tried, items, size=size, lost=lost))


def _tried(
    function: Callable[[Item], Result], path: Callable[[Item], Path], items: Sequence[Item]
) -> list[Result | AudioError]:
    results: list[Result | AudioError] = []
    for item in items:
        try:
            with named_failure(path(item)):
                results.append(function(item))
        except AudioError as error:
            results.append(error)
    return results


def _lost(
    path: Callable[[Item], Path], item: Item, error: WorkerError
) -> list[Result | AudioError]:
    return [worker_lost(path(item), error)]
