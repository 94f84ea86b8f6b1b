"""Peak memory of each stage, computed: on the device, and on the host.

A formula holds what grows with the settings: weights, keys and values, what the codec, the tuned
lens and the swaps hold, autoencoders, dense blocks of features. On a CPU each process has a model
of its own, and the device's memory is the host's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from leitmotif.causal.experiment.memory import continuations_holding
from leitmotif.config import Params
from leitmotif.config.auto import ROWS
from leitmotif.lens.memory import lens_holding, swaps_holding
from leitmotif.lens.tuned import map_bytes
from leitmotif.musicgen.memory import packed_bytes
from leitmotif.musicgen.room import row_bytes
from leitmotif.pipeline import CONTROLS
from leitmotif.plan.scale import Scale
from leitmotif.plan.sizes import BYTES, ModelSize, judge_bytes
from leitmotif.plan.work import Generating, Work
from leitmotif.probe.calibration.generators import WITHOUT_FORESIGHT
from leitmotif.probe.features.encoded import block_size
from leitmotif.probe.inputs.registry import load_controls
from leitmotif.probe.memory import PanelSizes, sparse_bytes
from leitmotif.work.budget import (
    GPU_CONTEXT_BYTES,
    PROCESS_BYTES,
    Budget,
    Holding,
    of_a_worker,
)

LIGHT_PROCESS_BYTES = 180_000_000
"""Memory of a process that loads no model: a third of what it measured of features."""
LIGHT = ("features", "proposals")
"""Stages that load no model."""
AUTOENCODERS = ("sae", "probes", "interventions", "summary")
"""Stages that load autoencoders."""
JUDGES = {
    "interventions": "clap", "summary": "clap", "decoderlens": "tagger", "swaps": "tagger",
}  # fmt: skip
"""The judge that a stage loads."""
COPIED_AT_LOAD = 0.28
"""Share of the weights that is in memory twice while a model is read: the largest of the tensors
that are joined, and what is cut to bfloat16. At most what benchmarks/loading.py measured."""
TESTING = ("probes", "summary")
"""Stages that test many features beyond the controls; calibration tests few."""
WAITING = (*JUDGES, "interchange")
"""Stages whose main process has the model too."""
EXCHANGES_AT_ONCE = 256
"""Exchanges that probes of a whole site fit side by side."""


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a stage."""

    device: int
    """Bytes of a GPU, or of one process's model on a CPU."""
    host: int
    """Bytes of all processes, and of the device where it is a CPU."""


@dataclass(frozen=True)
class Fitted:
    """An experiment whose rows fit into a budget, and the processes that have room."""

    scale: Scale
    workers: Mapping[str, int]
    """Processes by stage; the other stages have one for each processor."""


def within(scale: Scale, budget: Budget, *, device: str, processors: int) -> Fitted:
    """Settle the rows that are ``auto`` as the stages do on such a device.

    Parameters
    ----------
    scale : the experiment.
    budget : what a stage may use.
    device : kind of the device, ``cpu`` or another.
    processors : that there are.
    """
    settled, workers = scale.params, dict[str, int]()
    for place in ROWS:
        section = place.partition(".")[0]
        if place not in scale.params.auto:
            continue
        before = getattr(scale.params, section)
        holding, sharing = of_a_worker(
            scale.params, _holding(scale, section), device=device, processors=processors
        )
        batches = budget.batches(holding, device=device, processors=sharing, most=before.rows)
        changed = before.model_copy(update={"rows": batches.rows})
        settled = settled.model_copy(update={section: changed})
        workers[section] = batches.workers
    if "interventions" in workers:
        workers["summary"] = workers["interventions"]
        if scale.world is None:
            workers["interchange"] = workers["interventions"]
    return Fitted(replace(scale, params=settled), workers)


