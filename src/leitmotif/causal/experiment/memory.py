"""Bytes that continuations hold."""

from collections.abc import Sequence

from leitmotif.config import Params
from leitmotif.musicgen.memory import Footprint
from leitmotif.sae.autoencoder.registry import Hook
from leitmotif.work.budget import Holding

CLAP_BYTES = 776_000_000
"""Size of the published weights in float32; a smaller judge needs less."""


def continuations_holding(params: Params, model: Footprint, hooks: Sequence[Hook]) -> Holding:
    """Of the stages interventions and summary, with the autoencoders in use."""
    settings = params.interventions
    seconds = settings.prefix_seconds + settings.opening_seconds + settings.seconds
    return model.holding(
        seconds,
        halves=params.halves,
        judge=CLAP_BYTES * model.size_beside // 4,
        beside=model.size_beside * sum(hook.parameters for hook in hooks),
        otherwise=model.codec_bytes(seconds),  # clips are decoded one by one
    )
