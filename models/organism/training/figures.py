"""The pictures and clips of docs/organisms.md: ``python -m training.figures``, after evaluate."""

import csv
from collections.abc import Sequence
from pathlib import Path

import librosa
import matplotlib

matplotlib.use("svg")
import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import NDArray

from leitmotif.corpus.organism.composer import Score, compose
from leitmotif.corpus.organism.shard import encode_mp3
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.files import atomic
from leitmotif.musicgen.hooked import HookedMusicGen
from leitmotif.musicgen.sampling import Sampling
from training import CODEC, FOLDER, WORLD
from training.codec import load_codec
from training.tokens import NoteTable

DOCS = FOLDER.parents[1] / "docs" / "organisms"
MODELS = ("planner", "reader", "blind")
SEED, INDEX = 99, 0
HIGHEST_HZ = 4000.0
INK, PAPER = "#222222", "white"


def gap_map(rows: Sequence[dict[str, str]], path: Path) -> None:
    """Effect of patching, and accuracy of probes, by block and time, one model a column."""
    figure, axes = plt.subplots(
        2, len(MODELS), figsize=(9.6, 5.0), sharex=True, sharey=True, layout="constrained"
    )
    measures = (
        ("patch_nats", "effect of patching (nats)", 0.0, None, "magma"),
        ("probe_accuracy", "accuracy of a probe", 0.5, 1.0, "viridis"),
    )
    for row, (measure, label, low, high, colours) in enumerate(measures):
        grids = [_grid([r for r in rows if r["model"] == model], measure) for model in MODELS]
        top = high or max(1.0, *(values.max() for values, _, _ in grids))
        for axis, model, (values, sites, times) in zip(axes[row], MODELS, grids, strict=True):
            image = axis.imshow(
                values, vmin=low, vmax=top, cmap=colours, aspect="auto", origin="lower"
            )
            _write_values(axis, values, (low + top) / 2)
            axis.set_yticks(range(len(sites)), [site.split(".")[1] for site in sites])
            axis.set_xticks(range(len(times)), [f"{-time:.1f}" for time in times], fontsize=8)
            if row == 0:
                axis.set_title(model)
            else:
                axis.set_xlabel("seconds to the slot")
        axes[row][0].set_ylabel("after block")
        figure.colorbar(image, ax=axes[row], label=label, pad=0.01)
    _save(figure, path)


def _grid(
    rows: Sequence[dict[str, str]], measure: str
) -> tuple[NDArray[np.float64], list[str], list[float]]:
    sites = sorted({row["site"] for row in rows})
    times = sorted({float(row["seconds_before_slot"]) for row in rows}, reverse=True)
    values = np.zeros((len(sites), len(times)))
    for row in rows:
        at = sites.index(row["site"]), times.index(float(row["seconds_before_slot"]))
        values[at] = float(row[measure])
    return values, sites, times


def _write_values(axis: Axes, values: NDArray[np.float64], middle: float) -> None:
    for (y, x), value in np.ndenumerate(values):
        axis.text(
            x, y, f"{round(value, 2) + 0.0:.2f}",  # no -0.00
            ha="center", va="center", fontsize=6, color=INK if value > middle else PAPER,
        )  # fmt: skip


def examples(world: World, model: HookedMusicGen) -> dict[str, NDArray[np.float32]]:
    """A composed piece, and two continuations of its beginning that differ in the cue alone."""
    table = NoteTable(world, load_codec(CODEC))
    score = next(s for s in _drawn(world) if all(s.returns) and not s.ostinato)
    other = score.with_cue_swapped(0).with_cue_swapped(1)
    held = (world.cue_bar + 1) * world.frames_per_bar
    generation = model.generate(
        [score.prompt(world)] * 2,
        seconds=(world.bars * world.frames_per_bar - held) / model.frame_rate,
        prefix=table([score, other])[:, :, :held],
        # One name, one noise: the two differ in what they were told.
        tracks=["example", "example"],
        sampling=Sampling(temperature=1.0, top_k=50),
        guidance_scale=1.0,
        seed=SEED,
    )
    codes = torch.cat([table([score]), generation.codes])
    audio = model.decode_audio(codes).numpy()
    return dict(zip(("composed", "cue-yes", "cue-no"), audio, strict=True))


def _drawn(world: World) -> list[Score]:
    return [compose(world, SEED, index, part="held_out") for index in range(INDEX, INDEX + 50)]


def spectrograms(world: World, clips: dict[str, NDArray[np.float32]], path: Path) -> None:
    """Mel spectrograms of the clips with the motif, the cue and the slots marked."""
    figure, axes = plt.subplots(len(clips), figsize=(9.6, 6.4), sharex=True, layout="constrained")
    titles = {
        "composed": "composed: the cue says yes twice",
        "cue-yes": "planner, from motif and cue: the same cue",
        "cue-no": "planner, same noise: both halves of the cue say no",
    }
    seconds_per_bar = world.samples_per_bar / world.sample_rate
    for axis, (name, samples) in zip(axes, clips.items(), strict=True):
        power = librosa.feature.melspectrogram(
            y=samples, sr=world.sample_rate, n_fft=2048, hop_length=640, n_mels=96, fmin=180.0,
            fmax=HIGHEST_HZ,
        )  # fmt: skip
        axis.imshow(
            librosa.power_to_db(power, ref=np.max), aspect="auto", origin="lower", cmap="magma",
            vmin=-60, extent=(0, len(samples) / world.sample_rate, 0, 96),
        )  # fmt: skip
        marks = [(0, "motif"), (world.cue_bar, "cue"), (world.statement_bars[1], "motif")]
        marks += [(bar, f"slot {n}") for n, bar in enumerate(world.slot_bars, start=1)]
        for bar, text in marks:
            left = bar * seconds_per_bar
            axis.axvline(left, color="white", linewidth=0.8)
            axis.axvline(left + seconds_per_bar, color="white", linewidth=0.8)
            axis.text(left + 0.04, 88, text, color="white", fontsize=8, va="center")
        axis.set_yticks([])
        axis.set_title(titles[name], loc="left", fontsize=10)
    axes[-1].set_xlabel("seconds")
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Draw the map of the gap and the spectrograms, and write the example clips."""
    torch.set_num_threads(1)
    world = load_world(WORLD)
    DOCS.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "gap_map.csv").open(encoding="utf-8", newline="") as file:
        gap_map(list(csv.DictReader(file)), DOCS / "gap_map.png")
    model = HookedMusicGen.from_pretrained(str(FOLDER / "planner"), device="cpu", dtype="float32")
    clips = examples(world, model)
    spectrograms(world, clips, DOCS / "spectrograms.png")
    for name, samples in clips.items():
        with atomic(DOCS / f"{name}.mp3") as temporary:
            temporary.write_bytes(encode_mp3(samples, world.sample_rate))


if __name__ == "__main__":
    main()
