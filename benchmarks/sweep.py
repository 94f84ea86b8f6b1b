"""A sweep of seven conditions over sixteen tracks beside forward hooks on `transformers`.

    OMP_NUM_THREADS=1 python -m benchmarks.sweep

The organism's planner continues 1.28 s by 5.76 s; a feature of its autoencoder at block 1 is left
alone, read and written back, ablated, scaled and patched from the twin, and two other features are
patched. Ours is the runner, clips written to its work cache. The peer is ``transformers``'
``generate`` on the same weights, one condition after the other, with a hook on the block that makes
the same edits by the same functions; the twin that patches read from runs once a track and is
captured. Neither side decodes audio. Times are seconds for the whole sweep, in turns, medians.

Before anything is timed, all clips are made greedily by both sides. The baselines' tokens must be
equal. Treated clips may part where two tokens, or two features at the edge of the autoencoder's
top-k, are nearly as likely: the sides' logits differ by rounding. How many are equal is printed.
"""

import argparse
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from transformers import MusicgenForConditionalGeneration

from benchmarks._report import Row, report, row
from benchmarks.generation import alternate
from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.matching import match
from leitmotif.causal.experiment.prefixes import Prefix
from leitmotif.causal.experiment.runner import Clip, ContinuationSettings, Runner
from leitmotif.causal.experiment.targets import SaeFeatures
from leitmotif.corpus.organism.composer import compose, render, sounds
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import load_world
from leitmotif.musicgen import GREEDY, HookedMusicGen, Sampling
from leitmotif.sae.autoencoder.fetch import fetch
from leitmotif.sae.autoencoder.formats import load_sae
from leitmotif.sae.autoencoder.registry import load_registry
from leitmotif.store.cache.entries import WorkCache

FOLDER = Path("models/organism")
TRACKS, BARS, LAYER = 16, 9, 1
TWIN = "twin"
SAMPLED = Sampling(top_k=50)


def main() -> None:
    """Measure, print the table and write benchmarks/results/sweep.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    model = HookedMusicGen.from_pretrained(str(FOLDER / "planner"), device="cpu")
    theirs = MusicgenForConditionalGeneration.from_pretrained(FOLDER / "planner").eval()
    theirs.audio_encoder.decode = lambda codes, **_: SimpleNamespace(audio_values=codes[0])
    pieces, prefixes = made(model)
    conditions = conditions_for(model, pieces)
    frames = BARS * load_world(FOLDER / "world.json").frames_per_bar
    peer = Peer(theirs, conditions, frames)

    ours = {
        (clip.prefix.track_id, clip.condition): clip.codes
        for clip in run(model, prefixes, conditions, frames, GREEDY)
    }
    same = dict.fromkeys(conditions, 0)
    for prefix in prefixes:
        for condition, codes in peer.sweep([prefix], sample=False).items():
            same[condition] += torch.equal(codes[0], ours[prefix.track_id, condition])
    for condition, count in same.items():
        print(f"{condition.kind}: greedy tokens of {count} of {TRACKS} tracks equal", flush=True)
    assert same[conditions[0]] == TRACKS, "the two sides do not continue alike"

    rows: list[Row] = []

    def compare(case: str, sampling: Sampling, runs: Callable[[], object], factor: int) -> None:
        mine, other = alternate(
            lambda: run(model, prefixes, conditions, frames, sampling), runs, chosen.repeats
        )
        rows.append(
            row(
                f"7 conditions x {TRACKS} tracks, {case}",
                mine,
                other * factor,
                peer_name="transformers generate with forward hooks",
                unit="s",
                better="lower",
            )
        )
        print(rows[-1], flush=True)

    def one_by_one(tracks: int, *, sample: bool) -> Callable[[], object]:
        return lambda: [peer.sweep([prefix], sample=sample) for prefix in prefixes[:tracks]]

    compare(
        "sampled; peer clip by clip, 4 tracks timed, times 4",
        SAMPLED,
        one_by_one(4, sample=True),
        TRACKS // 4,
    )
    compare(
        "greedy; peer clip by clip, 4 tracks timed, times 4",
        GREEDY,
        one_by_one(4, sample=False),
        TRACKS // 4,
    )
    compare(
        f"sampled; peer condition by condition, all {TRACKS} tracks in a batch",
        SAMPLED,
        lambda: peer.sweep(prefixes, sample=True),
        1,
    )
    report("sweep", rows)


def made(model: HookedMusicGen) -> tuple[Tensor, list[Prefix]]:
    """Codes [tracks, K, T] of whole pieces, and where they are continued, twins beside."""
    world = load_world(FOLDER / "world.json")
    bank, held = SoundBank(world), (world.cue_bar + 1) * world.frames_per_bar
    pieces, prefixes = [], []
    for index in range(TRACKS):
        score = compose(world, 8, index, part="held_out")
        own, twin = (
            model.encode_audio(render(bank, sounds(world, played)))[0]
            for played in (score, score.twin(0))
        )
        pieces.append(own)
        prefixes.append(Prefix(f"piece_{index}", own[:, :held], sources={TWIN: twin[:, :held]}))
    return torch.stack(pieces), prefixes


def conditions_for(model: HookedMusicGen, pieces: Tensor) -> list[Condition]:
    """Seven conditions of the autoencoder's commonest feature."""
    hook = load_registry()[f"planner-{LAYER}"]
    sae = load_sae(fetch(hook.checkpoint))
    _, cache = model.run_with_cache(pieces, sites=[hook.site])
    codes = sae.encode(cache[hook.site].flatten(0, 1))
    rate = torch.bincount(codes.indices, minlength=hook.d_sae).double() / codes.rows
    norm = sae.W_dec.detach().norm(dim=1).double()
    first, second = rate.topk(2).indices.tolist()
    matched = match(
        first,
        {"rate": rate.numpy(), "norm": norm.numpy()},
        count=1,
        seed=0,
        exclude=[second],
    )

    def features(index: int) -> SaeFeatures:
        return SaeFeatures(sae, (index,), hook.name, hook.checkpoint.sha256)

    return [
        Condition("baseline"),
        Condition("zero_effect", "f", features(first)),
        Condition("ablate", "f", features(first), 0.0),
        Condition("scale", "f", features(first), 4.0),
        Condition("patch", "f", features(first), source=TWIN),
        Condition("random_feature", "f", features(matched.features[0]), source=TWIN),
        Condition("local_feature", "f", features(second), source=TWIN),
    ]


