"""What an intervention changes: features of an autoencoder, coordinates of a site, a whole site.

Each reads its activation from the residuals x and moves x by a change of that activation. What the
target does not describe stays as it is; for an autoencoder that is the reconstruction error, which
is why x is moved along decoder directions and never replaced by a reconstruction:

    x + (a' - a) W_dec[f]

So a change of nothing leaves x as it was, to the last bit.
"""

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.placed import Placed
from leitmotif.sae.autoencoder.model import SparseAutoencoder
from leitmotif.sites import canonical_site
from leitmotif.store.reading.reader import ActivationStore

Described = dict[str, str | int | list[int] | None]


class Target(Protocol):
    """Something that is read from and moved in the activations x [..., d] of one site."""

    @property
    def site(self) -> str:
        """Canonical name of the site."""

    def read(self, x: Tensor) -> Tensor:
        """Activations [..., c] of x, 0 at rest."""

    def moved(self, x: Tensor, change: Tensor) -> Tensor:
        """Return x with its activations changed by ``change`` [..., c]."""

    def describe(self) -> Described:
        """Site, feature, sae, sae_sha256 as the log has them; constants: a hash of the rest."""

    @property
    def family(self) -> Hashable:
        """Equal for targets that can be read together; see ``join``."""


@dataclass(frozen=True, eq=False)
class SaeFeatures:
    """Features of a sparse autoencoder, changed together. Raises ModelError for one it lacks."""

    sae: SparseAutoencoder
    """The autoencoder, on the device of the model that is changed."""
    indices: tuple[int, ...]
    name: str
    """Name in hooks.yaml."""
    sha256: str
    """SHA-256 of its weights."""
    at: str | None = None
    """Another site than the autoencoder's own: a misalignment made on purpose."""

    def __post_init__(self) -> None:
        _check_indices(self.indices, self.sae.config.d_sae, f"the autoencoder {self.name}")

    @property
    def site(self) -> str:
        """See ``Target``."""
        return self.sae.config.site if self.at is None else canonical_site(self.at)

    def read(self, x: Tensor) -> Tensor:
        """See ``Target``; what is not finite reads as if it were 0."""
        flat = torch.nan_to_num(x.reshape(-1, x.shape[-1]), posinf=0.0, neginf=0.0)
        columns = self._columns.on(x.device)
        return self.sae.read(flat, columns, finite=True).view(*x.shape[:-1], -1)

    def moved(self, x: Tensor, change: Tensor) -> Tensor:
        """See ``Target``; undoes the scale of the autoencoder's normalisation."""
        decoder = self.sae.W_dec.detach()
        step, wide = change @ decoder[self._columns.on(x.device)], x.to(decoder.dtype)
        match self.sae.config.normalize_activations:
            case "layer_norm":
                step = step * wide.std(-1, keepdim=True)
            case "constant_norm_rescale":
                step = step * wide.norm(dim=-1, keepdim=True) / x.shape[-1] ** 0.5
        return x + step.to(x.dtype)

    def describe(self) -> Described:
        """See ``Target``."""
        return {
            "site": self.site,
            "feature": _one_or_all(self.indices),
            "sae": self.name,
            "sae_sha256": self.sha256,
            "constants": None,
        }

    @cached_property
    def _columns(self) -> Placed:
        return Placed(torch.tensor(self.indices))

    @property
    def family(self) -> Hashable:
        """See ``Target``: any features of one autoencoder at one site."""
        return self.site, self.sha256, self.sae


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Coordinates of a site, changed together."""

    site: str
    indices: tuple[int, ...]
    rest: Tensor
    """[c], where each rests, such as its mean over a corpus: ablation takes it there."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "site", canonical_site(self.site))
        _check_indices(self.indices, None, self.site)
        if self.rest.shape != (len(self.indices),) or not torch.isfinite(self.rest).all():
            raise ModelError(
                f"the resting values at {self.site} do not fit the coordinates",
                found=f"shape {tuple(self.rest.shape)}",
                expected=f"{len(self.indices)} finite numbers",
            )

    def read(self, x: Tensor) -> Tensor:
        """See ``Target``."""
        if max(self.indices) >= x.shape[-1]:
            raise ModelError(
                f"{self.site} lacks a coordinate",
                found=max(self.indices),
                expected=f"0..{x.shape[-1] - 1}",
            )
        return x[..., self._columns.on(x.device)] - self._rest.like(x)

    def moved(self, x: Tensor, change: Tensor) -> Tensor:
        """See ``Target``."""
        return x.index_add(x.dim() - 1, self._columns.on(x.device), change.to(x.dtype))

    def describe(self) -> Described:
        """See ``Target``."""
        return _own(self.site, _one_or_all(self.indices), self.rest)

    @cached_property
    def _columns(self) -> Placed:
        return Placed(torch.tensor(self.indices))

    @cached_property
    def _rest(self) -> Placed:
        return Placed(self.rest)

    @property
    def family(self) -> Hashable:
        """See ``Target``: the same coordinates, resting at the same values."""
        return self.site, self.indices, self.describe()["constants"]


