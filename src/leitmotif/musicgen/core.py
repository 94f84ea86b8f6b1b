"""The parts of a MusicGen, and what each pass through them needs: prompts, positions, codes."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Self

import torch
from torch import Tensor

from leitmotif.arguments import is_integer, odd_storage
from leitmotif.audio.reading.samples import Clips
from leitmotif.checkpoints.folders import usable_device
from leitmotif.errors import ModelError, counted
from leitmotif.files import sha256_json
from leitmotif.musicgen.arguments import as_rows, described
from leitmotif.musicgen.checkpoint import Parts
from leitmotif.musicgen.fingerprints import codec_fingerprint, fingerprint
from leitmotif.musicgen.model import TextKeys, sinusoidal_positions
from leitmotif.musicgen.positions import DISTINCT, first_positions
from leitmotif.sites import parts_of, patterns_of, sites_of

DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class Conditioning(NamedTuple):
    """Prompts, encoded and projected for every block of the decoder."""

    text: list[TextKeys]
    mask: Tensor | None  # [B, 1, 1, L], True where attended; None attends to everything


class Core:
    """Decoder, text encoder and codec of a MusicGen; no weight asks for a gradient."""

    def __init__(self, parts: Parts) -> None:
        if not isinstance(parts, Parts):
            raise ModelError(
                "these are no parts of a model",
                found=f"{parts!r:.200}",
                fix="load a model with from_pretrained or from_transformers",
            )
        self.decoder = parts.decoder.eval().requires_grad_(False)
        self.text = parts.text.eval().requires_grad_(False)
        self.codec = parts.codec.eval().requires_grad_(False)
        self.config = self.decoder.config
        self.default_guidance_scale = parts.guidance_scale
        self.source = parts.source
        """Folder or hub id that it was loaded from; None if it was made in memory."""
        self.first_position = 0
        """Position of the first step of every pass; see ``count_from``."""
        self.use_graphs = True
        """Whether a CUDA GPU replays the steps of a generation; see ``musicgen.graphs``."""
        self._positions = torch.empty(0)

    def __repr__(self) -> str:
        """Say sizes, rates, precision, place and origin, in three lines."""
        config, kind = self.config, str(self.dtype).removeprefix("torch.")
        weights = sum(weight.numel() for weight in self.decoder.parameters()) / 1e6
        return (
            f"{type(self).__name__}({self.source or 'made in memory'}\n"
            f"  decoder: {config.layers} layers, width {config.width}, {config.heads} heads, "
            f"{weights:.3g} M weights, {kind} on {self.device}\n"
            f"  codec:   {config.codebooks} codebooks of {config.codebook_size}, "
            f"{self.frame_rate:g} frames/s, {self.sample_rate} Hz"
            f"{', stereo' if self.channels == 2 else ''})"
        )

    def to(self, *, device: str | None = None, dtype: str | None = None) -> Self:
        """Move to a device (``auto``: a GPU if there is one) and precision; returns self."""
        place = None if device is None else usable_device(device)
        kind = None if dtype is None else dtype_of(dtype)
        if (place or self.device).type == "mps" and (kind or self.dtype) == torch.float64:
            raise ModelError(
                "Apple's GPUs do not compute in float64",
                found="device mps with dtype float64",
                fix="set the dtype to float32, or the device to cpu",
            )
        self.decoder.to(device=place, dtype=kind)
        self.text.to(device=place, dtype=kind)
        self.codec.to(device=place, dtype=self.dtype_beside)
        self._positions = torch.empty(0)
        for name in ("fingerprint", "codec_fingerprint"):
            self.__dict__.pop(name, None)
        return self

    def count_from(self, position: int) -> Self:
        """Let the first step of every pass have this position, in decoder steps; returns self.

        0 is where a clip begins on which MusicGen was trained, and what every other implementation
        begins with. Raises ModelError for what is no position.
        """
        (self.first_position,) = first_positions(position, rows=1, begin=0, steps=1)
        self.__dict__.pop("fingerprint", None)
        return self

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.decoder.heads.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the decoder."""
        return self.decoder.heads.weight.dtype

    @property
    def dtype_beside(self) -> torch.dtype:
        """Precision of what is computed beside the decoder: its codec, autoencoders."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32

    @property
    def num_layers(self) -> int:
        """Blocks of the decoder."""
        return self.config.layers

    @property
    def width(self) -> int:
        """Width of the residual stream."""
        return self.config.width

    @property
    def sample_rate(self) -> int:
        """Samples a second."""
        return self.codec.sample_rate

    @property
    def samples_per_frame(self) -> int:
        """Samples that a codec frame stands for."""
        return self.codec.hop

    @property
    def frame_rate(self) -> float:
        """Codec frames, and decoder steps, a second."""
        return self.sample_rate / self.samples_per_frame

    @property
    def hearing_seconds(self) -> float:
        """How far EnCodec's encoder hears past a frame's end; measured, see docs/model.md."""
        return self.codec.hearing_seconds

    @property
    def codebooks(self) -> int:
        """K."""
        return self.config.codebooks

    @property
    def codebook_size(self) -> int:
        """V, of each codebook."""
        return self.config.codebook_size

    @property
    def delays(self) -> tuple[int, ...]:
        """Steps by which each codebook lags behind; see ``model.delay``."""
        return self.config.delays

    @property
    def channels(self) -> int:
        """Of the audio: 1, or 2 for a stereo checkpoint."""
        return self.config.channels

    @property
    def attention_reach(self) -> int | None:
        """None: a step attends to all earlier ones."""
        return None

    @property
    def sites(self) -> list[str]:
        """All sites, in the order in which a pass reaches them."""
        return sites_of(self.num_layers)

    @property
    def parts(self) -> list[str]:
        """Parts of self-attention, which are sites too but not among "all"."""
        return parts_of(self.num_layers, self.config.heads)

    @property
    def patterns(self) -> list[str]:
        """Attention patterns, which ``run_with_cache`` captures where they are named."""
        return patterns_of(self.num_layers)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all weights as they are in memory, and of the decoder's sizes (64 hex).

        Also of the first position, where that is not 0.
        """
        weights = fingerprint([self.decoder, self.text, self.codec], self.config)
        if not self.first_position:
            return weights
        return sha256_json({"weights": weights, "first_position": self.first_position})

    @cached_property
    def codec_fingerprint(self) -> str:
        """SHA-256 of the codec's settings and weights (64 hex), the same beside any decoder."""
        return codec_fingerprint(self.codec)

    def encode_audio(self, audio: Clips) -> Tensor:
        """Encode clips at ``sample_rate`` to codes [B, K, T], T whole frames.

        ``audio`` is one clip: samples [n], what ``load_audio`` or ``compose`` returned, or a list
        of clips of one length. Full scale is at 1; integers of sound files are scaled. Raises
        AudioError for anything else, stereo and another rate included. A stereo model takes clips
        [2, n] too, and batches [B, 2, n]; it hears a mono clip from both sides.
        """
        return self.codec.encode(audio)

    def decode_audio(self, codes: Tensor) -> Tensor:
        """Decode codes [B, K, T] to samples [B, n], of a stereo model [B, 2, n].

        Raises ModelError as ``check_codes`` does.
        """
        return self.codec.decode(self.check_codes(codes))

    def positions(self, steps: int) -> Tensor:
        """Position embeddings [S, d] of the positions 0 to ``steps`` - 1; raises ModelError.

        Beyond a period of the slowest sinusoid positions repeat.
        """
        if not is_integer(steps) or not 0 <= steps <= DISTINCT:
            raise ModelError(
                "there are no such positions",
                found=f"{steps!r:.200} steps",
                expected=f"0..{DISTINCT}, a period of the slowest sinusoid",
            )
        if self._positions.shape[0] < steps:
            self._positions = sinusoidal_positions(
                max(steps, 2048), self.width, exact=self.dtype == torch.float64
            ).to(device=self.device, dtype=self.dtype)
        return self._positions[:steps]

    def positions_from(self, first: Sequence[int], steps: int) -> Tensor:
        """Position embeddings of ``steps`` steps of rows that begin at these positions.

        [S, d] where all begin at the same one, else [B, S, d].
        """
        numbers = as_rows(first)
        if not numbers or not is_integer(steps):
            raise ModelError(
                "these are no positions",
                found=f"{steps!r:.100} steps from {first!r:.100} on",
                expected="a list with the first position of each row, and a number of steps",
            )
        table = self.positions(max(numbers) + steps)
        begins = numbers[:1] if len(set(numbers)) == 1 else numbers
        each = [table[begin : begin + steps] for begin in begins]
        return each[0] if len(each) == 1 else torch.stack(each)

    def condition(self, prompts: str | Sequence[str] | None, rows: int) -> Conditioning | None:
        """Encode prompts for a batch of ``rows``; None for None. Raises ModelError."""
        if not is_integer(rows) or rows < 1:
            raise ModelError("there are no such rows", found=f"{rows!r:.200}", expected="1 or more")
        if prompts is None:
            return None
        if not isinstance(prompts, str | list | tuple) or not all(
            isinstance(prompt, str) for prompt in prompts
        ):
            raise ModelError(
                "these are not prompts",
                found=f"{prompts!r:.200}",
                expected="a string, or a list with a string for each row",
            )
        prompts = [prompts] * rows if isinstance(prompts, str) else list(prompts)
        if len(prompts) != rows:
            raise ModelError(
                "prompts and rows do not match",
                found=counted(len(prompts), "prompt"),
                expected=f"1 or {rows}",
            )
        distinct = list(dict.fromkeys(prompts))
        states, mask = self.text(distinct)
        rows_of = torch.tensor([distinct.index(prompt) for prompt in prompts], device=self.device)
        text = self.decoder.text_keys(states.clone())
        expanded = [TextKeys(keys[rows_of], values[rows_of]) for keys, values in text]
        return Conditioning(expanded, None if mask is None else mask[rows_of, None, None])

    def check_codes(self, codes: Tensor) -> Tensor:
        """Return codes on the model's device; raises ModelError for a wrong shape, type or token.

        A padded or delayed sequence is refused here, where it would silently be read as music.
        """
        config = self.config
        if not isinstance(codes, Tensor) or odd_storage(codes):
            raise ModelError(
                "these are not codes",
                found=described(codes),
                expected=f"a tensor of integers [B, {config.codebooks}, T]",
                fix="torch.as_tensor(codes)",
            )
        ok = codes.dim() == 3 and codes.shape[1] == config.codebooks and codes.shape[2] > 0
        if not ok or not codes.shape[0] or codes.dtype not in _INTEGERS:
            raise ModelError(
                "these are not codes",
                found=f"shape {tuple(codes.shape)}, {codes.dtype}",
                expected=f"integers [B, {config.codebooks}, T], as encode_audio returns them",
            )
        low, high = int(codes.min()), int(codes.max())
        if low < 0 or high >= config.codebook_size:
            raise ModelError(
                "codes are out of range",
                found=f"{low}..{high}",
                expected=f"0..{config.codebook_size - 1}; pads and delays are added inside",
            )
        codes = codes.to(self.device, torch.long)
        # A gradient may be asked for, which codes made in inference mode would prevent.
        return codes.clone() if codes.is_inference() else codes


def dtype_of(name: str) -> torch.dtype:
    """The type of this name; raises ModelError."""
    if not isinstance(name, str) or name not in DTYPES:
        raise ModelError("unknown dtype", found=f"{name!r:.200}", expected=", ".join(DTYPES))
    return DTYPES[name]