def _holding(scale: Scale, section: str) -> Holding:
    params = scale.params
    match section:
        case "interventions":
            return continuations_holding(params, scale.model.footprint(params.model), scale.hooks)
        case "decoderlens":
            return lens_holding(params, scale.lens_model.footprint(params.model), scale.concepts)
        case _:
            return swaps_holding(params, scale.lens_model.footprint(params.model), scale.swap_sweep)


def memory_of(
    scale: Scale,
    works: Mapping[str, Work],
    *,
    device: str,
    processes: int,
    workers: Mapping[str, int] | None = None,
) -> dict[str, Memory]:
    """Peak memory by stage.

    Parameters
    ----------
    scale : the experiment, its rows settled.
    works : what each stage has to do.
    device : kind of the device, ``cpu`` or another.
    processes : that a stage starts on a CPU.
    workers : of stages that start fewer.
    """
    dense = {
        "probes": _probes(scale),
        "calibration": _tests(scale).design,
        "summary": _features(scale) + 2 * _encoded(scale),
        "swaps": _holding(scale, "swaps").main,
    }
    memory = {}
    for stage, work in works.items():
        weights = _weights(scale, stage, work)
        needs = _Needs(
            own=LIGHT_PROCESS_BYTES if stage in LIGHT else PROCESS_BYTES,
            weights=weights,
            batch=_at_once(scale, stage, work),
            loading=round(COPIED_AT_LOAD * weights),
            dense=dense.get(stage, 0),
            waiting=_waiting(scale, stage, work),
            packed=_packed(scale, work),
            testing=_testing(scale, stage),
        )
        memory[stage] = needs.on(device, (workers or {}).get(stage, processes))
    return memory


@dataclass(frozen=True)
class _Needs:
    """Bytes of a stage."""

    own: int
    """Bytes of a process without a model."""
    weights: int
    """Bytes of all that is in use."""
    batch: int
    """The largest of what is held one after the other."""
    loading: int
    """Copied while the weights are read, and dropped then."""
    testing: int
    """Designs and features while a process tests them."""
    dense: int
    """Features and means, in the main process."""
    waiting: int
    """Weights that the main process has while others work."""
    packed: int
    """Matrices that a CPU keeps a second time."""

    def on(self, device: str, processes: int) -> Memory:
        """On a CPU each process has what else a GPU would have."""
        if device != "cpu":
            held = self.weights + self.batch + (GPU_CONTEXT_BYTES if self.weights else 0)
            at_once = max(self.dense + self.testing, self.weights + self.loading)
            return Memory(held, self.own + at_once)
        # A process keeps what it has freed, so nothing of this is in another's place.
        held = self.weights + max(self.packed + self.batch, self.loading) + self.testing
        if processes == 1:
            return Memory(held, self.own + self.dense + held)
        others = processes * (self.own + held)
        return Memory(held, self.own + self.dense + self.waiting + others)


def _tests(scale: Scale) -> PanelSizes:
    probes = scale.params.probes
    return PanelSizes.of(
        load_controls(CONTROLS),
        rows=scale.tested_rows,
        tracks=scale.contexts,
        folds=probes.folds,
        shifts=probes.shifts,
    )


def _testing(scale: Scale, stage: str) -> int:
    """Of a process of a stage that tests features beyond the controls."""
    if stage == "calibration":  # always the same controls
        kinds = len(WITHOUT_FORESIGHT) + len(scale.params.calibration.strengths)
        return _tests(scale).process(kinds * scale.params.calibration.each, designs=1)
    if stage not in TESTING:
        return 0
    widest = max([scale.model.decoder.width, *(hook.d_sae for hook in scale.hooks)])
    return _tests(scale).process(min(widest, block_size(scale.probe_rows)))


def _waiting(scale: Scale, stage: str, work: Work) -> int:
    if stage not in WAITING:
        return 0
    return max((model.weight_bytes(scale.params.model.dtype) for model in _models(work)), default=0)


