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
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import EncodecConfig, EncodecFeatureExtractor, EncodecModel

from leitmotif.corpus.organism.composer import upper_neighbour
from leitmotif.corpus.organism.synthesis import NoteSound, SoundBank
from leitmotif.corpus.organism.world import World, load_world
from training import CODEC, VARIED

CODEBOOKS, ENTRIES, DIMENSION = 4, 256, 128
RATIOS = [8, 5, 4, 4]
FILTERS = 8
SCALE = 2.0**-12
"""What the signal is multiplied by inside the network, where ELU must not bend it."""
KMEANS_ROUNDS = 30


def every_sound(world: World) -> list[NoteSound]:
    """Each sound that a piece of this world can contain, in a fixed order."""
    plain, graced = set(), set()
    for scale in world.scales.values():
        plain |= set(scale)
        if world.variations.get("transposed"):
            plain |= {step + world.transposition for step in scale}
        if world.variations.get("ornamented"):
            graced |= {(step, upper_neighbour(scale, degree)) for degree, step in enumerate(scale)}
    notes: list[tuple[str, int, int | None]] = [
        ("bell", pitch, None) for pitch in world.cue_pitches
    ]
    for voice in world.instruments:
        notes += [(voice, world.tonic + step, None) for step in sorted(plain)]
        notes += [(voice, world.tonic + a, world.tonic + b) for a, b in sorted(graced)]
    drums = sorted({drum for kit in world.genres.values() for drum in kit})
    return [
        NoteSound(voice, pitch, drum, grace)
        for voice, pitch, grace in notes
        for drum in (None, *drums)
    ]


def build_codec(world: World, *, seed: int) -> EncodecModel:
    """Compute the codec of a world; its weights are float32 values that float16 holds exactly."""
    bank = SoundBank(world)
    waves = [torch.from_numpy(bank[sound]) for sound in every_sound(world)]
    frames = torch.stack(waves).reshape(-1, world.samples_per_frame)
    fine = fine_components(frames)
    coarse = principal_components(fine_projection(frames, fine), DIMENSION)
    model = linear_codec(world.sample_rate, ENTRIES, fine, coarse)
    with torch.no_grad():
        _fill_codebooks(model, frames, torch.Generator().manual_seed(seed))
    return model


def linear_codec(
    sample_rate: int, entries: int, fine: Tensor, coarse: Tensor, *, kernel: int = 7
) -> EncodecModel:
    """A codec that maps each frame to ``DIMENSION`` numbers and back; its codebooks are not filled.

    ``fine`` (80, 64) is applied to each eighth of a frame and ``coarse`` (512, DIMENSION) to the
    eighths together; both have orthonormal columns. Rounded to what float16 holds exactly. Of the
    outer convolutions' ``kernel`` taps, an odd number, only the middle one is used.
    """
    model = EncodecModel(_config(sample_rate, entries, kernel)).eval()
    with torch.no_grad():
        for part in (model.encoder, model.decoder):
            for layer in part.layers:
                _make_identity(layer)
        _fill_transforms(model, fine, coarse)
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    return model


def _config(sample_rate: int, entries: int, kernel: int) -> EncodecConfig:
    frame_rate = sample_rate // math.prod(RATIOS)
    return EncodecConfig(
        sampling_rate=sample_rate,
        audio_channels=1,
        normalize=False,
        # The number of codebooks follows from the bandwidth, in kbit/s.
        target_bandwidths=[CODEBOOKS * frame_rate * math.log2(entries) / 1000],
        hidden_size=DIMENSION,
        codebook_dim=DIMENSION,
        codebook_size=entries,
        num_filters=FILTERS,
        kernel_size=kernel,
        last_kernel_size=kernel,
        num_residual_layers=1,
        upsampling_ratios=RATIOS,
        num_lstm_layers=1,
        use_causal_conv=False,
        use_conv_shortcut=False,
        norm_type="weight_norm",
    )


def fine_components(frames: Tensor) -> Tensor:
    """What the eighths of frames (n, 640) are made of: (80, 64)."""
    return principal_components(frames.reshape(-1, 80), 64)


def fine_projection(frames: Tensor, fine: Tensor) -> Tensor:
    """Frames (n, 640) by their eighths' components: (n, 512)."""
    return (frames.reshape(-1, 8, 80) @ fine).reshape(-1, 512)


def _fill_transforms(model: EncodecModel, fine: Tensor, coarse: Tensor) -> None:
    # 640 samples -> 8 x 80 samples -> 8 x 64 components -> 128 components.
    # blocks[t] maps the t-th input step of a block to its output channels.
    group_4 = torch.eye(4).reshape(4, 1, 4)
    group_16 = torch.eye(16).reshape(4, 4, 16)
    blocks = [group_4, group_16, fine.reshape(5, 16, 64), coarse.reshape(8, 64, DIMENSION)]

    middle = model.config.kernel_size // 2
    first, *down, last = _convolutions(model.encoder)
    _set_taps(first, torch.full((1, 1, 1), SCALE), middle)
    for convolution, block in zip(down, blocks, strict=True):
        _set_taps(convolution, block.permute(2, 1, 0), _first_tap(len(block)))
    _set_taps(last, torch.eye(DIMENSION)[:, :, None] / SCALE, middle)

    first, *up, last = _convolutions(model.decoder)
    _set_taps(first, torch.eye(DIMENSION)[:, :, None] * SCALE, middle)
    for convolution, block in zip(up, reversed(blocks), strict=True):
        _set_taps(convolution, block.permute(2, 1, 0), _first_tap(len(block)))
    _set_taps(last, torch.full((1, 1, 1), 1 / SCALE), middle)


def principal_components(rows: Tensor, count: int) -> Tensor:
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
        centres = kmeans(residual, ENTRIES, random).half().float()
        set_codebook(layer, centres)
        residual = residual - centres[nearest(residual, centres)]


def set_codebook(layer: Any, entries: Tensor) -> None:
    """Write a quantiser layer's entries (entries, DIMENSION)."""
    layer.codebook.embed.copy_(entries)
    layer.codebook.embed_avg.copy_(entries)


def kmeans(points: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Centres (count, features) of ``points`` (n, features): k-means++, then Lloyd's rounds.

    Arthur and Vassilvitskii (SODA 2007).
    """
    chosen = [int(torch.randint(len(points), (1,), generator=random))]
    squared = torch.full((len(points),), torch.inf)
    for _ in range(count - 1):
        squared = torch.minimum(squared, (points - points[chosen[-1]]).square().sum(1))
        chosen.append(int(torch.multinomial(squared + 1e-12, 1, generator=random)))
    centres = points[chosen].clone()
    for _ in range(KMEANS_ROUNDS):
        which = nearest(points, centres)
        sizes = torch.bincount(which, minlength=count)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, which, points)
        centres = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres)
    return centres


def nearest(points: Tensor, centres: Tensor) -> Tensor:
    """Number of the centre nearest to each point."""
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
    save_codec(build_codec(load_world(VARIED), seed=arguments.seed), CODEC)


if __name__ == "__main__":
    main()
