"""Results of a function of arrays, kept for the next call with the same ones.

Many fits share their controls: every site and model of a horizon has the same.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import blake2b
from typing import Generic, TypeVar

import numpy as np

Result = TypeVar("Result")


class Remembered(Generic[Result]):
    """Calls ``function``, and keeps the results of its latest calls by what it was given.

    Arrays count by their content. Results are shared between callers, who leave them as they are.
    """

    def __init__(self, function: Callable[..., Result], *, most: int) -> None:
        self._function, self._most = function, most
        self._known: OrderedDict[Hashable, Result] = OrderedDict()

    def __call__(self, *arguments: object) -> Result:
        """Return what ``function`` says of these arguments: arrays, and what can be hashed."""
        key = tuple(_content(argument) for argument in arguments)
        if key not in self._known:
            self._known[key] = self._function(*arguments)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]


def _content(argument: object) -> Hashable:
    if not isinstance(argument, np.ndarray):
        assert isinstance(argument, Hashable)
        return argument
    array = np.ascontiguousarray(argument)
    return array.shape, array.dtype.str, blake2b(array.reshape(-1).view(np.uint8).data).digest()
