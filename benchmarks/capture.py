"""Capturing five sites of a 30-s clip at musicgen-small's sizes.

    python -m benchmarks.capture

In hours of audio an hour, all in one process, taking turns: beside the bare forward pass of the
same decoder (ratio 0.95 or more: at most 1.05 times its time), beside plain forward hooks on
`transformers`' decoder, and, where it is installed, beside `nnsight` on it. Then contexts in
batches beside one at a time, with whether their activations are of the same bytes. The codec is
left out on all sides.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from transformers import MusicgenForConditionalGeneration

from benchmarks._report import Row, report, row
from benchmarks.generation import ORGANISM, SMALL, alternate
from leitmotif.musicgen import HookedMusicGen
from leitmotif.musicgen.model import delay
from tests.tiny import tiny_musicgen, tiny_tokenizer

LAYERS = (1, 5, 11, 17, 21)
SITES = [f"layers.{i}.residual" for i in LAYERS]
STOP = LAYERS[-1] + 1
FRAMES, RATE = 1500, 50
REPEATS = 5
BATCHES = (2, 4)
HOOKS = "forward hooks on transformers"
UNIT = "hours of audio an hour"

Run = Callable[[], object]


@torch.inference_mode()
def main() -> None:
    """Measure, print the table and write benchmarks/results/capture.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(parser.parse_args().threads)
    theirs = tiny_musicgen(**SMALL)
    model = HookedMusicGen.from_transformers(theirs, tiny_tokenizer())
    rows = []
    for comparison in (
        beside_others(theirs, model),
        in_batches("organism 6 x 128, float64", organism(), ["layers.5.residual"], 416),
        in_batches("musicgen-small 24 x 1024, float32", model, SITES, FRAMES),
    ):
        for measured in comparison:
            print(measured, flush=True)
            rows.append(measured)
    report("capture", rows)


def beside_others(theirs: MusicgenForConditionalGeneration, model: HookedMusicGen) -> Iterator[Row]:
    """Compare with other ways to the same tensors, after a look at whether they are the same."""
    codes = _codes(1, FRAMES, 2048)
    tokens = delay(codes, 2048)[:, :, :-1].flatten(0, 1)

    def hooked() -> dict[int, Tensor]:
        return with_hooks(theirs.decoder, tokens)

    peers: list[tuple[str, Callable[[], dict[int, Tensor]]]] = [(HOOKS, hooked)]
    if find_spec("nnsight"):
        peers.append(("nnsight on transformers", traced(theirs.decoder, tokens)))
    _, cache = model.run_with_cache(codes, sites=SITES)
    for _, peer in peers:
        for i, tensor in peer().items():
            torch.testing.assert_close(cache[f"layers.{i}.residual"], tensor, atol=1e-3, rtol=1e-3)
    del cache

    def whole() -> object:
        return model.run_with_cache(codes, sites=SITES)

    def stopped() -> object:
        return model.run_with_cache(codes, sites=SITES, stop_at_layer=STOP)

    every, until = "5 sites, all layers and logits", "5 sites, stopped after the last of them"
    cases: list[tuple[str, str, Run, Run]] = [
        (every, "the same decoder without capture", whole, lambda: model(codes)),
        *((every, name, whole, peer) for name, peer in peers),
        *((until, name, stopped, peer) for name, peer in peers),
    ]
    for case, peer_name, run_ours, run_peer in cases:
        ours, other = (
            FRAMES / RATE / seconds for seconds in alternate(run_ours, run_peer, REPEATS)
        )
        yield row(case, ours, other, peer_name=peer_name, unit=UNIT, better="higher")


def with_hooks(decoder: nn.Module, tokens: Tensor) -> dict[int, Tensor]:
    """What a loop with forward hooks does for each clip."""
    seen: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda module, inputs, out: seen.__setitem__(layer, out.clone())

    handles = [
        decoder.model.decoder.layers[i].register_forward_hook(keep(i))  # type: ignore[union-attr, index]
        for i in LAYERS
    ]
    decoder(input_ids=tokens, use_cache=False)
    for handle in handles:
        handle.remove()
    return seen


def traced(decoder: nn.Module, tokens: Tensor) -> Callable[[], dict[int, Tensor]]:
    """The same with nnsight, which need not be installed."""
    wrapped = import_module("nnsight").NNsight(decoder)

    def run() -> dict[int, Tensor]:
        seen: dict[int, Tensor] = {}
        with wrapped.trace(input_ids=tokens, use_cache=False):
            for i in LAYERS:
                seen[i] = wrapped.model.decoder.layers[i].output.save()
        return seen

    return run


def organism() -> HookedMusicGen:
    """A model of the organism's sizes and precision."""
    return HookedMusicGen.from_transformers(tiny_musicgen(**ORGANISM)).to(dtype="float64")


def in_batches(name: str, model: HookedMusicGen, sites: list[str], frames: int) -> Iterator[Row]:
    """Contexts in batches beside one at a time: what it gains, and whether bytes stay."""
    for batch in BATCHES:
        codes = _codes(batch, frames, model.config.codebook_size)

        def together(codes: Tensor = codes) -> Mapping[str, Tensor]:
            return model.run_with_cache(codes, sites=sites)[1]

        def alone(codes: Tensor = codes) -> list[Mapping[str, Tensor]]:
            return [model.run_with_cache(clip[None], sites=sites)[1] for clip in codes]

        whole, single = together(), alone()
        same = [
            torch.equal(whole[site][n].half(), cache[site][0].half())
            for n, cache in enumerate(single)
            for site in sites
        ]
        ours, peer = alternate(together, alone, REPEATS)
        seconds = batch * frames / RATE
        yield row(
            f"{name}, {batch} contexts in a batch: {sum(same)} of {len(same)} tensors have the "
            "same bytes in float16",
            seconds / ours,
            seconds / peer,
            peer_name="one at a time",
            unit=UNIT,
            better="higher",
        )


def _codes(batch: int, frames: int, size: int) -> Tensor:
    return torch.randint(size, (batch, 4, frames), generator=torch.Generator().manual_seed(0))


if __name__ == "__main__":
    main()
