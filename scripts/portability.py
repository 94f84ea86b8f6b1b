"""Does the pipeline give the same on other processors and devices? Runs on one machine say so.

    python scripts/portability.py                   # every stage of dvc.yaml, a small experiment
    python scripts/portability.py --dtype float32   # what the promise does not cover: must differ
    python scripts/portability.py --runs gpu        # models on a GPU: the same metrics, plots

One run is as usual. Another, ``capped``, is kept from most of the processor's instructions, has
one thread and one process, and puts other numbers of clips into a batch; that makes one machine
compute like another. Every output is then compared by its SHA-256, stage by stage. A third,
``pretend``, has all models on a device of its own (pretend_device.py), which fails as a GPU does
where tensors of two devices meet; its metrics and plots have to be the same. It begins where a
model is first used, with what the usual run made before. Exit status 1: some differ.
"""

import argparse
import importlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
READ = ("models", "controls.yaml", "hooks.yaml", "concepts.yaml")
"""What stages read besides each other's outputs."""

SMALL = (
    "corpus.pieces=48",
    "manifest.tracks=36",
    "activations.sites=[layers.0.residual,layers.1.residual]",
    "sae.hooks=[planner-0]",
    "sae.spliced_tracks=2",
    "probes.comparisons=[]",
    "probes.random_weights=false",
    "probes.permutations=99",
    "probes.shifts=99",
    "probes.folds=3",
    "calibration.site=layers.1.residual",
    "calibration.targets=20",
    "calibration.each=2",
    "calibration.permutations=99",
    "interchange.tracks=2",
    "interchange.lead_seconds=2.0",
    "interventions.tracks=2",
    "interventions.candidates=1",
    "interventions.together=4",
    "interventions.doses=[2.0]",
    "interventions.random=1",
    "interventions.kept_tracks=1",
    "decoderlens.prompts=2",
    "decoderlens.seconds=0.4",
    "decoderlens.tuning_steps=2",
    "swaps.prompts=1",
    "swaps.seconds=0.4",
    "swaps.components=[mlp,residual]",
    "swaps.techniques=[adjust]",
    "swaps.controls=[itself,redrawn]",
    "swaps.together=false",
    "report.features=2",
)
"""The organism's preset, made small: every stage has something to do, and does it in seconds."""

CAPPED = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "NUMBA_CPU_NAME": "generic",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-FMA,-FMA4",
    "OMP_NUM_THREADS": "1",
    "LEITMOTIF_WORKERS": "1",
}
"""Caps of the instruction sets for torch, oneDNN, MKL, OpenBLAS, numpy, numba and the C library."""


@dataclass(frozen=True)
class Run:
    """One of the two runs."""

    name: str
    environment: dict[str, str]
    settings: tuple[str, ...]
    pretend: bool = False
    """Whether ``device: auto`` is the pretend device."""
    kinds: tuple[str, ...] = ("outs", "metrics", "plots")
    """Which outputs have to be those of the usual run."""
    on_device: bool = False
    """Whether models are elsewhere: stages that use none are those of the usual run."""


OTHER_BATCHES = (
    "interventions.rows=23",
    "interchange.rows=3",
    "decoderlens.rows=7",
    "swaps.rows=5",
)
ONE_PROCESS = {"OMP_NUM_THREADS": "1", "LEITMOTIF_WORKERS": "1"}
USUAL = Run("as usual", {}, ())
OTHERS = {
    "capped": Run("capped", CAPPED, OTHER_BATCHES),
    "pretend": Run(
        "pretend",
        ONE_PROCESS,
        ("model.device=auto", "judge.device=auto"),
        pretend=True,
        on_device=True,
        kinds=("metrics", "plots"),  # headers of tensors and lines of the log name the device
    ),
    "gpu": Run(
        "gpu",
        {},
        ("model.device=cuda", "judge.device=cuda"),
        on_device=True,
        kinds=("metrics", "plots"),
    ),
}
BY_DEFAULT = ("capped", "pretend")
"""Runs of every machine; ``gpu`` needs a CUDA GPU."""


def main() -> int:
    """Run all, compare, print; returns the exit status."""
    arguments = _arguments()
    if arguments.stages_in is not None:
        if arguments.pretend:
            from pretend_device import install

            install()
        return run_stages(arguments.stages_in, arguments.stages)
    started = time.monotonic()
    with TemporaryDirectory(prefix="leitmotif-portability-") as folder:
        others = [OTHERS[name] for name in arguments.runs]
        roots = {run.name: Path(folder) / run.name.replace(" ", "_") for run in (USUAL, *others)}
        alike = [run for run in others if not run.on_device]
        children = [
            start(roots[run.name], run, arguments.stages, arguments) for run in (USUAL, *alike)
        ]
        well = all_well(children, until=children[:1])
        for run in others if well else ():
            if run.on_device:
                taken = [name for name in arguments.stages if name not in stages_of(run, arguments)]
                give(roots[USUAL.name], roots[run.name], taken)
                children.append(start(roots[run.name], run, stages_of(run, arguments), arguments))
        if not all_well(children, until=children):
            print("a run ended with an error; see above", file=sys.stderr)
            return 2
        differing = []
        for run in others:
            print(f"{USUAL.name} and {run.name}, {', '.join(run.kinds)}:")
            pair = [roots[USUAL.name], roots[run.name]]
            differing += report(pair, stages_of(run, arguments), run.kinds)
    print(f"{time.monotonic() - started:.0f} s")
    return 1 if differing else 0


