"""Formulas of disk and memory against the shipped experiment."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from leitmotif.files.yaml_files import read_yaml
from leitmotif.lens.pairs import COLUMNS
from leitmotif.plan.disk import DiskItem, downloads, folders
from leitmotif.plan.memory import memory_of
from leitmotif.plan.scale import Scale
from leitmotif.plan.work import work_of

EXACT = ("data/corpus", "data/features", "data/activations", "data/sae", "data/lens")
AT_MOST = ("data/clips", "data/report")


def _locked() -> dict[str, int]:
    stages = read_yaml(Path("dvc.lock"))["stages"]
    return {out["path"]: out["size"] for stage in stages.values() for out in stage.get("outs", [])}


def _bytes(items: list[DiskItem]) -> dict[str, int | None]:
    return {item.name: item.bytes for item in items}


@pytest.mark.parametrize("folder", [*EXACT, "data/swap_clips"])
def test_folders_are_as_large_as_those_of_the_shipped_experiment(
    folder: str, scale_of: Callable[..., Scale]
) -> None:
    found = _bytes(folders(scale_of("organism")))[folder]
    assert found == pytest.approx(_locked()[folder], rel=0.03)


def test_pairs_of_a_file_have_the_clips_that_are_kept(
    scale_of: Callable[..., Scale], tmp_path: Path
) -> None:
    path = tmp_path / "pairs.csv"
    rows = ["a piano,a trumpet,Piano,Trumpet", "the piano,the trumpet,Piano,Trumpet"]
    path.write_text("\n".join([",".join(COLUMNS), *rows, ""]), encoding="utf-8")

    def clips(*settings: str) -> float:
        scale = scale_of("organism", f"swaps.pairs={path}", *settings)
        size = _bytes(folders(scale))["data/swap_clips"]
        assert size is not None
        return size / _bytes(folders(scale_of("organism")))["data/swap_clips"] * 4

    # Of four instruments one prompt is kept each; here one original label has one or both rows.
    assert clips() == pytest.approx(1, rel=0.01)
    assert clips("decoderlens.kept_prompts=2") == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("folder", AT_MOST)
def test_clips_are_at_most_so_large(folder: str, scale_of: Callable[..., Scale]) -> None:
    found = _bytes(folders(scale_of("organism")))[folder]
    assert found is not None
    assert found >= _locked()[folder]


def test_activations_follow_sites_tracks_width_and_precision(
    scale_of: Callable[..., Scale],
) -> None:
    def bytes_with(*settings: str) -> int:
        return _bytes(folders(scale_of("musicgen-small", *settings)))["data/activations"] or 0

    whole = bytes_with()
    tensor = 1500 * 1024
    assert bytes_with("manifest.tracks=50") == whole // 2
    assert bytes_with("activations.dtype=float32") - whole == 500 * 2 * tensor


def test_the_number_of_files_is_that_of_tensors_or_of_shards(
    scale_of: Callable[..., Scale],
) -> None:
    def note(*settings: str) -> str:
        items = folders(scale_of("musicgen-small", *settings))
        return next(item.note for item in items if item.name == "data/activations")

    shards = ",".join(f"{number:02}" for number in range(100))
    sites = ",".join(
        f"layers.{n}.{s}" for n in range(24) for s in ("residual", "mlp", "self_attention")
    )
    assert note().endswith("; 500 files")
    large = f"activations.sites=[{sites}]", f"corpus.shards=[{shards}]", "manifest.tracks=18486"
    large = *large, "probes.permutations=1439"  # fewer are refused with so many sites
    assert note(*large).endswith("; 18,432 files")


def test_what_is_here_is_not_downloaded(scale_of: Callable[..., Scale]) -> None:
    assert set(_bytes(downloads(scale_of("organism"))).values()) == {0}
    fetched = _bytes(downloads(scale_of("musicgen-small")))
    assert fetched["facebook/musicgen-small"] == pytest.approx(2.36e9, rel=0.01)
    assert fetched["MTG-Jamendo, 1 shard"] == pytest.approx(0.5e9, rel=0.02)


def test_a_judge_of_unknown_size_is_said_to_be_unknown(scale_of: Callable[..., Scale]) -> None:
    scale = scale_of("musicgen-small", "judge.clap=someone/else")
    judge = next(item for item in downloads(scale) if item.name == "someone/else")
    assert (judge.bytes, judge.note) == (None, "not known")


@pytest.mark.parametrize(
    "stage",
    ["features", "activations", "proposals", "sae", "probes", "interventions", "summary"],
)
def test_memory_is_within_a_factor_of_two_of_what_was_measured(
    stage: str, scale_of: Callable[..., Scale]
) -> None:
    scale = scale_of("organism")
    measured = json.loads(Path("benchmarks/results/pipeline.json").read_text())["rows"]
    peak = next(row["ours"] for row in measured if (row["case"], row["unit"]) == (stage, "MB"))
    computed = memory_of(scale, work_of(scale), device="cpu", processes=2)[stage].host
    assert peak * 1e6 / 2 < computed < peak * 1e6 * 2


def test_on_a_gpu_one_process_holds_the_model(scale_of: Callable[..., Scale]) -> None:
    scale = scale_of("musicgen-small", "interventions.rows=64")
    works = work_of(scale)
    gpu, cpu = (
        memory_of(scale, works, device=device, processes=2)["interventions"]
        for device in ("cuda", "cpu")
    )
    rows, steps = scale.params.interventions.rows, 700 + 753
    keys_and_values = rows * 24 * 2 * steps * 1024 * 4
    assert gpu.device > keys_and_values + scale.model.weight_bytes("float32")
    assert cpu.host > 2 * cpu.device
    assert gpu.host < cpu.host


def test_autoencoders_take_memory_and_disk_where_they_are_used(
    scale_of: Callable[..., Scale],
) -> None:
    scale, without = scale_of("musicgen-small"), scale_of("musicgen-small")
    published = {"d_in": 1024, "d_sae": 32_768, "k": 100}
    planner = scale_of("organism").hooks[0]
    hooks = [planner.model_copy(update={**published, "site": site}) for site in scale.sites]
    scale.__dict__["hooks"] = hooks  # a cached property
    weights = 5 * 4 * (2 * 1024 * 32_768 + 1024 + 32_768)
    before, after = (
        memory_of(one, work_of(one), device="cuda", processes=1) for one in (without, scale)
    )
    for stage in ("interventions", "summary"):
        assert after[stage].device - before[stage].device == weights
    for stage in ("activations", "decoderlens", "swaps"):
        assert after[stage] == before[stage]
    assert after["probes"].host > before["probes"].host
    assert _bytes(folders(scale))["data/sae"] == pytest.approx(5 * 150_000 * 808, rel=0.01)
    assert scale.features == 5 * 32_768
