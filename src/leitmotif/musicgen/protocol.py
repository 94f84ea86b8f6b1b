"""What a model is to this project: its frames, its codes, its sites, and what can be asked of it.

Capture, probes, autoencoders and interventions speak ``MusicModel`` and nothing else.
``HookedMusicGen`` is one implementation; another one needs no base class, only these members.

Letters in shape comments: B rows, K codebooks, T frames, P frames of a prefix, S decoder steps, d
width, V codebook size.

**Frames and steps.** A step is one position of the decoder. ``delays[k]`` says by how many steps
codebook k lags behind: codebook k of frame f is predicted at step f + ``delays[k]``, which has read
of codebook j the frames before f + ``delays[k]`` - ``delays[j]``. At least one codebook has delay
0. So step t has read codes of the frames before frame t only, and T frames take T + max(delays)
steps.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from leitmotif.audio.reading.samples import Clip, Clips
from leitmotif.musicgen.activation_cache import ActivationCache
from leitmotif.musicgen.choice import Sites
from leitmotif.musicgen.generate import Generation
from leitmotif.musicgen.intervention import Intervention
from leitmotif.musicgen.key_values import Past
from leitmotif.musicgen.positions import Offset
from leitmotif.musicgen.sampling import Sampling
from leitmotif.timing.frames import Timing


class AudioEncoder(Protocol):
    """What turns audio into codes: a model, or its codec with a memory (``store.cache.codes``)."""

    @property
    def sample_rate(self) -> int:
        """Samples a second of the audio that is encoded and decoded, in Hz."""

    @property
    def samples_per_frame(self) -> int:
        """Samples that a codec frame stands for."""

    @property
    def frame_rate(self) -> float:
        """Codec frames, and decoder steps, a second: ``sample_rate`` / ``samples_per_frame``."""

    def encode_audio(self, audio: Clip) -> Tensor:
        """Encode a clip at ``sample_rate`` to codes [1, K, T], T whole frames."""


class MusicModel(AudioEncoder, Protocol):
    """An autoregressive model of codec tokens whose sites can be read and written.

    Its rates and those of its codes are those of ``AudioEncoder``.
    """

    # Time

    @property
    def hearing_seconds(self) -> float:
        """How far past a frame's end the codec's encoder hears; a claim must allow for it."""

    # Codes

    @property
    def codebooks(self) -> int:
        """K."""

    @property
    def codebook_size(self) -> int:
        """V, of each codebook; tokens are 0 to V - 1."""

    @property
    def delays(self) -> tuple[int, ...]:
        """[K], steps by which each codebook lags behind; the least is 0."""

    # The network

    @property
    def num_layers(self) -> int:
        """Blocks of the decoder."""

    @property
    def width(self) -> int:
        """d, of the residual stream."""

    @property
    def sites(self) -> Sequence[str]:
        """Canonical names of all sites, in the order in which a pass reaches them.

        The residual stream after each block, ``layers.N.residual``, is among them. A name that is
        not (``leitmotif.sites`` has more of them than a model need offer) is refused with a
        ModelError that says what is offered; see ``hooks.require_sites``.
        """

    @property
    def parts(self) -> Sequence[str]:
        """Canonical names of the parts of attention that the model offers besides."""

    @property
    def attention_reach(self) -> int | None:
        """Earlier steps that a step attends to; None: all of them."""

    @property
    def device(self) -> torch.device:
        """Where the model computes."""

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the decoder."""

    @property
    def dtype_beside(self) -> torch.dtype:
        """Precision of what is computed beside the decoder: codec, autoencoders, judges."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (64 hex) of all weights and sizes; stored results are found by it.

        Also of where its positions begin, if not at 0, and of a model whose code is not part of
        this package, of that code.
        """

    @property
    def codec_fingerprint(self) -> str:
        """SHA-256 (64 hex) of the codec's weights and settings; stored codes are found by it."""

    @property
    def default_guidance_scale(self) -> float:
        """Weight of a prompt where none is asked for; 1 is no guidance."""

    # Sound

    def encode_audio(self, audio: Clips) -> Tensor:
        """Encode mono clips at ``sample_rate`` to codes [B, K, T], T whole frames."""

    def decode_audio(self, codes: Tensor) -> Tensor:
        """Decode codes [B, K, T] to samples [B, T * samples_per_frame], float32."""

    # Passes

    def __call__(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        interventions: Sequence[Intervention] = (),
    ) -> Tensor:
        """Return logits [B, K, T, V] of each frame and codebook, before it is heard.

        Interventions at one site act in the order given; one that would wipe out an earlier one is
        refused. Raises ModelError.
        """

    def run_with_cache(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        sites: Sites = None,
        stop_at_layer: int | None = None,
        interventions: Sequence[Intervention] = (),
    ) -> tuple[Tensor | None, ActivationCache]:
        """Return logits, and activations [B, S, d] at ``sites`` after interventions.

        ``stop_at_layer=n`` runs blocks 0 to n - 1 only, and the logits are then None. Raises
        ModelError.
        """

    def logits_from(
        self,
        residual: Tensor,
        layer: int,
        prompts: str | Sequence[str] | None = None,
        *,
        steps: Sequence[int] | None = None,
    ) -> Tensor:
        """Return logits [B, S, K, V] by step of the blocks from ``layer`` on, and the heads.

        ``residual`` [B, S, d] is the stream before block ``layer``, which is the site
        ``layers.{layer - 1}.residual``; ``steps`` asks for some steps only. Raises ModelError.
        """

    def resume(
        self,
        residual: Tensor,
        layer: int,
        prompts: str | Sequence[str] | None = None,
        *,
        steps: Sequence[int] | None = None,
        past: Past | None = None,
    ) -> tuple[Tensor, Past]:
        """Return ``logits_from`` there, and what a pass that changes later steps can go on from.

        With ``past``, what an earlier call left of P steps, ``residual`` holds the steps from P on
        only, and ``steps`` count from there. Raises ModelError.
        """

    def generate(
        self,
        prompts: str | Sequence[str] | None = None,
        *,
        seconds: float,
        prefix: Tensor | None = None,
        tracks: Sequence[str] | None = None,
        seed: int = 0,
        sampling: Sampling | None = None,
        guidance_scale: float | None = None,
        interventions: Sequence[Intervention] = (),
        position_offset: Offset = 0,
        capture: Sites = (),
    ) -> Generation:
        """Sample round(seconds * frame_rate) frames after ``prefix`` codes [B, K, P].

        ``tracks`` names each row's noise: rows of one name and seed share it, whatever batch they
        are in. Interventions are as in a pass, over the steps of prefix and continuation, and a
        function is called for the prefix and then step by step. ``position_offset`` are steps by
        which the positions of all rows, or of each, are moved; a model without positions refuses
        any but 0. Raises ModelError.
        """


def timing_of(model: MusicModel) -> Timing:
    """Where the model's steps lie in its audio."""
    return Timing(model.frame_rate, model.hearing_seconds)


def decoder_steps(model: MusicModel, frames: int) -> int:
    """Steps that predict ``frames`` frames: the last codebook lags by the largest delay."""
    return frames + max(model.delays)
