"""What a method is: a function of a model and of pieces that returns a ``MethodFinding``."""

import importlib
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import cast

from leitmotif.causal.experiment.events import Event
from leitmotif.claims import Claims
from leitmotif.errors import ConfigError, ProbeError
from leitmotif.musicgen.protocol import MusicModel

MINIMUM_SECONDS = 4.0
"""A model has foresight if residuals that lie further ahead carry the event."""
BIN_SECONDS = 0.5
"""Width of a map's bins of lead time."""
CLAIMS = Claims.of_horizons([[4.0, 6.0]], minimum_seconds=MINIMUM_SECONDS, alpha=0.05)
"""The rules by which this project's own method decides."""
BUILT_IN = {
    name: f"leitmotif.bench.methods.{module}:{name}"
    for name, module in {
        "interchange": "exchanged",
        "patching": "exchanged",
        "probe": "probing",
        "das": "featurised",
        "pca": "featurised",
        "sae": "featurised",
    }.items()
}


@dataclass(frozen=True)
class MethodFinding:
    """What a method says of one model."""

    foresight: bool
    """Whether residuals more than ``MINIMUM_SECONDS`` ahead of the event carry it."""
    lead_seconds: float | None
    """Seconds ahead from which the event is carried; None if the method does not say."""
    strengths: Mapping[tuple[str, float], float]
    """Site (``layers.N.residual``) and bin (one of ``lead_bins``) to how strongly the event is seen
    there. Only the order counts. Cells that are left out count as 0."""


Method = Callable[[MusicModel, Sequence[Event]], MethodFinding]


def lead_bins(pieces: Sequence[Event], frame_rate: float) -> list[float]:
    """The bins of lead time, each named by its near edge in seconds: 0, 0.5, 1, …

    ``piece.steps(frame_rate, after, after + BIN_SECONDS)`` are a bin's steps in one piece.
    """
    furthest = max((piece.onset - piece.gap.start for piece in pieces), default=0) / frame_rate
    return [round(BIN_SECONDS * n, 6) for n in range(math.ceil(furthest / BIN_SECONDS))]


def residual_sites(model: MusicModel) -> list[str]:
    """The sites of a map: the residual stream after each block."""
    return [f"layers.{block}.residual" for block in range(model.num_layers)]


def method_of(name: str) -> Method:
    """A built-in method by its name, or the function that ``package.module:function`` names.

    Modules in the current folder are found. Raises ConfigError for what cannot be imported; what
    the module itself raises when it is imported is not caught.
    """
    module_name, _, function = BUILT_IN.get(name, name).partition(":")
    if not function:
        raise ConfigError(
            f"there is no method {name!r}",
            expected=f"one of {', '.join(BUILT_IN)}, or package.module:function",
        )
    if os.getcwd() not in sys.path:  # noqa: PTH109  # as Python itself writes it there
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the module is there, and lacks something itself
        raise ConfigError(
            f"the method {name} cannot be imported",
            found=f"no module {error.name}",
            expected="a module that is installed, or lies in the current folder",
        ) from error
    method = getattr(module, function, None)
    if not callable(method):
        raise ConfigError(
            f"the method {name} cannot be used",
            found=f"{module_name} has "
            + (f"no {function}" if method is None else f"{function}, which is no function"),
            expected="a function of (model, pieces)",
        )
    return cast(Method, method)


def checked(finding: object, model: MusicModel, pieces: Sequence[Event]) -> MethodFinding:
    """Return what a method returned, with all cells of its map, if it can be scored.

    Raises ProbeError, which says what was found and expected.
    """
    if not isinstance(finding, MethodFinding):
        raise _refused(
            "what it returned", type(finding).__name__, "leitmotif.bench.method.MethodFinding"
        )
    if not isinstance(finding.foresight, bool):
        raise _refused("foresight", repr(finding.foresight), "True or False")
    lead = finding.lead_seconds
    if lead is not None and not (_is_number(lead) and lead >= 0):
        raise _refused("lead_seconds", repr(lead), "seconds from 0, or None")
    if finding.foresight and lead is not None and lead < MINIMUM_SECONDS:
        raise _refused(
            "the lead of a model with foresight",
            f"{lead:g} s",
            f"{MINIMUM_SECONDS:g} s or more, or foresight=False",
        )
    if not isinstance(finding.strengths, Mapping):
        raise _refused("strengths", type(finding.strengths).__name__, "a mapping")
    sites, bins = residual_sites(model), lead_bins(pieces, model.frame_rate)
    for cell, strength in finding.strengths.items():
        if not (isinstance(cell, tuple) and len(cell) == 2):
            raise _refused("a cell of the map", repr(cell), "(site, seconds ahead)")
        if cell[0] not in sites:
            raise _refused("the site of a cell", repr(cell[0]), f"one of {', '.join(sites)}")
        if cell[1] not in bins:
            raise _refused(
                "the bin of a cell", repr(cell[1]), f"one of {', '.join(f'{b:g}' for b in bins)}"
            )
        if not _is_number(strength):
            raise _refused(f"the strength at {cell}", repr(strength), "a finite number")
    cells = dict.fromkeys(product(sites, bins), 0.0)
    return replace(finding, strengths={**cells, **finding.strengths})


def _is_number(value: object) -> bool:
    # Numbers of numpy are of float or have its methods; torch's scalars have to be converted.
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and math.isfinite(cast(float, value))


def _refused(what: str, found: str, expected: str) -> ProbeError:
    return ProbeError(f"a method cannot be scored: {what}", found=found, expected=expected)
