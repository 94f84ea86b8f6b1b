"""Autoencoders' features as blocks of dense columns, made from their sparse files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from leitmotif.errors import ProbeError
from leitmotif.probe.features.blocks import FeatureBlock
from leitmotif.probe.inputs.rows import Rows
from leitmotif.probe.panel.arguments import refuse_not_finite
from leitmotif.probe.panel.panel import Array
from leitmotif.sae.autoencoder.codes import Codes
from leitmotif.sae.autoencoder.encode import read_codes

BLOCK = 1024
"""Features in memory at a time, as dense columns, at most."""
BLOCK_NUMBERS = 1 << 25
"""Numbers of a block, at most: 270 MB. From 32,768 rows on a block has fewer features. It is no
setting of a machine, so that the same rows have the same blocks everywhere."""


def block_size(rows: int) -> int:
    """Features of a block of so many rows."""
    return max(1, min(BLOCK, BLOCK_NUMBERS // max(1, rows)))


@dataclass(frozen=True)
class EncodedRows:
    """An autoencoder's features on all rows of an experiment, sparse as they are stored."""

    hook: str
    site: str
    values: sparse.csr_array
    """[rows, features]"""
    track_of_row: NDArray[np.int64]
    """[rows], numbers from 0"""
    misaligned: str
    """What does not match between the autoencoder and the activations."""

    def activity(self, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
        """In how many tracks each feature is active on some of the rows ``inside``: [features]."""
        part = self.values[inside].tocoo()
        width = self.values.shape[1]
        seen = np.unique(self.track_of_row[inside][part.row] * width + part.col)
        return np.bincount(seen % width, minlength=width)

    def columns(self, numbers: Sequence[int]) -> Array:
        """Some features on all rows: [rows, len(numbers)]."""
        return np.asarray(self.values[:, list(numbers)].toarray())

    def blocks(self, inside: NDArray[np.bool_], *, least_active: float) -> Iterator[FeatureBlock]:
        """Features that are active in at least a share of the tracks, on all rows.

        Activity is counted on the rows ``inside`` [rows] of the horizon that is tested. What is
        active in a handful of tracks cannot be tested with tracks as units. Blocks are of
        ``block_size``. Raises ProbeError if no feature is active often enough.
        """
        counts, tracks = self.activity(inside), int(self.track_of_row.max()) + 1
        # 0.07 of 100 tracks are 7, not 7.000000000000001.
        chosen = np.flatnonzero(counts >= max(1, least_active * tracks * (1 - 1e-9)))
        if not len(chosen):
            raise ProbeError(
                f"no feature of {self.hook} is active often enough to be tested",
                found=f"the commonest is active in {counts.max()} of {tracks} tracks",
                expected=f"{least_active:.0%} of the tracks (probes.least_active)",
                fix="lower probes.least_active, or train an autoencoder with fewer features",
            )
        by_column, size = self.values.tocsc(), block_size(self.values.shape[0])
        for at in range(0, len(chosen), size):
            numbers = chosen[at : at + size]
            values = by_column[:, numbers].toarray()
            active = counts[numbers]
            yield FeatureBlock(self.site, self.hook, numbers, values, self.misaligned, active)


def read_encoded(rows: Rows, folder: Path) -> EncodedRows:
    """Read an autoencoder's features on the rows of an experiment.

    ``folder`` holds a file for each track, as ``leitmotif.sae.autoencoder.encode`` writes them.
    Raises StoreError, and ProbeError for NaN and for features whose rows lie elsewhere in the
    audio.
    """
    parts, tracks = [], []
    numbers: dict[str, int] = {}
    whole, site, misaligned = sparse.csr_array((0, 0)), "", ""
    for context in rows.contexts:
        if context.track_id not in numbers:
            numbers[context.track_id] = len(numbers)
            codes, header = read_codes(folder / f"{context.track_id}.safetensors")
            rows.refuse_other_timing(header.timing, context)
            whole = sparse_matrix(codes, header.d_sae)
            site, misaligned = header.site, header.misaligned
        chosen = whole[context.first_row + context.steps]
        refuse_not_finite(
            chosen.data[:, np.newaxis], f"features of {folder.name}, track {context.track_id},"
        )
        parts.append(chosen)
        tracks.append(np.full(len(context.steps), numbers[context.track_id]))
    values = sparse.csr_array(sparse.vstack(parts))
    return EncodedRows(folder.name, site, values, np.concatenate(tracks), misaligned)


def sparse_matrix(codes: Codes, features: int) -> sparse.csr_array:
    """Codes as a matrix [rows, features], in float64."""
    values = codes.values.detach().cpu().double().numpy()
    parts = (values, codes.indices.cpu().numpy(), codes.offsets.cpu().numpy())
    return sparse.csr_array(parts, shape=(codes.rows, features))


def dense(codes: Codes, numbers: NDArray[np.int64]) -> Array:
    """Columns of chosen features: [rows, len(numbers)]."""
    features = 1 + max(int(numbers.max()), int(codes.indices.max()) if len(codes.indices) else 0)
    columns = sparse_matrix(codes, features)[:, numbers]
    return np.asarray(columns.toarray())
