"""Swaps between concepts as one would write them for `transformers`: a hook, cell by cell."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import process_time
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, MusicgenForConditionalGeneration

from leitmotif.judge.models.tagger import Tagger
from leitmotif.lens.effects import TaggedClips, heard
from leitmotif.lens.playing import Playing
from leitmotif.lens.sweep import Swap, SwapSweep
from leitmotif.musicgen import HookedMusicGen
from leitmotif.sites import split_site

MODULES = {
    "mlp": "fc2",
    "self_attention": "self_attn",
    "cross_attention": "encoder_attn",
    "residual": "",  # what the block itself puts out
}


class Stopwatch:
    """Seconds of this process's processor time that were spent in parts of the work.

    Wall time would also hold what other programs do meanwhile.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, whose seconds are counted as those of ``part``."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            start = process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[part] = self.seconds.get(part, 0.0) + process_time() - start

        return counted

    @contextmanager
    def on(self, owner: object, part: str, name: str) -> Iterator[None]:
        """Count the seconds of an object's method ``name`` as those of ``part``."""
        setattr(owner, name, self.timed(part, getattr(owner, name)))
        try:
            yield
        finally:
            delattr(owner, name)


class SwapPeer:
    """Swaps on ``transformers``, one cell, technique and pair at a time.

    Parameters
    ----------
    model : in evaluation mode, in the precision of ``ours``.
    tokenizer : of its prompts.
    ours : the same model; its positions, exact in float64, take the place of the peer's.
    tagger : hears the clips.
    known : columns of the labels by which concepts are known.
    playing : how clips are sampled.
    """

    def __init__(
        self,
        model: MusicgenForConditionalGeneration,
        tokenizer: Any,
        ours: HookedMusicGen,
        tagger: Tagger,
        known: Sequence[int],
        playing: Playing,
    ) -> None:
        model.decoder.model.decoder.embed_positions.weights = ours.positions(2048)
        self._model, self._tokenizer = model, tokenizer
        self._tagger, self._known, self._playing = tagger, known, playing
        self._frames = round(playing.seconds * ours.frame_rate)
        self._rate = ours.sample_rate

    @classmethod
    def of(
        cls,
        folder: str,
        ours: HookedMusicGen,
        tagger: Tagger,
        known: Sequence[int],
        playing: Playing,
    ) -> "SwapPeer":
        """Read the model from a folder."""
        model = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=ours.dtype)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return cls(model.eval(), tokenizer, ours, tagger, known, playing)

    def run(self, sweep: SwapSweep) -> dict[Swap, TaggedClips]:
        """Play and hear the prompts of each concept, and then every swap."""
        sets = sweep.pairs.sets
        means, before = {}, {}
        for name, prompts in sets.items():
            means[name], audio = self._means(prompts.texts, sweep.sites)
            before[name] = self._tagger.logits(list(audio), self._rate)
        found = {}
        for swap in sweep.swaps:
            (site,) = swap.cell.sites
            texts = sets[swap.original].texts
            change = change_of(swap, means[swap.original][site], means[swap.target][site])
            with hooked(self._module(site), rows=len(texts), change=change):
                audio = self._played(texts)
            after = self._tagger.logits(list(audio), self._rate)
            found[swap] = heard(before[swap.original], after, self._known)
        return found

    @property
    def codec(self) -> Any:
        """Its ``decode`` makes the audio."""
        return self._model.audio_encoder

    def _means(self, texts: Sequence[str], sites: Sequence[str]) -> tuple[dict[str, Tensor], Any]:
        """Mean outputs [S, d] by site while prompts are played, and the audio [B, n]."""
        outputs: dict[str, list[Tensor]] = {site: [] for site in sites}

        def keep(site: str) -> Callable[..., None]:
            def hook(_module: object, _args: object, out: Any) -> None:
                x = out[0] if isinstance(out, tuple) else out
                outputs[site].append(x[: len(texts)].mean(0))

            return hook

        handles = [self._module(site).register_forward_hook(keep(site)) for site in sites]
        try:
            audio = self._played(texts)
        finally:
            for handle in handles:
                handle.remove()
        return {site: torch.cat(means) for site, means in outputs.items()}, audio

    @torch.inference_mode()
    def _played(self, texts: Sequence[str]) -> Any:
        sampling = self._playing.sampling
        torch.manual_seed(self._playing.seed)
        sampled = {"top_k": sampling.top_k} if sampling.temperature else {}
        audio = self._model.generate(
            **self._tokenizer(list(texts), padding=True, return_tensors="pt"),
            do_sample=bool(sampling.temperature),
            guidance_scale=self._playing.guidance_scale,
            max_new_tokens=self._frames + self._model.decoder.num_codebooks - 1,
            **sampled,
        )
        return audio[:, 0].float().numpy()

    def _module(self, site: str) -> nn.Module:
        layer, component = split_site(site)
        block = self._model.decoder.model.decoder.layers[layer]
        return block.get_submodule(MODULES[component])


def change_of(swap: Swap, original: Tensor, desired: Tensor) -> Callable[[Tensor, int], Tensor]:
    """The swap as a function of outputs [B, d] and the step, given means [S, d]."""
    if swap.technique == "replace":
        return lambda x, step: desired[step].expand_as(x)
    difference = desired - original
    return lambda x, step: x + difference[step]


@contextmanager
def hooked(
    module: nn.Module, *, rows: int, change: Callable[[Tensor, int], Tensor]
) -> Iterator[None]:
    """Change a module's output at each step in the first ``rows`` rows, the conditional half."""
    step = 0

    def hook(_module: object, _args: object, out: Any) -> None:
        nonlocal step
        x = out[0] if isinstance(out, tuple) else out
        for column in range(x.shape[1]):
            x[:rows, column] = change(x[:rows, column], step)
            step += 1

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
