"""An unmodified ``EncodecModel`` whose weights are computed, not trained.

Two facts make it possible. A strided convolution whose taps cover exactly its stride is a block
transform, so the cascade 4 x 4 x 5 x 8 can hold a principal component analysis of 640 samples. And
ELU is the identity to first order at zero, so a signal scaled down by 2^12 passes it unchanged (to
0.1 %). Residual blocks and LSTMs are set to zero, which makes them identities. The codebooks are
residual k-means of the encoder's output. Every frame is coded by itself: a note has the same codes
wherever it stands, the piece's edges included.
"""

import argparse
import math
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import EncodecConfig, EncodecFeatureExtractor, EncodecModel

from leitmotif.corpus.organism.synthesis import Sound, SoundBank
from leitmotif.corpus.organism.world import World, load_world
from training import CODEC, WORLD

CODEBOOKS, ENTRIES, DIMENSION = 4, 64, 128
RATIOS = [8, 5, 4, 4]
FILTERS = 8
SCALE = 2.0**-12
"""What the signal is multiplied by inside the network, where ELU must not bend it."""
KMEANS_ROUNDS = 30


def every_sound(world: World) -> list[Sound]:
    """Each sound that a piece of this world can contain, in a fixed order."""
    pitches = sorted({world.tonic + step for scale in world.scales.values() for step in scale})
    drums = sorted({drum for kit in world.genres.values() for drum in kit})
    voices = [*product(world.instruments, pitches), *product(["bell"], world.cue_pitches)]
    return [Sound(voice, pitch, drum) for voice, pitch in voices for drum in [None, *drums]]


def build_codec(world: World, *, seed: int) -> EncodecModel:
    """Compute the codec of a world; its weights are float32 values that float16 holds exactly."""
    bank = SoundBank(world)
    waves = [torch.from_numpy(bank[sound]) for sound in every_sound(world)]
    frames = torch.stack(waves).reshape(-1, world.samples_per_frame)
    model = EncodecModel(_config(world)).eval()
    with torch.no_grad():
        for part in (model.encoder, model.decoder):
            for layer in part.layers:
                _make_identity(layer)
        _fill_transforms(model, frames)
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
        _fill_codebooks(model, frames, torch.Generator().manual_seed(seed))
    return model


def _config(world: World) -> EncodecConfig:
    frame_rate = world.sample_rate // math.prod(RATIOS)
    return EncodecConfig(
        sampling_rate=world.sample_rate,
        audio_channels=1,
        normalize=False,
        # The number of codebooks follows from the bandwidth, in kbit/s.
        target_bandwidths=[CODEBOOKS * frame_rate * math.log2(ENTRIES) / 1000],
        hidden_size=DIMENSION,
        codebook_dim=DIMENSION,
        codebook_size=ENTRIES,
        num_filters=FILTERS,
        num_residual_layers=1,
        upsampling_ratios=RATIOS,
        num_lstm_layers=1,
        use_causal_conv=False,
        use_conv_shortcut=False,
        norm_type="weight_norm",
    )


def _fill_transforms(model: EncodecModel, frames: Tensor) -> None:
    # 640 samples -> 8 x 80 samples -> 8 x 64 components -> 128 components.
    fine = _principal_components(frames.reshape(-1, 80), 64)
    coarse = _principal_components((frames.reshape(-1, 8, 80) @ fine).reshape(-1, 512), DIMENSION)
    # blocks[t] maps the t-th input step of a block to its output channels.
    group_4 = torch.eye(4).reshape(4, 1, 4)
    group_16 = torch.eye(16).reshape(4, 4, 16)
    blocks = [group_4, group_16, fine.reshape(5, 16, 64), coarse.reshape(8, 64, DIMENSION)]

    first, *down, last = _convolutions(model.encoder)
    _set_taps(first, torch.full((1, 1, 1), SCALE), first_tap=3)
    for convolution, block in zip(down, blocks, strict=True):
        _set_taps(convolution, block.permute(2, 1, 0), _first_tap(len(block)))
    _set_taps(last, torch.eye(DIMENSION)[:, :, None] / SCALE, first_tap=3)

    first, *up, last = _convolutions(model.decoder)
    _set_taps(first, torch.eye(DIMENSION)[:, :, None] * SCALE, first_tap=3)
    for convolution, block in zip(up, reversed(blocks), strict=True):
        _set_taps(convolution, block.permute(2, 1, 0), _first_tap(len(block)))
    _set_taps(last, torch.full((1, 1, 1), 1 / SCALE), first_tap=3)


