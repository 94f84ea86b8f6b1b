"""Decisions by hand, and what is said of settings."""

from collections.abc import Callable

import pytest

from leitmotif.plan.memory import memory_of, within
from leitmotif.plan.people import decisions, notices
from leitmotif.plan.scale import Scale
from leitmotif.plan.work import work_of
from leitmotif.work.budget import GB, Budget

MUCH = Budget(1000 * GB, 1000 * GB)


def _said(
    scale: Scale,
    *,
    budget: Budget = MUCH,
    device: str = "cpu",
    disk: tuple[int, int] | None = None,
) -> str:
    fitted = within(scale, budget, device=device, processors=2)
    works = work_of(fitted.scale)
    memory = memory_of(fitted.scale, works, device=device, processes=2, workers=fitted.workers)
    written, free = disk or (None, None)
    return "\n".join(
        notices(
            fitted.scale,
            works,
            memory,
            budget=budget,
            on_gpu=device != "cpu",
            disk_bytes=written,
            disk_free=free,
        )
    )


def test_a_score_needs_no_decisions(scale_of: Callable[..., Scale]) -> None:
    assert decisions(scale_of("organism")) is None


def test_every_proposal_of_every_track_is_decided(scale_of: Callable[..., Scale]) -> None:
    # 30 s at 30 a minute are 15; a short track may have 20.
    assert decisions(scale_of("musicgen-small")) == 100 * 20
    assert decisions(scale_of("musicgen-small", "proposals.per_minute=60")) == 100 * 30
    assert decisions(scale_of("musicgen-small", "labels.min_reviewers=2")) == 200 * 20


def test_the_shipped_settings_are_sound(scale_of: Callable[..., Scale]) -> None:
    assert _said(scale_of("organism"), budget=Budget(16 * GB, 24 * GB)) == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ["interventions.prefix_seconds=12"],
            "are 31 s, from position 1 s on; MusicGen was",
        ),
        (["manifest.min_seconds=8"], "manifest.min_seconds 8 is shorter than the prefix of 10 s"),
        (["interventions.tracks=6"], "6 pieces cannot make an effect count; 9 are needed"),
        (["swaps.prompts=100"], "swaps samples 4,356,500 clips: fewer prompts (swaps.prompts)"),
        ([], "sae.hooks is empty"),
    ],
)
def test_an_unwise_setting_is_named(
    settings: list[str], said: str, scale_of: Callable[..., Scale]
) -> None:
    assert said in _said(scale_of("musicgen-small", *settings))


def test_thirty_seconds_and_enough_pieces_are_not(scale_of: Callable[..., Scale]) -> None:
    said = _said(scale_of("musicgen-small"))
    assert "trained" not in said
    assert "pieces" not in said


def test_too_little_memory_names_what_lowers_the_need(scale_of: Callable[..., Scale]) -> None:
    many = scale_of("musicgen-small", "interventions.rows=64")
    assert "memory" not in _said(many)
    said = _said(many, budget=Budget(24 * GB, 16 * GB))
    assert "interventions needs about 51 GB of memory, and may use 24 GB" in said
    assert "set interventions.rows to auto or use fewer processes" in said
    on_gpu = _said(many, budget=Budget(24 * GB, 16 * GB), device="cuda")
    assert "GB of the GPU's memory, and may use 16 GB (resources.gpu_memory_gb" in on_gpu
    assert "fewer processes" not in on_gpu


def test_a_model_that_is_too_large_for_any_rows_is_named(scale_of: Callable[..., Scale]) -> None:
    said = _said(scale_of("musicgen-large"), budget=Budget(64 * GB, 12 * GB), device="cuda")
    assert "interventions needs about 17 GB of the GPU's memory" in said
    assert "choose a smaller model.dtype or model" in said
    assert "to auto" not in said  # it is
    half = scale_of("musicgen-large", "model.dtype=bfloat16")
    assert "interventions" not in _said(half, budget=Budget(64 * GB, 12 * GB), device="cuda")


def test_a_full_disk_is_foreseen(scale_of: Callable[..., Scale]) -> None:
    scale = scale_of("musicgen-small")
    assert "5 GB are free here" in _said(scale, disk=(17 * GB, 5 * GB))
    assert "free here" not in _said(scale, disk=(4 * GB, 5 * GB))
