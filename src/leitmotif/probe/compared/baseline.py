"""A model that has learnt nothing: the baseline for whatever is read from a trained one."""

import torch

from leitmotif.musicgen.hooked import HookedMusicGen


def shuffle_weights(model: HookedMusicGen, *, seed: int) -> HookedMusicGen:
    """Put the entries of each of the decoder's matrices in random order; returns the model itself.

    Norms and sizes of all weights stay as training left them, and nothing that was learnt does.
    Vectors, the text encoder and the codec are kept: codes still say what sounds.
    """
    draw = torch.Generator().manual_seed(seed)
    for weight in model.decoder.parameters():
        if weight.ndim > 1:
            order = torch.randperm(weight.numel(), generator=draw).to(weight.device)
            weight.data.copy_(weight.data.flatten()[order].view_as(weight))
    # Forgets packed copies and the fingerprint.
    return model.to(device=str(model.device), dtype=str(model.dtype).removeprefix("torch."))
