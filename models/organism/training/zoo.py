"""Pack trained models into models/zoo: ``python -m training.zoo``.

Packed models that are not in the work folder are put back there first, so that a clone can train
one more from its base and keep the others; with ``--unpack`` nothing else happens. Trained models
are saved in float16 from the first, so they come back bit by bit.

What several models have in common is stored once (``leitmotif.bench.zoo``). A model whose shared
tensors are not those of the others is refused; one that does not do what its kind should is left
out, and said to be.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from leitmotif.bench.method import MINIMUM_SECONDS
from leitmotif.bench.zoo import (
    BASES,
    CHECKSUMS,
    CODEC_PREFIX,
    DECODERS,
    SHARED,
    TEXT,
    TRUTH,
    WEIGHTS,
    WEIGHTS_RECORD,
    Zoo,
)
from leitmotif.corpus.organism.world import World, load_world
from leitmotif.errors import StoreError
from leitmotif.files import sha256_file, write_json, write_table
from leitmotif.tables.bench import PlantedCell, PlantedSlot, ZooTruth
from training import CODEC, FOLDER, WORK, WORLD
from training.recipes import SHARED_IN_ZOO, ZOO
from training.visibility import FRAMES_PER_SECOND, carried
from training.zoo_check import Behaviour, behaviour_of, pieces_of

CURVES = "curves"
PACKED = FOLDER.parent / "zoo"
TEXT_PREFIX = "text_encoder."
BEHAVIOUR = "behaviour.json"
LEAST, MOST_BY_CHANCE = 0.9, 0.25


def pack(folders: Mapping[str, Path], out: Path, *, codec: Path, world: World) -> None:
    """Write the parts of models, their checksums and what is planted in them.

    Parameters
    ----------
    folders : finished models by name, ``KIND.R``.
    out : folder of the zoo.
    codec : folder of the codec that all of them have.
    world : what they were trained on.

    Raises StoreError for a model in which a tensor or a file that it shares with others differs.
    """
    written: dict[Path, dict[str, Tensor]] = {}
    coded = load_file(codec / WEIGHTS)
    for name, folder in folders.items():
        parts = _parts(load_file(folder / WEIGHTS))
        _check_same(parts.pop("codec"), coded, f"the codec of {name}")
        replicate = name.rpartition(".")[2]
        targets = {
            "text": out / SHARED / TEXT,
            "base": out / BASES / f"{replicate}.safetensors",
            "own": out / DECODERS / f"{name}.safetensors",
        }
        for part, path in targets.items():
            if path in written:
                _check_same(parts[part], written[path], f"what {name} shares in {path.name}")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                save_file(parts[part], path, metadata={"format": "pt"})
                written[path] = parts[part]
        for file in sorted(folder.glob("*.json")):
            _copied(file, out / SHARED / file.name, name)
        curve = folder.parent / f"{name}.csv"
        if curve.exists():
            (out / CURVES).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(curve, out / CURVES / curve.name)
    write_table(out / TRUTH, [truth_of(name, world) for name in sorted(folders)])
    stored = [path for part in (SHARED, BASES, DECODERS) for path in sorted((out / part).iterdir())]
    write_json(out / CHECKSUMS, {p.relative_to(out).as_posix(): sha256_file(p) for p in stored})


def truth_of(name: str, world: World) -> ZooTruth:
    """What is planted in a model, ``KIND.R``."""
    kind, _, replicate = name.rpartition(".")
    slots = []
    ways = ZOO[kind].ways or kind  # kinds may differ in how they learn the same ways
    for bar, cells in zip(world.slot_bars, carried(ways, world), strict=True):
        onset = bar * world.frames_per_bar
        furthest = min(cells, key=lambda cell: cell.columns.start, default=None)
        span = None if furthest is None else furthest.columns
        slots.append(
            PlantedSlot(
                onset_step=onset,
                nearest_seconds=span and (onset - span[-1]) / FRAMES_PER_SECOND,
                furthest_seconds=span and (onset - span[0]) / FRAMES_PER_SECOND,
                cells=[
                    PlantedCell(
                        site=f"layers.{cell.block}.residual",
                        first_step=cell.columns[0],
                        last_step=cell.columns[-1],
                    )
                    for cell in cells
                ],
            )
        )
    nearest = slots[-1].nearest_seconds
    return ZooTruth(
        model=name,
        kind=kind,
        replicate=int(replicate),
        foresight=nearest is not None and nearest > MINIMUM_SECONDS,
        frame_rate=FRAMES_PER_SECOND,
        slots=slots,
    )


def behaves(name: str, measured: Behaviour) -> bool:
    """Whether a model, ``KIND.R``, does what its kind should.

    It returns the motif if it is told to, its cue decides that, and it does so by its ways alone,
    each in at least ``LEAST``; of a kind that follows something else the cue decides at most
    ``MOST_BY_CHANCE``.
    """
    if ZOO[name.rpartition(".")[0]].decides != "cue":
        return measured["turned"] <= MOST_BY_CHANCE
    by_way = measured["follows_by_way"]
    shares = [measured["returns_if_told"], measured["turned"], 1.0 if by_way is None else by_way]
    return min(shares) >= LEAST


def finished(work: Path) -> dict[str, Path]:
    """The zoo's models in the work folder that have been trained to the end, by name."""
    return {
        f"{kind}.{folder.suffix[1:]}": folder
        for kind in ZOO
        for folder in sorted(work.glob(f"{kind}.[0-9]"))
        if (folder / "config.json").exists()
    }


