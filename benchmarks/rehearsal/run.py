"""A copy of this repository in which every stage of dvc.yaml runs, and what each takes."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks._listener import decide
from benchmarks.pipeline import Cost, cost, sources_first
from benchmarks.rehearsal.checkpoints import (
    AUTOENCODERS,
    REVISION,
    hub_of,
    path_of,
    write_repositories,
)
from benchmarks.rehearsal.recordings import compose, release
from benchmarks.rehearsal.shapes import SITES, Shapes
from leitmotif.config import load_params
from leitmotif.files import read_json, write_json
from leitmotif.files.yaml_files import read_stages, read_yaml
from leitmotif.lens.concepts import load_concepts
from leitmotif.pipeline.durations import RECORDS
from tests.corpus.official_layout import serve

ROOT = Path(__file__).parents[2]
PRESET = "rehearsal"
RELEASE = "data/sources/mtg_jamendo.json"
"""The pin file of the data set, which the copy gets anew."""
RECORDINGS = 15
"""Two more than the preset takes."""
NAMES = {layer: f"{PRESET}-{layer}" for layer in SITES}
"""Of the autoencoders in hooks.yaml, by block."""
HEARD = "proposals"
"""Stage after which a person decides."""
READ = (
    "concepts.yaml",
    "controls.yaml",
    "dvc.yaml",
    "hooks.yaml",
    "presets",
    "src",
    "data/sources",
)
"""What a copy without DVC has: what the stages of the preset read."""


@dataclass(frozen=True)
class StageCost(Cost):
    """What a stage took."""

    gpu_megabytes: float
    """Of a GPU's memory, at its peak; 0 where there is none."""


def rehearse(
    folder: Path,
    shapes: Shapes,
    settings: Sequence[str] = (),
    *,
    stages: Sequence[str] = (),
    with_dvc: bool = True,
) -> Iterator[tuple[str, StageCost]]:
    """Run every stage in ``folder``, or those named; yields each one's name and what it took.

    Parameters
    ----------
    folder : kept, and gone on with where it holds an earlier rehearsal of these shapes; what is up
        to date there does not run again.
    shapes : of the models.
    settings : further ones, each ``section.key=value``.
    stages : names of dvc.yaml; those before them must have run. None runs all.
    with_dvc : let DVC run the stages; else their commands run, each time, and neither DVC nor git
        is needed.

    Raises RuntimeError with what was printed where a command fails.
    """
    began = time.perf_counter()
    root, hub_root = folder / "repository", folder / "hub"
    lay(root, with_dvc=with_dvc)
    concepts = load_concepts(root / "concepts.yaml").concepts
    labels = list(dict.fromkeys(label for concept in concepts for label in concept.labels))
    recordings = compose(RECORDINGS)
    with ExitStack() as running:
        official = release(running.enter_context(serve()), root / RELEASE, recordings)
        own = [
            f"sae.hooks=[{', '.join(NAMES.values())}]",
            f"corpus.audio_url={official.settings.audio_url}",
            f"corpus.metadata_url={official.settings.metadata_url}",
        ]
        use(root, [*own, *settings])
        params = load_params(root / "params.yaml")
        music = torch.from_numpy(np.concatenate([piece.samples for piece in recordings[:4]]))
        write_repositories(hub_root, shapes, params, labels=labels, audio=music)
        hub = running.enter_context(hub_of(hub_root, params))
        environment = {
            "HF_ENDPOINT": hub.address,
            "HF_HOME": str(folder / "home"),
            "HF_HUB_OFFLINE": "0",
        }
        pin(root, environment)
        say(f"servers and checkpoints: {time.perf_counter() - began:.1f} s")
        for name in stages or read_stages(root / "dvc.yaml"):
            kept = kept_cost(name, root, environment) if with_dvc else None
            yield name, kept or stage_cost(name, root, environment, with_dvc=with_dvc)
            if name == HEARD:
                decide(root, {recording.track_id: recording.heard for recording in recordings})


def lay(root: Path, *, with_dvc: bool) -> None:
    """Copy the files that git has or would take, unless they are there; without DVC, ``READ``."""
    if (root / "dvc.yaml").exists():
        return
    if not with_dvc:
        for name in READ:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, root / name)
        return
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)


def use(root: Path, settings: Sequence[str]) -> None:
    """Write params.yaml from the preset."""
    options = [part for setting in settings for part in ("--set", setting)]
    tool(root, {}, "use", PRESET, "--force", *options)


def pin(root: Path, environment: Mapping[str, str]) -> None:
    """Enter the published autoencoders into hooks.yaml, but for those that are there."""
    names = {hook["name"] for hook in read_yaml(root / "hooks.yaml")["hooks"]}
    for layer, name in NAMES.items():
        if name not in names:
            options = ["--revision", REVISION, "--name", name, "--prompt", "other", "--write"]
            tool(root, environment, "pin-sae", AUTOENCODERS, path_of(layer), *options)


def stage_cost(
    name: str, root: Path, environment: Mapping[str, str], *, with_dvc: bool
) -> StageCost:
    """Run a stage, measure it, what DVC itself takes included, and keep what it took."""
    by_dvc, by_itself = ["dvc", "repro", "--single-item", name], ["leitmotif.stages", name]
    command = [sys.executable, "-m", *(by_dvc if with_dvc else by_itself)]
    whole = cost(command, root, environment=environment)
    gpu = read_json(root / RECORDS / f"{name}.json")["gpu_peak_mb"]
    taken = StageCost(**asdict(whole), gpu_megabytes=gpu)
    gpu_part = f", {gpu} MB of the GPU's" if gpu else ""
    say(f"{name}: {taken.seconds:.1f} s, {taken.megabytes:.0f} MB{gpu_part}")
    write_json(kept_in(root) / f"{name}.json", asdict(taken))
    return taken


def kept_cost(name: str, root: Path, environment: Mapping[str, str]) -> StageCost | None:
    """What a stage took in a rehearsal that was broken off; None if it has to run."""
    kept = kept_in(root) / f"{name}.json"
    if not kept.exists():
        return None
    command = [sys.executable, "-m", "dvc", "status", "--json", name]
    status = subprocess.run(
        command, cwd=root, env={**os.environ, **environment}, capture_output=True, check=False
    )
    return StageCost(**read_json(kept)) if status.stdout.strip() == b"{}" else None


def kept_in(root: Path) -> Path:
    """The folder with what finished stages took, beside the repository."""
    return root.with_name("costs")


def tool(root: Path, environment: Mapping[str, str], *arguments: str) -> None:
    """Run ``leitmotif`` with the sources of the copy; raises RuntimeError if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "leitmotif", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": sources_first(root), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"leitmotif {' '.join(arguments)}\n{done.stdout}{done.stderr}")


def say(text: str) -> None:
    """Print a line at once."""
    print(text, file=sys.stderr, flush=True)