def run(
    model: HookedMusicGen,
    prefixes: Sequence[Prefix],
    conditions: Sequence[Condition],
    frames: int,
    sampling: Sampling,
) -> list[Clip]:
    """Our side: one sweep into an empty work cache."""
    continuation = ContinuationSettings(seconds=frames / model.frame_rate, sampling=sampling)
    with TemporaryDirectory() as folder:
        runner = Runner(model, WorkCache(Path(folder)), continuation, rows=128)
        return list(runner.run(prefixes, conditions))


class Peer:
    """The same sweep by hooks on ``transformers``."""

    def __init__(
        self,
        model: MusicgenForConditionalGeneration,
        conditions: Sequence[Condition],
        frames: int,
    ) -> None:
        self._model, self._conditions, self._frames = model, conditions, frames
        self._block = model.decoder.model.decoder.layers[LAYER]
        self._books = model.decoder.num_codebooks

    def sweep(self, prefixes: Sequence[Prefix], *, sample: bool) -> dict[Condition, Tensor]:
        """Continue some tracks under every condition, one after the other: codes [B, K, P + T]."""
        own = torch.stack([prefix.codes for prefix in prefixes])
        twin = torch.stack([prefix.sources[TWIN] for prefix in prefixes])
        captured: list[Tensor] = []
        with self._hooked(own.shape[2], lambda x, _: captured.append(x)):
            self._generate(twin, sample)
        given = torch.cat(captured, dim=1)
        clips = {}
        for condition in self._conditions:
            with self._hooked(own.shape[2], edit_of(condition, given)):
                clips[condition] = self._generate(own, sample)
        return clips

    @contextmanager
    def _hooked(self, held: int, edit: Callable[[Tensor, int], Tensor | None] | None) -> Any:
        """Let ``edit`` see, and replace, what the block gives after step ``held``."""
        if edit is None:
            yield
            return
        step = 0

        def hook(_module: object, _inputs: object, out: Any) -> Any:
            nonlocal step
            x = out[0] if isinstance(out, tuple) else out
            first, step = step, step + x.shape[1]
            if first <= held:  # the prefix, in one pass
                return None
            changed = edit(x, first - held - 1)
            if changed is None:
                return None
            return (changed, *out[1:]) if isinstance(out, tuple) else changed

        handle = self._block.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()

    @torch.inference_mode()
    def _generate(self, codes: Tensor, sample: bool) -> Tensor:
        inputs = self._model.get_unconditional_inputs(num_samples=len(codes))
        out = self._model.generate(
            **inputs,
            decoder_input_ids=codes.flatten(0, 1),
            do_sample=sample,
            top_k=SAMPLED.top_k,
            max_new_tokens=self._frames + self._books - 1,
        )
        return torch.as_tensor(out)


def edit_of(condition: Condition, given: Tensor) -> Callable[[Tensor, int], Tensor] | None:
    """The condition as a function of the block's output [B, 1, d] and the step of the captured."""
    target, strength = condition.target, condition.strength
    if target is None:
        return None

    def edit(x: Tensor, step: int) -> Tensor:
        before = target.read(x)
        if condition.source is None:
            return target.moved(x, strength * before - before)
        wanted = target.read(given[:, step : step + 1])
        return target.moved(x, strength * (wanted - before))

    return edit


if __name__ == "__main__":
    main()
