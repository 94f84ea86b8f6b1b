"""Peak memory of each stage, computed: on the device, and on the host.

A formula holds what grows with the settings: weights, keys and values, autoencoders, dense blocks
of features. On a CPU each process has a model of its own, and the device's memory is the host's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from leitmotif.plan.scale import Scale
from leitmotif.plan.sizes import BYTES, ModelSize, key_value_bytes
from leitmotif.plan.work import Generating, Work
from leitmotif.probe.features.encoded import BLOCK

PROCESS_BYTES = 450_000_000
"""Of a process that has imported torch, transformers and librosa: a third of what the benchmark
measured of the stage activations, which has three."""
LIGHT_PROCESS_BYTES = 180_000_000
"""Of a process that loads no model: a third of what it measured of features."""
LIGHT = ("features", "proposals")
"""Stages that load no model."""
AUTOENCODERS = ("sae", "probes", "interventions", "summary")
"""Stages that load autoencoders."""
GPU_CONTEXT_BYTES = 500_000_000
"""Of a CUDA context with its libraries; assumed."""
ACTIVE_BYTES = 16
"""Of an active feature in memory: a value of 8 bytes, its number, and its row."""
EXCHANGES_AT_ONCE = 256
"""That probes of a whole site fit side by side."""


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a stage."""

    device: int
    """Of a GPU, or of one process's model on a CPU."""
    host: int
    """Of all processes, and of the device where it is a CPU."""


def memory_of(
    scale: Scale, works: Mapping[str, Work], *, device: str, processes: int
) -> dict[str, Memory]:
    """Peak memory by stage.

    Parameters
    ----------
    scale : the experiment.
    works : what each stage has to do.
    device : kind of the device, ``cpu`` or another.
    processes : that a stage starts on a CPU.
    """
    dense = {"probes": _probes(scale), "summary": _features(scale) + 2 * _encoded(scale)}
    return {
        stage: _stage(
            _on_device(scale, work, with_autoencoders=stage in AUTOENCODERS),
            dense.get(stage, 0),
            LIGHT_PROCESS_BYTES if stage in LIGHT else PROCESS_BYTES,
            device,
            processes,
        )
        for stage, work in works.items()
    }


def _stage(held: int, dense: int, own: int, device: str, processes: int) -> Memory:
    """The main process has features; on a CPU each process has what else a GPU would have."""
    if device == "cpu":
        return Memory(held, own + dense + processes * (own + held))
    return Memory(held + (GPU_CONTEXT_BYTES if held else 0), own + max(dense, held))


def _on_device(scale: Scale, work: Work, *, with_autoencoders: bool) -> int:
    """Weights of the models in use, autoencoders, and the largest batch."""
    dtype = scale.params.model.dtype
    models = {model.name: model for model in _models(work)}
    weights = sum(model.weight_bytes(dtype) for model in models.values())
    beside = BYTES[scale.params.model.dtype_beside]
    saes = scale.autoencoder_bytes(beside) if with_autoencoders else 0
    batches = [generating_bytes(batch, dtype) for batch in work.generating]
    passes = [
        reading_bytes(one.model, one.frames, dtype, rows=1) for one in work.reading if one.contexts
    ]
    return weights + saes + max([0, *batches, *passes])


def generating_bytes(batch: Generating, dtype: str) -> int:
    """Keys and values of a batch at its last step, and its logits."""
    rows = min(batch.rows, max(1, batch.clips)) * batch.halves
    config, size = batch.model.decoder, BYTES[dtype]
    kept = key_value_bytes(config, rows, batch.prefix_frames + batch.steps, size)
    return kept + rows * config.codebooks * config.codebook_size * size


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
    return 2 * _features(scale) + exchanges + _encoded(scale)


def _encoded(scale: Scale) -> int:
    """Active features of all autoencoders on the rows of the probes, and one block made dense."""
    active = sum(scale.probe_rows * (hook.k or hook.d_sae) for hook in scale.hooks)
    return ACTIVE_BYTES * active + 8 * scale.probe_rows * BLOCK


def _features(scale: Scale) -> int:
    """Residuals of all cached sites on the rows of the probes, in float64."""
    return 8 * len(scale.sites) * scale.probe_rows * scale.model.decoder.width


def _models(work: Work) -> list[ModelSize]:
    generating = [one.model for one in work.generating]
    return generating + [one.model for one in work.reading if one.contexts]