def unpack(zoo: Zoo, work: Path) -> list[str]:
    """Put packed models and their curves into the work folder, as they were when trained.

    Returns the names of those that were not there. Raises StoreError for a part that is missing or
    damaged.
    """
    there = finished(work)
    absent = [name for name in zoo.names if name not in there]
    with TemporaryDirectory(prefix="zoo-") as cache:
        for name in absent:
            folder = zoo.assembled(name, Path(cache))
            (folder / WEIGHTS_RECORD).unlink()
            shutil.move(folder, work / name)
            curve = zoo.root / CURVES / f"{name}.csv"
            if curve.exists():
                shutil.copyfile(curve, work / curve.name)
    return absent


def _parts(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """A model's tensors by where they are stored: codec, text, base, own."""
    parts: dict[str, dict[str, Tensor]] = {"codec": {}, "text": {}, "base": {}, "own": {}}
    for name, tensor in tensors.items():
        if name.startswith(CODEC_PREFIX):
            parts["codec"][name.removeprefix(CODEC_PREFIX)] = tensor
        elif name.startswith(TEXT_PREFIX):
            parts["text"][name] = tensor
        else:
            shared = any(part in name for part in SHARED_IN_ZOO)
            parts["base" if shared else "own"][name] = tensor
    return parts


def _check_same(packed: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    differing = sorted(
        name
        for name in {*packed, *expected}
        if name not in packed
        or name not in expected
        or not torch.equal(packed[name], expected[name])
    )
    if differing:
        raise StoreError(
            f"{what} is not what the others have",
            found=f"{len(differing)} tensors that differ, such as {differing[0]}",
            expected="the same bits",
            fix="train the model again from the base of its replicate",
        )


def _copied(file: Path, target: Path, name: str) -> None:
    if target.exists() and target.read_bytes() != file.read_bytes():
        raise StoreError(f"{file.name} of {name} is not what the other models have")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)


def main(arguments: Sequence[str] | None = None) -> None:
    """Pack all finished models of the zoo, or unpack it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="folder of finished models")
    parser.add_argument("--out", type=Path, default=PACKED, help="folder of the zoo")
    parser.add_argument(
        "--unpack", action="store_true", help="only put packed models into the work folder"
    )
    given = parser.parse_args(arguments)
    if given.unpack or (given.out / CHECKSUMS).exists():
        names = unpack(Zoo(given.out, CODEC), given.work)
        print(f"{len(names)} models unpacked into {given.work}", flush=True)
    if given.unpack:
        return
    folders, world = finished(given.work), load_world(WORLD)
    torch.set_num_threads(1)
    pieces = pieces_of(next(iter(folders.values())), world)
    behaviour = {}
    for name, folder in folders.items():
        measured = behaviour_of(folder, name.rpartition(".")[0], pieces, world)
        if behaves(name, measured):
            behaviour[name] = measured
        print(name, measured, "" if name in behaviour else "left out", flush=True)
    folders = {name: folders[name] for name in behaviour}
    for part in (SHARED, BASES, DECODERS, CURVES):
        shutil.rmtree(given.out / part, ignore_errors=True)
    pack(folders, given.out, codec=CODEC, world=world)
    write_json(given.out / BEHAVIOUR, behaviour)
    size = sum(path.stat().st_size for path in given.out.rglob("*") if path.is_file())
    print(f"{len(folders)} models, {size / 1e6:.1f} MB in {given.out}")


if __name__ == "__main__":
    main()
