"""The sparse autoencoder: a wide dictionary of features, of which a few are active at a time.

Letters in shape comments: n rows, d width of the activations (``d_in``), F features (``d_sae``),
z active features in all rows together.

Bricken et al. 2023, "Towards Monosemanticity" (ReLU); Gao et al. 2024, "Scaling and evaluating
sparse autoencoders" (top-k); Bussmann et al. 2024, "BatchTopK sparse autoencoders"; Rajamanoharan
et al. 2024, "Jumping ahead" (JumpReLU). Tensors have the names that SAELens gives them.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from leitmotif.checkpoints.weights import is_finite
from leitmotif.errors import ModelError
from leitmotif.sae.autoencoder.arguments import check_activations, check_codes, features_of
from leitmotif.sae.autoencoder.codes import Codes, joined, offsets_of, rows_of
from leitmotif.sae.autoencoder.topk import RunningTopk, grouped_topk
from leitmotif.sites import canonical_site

Activation = Literal["relu", "topk", "jumprelu"]
Normalisation = Literal["none", "layer_norm", "constant_norm_rescale"]

CHUNK_VALUES = 1 << 22
"""Pre-activations in memory at a time (16 MB of float32), whatever the number of rows."""

GPU_CHUNK_VALUES = 1 << 26
"""Pre-activations in memory at a time on a GPU, which small products do not fill (256 MB)."""

BLOCK = 2048
"""Features whose pre-activations top-k computes at a time on a CPU, for many rows: ``W_enc`` is
then read once, where some rows and all features at a time would read it again for each of them."""


class SaeConfig(BaseModel):
    """What an autoencoder computes, and what its folder says of where it belongs."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    d_in: Annotated[int, Field(ge=1)]
    d_sae: Annotated[int, Field(ge=1)]
    activation: Activation
    """A batch top-k autoencoder is a JumpReLU with one threshold once it is trained."""
    k: int | None = None
    """Most features that a row may have; top-k only."""
    apply_b_dec_to_input: bool = True
    """Subtract the decoder's bias from the input."""
    normalize_activations: Normalisation = "none"
    """Done to each row before encoding, and undone after decoding."""
    metadata: dict[str, Any] = {}
    """Free text about its origin; ``model_name`` and ``hook_name`` are compared with the store."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.k is not None) != (self.activation == "topk"):
            raise ValueError(f"k={self.k} with activation {self.activation!r}; k is for topk alone")
        if self.k is not None and not 1 <= self.k <= self.d_sae:
            raise ValueError(f"k={self.k} is not within 1..d_sae={self.d_sae}")
        return self

    @property
    def site(self) -> str:
        """Canonical site that the metadata declares; raises ModelError if it declares none."""
        name = self.metadata.get("hook_name")
        try:
            return canonical_site(str(name))
        except ValueError as error:
            raise ModelError(
                "the autoencoder does not say where it was trained",
                found=f"hook_name {name!r}",
                expected=str(error).split("; expected ")[-1],
                fix="ask its authors, and measure with the alignment audit",
            ) from None


class SparseAutoencoder(nn.Module):
    """Encodes activations [n, d] to a few features a row, and decodes them.

    Gradients flow through what is active to activations that ask for one.

    Parameters
    ----------
    config: sizes, activation and origin. The weights are 0 until ``load_state_dict``.

    ``encode`` and ``decode`` raise ModelError for what does not fit.

    Example
    -------
    >>> import leitmotif, torch
    >>> sae = leitmotif.load_sae("models/organism/sae/layers.2.residual")
    >>> codes = sae.encode(torch.randn(5, sae.config.d_in))
    >>> codes.rows, int(codes.l0.max()) <= sae.config.k, sae.decode(codes).shape
    (5, True, torch.Size([5, 128]))
    """

    threshold: Tensor | None

    def __init__(self, config: SaeConfig) -> None:
        super().__init__()
        if not isinstance(config, SaeConfig):
            raise ModelError(
                "this is no configuration of an autoencoder",
                found=f"{config!r:.200}",
                fix="load an autoencoder with load_sae",
            )
        self.config = config
        d, features = config.d_in, config.d_sae
        self.W_enc = nn.Parameter(torch.zeros(d, features))
        self.b_enc = nn.Parameter(torch.zeros(features))
        self.W_dec = nn.Parameter(torch.zeros(features, d))
        self.b_dec = nn.Parameter(torch.zeros(d))
        if config.activation == "jumprelu":
            self.threshold = nn.Parameter(torch.zeros(features))
        else:
            self.threshold = None

    def __repr__(self) -> str:
        """Say sizes, activation, site, precision and place, in a line."""
        c, kind = self.config, str(self.W_dec.dtype).removeprefix("torch.")
        active = f"{c.activation} {c.k}" if c.k else c.activation
        at = c.metadata.get("hook_name", "no named site")
        return (
            f"SparseAutoencoder({c.d_in} -> {c.d_sae} features, {active}, at {at}, "
            f"{kind} on {self.W_dec.device})"
        )

    def preactivations(self, x: Tensor, features: slice = slice(None)) -> Tensor:
        """Multiply rows with the encoder's weights.

        Parameters
        ----------
        x: rows [n, d], normalised and centred.
        features: which features; all by default.

        Returns
        -------
        Pre-activations [n, F], or of the features asked for.
        """
        return torch.addmm(self.b_enc[features], x, self.W_enc[:, features])

    def encode(self, x: Tensor) -> Codes:
        """Encode rows; never more than ``CHUNK_VALUES`` pre-activations are in memory.

        Parameters
        ----------
        x: activations [n, d].

        Returns
        -------
        The active features of each row, as compressed sparse rows.

        Raises ModelError for another width or values that are not finite.
        """
        parts = [codes for codes, _, _ in self._chunks(x)]
        return joined(parts, x.device)

    def read(self, x: Tensor, features: Sequence[int] | Tensor, *, finite: bool = False) -> Tensor:
        """Read some features as ``encode`` has them; nothing is sorted or stored of the others.

        Of two features that are exactly equal, one of which top-k cuts, both are read.

        Parameters
        ----------
        x: activations [n, d].
        features: their numbers.
        finite: whether ``x`` is known to be finite. With ``features`` on its device, a GPU then
            goes on without an answer, so that a graph of a step may hold the reading
            (``musicgen.graphs``).

        Returns
        -------
        Activations [n, len(features)].

        Raises ModelError as ``encode`` does, and for features that it lacks.
        """
        check_activations(x, self.config.d_in, finite=True)
        wanted = features_of(features, self.config.d_sae, like=x, known=finite)
        parts = [self._read(normal, wanted) for normal, _, _ in self._normal(x, finite=finite)]
        return torch.cat(parts) if parts else x.new_zeros(0, len(wanted), dtype=self.W_dec.dtype)

    def _read(self, x: Tensor, wanted: Tensor) -> Tensor:
        if self.config.k is None:
            pre = torch.addmm(self.b_enc[wanted], x, self.W_enc[:, wanted])
            threshold = 0.0 if self.threshold is None else self.threshold[wanted]
            return pre.masked_fill(~((pre > threshold) & (pre > 0)), 0.0)
        if self._block == self.config.d_sae:
            every = self.preactivations(x)
            return _at_least(every[:, wanted], grouped_topk(every, self.config.k)[0])
        pre, best = x.new_empty(len(x), len(wanted)), None
        for first, block in self._blocks(x):
            inside = (wanted >= first) & (wanted < first + block.shape[1])
            pre[:, inside] = block[:, wanted[inside] - first]
            if best is None:
                best = RunningTopk(block, self.config.k)
            else:
                best.add(block)
        assert best is not None
        return _at_least(pre, best.result()[0])

    def decode(self, codes: Codes) -> Tensor:
        """Map features to activations, in the normalised space if the autoencoder has one.

        Parameters
        ----------
        codes: as ``encode`` returns them.

        Returns
        -------
        Activations [n, d].

        Raises ModelError for features that it lacks, and for values that are not finite.
        """
        check_codes(codes, self.config.d_sae)
        values = codes.values.to(self.W_dec.dtype)
        return self.b_dec + F.embedding_bag(
            codes.indices,
            self.W_dec,
            codes.offsets,
            mode="sum",
            per_sample_weights=values,
            include_last_offset=True,
        )

    def reconstruct(self, x: Tensor) -> tuple[Tensor, Codes]:
        """Encode and decode rows, normalisation included.

        Parameters
        ----------
        x: activations [n, d].

        Returns
        -------
        The reconstruction [n, d], and the features it is made of.

        Raises ModelError as ``encode`` does.
        """
        check_activations(x, self.config.d_in, finite=True)
        rebuilt, parts = torch.empty_like(x, dtype=self.W_dec.dtype), []
        first = 0
        for codes, shift, scale in self._chunks(x):
            rows = slice(first, first + codes.rows)
            rebuilt[rows] = self.decode(codes) * scale + shift
            parts.append(codes)
            first = rows.stop
        return rebuilt, joined(parts, x.device)

    def _chunks(self, x: Tensor) -> Iterator[tuple[Codes, Tensor, Tensor]]:
        """Codes of some rows at a time, and the shift and scale that undo the normalisation."""
        for normal, shift, scale in self._normal(x):
            codes = self._sparse(normal)
            if not is_finite(codes.values):
                raise ModelError(
                    "the features are not finite",
                    found=f"activations up to {float(x.detach().abs().max()):.3g}",
                    expected=f"products that {self.W_enc.dtype} holds",
                )
            yield codes, shift, scale

    def _normal(
        self, x: Tensor, *, finite: bool = False
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Some rows at a time as the encoder takes them, in its precision; shift and scale."""
        check_activations(x, self.config.d_in, finite=finite)
        rows = max(1, (CHUNK_VALUES if self._on_cpu else GPU_CHUNK_VALUES) // self._block)
        for part in torch.split(x, rows):
            wide = part.to(self.W_enc.dtype)
            normal, shift, scale = _normalised(wide, self.config.normalize_activations)
            if self.config.apply_b_dec_to_input:
                normal = normal - self.b_dec
            yield normal, shift, scale

    def _blocks(self, x: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Pre-activations of normalised rows, some features at a time, with the first's number."""
        for first in range(0, self.config.d_sae, self._block):
            yield first, self.preactivations(x, slice(first, first + self._block))

    @property
    def _block(self) -> int:
        """Features at a time: all, but for top-k of many on a CPU."""
        if self.config.k is None or not self._on_cpu:
            return self.config.d_sae
        return min(self.config.d_sae, max(BLOCK, self.config.k))

    @property
    def _on_cpu(self) -> bool:
        return self.W_enc.device.type == "cpu"

    def _sparse(self, x: Tensor) -> Codes:
        if self.config.k is not None:
            blocks = self._blocks(x)
            best = RunningTopk(next(blocks)[1], self.config.k)
            for _, block in blocks:
                best.add(block)
            return rows_of(*best.result())
        pre = self.preactivations(x)
        threshold = 0.0 if self.threshold is None else self.threshold
        active = (pre > threshold) & (pre > 0)
        row, indices = active.nonzero(as_tuple=True)
        return Codes(indices, pre[row, indices], offsets_of(active.sum(1)))


def _at_least(pre: Tensor, best: Tensor) -> Tensor:
    """Pre-activations [n, c] that are positive and as large as the least of the best k [n, k]."""
    least = best.amin(1, keepdim=True)
    return pre.masked_fill(~((pre >= least) & (pre > 0)), 0.0)


def _normalised(x: Tensor, kind: Normalisation) -> tuple[Tensor, Tensor, Tensor]:
    """Rows as the encoder takes them, and the shift and scale that undo it; SAELens' rules."""
    nothing, one = x.new_zeros(()), x.new_ones(())
    match kind:
        case "none":
            return x, nothing, one
        case "layer_norm":
            mean = x.mean(1, keepdim=True)
            deviation = x.std(1, keepdim=True)
            return (x - mean) / (deviation + 1e-5), mean, deviation
        case "constant_norm_rescale":
            factor = x.shape[1] ** 0.5 / x.norm(dim=1, keepdim=True).clamp(min=1e-12)
            return x * factor, nothing, 1 / factor