def _packed(scale: Scale, work: Work) -> int:
    size = BYTES[scale.params.model.dtype]
    models = {model.name: model for model in _models(work)}
    return sum(packed_bytes(model.decoder, size) for model in models.values())


def _weights(scale: Scale, stage: str, work: Work) -> int:
    """Of models, autoencoders, judge and maps that are in use together."""
    params = scale.params
    dtype, beside = params.model.dtype, BYTES[params.model.dtype_beside]
    models = {model.name: model for model in _models(work)}
    if not models:
        return 0
    weights = sum(model.weight_bytes(dtype) for model in models.values())
    stage = _like(scale, stage)
    if stage in AUTOENCODERS:
        weights += scale.autoencoder_bytes(beside)
    if stage in JUDGES:
        weights += _judge(params, JUDGES[stage]) * beside // 4
    if stage == "decoderlens":
        weights += map_bytes(scale.lens_model.decoder)
    return weights


def _at_once(scale: Scale, stage: str, work: Work) -> int:
    """The largest of a batch, a pass, the codec's work, and the fit of a map."""
    params = scale.params
    otherwise = 0
    if stage == "activations":
        otherwise = scale.model.footprint(params.model).codec_bytes(scale.context_seconds)
    elif work.generating:
        like = _like(scale, stage)
        otherwise = _holding(scale, "interventions" if like == "summary" else like).otherwise
    batches = [generating_bytes(batch, params.model.dtype) for batch in work.generating]
    passes = [
        reading_bytes(reading.model, reading.frames, params.model.dtype, rows=1)
        for reading in work.reading
        if reading.contexts
    ]
    return max(0, *batches, *passes, otherwise)


def _like(scale: Scale, stage: str) -> str:
    """The stage that loads what this one does: of recordings, interchange continues them too."""
    return "interventions" if stage == "interchange" and scale.world is None else stage


def _judge(params: Params, name: str) -> int:
    """Bytes of a judge's weights in its file; 0 where they are not known."""
    settings = params.judge
    return judge_bytes(getattr(settings, name), getattr(settings, f"{name}_revision"))[0] or 0


def generating_bytes(batch: Generating, dtype: str) -> int:
    """Keys and values of a batch at its last step, and its logits."""
    rows = min(batch.rows, max(1, batch.clips)) * batch.halves
    return rows * row_bytes(batch.model.decoder, batch.prefix_frames + batch.steps, BYTES[dtype])


def reading_bytes(model: ModelSize, frames: int, dtype: str, *, rows: int) -> int:
    """Of a teacher-forced pass: the widest activations of a block, and the logits."""
    config, size = model.decoder, BYTES[dtype]
    steps = frames + max(config.delays)
    widest = 2 * config.mlp_width + 4 * config.width + config.codebooks * config.codebook_size
    return rows * steps * widest * size


def _probes(scale: Scale) -> int:
    """Residuals of two models on all rows, exchanges, and the features of autoencoders."""
    d, folds = scale.model.decoder.width, scale.params.probes.folds
    exchanges = 8 * EXCHANGES_AT_ONCE * folds * d * len(scale.params.probes.horizons)
    known = _tests(scale).collected(scale.features)
    return 2 * _features(scale) + exchanges + _encoded(scale) + known


def _encoded(scale: Scale) -> int:
    """Active features of all autoencoders on the rows of the probes, and one block made dense."""
    active = [scale.probe_rows * (hook.k or hook.d_sae) for hook in scale.hooks]
    dense = 8 * scale.probe_rows * block_size(scale.probe_rows)
    return sparse_bytes(sum(active), max(active, default=0)) + dense


def _features(scale: Scale) -> int:
    """Residuals of all cached sites on the rows of the probes, in float64."""
    return 8 * len(scale.sites) * scale.probe_rows * scale.model.decoder.width


def _models(work: Work) -> list[ModelSize]:
    generating = [part.model for part in work.generating]
    return generating + [part.model for part in work.reading if part.contexts]
