"""How many processes make a store."""

from pathlib import Path

import pytest
import torch

from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.reading.layout import LAYOUT, StoreLayout
from leitmotif.store.writing import parts
from leitmotif.store.writing.parts import StoreReading, built
from tests.store.conftest import MODEL, SITES
from tests.store.sharding import MakeBuilder, MakeTrack


class AskedError(Exception):
    """With the number of processes."""


@pytest.mark.parametrize("layout", [LAYOUT, StoreLayout(sharded_above=0)])
@pytest.mark.parametrize(
    ("device", "gpu", "expected"), [("auto", False, None), ("cpu", True, None), ("auto", True, 1)]
)
def test_a_cpu_is_shared_also_where_the_settings_leave_the_device_open(
    device: str, gpu: bool, expected: int | None, layout: StoreLayout, model: HookedMusicGen,
    make_builder: MakeBuilder, make_track: MakeTrack, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)

    def noted(*_: object, workers: int | None, **__: object) -> None:
        raise AskedError(workers)

    monkeypatch.setattr(parts, "in_parts", noted)
    settings = MODEL.model_copy(update={"device": device})
    params = make_builder(sites=SITES).params
    reading = StoreReading(lambda: model, settings, params, tmp_path, tmp_path / "work")
    tracks = [make_track("a", 0.1, seed=0)]
    with pytest.raises(AskedError) as asked:
        list(built(reading, tmp_path, tracks, shown="", layout=layout))
    assert asked.value.args == (expected,)
