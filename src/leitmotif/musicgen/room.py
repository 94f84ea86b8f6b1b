"""Bytes of the rows of a generation, and whether this machine has them at all."""

import torch

from leitmotif.errors import ModelError, counted
from leitmotif.musicgen.core import Core
from leitmotif.musicgen.model import DecoderConfig
from leitmotif.work.machine import memory_here

LOGIT_COPIES = 4
"""Of the logits of a step: as they are, guided, cut to the likeliest, with noise."""


def key_value_bytes(config: DecoderConfig, rows: int, steps: int, size: int) -> int:
    """Bytes of the keys and values of so many rows and steps: rows x layers x 2 x steps x width."""
    return rows * config.layers * 2 * steps * config.width * size


def row_bytes(config: DecoderConfig, steps: int, size: int) -> int:
    """Bytes of one row of a batch at its last step: keys and values, one layer of them twice.

    Parameters
    ----------
    config : sizes of the decoder.
    steps : of prefix and continuation.
    size : bytes of a number; keys and values have the precision of the weights.
    """
    kept = key_value_bytes(config, 1, steps, size)
    logits = LOGIT_COPIES * config.codebooks * config.codebook_size * max(4, size)
    return kept + kept // config.layers + logits


def check_room(model: Core, rows: int, steps: int) -> None:
    """Raise ModelError where so many rows and steps cannot lie in this machine's memory.

    The least that they need is compared with all that there is, before any of it is asked for.
    """
    needed = rows * row_bytes(model.config, steps, model.dtype.itemsize)
    there = memory_here()
    if model.device.type == "cuda":
        there = int(torch.cuda.get_device_properties(model.device).total_memory)
    if there is not None and needed > there:
        raise ModelError(
            "there is no room for so much music",
            found=f"{counted(rows, 'row')} of {counted(steps, 'step')}, "
            f"{needed / 1e9:.3g} GB of keys and values",
            expected=f"at most {there / 1e9:.3g} GB, the memory of this machine",
            fix="generate fewer seconds or clips at once",
        )
