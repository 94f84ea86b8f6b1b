"""Settings that may be ``auto``: they follow from the recordings, their labels, and the context,
or, of the rows of a batch, from the memory that may be used.

Until those are known, such a setting has a planned value. ``leitmotif.feasibility.settled`` gives
the one that a stage uses, and ``leitmotif.work.budget`` that of rows, of which the planned value is
the most.
"""

from collections.abc import Mapping
from typing import Any

from leitmotif.claims import Claims
from leitmotif.config.interventions import InterventionsParams
from leitmotif.config.params import Params

AUTO = "auto"
CONTEXT_SECONDS = 30.0
"""Length of the clips on which MusicGen was trained; beyond it the model drifts."""
FOLDS, PREFIX, SECONDS = "probes.folds", "interventions.prefix_seconds", "interventions.seconds"
ROWS = ("interventions.rows", "decoderlens.rows", "swaps.rows")
MOST_ROWS = 64
"""Of a batch whose rows are ``auto``. With as many, a step of a continuation reads several times as
many bytes of keys and values as of weights, so that more would save little."""
PLANNED: Mapping[str, float] = {
    FOLDS: 5,
    PREFIX: 10.0,
    SECONDS: CONTEXT_SECONDS,
    **dict.fromkeys(ROWS, MOST_ROWS),
}
"""Settings that may be ``auto``, and what is planned with; a continuation is cut to what fits."""
STEP_SECONDS = 0.5
"""Step to which lengths that follow from labels are rounded."""


def without_auto(values: Any) -> tuple[Any, frozenset[str]]:
    """Plain params with planned values in the place of ``auto``, and where that stood."""
    places = [place.split(".") for place in PLANNED]
    auto = frozenset(
        f"{section}.{key}"
        for section, key in places
        if isinstance(values, Mapping)
        and isinstance(values.get(section), Mapping)
        and values[section].get(key) == AUTO
    )
    if not auto:
        return values, auto
    planned = dict(values)
    for place in auto:
        section, key = place.split(".")
        planned[section] = {**planned[section], key: PLANNED[place]}
    return planned, auto


def planned(params: Params) -> Params:
    """Cut a continuation whose length is ``auto`` to what fits behind the planned prefix."""
    if SECONDS not in params.auto:
        return params
    settings = params.interventions
    length = longest_continuation(params, settings.prefix_seconds)
    return with_interventions(params, settings.model_copy(update={"seconds": length}))


def longest_continuation(params: Params, prefix: float) -> float:
    """Seconds of a continuation that is as long as it is of use: until the claimed horizon ends.

    It is shorter where prefix, opening and continuation would exceed the model's context.
    """
    settings, claimed = params.interventions, Claims.of(params.probes).claimed
    room = CONTEXT_SECONDS - last_beginning(params) - prefix - settings.opening_seconds
    return max(0.0, round(min(room, settings.treated_seconds + claimed.until), 6))


def last_beginning(params: Params) -> float:
    """Position in seconds at which the latest prefix begins, that of the control of positions."""
    return params.model.position_seconds + params.interventions.position_shift_seconds


def with_interventions(params: Params, settings: InterventionsParams) -> Params:
    """Params with another section ``interventions``."""
    return params.model_copy(update={"interventions": settings})


def notices(params: Params) -> list[str]:
    """What is unwise of settings that are possible, a line each."""
    settings, begins = params.interventions, params.model.position_seconds
    latest = last_beginning(params)
    if params.corpus.source == "organism":
        moved = (
            f"positions begin at up to {latest:g} s (model.position_seconds, "
            "interventions.position_shift_seconds); organisms were trained on pieces that begin at "
            "0, and have not seen the positions after their ends"
        )
        return [moved] if latest else []
    whole = settings.prefix_seconds + settings.opening_seconds + settings.seconds
    lines = []
    if whole + latest > CONTEXT_SECONDS:
        where = f", from position {latest:g} s on" if latest else ""
        lines.append(
            f"interventions: prefix, opening and continuation are {whole:g} s{where}; MusicGen was "
            f"trained on {CONTEXT_SECONDS:g} s, and drifts beyond"
        )
    if begins and begins + params.manifest.window_seconds > CONTEXT_SECONDS:
        lines.append(
            f"activations: windows are {params.manifest.window_seconds:g} s, from position "
            f"{begins:g} s on; MusicGen was trained on {CONTEXT_SECONDS:g} s"
        )
    return lines
