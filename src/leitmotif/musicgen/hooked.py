"""HookedMusicGen: a MusicGen whose sites can be read and written."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self, get_args

from torch import Tensor

from leitmotif.checkpoints.folders import usable_device
from leitmotif.musicgen.activation_cache import ActivationCache
from leitmotif.musicgen.audiocraft import is_audiocraft, load_audiocraft
from leitmotif.musicgen.checkpoint import (
    load_transformers,
    split_transformers,
)
from leitmotif.musicgen.choice import (
    HookFunction,
    Sites,
    as_interventions,
    require_prompts,
)
from leitmotif.musicgen.core import Core, dtype_of
from leitmotif.musicgen.forward import logits_of, read, resume, sites_reached
from leitmotif.musicgen.generate import Generation, generate
from leitmotif.musicgen.intervention import Intervention
from leitmotif.musicgen.key_values import Past
from leitmotif.musicgen.positions import Offset
from leitmotif.musicgen.sampling import Sampling
from leitmotif.musicgen.text import Padding, check_padding


class HookedMusicGen(Core):
    """MusicGen with hook points: forward passes, captures, interventions and generation.

    Codes are codec tokens [B, K, T] in frame time; the delay pattern is applied inside. Sites and
    their shapes are described in ``leitmotif.sites``. A captured tensor is [B, S, d] with one row
    for each of the S = T + max(delays) decoder steps, and row t has read only tokens of frames
    before t. (The codec itself hears up to 74 ms past a frame's end; a claim about the future
    allows for it.)

    No weight asks for a gradient, so nothing is recorded unless an intervention's tensor does. All
    methods raise ModelError for arguments that do not fit the model or each other.

    Parameters
    ----------
    parts: decoder, codec, text encoder and settings, as ``from_pretrained`` and
        ``from_transformers`` make them.

    Example
    -------
    >>> import leitmotif
    >>> model = leitmotif.HookedMusicGen.from_pretrained("models/organism/planner", device="cpu")
    >>> [piece] = leitmotif.compose(1, seed=3)
    >>> codes = model.encode_audio(piece.samples)[:, :, :100]
    >>> logits, cache = model.run_with_cache(codes, sites=["layers.2.residual"])
    >>> logits.shape, cache["layers.2.residual"].shape
    (torch.Size([1, 4, 100, 256]), torch.Size([1, 103, 128]))
    >>> model.logits_from(cache["layers.2.residual"], 3).shape  # the last block, and the heads
    torch.Size([1, 103, 4, 256])
    >>> x = cache["layers.2.residual"]
    >>> _, past = model.resume(x, 3)
    >>> changed, _ = model.resume(2 * x[:, 40:], 3, past=past.until(40))  # from step 40 on only
    >>> changed.shape
    torch.Size([1, 63, 4, 256])
    >>> clip = model.generate(prefix=codes, seconds=1.0, seed=1)
    >>> clip.codes.shape
    torch.Size([1, 4, 150])
    """

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "float32",
        text_padding: Literal["auto", "masked", "attended"] = "auto",
    ) -> Self:
        """Load a MusicGen checkpoint, of `transformers` or of audiocraft.

        Parameters
        ----------
        name: folder, or id on the Hugging Face hub. A folder of audiocraft has state_dict.bin,
            compression_state_dict.bin, and a folder with the text encoder, such as t5-base.
        revision: commit of 40 hex digits; needed for an id of the hub, None for a folder.
        device: ``cpu``, ``cuda``, ``cuda:N``, or ``auto`` for a GPU where there is one.
        dtype: precision of the decoder, such as ``float32`` or ``bfloat16``.
        text_padding: whether a prompt's pads are ``masked`` or ``attended`` to. ``auto`` follows
            the checkpoint's origin: pads are masked in `transformers`, attended to in audiocraft.

        Returns
        -------
        The model, on its device.

        Raises ModelError for a checkpoint that is missing, incomplete or of another kind, and for
        an unknown device, dtype or padding.
        """
        check_padding(text_padding, ("auto", *get_args(Padding)))
        usable_device(device)  # before anything is read
        kind, theirs = dtype_of(dtype), is_audiocraft(name)
        padding: Padding = "attended" if theirs else "masked"
        if text_padding != "auto":
            padding = text_padding
        if theirs:
            parts = load_audiocraft(name, dtype=kind, padding=padding)
        else:
            parts = load_transformers(name, revision=revision, dtype=kind, padding=padding)
        return cls(parts).to(device=device, dtype=dtype)

    @classmethod
    def from_transformers(
        cls, model: Any, tokenizer: Any | None = None, *, text_padding: Padding = "masked"
    ) -> Self:
        """Wrap a ``MusicgenForConditionalGeneration`` that is in memory already.

        Parameters
        ----------
        model: the model. Its text encoder and codec are shared, its decoder's weights are copied.
        tokenizer: of the text encoder; None for a model that is never given a prompt.
        text_padding: whether a prompt's pads are ``masked`` or ``attended`` to.

        Returns
        -------
        The wrapped model, with the decoder's precision and device.

        Raises ModelError for a model that is not a mono or stereo MusicGen of text.
        """
        check_padding(text_padding, get_args(Padding))
        return cls(split_transformers(model, tokenizer, text_padding))

    def __call__(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        interventions: Sequence[Intervention] = (),
        position_offset: Offset = 0,
    ) -> Tensor:
        """Compute the logits of each frame and codebook before it is heard.

        Parameters
        ----------
        codes: tokens [B, K, T].
        prompts: one for all rows, or one for each row; None is unconditional.
        interventions: changes of activations; at one site they act in this order.
        position_offset: decoder steps by which the positions of all rows, or of each, are moved: as
            if so much music had come before, which is not attended to.

        Returns
        -------
        Logits [B, K, T, V].

        Raises ModelError for arguments that do not fit the model or each other.
        """
        hidden, _ = read(self, codes, prompts, interventions, (), None, position_offset)
        return logits_of(self, hidden, codes.shape[2])

    def run_with_cache(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        sites: Sites = None,
        stop_at_layer: int | None = None,
        interventions: Sequence[Intervention] = (),
        position_offset: Offset = 0,
    ) -> tuple[Tensor | None, ActivationCache]:
        """Compute the logits, and capture activations after interventions.

        Parameters
        ----------
        codes, prompts, interventions, position_offset: as when the model is called.
        sites: a name, a list of names, a function of the canonical name that says whether to
            capture, or None for all. Attention patterns are captured only where they are named; one
            takes 145 MB a row for 30 s and 16 heads in float32.
        stop_at_layer: run only so many blocks; None runs all.

        Returns
        -------
        Logits [B, K, T, V], or None with ``stop_at_layer``; and the activations by site, [B, S, d],
        or [B, heads, S, S] of an attention pattern.

        Raises ModelError, also for a site that the shortened pass would not reach.
        """
        chosen = sites_reached(self, sites, stop_at_layer)
        require_prompts(chosen, prompts)
        hidden, tap = read(
            self, codes, prompts, interventions, chosen, stop_at_layer, position_offset
        )
        cache = ActivationCache({site: tap.captured[site][0] for site in chosen})
        logits = None if stop_at_layer is not None else logits_of(self, hidden, codes.shape[2])
        return logits, cache

    def logits_from(
        self,
        residual: Tensor,
        layer: int,
        prompts: str | Sequence[str] | None = None,
        *,
        steps: Sequence[int] | None = None,
    ) -> Tensor:
        """Go on from a captured residual stream: run the blocks from ``layer`` on, and the heads.

        Parameters
        ----------
        residual: the stream [B, S, d] before block ``layer``, as ``stop_at_layer=layer`` leaves it.
        layer: first block to run. With ``num_layers`` only the final norm and the heads are left.
        prompts: as when the model is called.
        steps: decoder steps whose logits are wanted, in this order; None for all.

        Returns
        -------
        Logits by decoder step, [B, S, K, V].

        Raises ModelError for a stream, a layer or steps that the model does not have.
        """
        return self.resume(residual, layer, prompts, steps=steps)[0]

    def resume(
        self,
        residual: Tensor,
        layer: int,
        prompts: str | Sequence[str] | None = None,
        *,
        steps: Sequence[int] | None = None,
        past: Past | None = None,
    ) -> tuple[Tensor, Past]:
        """Go on as ``logits_from`` does, and from earlier steps too: only later ones are computed.

        A pass is causal, so what changes from step P on leaves what the steps before have left.

        Parameters
        ----------
        residual: the stream [B, S, d] before block ``layer``, of the steps from P on; without
            ``past`` P is 0.
        layer: first block to run, or ``num_layers``.
        prompts: as when the model is called.
        steps: steps whose logits are wanted, counted from P, in this order; None for all.
        past: what an earlier call has left of P steps, begun at this block or before it, with the
            same rows, prompts and steps before P; see ``Past.until`` and ``Past.of_rows``.

        Returns
        -------
        Logits by decoder step, [B, S, K, V], and the past of P + S steps.

        Raises ModelError for a stream, a layer, steps or a past that do not fit.
        """
        return resume(self, residual, layer, prompts, steps=steps, past=past)

    def run_with_hooks(
        self,
        codes: Tensor,
        prompts: str | Sequence[str] | None = None,
        *,
        fwd_hooks: Iterable[tuple[Sites, HookFunction]],
        position_offset: Offset = 0,
    ) -> Tensor:
        """Compute the logits of a pass in which functions run at sites, as in TransformerLens.

        Parameters
        ----------
        codes, prompts, position_offset: as when the model is called.
        fwd_hooks: pairs of sites (as for ``run_with_cache``) and a function. The function is called
            as ``function(activations, hook=hook)`` with activations [B, S, d]; ``hook.name`` is the
            site and ``hook.layer()`` its block. It returns activations of that shape to go on with,
            or None to go on with the same tensor, which it may have changed in place.

        Returns
        -------
        Logits [B, K, T, V].

        Raises ModelError for unknown sites, and for a function that returns another shape. An
        ``Intervention`` does the same for chosen rows, steps or frames, and during generation.
        """
        interventions = as_interventions(fwd_hooks, self.sites, self.parts)
        return self(codes, prompts, interventions=interventions, position_offset=position_offset)

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
        """Sample new audio, after a prefix or from nothing.

        Parameters
        ----------
        prompts: one for all rows, or one for each row; None is unconditional.
        seconds: length of the new audio.
        prefix: codes [B, K, P] to go on from.
        tracks: name of each row's noise; None takes the row's number. Rows with one name and seed
            share their noise, whatever batch they are in.
        seed: of the noise.
        sampling: how a token is drawn; None is MusicGen's own way.
        guidance_scale: weight of the prompt; 1 is no guidance, None the checkpoint's own weight.
            Without prompts there is no guidance.
        interventions: changes of activations, over the steps of prefix and continuation.
        position_offset: as when the model is called.
        capture: sites to capture, as for ``run_with_cache``; by default none.

        Returns
        -------
        Codes [B, K, P + round(seconds * frame_rate)] of prefix and continuation, and the captures.

        Raises ModelError for arguments that do not fit the model or each other.
        """
        return generate(
            self,
            prompts,
            seconds=seconds,
            prefix=prefix,
            tracks=tracks,
            seed=seed,
            sampling=Sampling() if sampling is None else sampling,
            guidance_scale=guidance_scale,
            interventions=interventions,
            position_offset=position_offset,
            capture=capture,
        )