@dataclass(frozen=True, eq=False)
class WholeSite:
    """All that a site holds."""

    site: str
    rest: Tensor
    """[d], such as the site's mean over a corpus."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "site", canonical_site(self.site))

    def read(self, x: Tensor) -> Tensor:
        """See ``Target``."""
        return x - self._rest.like(x)

    def moved(self, x: Tensor, change: Tensor) -> Tensor:
        """See ``Target``."""
        return x + change

    def describe(self) -> Described:
        """See ``Target``."""
        return _own(self.site, None, self.rest)

    @cached_property
    def _rest(self) -> Placed:
        return Placed(self.rest)

    @property
    def family(self) -> Hashable:
        """See ``Target``: the same site, resting at the same value."""
        return self.site, self.describe()["constants"]


def join(targets: Sequence[Target]) -> tuple[Target, list[list[int]]]:
    """One target that reads what several of a family read, and the columns of each in it.

    Features of an autoencoder become the features of all of them, so that it encodes once. All
    other targets of a family are alike, and their columns, all of them, are given as ``[]``.
    """
    first = targets[0]
    if not isinstance(first, SaeFeatures):
        return first, [[] for _ in targets]
    given = [target.indices for target in targets if isinstance(target, SaeFeatures)]
    every = sorted({index for indices in given for index in indices})
    column = {index: number for number, index in enumerate(every)}
    return replace(first, indices=tuple(every)), [[column[i] for i in indices] for indices in given]


def resting(store: ActivationStore, site: str) -> Tensor:
    """Mean [d] of a stored site over all steps of all tracks: where its coordinates rest.

    Raises StoreError for a site that is not stored.
    """
    total, steps = np.zeros(()), 0
    for _, rows in store.items(site):
        total = total + rows.sum(axis=0, dtype=np.float64)
        steps += len(rows)
    return torch.from_numpy(np.asarray(total / steps, dtype=np.float32))


def _check_indices(indices: tuple[int, ...], size: int | None, where: str) -> None:
    beyond = [i for i in indices if i < 0 or (size is not None and i >= size)]
    if not indices or len(set(indices)) < len(indices) or beyond:
        raise ModelError(
            f"{where} has no such features",
            found=list(indices),
            expected=f"distinct numbers of 0..{'' if size is None else size - 1}, at least one",
        )


def _one_or_all(indices: tuple[int, ...]) -> int | list[int]:
    return indices[0] if len(indices) == 1 else list(indices)


def _own(site: str, feature: int | list[int] | None, constants: Tensor) -> Described:
    values = np.ascontiguousarray(constants.detach().cpu().to(torch.float64).numpy(), dtype="<f8")
    digest = hashlib.sha256(values.tobytes()).hexdigest()
    return {
        "site": site,
        "feature": feature,
        "sae": None,
        "sae_sha256": None,
        "constants": digest,
    }
