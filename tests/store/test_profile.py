from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from leitmotif.store.profile import context_profile
from leitmotif.store.reading import ActivationStore
from leitmotif.store.writing.build import StoreBuilder
from leitmotif.tables.corpus import ManifestTrack, Window


def test_levels_are_the_root_mean_square_of_each_second_of_the_windows(
    make_track: Callable[..., ManifestTrack],
    make_builder: Callable[..., StoreBuilder],
    tmp_path: Path,
) -> None:
    long = make_track("1", seconds=3.0, seed=1).model_copy(
        update={"windows": [Window(start_frame=0, frames=70), Window(start_frame=70, frames=75)]}
    )
    short = make_track("2", seconds=0.5, seed=2)
    sites = ["layers.1.residual", "layers.2.mlp"]
    make_builder(sites=sites).build(tmp_path / "store", [long, short])
    store = ActivationStore(tmp_path / "store")

    levels = {(level.site, level.second): level.rms for level in context_profile(store)}

    assert list(levels) == [(site, second) for site in sites for second in (0, 1)]
    for site in sites:
        x, y = (store.load(site, track).astype(np.float64) for track in ("1", "2"))
        for second, parts in ((0, [x[:50], x[70:120], y]), (1, [x[50:70], x[120:]])):
            expected = np.sqrt(np.square(np.concatenate(parts)).mean())
            assert levels[site, second] == pytest.approx(expected)
