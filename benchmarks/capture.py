"""Capturing five sites of a 30-s clip at musicgen-small's sizes.

    python -m benchmarks.capture

Beside the bare forward pass of the same decoder (ratio 0.95 or more: at most 1.05 times its time),
and beside plain forward hooks on `transformers`' decoder; all in one process, taking turns.
"""

import argparse

import torch
from torch import Tensor, nn

from benchmarks._report import report, row
from benchmarks.generation import SMALL, alternate
from leitmotif.musicgen import HookedMusicGen
from leitmotif.musicgen.model import delay
from tests.tiny import tiny_musicgen, tiny_tokenizer

LAYERS = (1, 5, 11, 17, 21)
SITES = [f"layers.{i}.residual" for i in LAYERS]
REPEATS = 5


@torch.inference_mode()
def main() -> None:
    """Measure, print the table and write benchmarks/results/capture.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(parser.parse_args().threads)
    theirs = tiny_musicgen(**SMALL)
    model = HookedMusicGen.from_transformers(theirs, tiny_tokenizer())
    codes = torch.randint(2048, (1, 4, 1500), generator=torch.Generator().manual_seed(0))
    tokens = delay(codes, 2048)[:, :, :-1].flatten(0, 1)

    def with_hooks() -> dict[int, Tensor]:
        seen: dict[int, Tensor] = {}

        def keep(layer: int, module: nn.Module, inputs: object, out: Tensor) -> None:
            seen[layer] = out.clone()

        handles = [
            theirs.decoder.model.decoder.layers[i].register_forward_hook(
                lambda module, inputs, out, i=i: keep(i, module, inputs, out)
            )
            for i in LAYERS
        ]
        theirs.decoder(input_ids=tokens, use_cache=False)
        for handle in handles:
            handle.remove()
        return seen

    _, cache = model.run_with_cache(codes, sites=SITES)
    for i, tensor in with_hooks().items():
        torch.testing.assert_close(cache[f"layers.{i}.residual"], tensor, atol=1e-3, rtol=1e-3)
    del cache

    rows = []
    for case, peer_name, run_ours, run_peer in [
        (
            "5 sites, all layers and logits",
            "the same decoder without capture",
            lambda: model.run_with_cache(codes, sites=SITES),
            lambda: model(codes),
        ),
        (
            "5 sites, all layers and logits",
            "forward hooks on transformers",
            lambda: model.run_with_cache(codes, sites=SITES),
            with_hooks,
        ),
        (
            "5 sites, stopped after the last of them",
            "forward hooks on transformers",
            lambda: model.run_with_cache(codes, sites=SITES, stop_at_layer=LAYERS[-1] + 1),
            with_hooks,
        ),
    ]:
        ours, peer = alternate(run_ours, run_peer, REPEATS)
        rows.append(row(case, ours, peer, peer_name=peer_name, unit="s/clip", better="lower"))
        print(rows[-1], flush=True)
    report("capture", rows)


if __name__ == "__main__":
    main()
