"""Autoencoders' features as blocks of dense columns, made from their sparse files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from leitmotif.errors import ProbeError
from leitmotif.probe.blocks import Block
from leitmotif.probe.panel import Array
from leitmotif.probe.rows import Rows
from leitmotif.sae.encode import read_codes
from leitmotif.sae.model import Codes

BLOCK = 1024
"""Features in memory at a time, as dense columns."""


def encoded_blocks(
    rows: Rows, inside: NDArray[np.bool_], folder: Path, *, least_active: float
) -> Iterator[Block]:
    """Features of one autoencoder that are active in at least a share of the tracks.

    ``folder`` holds a file for each track, as ``leitmotif.sae.encode`` writes them; activity is
    counted on the rows ``inside`` [rows] of the horizon that is tested. What is active in a handful
    of tracks cannot be tested with tracks as units. Blocks hold at most ``BLOCK`` features. Raises
    StoreError, and ProbeError if no feature is active often enough.
    """
    codes, first = [], 0
    site, misaligned = "", ""
    seen: dict[str, NDArray[np.bool_]] = {}
    for context in rows.contexts:
        whole, header = read_codes(folder / f"{context.track_id}.safetensors")
        part = taken(whole, context.first_row + context.steps)
        kept = inside[first : first + len(context.steps)]
        first += len(context.steps)
        fires = seen.setdefault(context.track_id, np.zeros(header.d_sae, dtype=bool))
        fires[taken(part, np.flatnonzero(kept)).indices.numpy()] = True
        codes.append(part)
        site, misaligned = header.site, header.misaligned
    counts = np.sum([*seen.values()], axis=0)
    tracks = len(seen)
    chosen = np.flatnonzero(counts >= max(1, least_active * tracks))
    if not len(chosen):
        raise ProbeError(
            f"no feature of {folder.name} is active often enough to be tested",
            found=f"the commonest is active in {counts.max()} of {tracks} tracks",
            expected=f"{least_active:.0%} of the tracks (probes.least_active)",
            fix="lower probes.least_active, or train an autoencoder with fewer features",
        )
    for at in range(0, len(chosen), BLOCK):
        numbers = chosen[at : at + BLOCK]
        values = np.vstack([dense(part, numbers) for part in codes])
        yield Block(site, folder.name, numbers, values, misaligned)


def taken(codes: Codes, rows: NDArray[np.integer]) -> Codes:
    """Some rows of codes, in the order given."""
    at = torch.from_numpy(np.asarray(rows, dtype=np.int64))
    starts, counts = codes.offsets[:-1][at], codes.l0[at]
    offsets = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    within = torch.arange(int(offsets[-1])) - torch.repeat_interleave(offsets[:-1], counts)
    places = torch.repeat_interleave(starts, counts) + within
    return Codes(codes.indices[places], codes.values[places], offsets)


def dense(codes: Codes, numbers: NDArray[np.int64]) -> Array:
    """Columns of chosen features, ``numbers`` ascending: [rows, len(numbers)]."""
    indices = codes.indices.numpy()
    rows = np.repeat(np.arange(codes.rows), codes.l0.numpy())
    column = np.searchsorted(numbers, indices)
    column[column == len(numbers)] = 0
    wanted = numbers[column] == indices
    out = np.zeros((codes.rows, len(numbers)))
    out[rows[wanted], column[wanted]] = codes.values.numpy()[wanted]
    return out