def stages_of(run: Run, arguments: argparse.Namespace) -> list[str]:
    """The stages that a run has of its own: on a device those whose settings name a model."""
    stages = _pipeline()
    return [
        name
        for name in arguments.stages
        if not run.on_device or {"model", "judge"} & set(stages[name].get("params", ()))
    ]


def give(source: Path, target: Path, stages: Sequence[str]) -> None:
    """Copy all outputs of some stages."""
    outputs = _outputs(USUAL.kinds)
    for name in (name for stage in stages for name in _files(source, outputs[stage])):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, target / name)


def start(
    root: Path, run: Run, stages: Sequence[str], arguments: argparse.Namespace
) -> "subprocess.Popen[bytes]":
    """Lay a folder for a run and start stages in a process of their own."""
    from leitmotif.cli.presets import use

    shutil.copytree(ROOT / "presets", root / "presets")
    (root / "data" / "decisions").mkdir(parents=True, exist_ok=True)
    for name in READ:
        (root / name).symlink_to(ROOT / name)
    settings = (*SMALL, f"model.dtype={arguments.dtype}", *arguments.set, *run.settings)
    # Whether model.name is a folder is seen from the root, which is the working directory's.
    here = Path.cwd()
    os.chdir(root)
    try:
        use("organism", settings)
    finally:
        os.chdir(here)
    command = [sys.executable, __file__, "--stages-in", str(root), "--stages", *stages]
    command += ["--pretend"] if run.pretend else []
    environment = {**os.environ, **run.environment}
    # What numba has compiled for the whole processor must not be found.
    if "NUMBA_CPU_NAME" in run.environment:
        environment["NUMBA_CACHE_DIR"] = str(root / ".numba")
    return subprocess.Popen(command, env=environment)


def all_well(
    children: Sequence["subprocess.Popen[bytes]"], *, until: Sequence["subprocess.Popen[bytes]"]
) -> bool:
    """Wait until some of them have ended; the first that fails ends all."""
    while any(child.poll() is None for child in until):
        if any(child.poll() for child in children):
            for child in children:
                child.terminate()
                child.wait()
        time.sleep(0.2)
    return not any(child.returncode for child in until)


def run_stages(root: Path, stages: Sequence[str]) -> int:
    """Run stages in ``root``, one after the other in this process."""
    from leitmotif.config import load_params

    os.chdir(root)
    params = load_params()
    for name in stages:
        started = time.monotonic()
        getattr(importlib.import_module(f"leitmotif.stages.{name}"), name)(params)
        print(f"{root.name}: {name} in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0


def report(roots: Sequence[Path], stages: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """Print how many files of each stage are the same; returns the names of those that differ."""
    outputs = _outputs(kinds)
    differing: list[str] = []
    for stage in stages:
        names = sorted({name for root in roots for name in _files(root, outputs[stage])})
        odd = [name for name in names if _differ([root / name for root in roots])]
        if not names:  # equal nothings would prove nothing
            odd = [f"{stage} wrote nothing"]
        differing += odd
        shown = "".join(f"\n    {name}" for name in odd[:5])
        more = f"\n    and {len(odd) - 5} more" if len(odd) > 5 else ""
        print(
            f"{stage:>14}: {max(len(names) - len(odd), 0)} of {len(names)} files equal{shown}{more}"
        )
    return differing


def _pipeline() -> dict[str, Any]:
    """The stages of dvc.yaml by name, in its order."""
    from leitmotif.files.yaml_files import parse_yaml

    stages: dict[str, Any] = parse_yaml((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return stages


def _outputs(kinds: Sequence[str] = USUAL.kinds) -> dict[str, list[str]]:
    """Outputs of some kinds of each stage of dvc.yaml, in its order."""
    return {
        name: [
            entry if isinstance(entry, str) else next(iter(entry))
            for kind in kinds
            for entry in stage.get(kind, ())
        ]
        for name, stage in _pipeline().items()
    }


def _files(root: Path, outputs: Sequence[str]) -> Iterator[str]:
    for output in outputs:
        path = root / output
        paths = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (file.relative_to(root).as_posix() for file in paths if file.is_file())


def _differ(paths: Sequence[Path]) -> bool:
    from leitmotif.files import sha256_file

    return len({sha256_file(path) if path.is_file() else None for path in paths}) > 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    every = list(_outputs())
    parser.add_argument("--dtype", default="float64", help="precision of the model (float64)")
    parser.add_argument("--stages", nargs="+", choices=every, default=every, metavar="STAGE")
    parser.add_argument("--runs", nargs="+", choices=OTHERS, default=BY_DEFAULT, metavar="RUN")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--stages-in", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--pretend", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