def _principal_components(rows: Tensor, count: int) -> Tensor:
    """Orthonormal columns that keep the most energy of ``rows``: (features, count)."""
    _, vectors = torch.linalg.eigh(rows.double().T @ rows.double())
    return vectors[:, -count:].flip(1).float()


def _convolutions(part: Any) -> list[Any]:
    return [layer.conv for layer in part.layers if hasattr(layer, "conv")]


def _first_tap(ratio: int) -> int:
    # EnCodec pads 2 * ratio - ratio samples, the odd one on the left.
    return ratio - ratio // 2


def _set_taps(convolution: Any, taps: Tensor, first_tap: int) -> None:
    """Write ``taps`` (rows, columns, steps) into a corner of an otherwise zero kernel."""
    rows, columns, steps = taps.shape
    kernel = torch.zeros_like(convolution.weight)
    kernel[:rows, :columns, first_tap : first_tap + steps] = taps
    _set_kernel(convolution, kernel)


def _set_kernel(convolution: Any, kernel: Tensor) -> None:
    # Weight norm keeps a length and a direction of each row; a zero row still needs a direction.
    lengths = kernel.flatten(1).norm(dim=1)
    directions = kernel / lengths.clamp_min(1e-12)[:, None, None]
    directions[lengths == 0, 0, 0] = 1.0
    pair = convolution.parametrizations.weight
    pair.original0.copy_(lengths.reshape(pair.original0.shape))
    pair.original1.copy_(directions)
    convolution.bias.zero_()


def _make_identity(layer: Any) -> None:
    if hasattr(layer, "lstm"):
        for parameter in layer.lstm.parameters():
            parameter.zero_()
    elif hasattr(layer, "block"):
        for inner in layer.block:
            if hasattr(inner, "conv"):
                _set_kernel(inner.conv, torch.zeros_like(inner.conv.weight))


def _fill_codebooks(model: EncodecModel, frames: Tensor, random: torch.Generator) -> None:
    residual = model.encoder(frames.reshape(1, 1, -1))[0].T
    for layer in model.quantizer.layers:
        centres = _kmeans(residual, ENTRIES, random).half().float()
        layer.codebook.embed.copy_(centres)
        layer.codebook.embed_avg.copy_(centres)
        residual = residual - centres[_nearest(residual, centres)]


def _kmeans(points: Tensor, count: int, random: torch.Generator) -> Tensor:
    # k-means++ (Arthur and Vassilvitskii, 2007), then Lloyd's rounds.
    chosen = [int(torch.randint(len(points), (1,), generator=random))]
    for _ in range(count - 1):
        squared = torch.cdist(points, points[chosen]).amin(1).square()
        chosen.append(int(torch.multinomial(squared + 1e-12, 1, generator=random)))
    centres = points[chosen].clone()
    for _ in range(KMEANS_ROUNDS):
        nearest = _nearest(points, centres)
        sizes = torch.bincount(nearest, minlength=count)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        centres = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres)
    return centres


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    return torch.cdist(points, centres).argmin(1)


def save_codec(model: EncodecModel, folder: Path) -> None:
    """Write the codec and its feature extractor in float16, as ``from_pretrained`` reads them."""
    config = model.config
    model.half().save_pretrained(folder)
    EncodecFeatureExtractor(
        feature_size=1, sampling_rate=config.sampling_rate, padding_side="left"
    ).save_pretrained(folder)


def load_codec(folder: Path = CODEC) -> EncodecModel:
    """The shipped codec, in float32."""
    return EncodecModel.from_pretrained(folder, dtype=torch.float32).eval()


def main() -> None:
    """Compute the codec and write it to models/organism/codec."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    save_codec(build_codec(load_world(WORLD), seed=arguments.seed), CODEC)


if __name__ == "__main__":
    main()
