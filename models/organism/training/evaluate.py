"""What the organisms do and how: ``python -m training.evaluate`` writes metrics.json.

Everything is measured from the shipped weights, but for what ``seeds`` says of replicates, whose
weights are not shipped: replicates.json holds it, which ``--replicates`` renews after training.
"""

import argparse
import csv
import io
import json
import multiprocessing
import os
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import torch
from transformers import EncodecModel

from leitmotif.corpus.organism.composer import compose, render, sounds
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.files import write_json, write_text
from leitmotif.musicgen.hooked import HookedMusicGen
from training import CODEC, FOLDER, REPLICATES, WORK, WORLD
from training import evaluate_concepts as concepts
from training.chroma import chroma_cosine
from training.codec import load_codec
from training.estimates import Estimate, estimate
from training.examine import Examination, GapCell
from training.leak import leak
from training.recipes import RECIPES, SHIPPED
from training.tokens import NoteTable

METRICS = FOLDER / "metrics.json"
CODED, LEAK_TRAIN, LEAK_TEST = 24, 1000, 500
CODED_SEED = 99
MAP_COLUMNS = (
    *("model", "site", "seconds_before_slot"),
    *("patch_nats", "patch_low", "patch_high"),
    *("probe_accuracy", "probe_low", "probe_high"),
)
MEASURES_OF_SEEDS = (
    "slot_rate_return",
    "slot_rate_no_return",
    "cue_swap_nats",
    "gap_patch_nats",
    "gap_probe_accuracy",
)


def codec_chroma(world: World, codec: EncodecModel) -> Estimate:
    """Cosine of the chroma before and after the codec, mean over frames; one value a piece."""
    bank = SoundBank(world)
    values = []
    for index in range(CODED):
        samples = render(bank, sounds(world, compose(world, CODED_SEED, index, part="held_out")))
        values.append(chroma_cosine(codec, samples))
    return estimate(values)


def measure(folder: Path) -> tuple[dict[str, object], list[GapCell]]:
    """The measures of one model, and its map of the gap."""
    torch.set_num_threads(1)
    world = load_world(WORLD)
    model = HookedMusicGen.from_pretrained(str(folder), device="cpu", dtype="float32")
    examination = Examination(world, NoteTable(world, load_codec(CODEC)), model)
    probes, cells = examination.probes()
    measures = {**examination.behaviour(), **examination.effects(), "gap_probe_accuracy": probes}
    return measures, cells


def means(measures: dict[str, object]) -> dict[str, object]:
    """The means alone of what is compared between seeds."""

    def mean_of(value: object) -> object:
        assert isinstance(value, dict)
        return value["mean"] if "mean" in value else {key: mean_of(v) for key, v in value.items()}

    return {key: mean_of(measures[key]) for key in MEASURES_OF_SEEDS}


def measure_replicates(workers: Executor) -> None:
    """Measure the replicates in the work folder; renew replicates.json and metrics.json."""
    trained = [
        (name, number)
        for name in SHIPPED
        for number in range(1, 10)
        if (WORK / f"{name}.{number}" / "config.json").exists()
    ]
    folders = [WORK / f"{name}.{number}" for name, number in trained]
    known = _replicates()
    for (name, number), (measures, _) in zip(trained, workers.map(measure, folders), strict=True):
        seed = str(RECIPES[name].replicate(number).seed)
        known.setdefault(name, {})[seed] = means(measures)
    write_json(REPLICATES, known)
    shipped = json.loads(METRICS.read_bytes())
    for name in known:
        shipped[name]["seeds"] |= known[name]
    write_json(METRICS, shipped)


def measure_shipped(workers: Executor) -> None:
    """Measure the shipped models, write metrics.json and the maps of the gap."""
    models = workers.map(measure, [FOLDER / name for name in SHIPPED])
    world = load_world(WORLD)
    heard = workers.submit(concepts.measure_concepts)
    leaked = leak(world, train=LEAK_TRAIN, test=LEAK_TEST)
    weights = [path for path in FOLDER.rglob("*.safetensors") if WORK not in path.parents]
    metrics: dict[str, object] = {
        "codec_chroma": codec_chroma(world, load_codec(CODEC)),
        "leak_accuracy": {
            "chance": 0.5,
            **{
                # Slot by slot, of all pieces each.
                name: estimate(hits, [*range(LEAK_TEST)] * len(world.slot_bars))
                for name, hits in leaked.items()
            },
        },
        "bytes": sum(path.stat().st_size for path in weights),
        "concepts": heard.result(),
    }
    maps: list[tuple[str, GapCell]] = []
    for name, (measures, cells) in zip(SHIPPED, models, strict=True):
        seeds = {str(RECIPES[name].seed): means(measures), **_replicates().get(name, {})}
        metrics[name] = {**measures, "seeds": seeds}
        maps += [(name, cell) for cell in cells]
    write_json(METRICS, metrics)
    write_text(FOLDER / "gap_map.csv", _table(maps))


def _replicates() -> dict[str, dict[str, object]]:
    known: dict[str, dict[str, object]] = (
        json.loads(REPLICATES.read_bytes()) if REPLICATES.exists() else {}
    )
    return known


def _table(maps: list[tuple[str, GapCell]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(MAP_COLUMNS)
    for model, cell in maps:
        values = [
            estimated[key]
            for estimated in (cell.patch_nats, cell.probe_accuracy)
            for key in ("mean", "low", "high")
        ]
        writer.writerow([model, cell.site, cell.seconds_before_slot, *values])
    return text.getvalue()


def main() -> None:
    """Measure the models of this folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--replicates", action="store_true", help="measure those in the work folder instead"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as workers:
        (measure_replicates if arguments.replicates else measure_shipped)(workers)


if __name__ == "__main__":
    main()
