"""Decisions by hand, and what is said of settings."""

from collections.abc import Callable

import pytest

from leitmotif.plan.memory import memory_of
from leitmotif.plan.people import decisions, notices
from leitmotif.plan.scale import Scale
from leitmotif.plan.work import work_of


def _said(scale: Scale, **there: int | None) -> str:
    works = work_of(scale)
    memory = memory_of(scale, works, device="cpu", processes=2)
    return "\n".join(notices(scale, works, memory, **{"host_bytes": None, **there}))


def test_a_score_needs_no_decisions(scale_of: Callable[..., Scale]) -> None:
    assert decisions(scale_of("organism")) is None


def test_every_proposal_of_every_track_is_decided(scale_of: Callable[..., Scale]) -> None:
    # 30 s at 30 a minute are 15; a short track may have 20.
    assert decisions(scale_of("musicgen-small")) == 100 * 20
    assert decisions(scale_of("musicgen-small", "proposals.per_minute=60")) == 100 * 30
    assert decisions(scale_of("musicgen-small", "labels.min_reviewers=2")) == 200 * 20


def test_the_shipped_settings_are_sound(scale_of: Callable[..., Scale]) -> None:
    assert _said(scale_of("organism"), host_bytes=16 * 10**9) == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ["interventions.prefix_seconds=12"],
            "are 31 s, from position 1 s on; MusicGen was",
        ),
        (["manifest.min_seconds=8"], "manifest.min_seconds 8 is shorter than the prefix of 10 s"),
        (["interventions.tracks=6"], "6 pieces cannot make an effect count; 9 are needed"),
        ([], "swaps samples 4,356,500 clips: fewer prompts (swaps.prompts)"),
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
    scale = scale_of("musicgen-small")
    assert "memory" not in _said(scale, host_bytes=10**12)
    said = _said(scale, host_bytes=24 * 10**9)
    assert "interventions needs about 43 GB of memory, and there are 24 GB" in said
    assert "lower interventions.rows" in said
    few = scale_of("musicgen-small", "interventions.rows=8")
    assert "interventions needs" not in _said(few, host_bytes=24 * 10**9)
    on_gpu = _said(scale, device_bytes=16 * 10**9)
    assert "GB of the GPU's memory, and there are 16 GB" in on_gpu


def test_a_full_disk_is_foreseen(scale_of: Callable[..., Scale]) -> None:
    scale = scale_of("musicgen-small")
    assert "5 GB are free here" in _said(scale, disk_bytes=17 * 10**9, disk_free=5 * 10**9)
    assert "free here" not in _said(scale, disk_bytes=4 * 10**9, disk_free=5 * 10**9)
