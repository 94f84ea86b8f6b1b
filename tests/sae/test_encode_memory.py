"""Encoding a store holds one track, however many there are."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from leitmotif.files import write_table
from leitmotif.sae.autoencoder.registry import Hook
from leitmotif.store.reading.index import INDEX
from tests.sae.making import random_sae, write_track

ROWS, WIDTH, FEATURES, K = 1500, 512, 2048, 64
FEW, MANY = 4, 40
TRACK = ROWS * WIDTH * 4 / 1e6
"""MB of a track's activations."""

PROGRAM = """
import resource, sys
from pathlib import Path
from leitmotif.sae.autoencoder import load_sae
from leitmotif.sae.autoencoder.encode import encode_site
from leitmotif.sae.autoencoder.registry import Hook
from leitmotif.store.reading import ActivationStore
sae, hook, store, out = load_sae(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
encoded = encode_site(
    sae, Hook.model_validate_json(hook), ActivationStore(Path(store)), Path(out)
)
unit = 1 if sys.platform == "darwin" else 1024
print(encoded.frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
"""


@pytest.fixture
def stores(tmp_path: Path) -> dict[int, Path]:
    random = np.random.default_rng(0)
    made = {}
    for tracks in (FEW, MANY):
        root = made[tracks] = tmp_path / f"store-{tracks}"
        index = [
            write_track(
                root,
                "layers.1.residual",
                f"t{number}",
                random.standard_normal((ROWS, WIDTH), dtype=np.float32),
            )
            for number in range(tracks)
        ]
        write_table(root / INDEX, index)
    return made


def peak(folder: Path, hook: Hook, store: Path, out: Path, *, frames: int) -> float:
    """MB that a process needed at most, which encoded a store and did nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), hook.model_dump_json(), str(store), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    encoded, megabytes = done.stdout.split()
    assert int(encoded) == frames
    return float(megabytes)


def test_memory_does_not_grow_with_the_number_of_tracks(
    stores: dict[int, Path], make_hook: Callable[..., Hook], tmp_path: Path
) -> None:
    hook = make_hook(random_sae(width=WIDTH, features=FEATURES, k=K))
    few, many = (
        peak(tmp_path / "one", hook, store, tmp_path / f"out-{tracks}", frames=tracks * ROWS)
        for tracks, store in stores.items()
    )
    # Measured: 5 to 14 MB more. Kept activations would add 36 times 3 MB, kept features 77 MB.
    assert many - few < (MANY - FEW) * TRACK / 3, (few, many)
