"""What the model holds while it reads a recording: audio to codes to activations."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from leitmotif.audio.reading.samples import Samples
from leitmotif.errors import StoreError
from leitmotif.musicgen.protocol import AudioEncoder, MusicModel
from leitmotif.sites import split_site
from leitmotif.tables.corpus import Window

_DTYPES = {"float16": torch.float16, "float32": torch.float32}


def capture(
    model: MusicModel,
    samples: Samples,
    windows: Sequence[Window],
    sites: Sequence[str],
    *,
    prompt: str | None,
    dtype: str,
    codec: AudioEncoder | None = None,
) -> dict[str, NDArray[np.floating]]:
    """Read windows of mono audio [n] and return an array [frames of all windows, d] per site.

    Each window is a context of its own, teacher-forced, alone in its batch. Of its steps the first
    ``frames`` are kept: step t has read codebook k of frames up to t - 1 - its delay, and the steps
    after the last frame begin no frame. Windows are in the model's frames and must lie within the
    audio (``fit_windows``). ``codec`` gives the codes, the model itself by default. Raises
    ModelError, and StoreError when a value does not fit ``dtype``.
    """
    stop = 1 + max(split_site(site)[0] for site in sites)
    hop = model.samples_per_frame
    rows = sum(window.frames for window in windows)
    arrays = {site: np.empty((rows, model.width), dtype) for site in sites}
    first = 0
    for window in windows:
        last = first + window.frames
        audio = samples[window.start_frame * hop : (window.start_frame + window.frames) * hop]
        codes = (codec or model).encode_audio(audio)
        prompts = None if prompt is None else [prompt]
        with torch.inference_mode():
            _, cache = model.run_with_cache(codes, prompts, sites=sites, stop_at_layer=stop)
        for site in sites:
            kept = cache[site][0, : window.frames].to(_DTYPES[dtype])
            arrays[site][first:last] = kept.cpu().numpy()
        first = last
    for site, array in arrays.items():
        if not np.isfinite(array).all():
            raise StoreError(
                f"activations at {site} do not fit {dtype}",
                found=f"{np.count_nonzero(~np.isfinite(array))} infinite or undefined values",
                fix="set activations.dtype to float32; if that fails too, model.dtype",
            )
    return arrays
