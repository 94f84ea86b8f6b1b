"""A plan as text."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from leitmotif.cli.preset_texts import available
from leitmotif.errors import ModelError
from leitmotif.pipeline.durations import Duration
from leitmotif.plan.hours import Range
from leitmotif.plan.plan import Plan, make_plan
from leitmotif.plan.scale import Scale
from leitmotif.plan.text import as_lines

ROOT = Path(__file__).resolve().parents[2]


def _plan(scale: Scale) -> Plan:
    return make_plan(scale.params, device="cpu", measure=False)


@pytest.mark.parametrize("name", available(ROOT))
def test_every_preset_has_a_plan_within_the_width(
    name: str, scale_of: Callable[..., Scale]
) -> None:
    plan = _plan(scale_of(name))
    long = Range(123_456_789.0, 987_654_321.0)
    timed = replace(
        plan,
        stages=[
            replace(stage, seconds=long, recorded=Duration(1e7, "as last time"))
            for stage in plan.stages
        ],
        notes=("a note " * 30,),
    )
    for lines in (as_lines(plan), as_lines(timed)):
        assert max(map(len, lines)) <= 100
        assert any(line.startswith("Settings that are impossible") for line in lines)


def test_on_a_cluster_work_is_shared_and_memory_is_that_of_a_worker(
    scale_of: Callable[..., Scale],
) -> None:
    dask = ["execution.engine=dask", "execution.address=tcp://127.0.0.1:1", "execution.workers=5"]
    plan, local = _plan(scale_of("musicgen-small", *dask)), _plan(scale_of("musicgen-small"))
    assert plan.processes == 5
    here = {stage.name: stage for stage in local.stages}
    for stage in plan.stages:
        assert stage.memory.host <= 16e9
        assert stage.rows <= here[stage.name].rows


def test_a_batch_without_room_on_a_gpu_has_no_time(scale_of: Callable[..., Scale]) -> None:
    lines = as_lines(_plan(scale_of("musicgen-large", "interventions.rows=64")))
    consumer = next(line for line in lines if "RTX 4090" in line)
    assert "no room" in consumer
    fitted = as_lines(_plan(scale_of("musicgen-large")))
    assert "no room" not in next(line for line in fitted if "RTX 4090" in line)


def test_computed_times_are_called_computed(scale_of: Callable[..., Scale]) -> None:
    text = " ".join(" ".join(as_lines(_plan(scale_of("musicgen-small")))).split())
    assert "computed from published peaks" in text


def test_a_note_is_not_cut(scale_of: Callable[..., Scale]) -> None:
    plan = _plan(scale_of("musicgen-small"))
    text = " ".join(" ".join(as_lines(plan)).split())
    assert all(item.note in text for item in [*plan.downloads, *plan.folders])


def test_a_range_is_named_once_where_it_has_one_unit(scale_of: Callable[..., Scale]) -> None:
    plan = _plan(scale_of("organism"))
    first = replace(plan.stages[0], seconds=Range(240.0, 600.0))
    assert any("4 to 10 min" in line for line in as_lines(replace(plan, stages=[first])))


def test_a_device_that_is_not_there_is_refused(scale_of: Callable[..., Scale]) -> None:
    with pytest.raises(ModelError, match="no such device"):
        make_plan(scale_of("organism").params, device="cuda:9", measure=False)


def test_a_plan_is_plain_data(scale_of: Callable[..., Scale]) -> None:
    assert json.loads(json.dumps(asdict(_plan(scale_of("folder")))))["model"]
