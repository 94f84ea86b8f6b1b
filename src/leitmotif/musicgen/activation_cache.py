"""Activations captured in a pass, by site."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from leitmotif.errors import ModelError, counted
from leitmotif.sites import canonical_site


class ActivationCache(Mapping[str, Tensor]):
    """Captured activations [B, S, d] by site; a site's alias finds it too.

    So does a pair of a TransformerLens name and a layer: ``cache["resid_post", 3]``. An attention
    pattern is [B, heads, S, S], or [B, heads, S, tokens of the prompt].

    Parameters
    ----------
    tensors: what was captured, by canonical site.

    Raises ModelError for what are none, and KeyError, which names what was captured, for a site
    that was not.

    Example
    -------
    >>> import torch
    >>> cache = ActivationCache({"layers.3.residual": torch.zeros(1, 103, 64)})
    >>> cache["resid_post", 3].shape, cache.at_frames("hook_layers.3", range(50, 100)).shape
    (torch.Size([1, 103, 64]), torch.Size([1, 50, 64]))
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        pairs = tensors.items() if isinstance(tensors, Mapping) else [(None, tensors)]
        if not all(isinstance(site, str) and isinstance(x, Tensor) for site, x in pairs):
            raise ModelError(
                "these are no captured activations",
                found=f"{tensors!r:.200}",
                expected="tensors by their sites",
            )
        self._tensors = dict(tensors)

    def __getitem__(self, site: str | tuple[str, int]) -> Tensor:
        """Activations [B, S, d]; raises KeyError naming what was captured."""
        pair = isinstance(site, tuple) and len(site) == 2
        name = f"{site[0]}{site[1]}" if pair else f"{site!s:.200}"
        try:
            return self._tensors[canonical_site(name)]
        except (KeyError, ValueError):
            raise KeyError(f"{name} was not captured; captured: {list(self._tensors)}") from None

    def at_frames(self, site: str | tuple[str, int], frames: range) -> Tensor:
        """Take the rows of some frames: for frame f the first step at which it is predicted.

        That row has read tokens of frames before f only, so it is a summary of what precedes f. Of
        an attention pattern these are the rows of its queries.

        Parameters
        ----------
        site: name, alias, or pair of a TransformerLens name and a layer.
        frames: contiguous codec frames.

        Returns
        -------
        Activations [B, len(frames), d].

        Raises KeyError as ``cache[site]`` does, and ModelError for frames that were not read.
        """
        activations = self[site]
        steps = activations.shape[-2]
        contiguous = isinstance(frames, range) and frames.step == 1
        if not contiguous or not 0 <= frames.start <= frames.stop <= steps:
            raise ModelError(
                "these frames were not captured",
                found=f"{frames!r:.200}",
                expected=f"range(start, stop) within 0..{steps}",
            )
        return activations[..., frames.start : frames.stop, :]

    def __iter__(self) -> Iterator[str]:
        """Iterate over canonical site names."""
        return iter(self._tensors)

    def __len__(self) -> int:
        """Count the sites."""
        return len(self._tensors)

    def __repr__(self) -> str:
        """Say what was captured, a line a site: its shape; precision, place and size of all."""
        if not self._tensors:
            return "ActivationCache(nothing)"
        first = next(iter(self._tensors.values()))
        size = sum(x.numel() * x.element_size() for x in self._tensors.values())
        kind = str(first.dtype).removeprefix("torch.")
        width = max(map(len, self._tensors))
        shapes = [f"  {site:{width}}  {list(x.shape)}" for site, x in self._tensors.items()]
        details = f"{counted(len(shapes), 'site')}, {kind} on {first.device}, {size / 1e6:.1f} MB"
        return "\n".join([f"ActivationCache({details}", *shapes]) + ")"
