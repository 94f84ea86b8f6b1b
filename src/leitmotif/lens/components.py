"""Outputs of components: their means over prompts, and how means are put into clips.

A mean is taken at each decoder step over the clips of a set of prompts, in the conditional half. It
is read while the model reads what it has played, which gives the same activations as playing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen import HookedMusicGen, Intervention
from leitmotif.sites import Technique, split_site

Outputs = NDArray[np.floating]


class OutputChange(NamedTuple):
    """What is done to one row of a batch."""

    technique: Technique
    at: Mapping[str, Outputs]
    """By site [S, d]: what takes the output's place (``replace``) or is added (``adjust``)."""
    steps: range
    """Steps at which the change is made."""


@dataclass(frozen=True, eq=False)
class Means:
    """Mean outputs of sets of prompts at some sites."""

    sets: Sequence[str]
    sites: Sequence[str]
    values: Outputs
    """[sets, sites, S, d] in the model's precision; one array, so that processes share it."""

    def of(self, prompts: str, site: str) -> Outputs:
        """Of one set of prompts at one site [S, d]."""
        outputs: Outputs = self.values[self.sets.index(prompts), self.sites.index(site)]
        return outputs


@torch.no_grad()
def outputs(
    model: HookedMusicGen, codes: Tensor, texts: Sequence[str], sites: Sequence[str]
) -> Outputs:
    """Outputs of components in the conditional half of clips that are read: [B, sites, S, d].

    Blocks after the last site do not run. Raises ModelError.
    """
    deepest = max(split_site(site)[0] for site in sites)
    _, cache = model.run_with_cache(
        codes, list(texts), sites=list(sites), stop_at_layer=deepest + 1
    )
    return np.stack([cache[site].to(model.dtype_beside).cpu().numpy() for site in sites], axis=1)


def changed_steps(model: HookedMusicGen, length: int, frames: range | None) -> range:
    """Steps at which a token of some frames of a clip is predicted; None: all of its frames.

    ``length`` counts the clip's frames. Raises ModelError for frames that the clip lacks.
    """
    delay = max(model.delays)
    if frames is None:
        return range(length + delay)
    if frames.step != 1 or not 0 <= frames.start < frames.stop <= length:
        raise ModelError(
            "these frames cannot be swapped",
            found=frames,
            expected=f"range(start, stop) within the clip's frames 0..{length}",
        )
    return range(frames.start, frames.stop + delay)


def swapping(changes: Sequence[OutputChange]) -> list[Intervention]:
    """Interventions that change each row of a batch in its own way, in the conditional half.

    There is one for each site, technique and range of steps, whatever the number of rows.
    """
    rows: dict[tuple[str, Technique, range], list[int]] = {}
    for row, change in enumerate(changes):
        for site in change.at:
            rows.setdefault((site, change.technique, change.steps), []).append(row)
    return [
        Intervention(
            site,
            "replace" if technique == "replace" else "add",
            torch.from_numpy(
                np.stack([changes[row].at[site][steps.start : steps.stop] for row in of_site])
            ),
            rows=of_site,
            steps=steps,
            half="conditional",
        )
        for (site, technique, steps), of_site in rows.items()
    ]


def as_long(difference: Outputs, name: str) -> Outputs:
    """A random direction, at each step as long as a difference [S, d].

    It is the same direction at all steps, as that of a concept might be, drawn by ``name``.
    """
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    direction = np.random.default_rng(key).standard_normal(difference.shape[-1])
    lengths = np.linalg.norm(difference, axis=-1, keepdims=True)
    return np.asarray(lengths * direction / np.linalg.norm(direction))
