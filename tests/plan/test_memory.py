"""What fits into which memory, and that a plan and a stage agree on it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from leitmotif.config.auto import ROWS
from leitmotif.lens.memory import swaps_holding
from leitmotif.musicgen.key_values import RoomyCache
from leitmotif.musicgen.linear import Linear
from leitmotif.musicgen.loading import load_model
from leitmotif.musicgen.memory import Footprint, batches_on, packed_bytes
from leitmotif.plan.memory import Memory, memory_of, within
from leitmotif.plan.scale import Scale
from leitmotif.plan.work import work_of
from leitmotif.work import budget as module
from leitmotif.work.budget import GB, Budget

SMALL_GPU = Budget(16 * GB, 24 * GB)


def _memory(scale: Scale, budget: Budget, device: str) -> dict[str, Memory]:
    fitted = within(scale, budget, device=device, processors=2)
    return memory_of(
        fitted.scale,
        work_of(fitted.scale),
        device=device,
        processes=2 if device == "cpu" else 1,
        workers=fitted.workers,
    )


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_whole_run_of_musicgen_small_fits_16_gb_and_a_gpu_of_24(
    device: str, scale_of: Callable[..., Scale]
) -> None:
    scale = scale_of("musicgen-small")
    published = {"d_in": 1024, "d_sae": 32_768, "k": 100}
    planner = scale_of("organism").hooks[0]
    with_autoencoders = scale_of("musicgen-small")
    with_autoencoders.__dict__["hooks"] = [  # a cached property
        planner.model_copy(update={**published, "site": site}) for site in scale.sites
    ]
    for one in (scale, with_autoencoders):
        for stage, needed in _memory(one, SMALL_GPU, device).items():
            assert needed.host <= 16 * GB, stage
            if device == "cuda":
                assert needed.device <= 24 * GB, stage


@pytest.mark.parametrize("name", ["musicgen-medium", "musicgen-large"])
def test_every_stage_of_larger_models_fits_a_gpu_of_24_gb(
    name: str, scale_of: Callable[..., Scale]
) -> None:
    for stage, needed in _memory(scale_of(name), Budget(64 * GB, 24 * GB), "cuda").items():
        assert needed.device <= 24 * GB, stage


def test_half_the_precision_has_twice_the_rows(scale_of: Callable[..., Scale]) -> None:
    wide, half = (
        within(
            scale_of("musicgen-medium", f"model.dtype={dtype}"),
            SMALL_GPU,
            device="cuda",
            processors=1,
        ).scale.params.interventions.rows
        for dtype in ("float32", "bfloat16")
    )
    assert half > 2 * wide


@pytest.mark.parametrize(("dtype", "size"), [("float64", 8), ("float32", 4), ("bfloat16", 2)])
def test_keys_and_values_have_the_precision_of_the_model(
    dtype: str, size: int, scale_of: Callable[..., Scale], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, attend = [], RoomyCache.attend

    def noted(self: RoomyCache, layer: int, query: Tensor, keys_values: Tensor) -> Tensor:
        kept.append(keys_values.dtype)
        return attend(self, layer, query, keys_values)

    monkeypatch.setattr(RoomyCache, "attend", noted)
    model = load_model(scale_of("organism").params.model).to(dtype=dtype)
    model.generate(prefix=torch.zeros(1, model.codebooks, 5, dtype=torch.long), seconds=0.1)
    assert set(kept) == {getattr(torch, dtype)}
    assert Footprint.of(model).size == size


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_stage_has_as_many_rows_as_its_plan(
    device: str, scale_of: Callable[..., Scale], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [f"{place}=auto" for place in ROWS]
    scale = scale_of("organism", *settings, "resources.memory_gb=2", "resources.gpu_memory_gb=1")
    monkeypatch.setattr(module, "memory_here", lambda: None)
    monkeypatch.setattr(module, "gpu_memory_here", lambda: None)
    monkeypatch.setenv("LEITMOTIF_WORKERS", "2")
    budget = Budget.of(scale.params.resources)
    planned = within(scale, budget, device=device, processors=2)
    model = load_model(scale.params.model.beside(str(scale.params.decoderlens.model)))
    monkeypatch.setattr(type(model), "device", torch.device(device))
    holding = swaps_holding(scale.params, Footprint.of(model), scale.swap_sweep)
    found = batches_on(model, scale.params, "swaps", holding)
    # The plan knows weights from headers, to 2 %.
    assert found.rows == pytest.approx(planned.scale.params.swaps.rows, rel=0.02)
    assert found.workers == planned.workers["swaps"]


def test_rows_change_nothing_else_of_a_plan(scale_of: Callable[..., Scale]) -> None:
    scale = scale_of("musicgen-small")
    few = within(scale, Budget(16 * GB, 8 * GB), device="cuda", processors=1).scale
    many = within(scale, Budget(16 * GB, 80 * GB), device="cuda", processors=1).scale
    assert few.params.interventions.rows < many.params.interventions.rows
    for stage, work in work_of(few).items():
        assert [one.clips for one in work.generating] == [
            one.clips for one in work_of(many)[stage].generating
        ]


@pytest.mark.parametrize(("dtype", "copies"), [("float64", 0), ("float32", 1)])
def test_a_cpu_keeps_matrices_twice_where_they_are_packed(
    dtype: str, copies: int, scale_of: Callable[..., Scale]
) -> None:
    model = load_model(scale_of("organism").params.model).to(dtype=dtype)
    matrices = [part for part in model.decoder.modules() if isinstance(part, Linear)]
    held = sum(part.weight.nbytes for part in matrices)
    assert packed_bytes(model.config, model.dtype.itemsize) == copies * held
