"""Training top-k and batch top-k autoencoders on a site of an activation store.

Gao et al. 2024: top-k of the pre-activations, decoder vectors of norm 1 with the gradient along
them removed, encoder begun as the decoder's transpose, and an auxiliary loss in which features that
have been silent for long model what the others left. Bussmann et al. 2024: the k largest a row on
average over the batch, and a threshold learnt for use on single rows.

Rows are divided by one number, the root mean square of their distance from the mean, so that
learning rates mean the same at every site; saving multiplies it into the biases, which leaves the
decoder's norms alone. A step's batch depends on the seed and the step only: a run that was broken
off and resumed equals one that was not.
"""

import json
import os
from collections.abc import Callable
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F

from leitmotif.errors import ModelError
from leitmotif.sae.autoencoder.model import SaeConfig, SparseAutoencoder
from leitmotif.sae.autoencoder.topk import grouped_topk
from leitmotif.sae.autoencoder.trained import Training
from leitmotif.sae.pool import TrainingRows
from leitmotif.tensors import open_tensors, write_tensors


@dataclass(frozen=True)
class TrainingProgress:
    """A row of the training curve; a mean over the steps since the last one."""

    step: int
    fvu: float
    """Fraction of variance unexplained in the batch."""
    aux: float
    """Share of what is left that dead features do not explain; 0 while there are none."""
    l0: float
    dead_fraction: float


COLUMNS = tuple(column.name for column in fields(TrainingProgress))


@dataclass
class Trainer:
    """An autoencoder in training; its state is that of one step."""

    settings: Training
    pool: TrainingRows
    device: torch.device | str = "cpu"
    step: int = 0
    weights: nn.ParameterDict = field(init=False)
    silent: Tensor = field(init=False)
    """int64 [F]: rows since each feature was last active."""
    threshold: Tensor = field(init=False)
    """float64 scalar: batch top-k's, in units of the normalised rows."""
    curve: list[TrainingProgress] = field(init=False, default_factory=list)
    """Rows so far, of which the last steps may not have one yet."""

    def __post_init__(self) -> None:
        settings, d = self.settings, self.pool.width
        if settings.k > settings.d_sae:
            raise ModelError("k is larger than the dictionary", found=settings.k)
        random = torch.Generator().manual_seed(settings.seed)
        decoder = F.normalize(torch.randn(settings.d_sae, d, generator=random), dim=1)
        mean, self.scale = self.pool.centre()
        # Drawn on the CPU, so that a seed means the same on every device.
        drawn = {
            "W_enc": decoder.T.contiguous(),
            "b_enc": torch.zeros(settings.d_sae),
            "W_dec": decoder,
            "b_dec": mean / self.scale,
        }
        self.weights = nn.ParameterDict(
            {name: tensor.to(self.device) for name, tensor in drawn.items()}
        )
        self.silent = torch.zeros(settings.d_sae, dtype=torch.long, device=self.device)
        self.threshold = torch.zeros((), dtype=torch.float64)
        self._adam = torch.optim.Adam(self.weights.parameters(), lr=settings.rate)

    def advance(self) -> TrainingProgress:
        """Take one step."""
        settings, weights = self.settings, self.weights
        x = self.pool.batch(self.step, settings.batch, settings.seed).to(self.device) / self.scale
        pre = torch.addmm(weights["b_enc"], x - weights["b_dec"], weights["W_enc"])
        rows, columns, values = self._active(pre)
        rebuilt = weights["b_dec"] + self._decode(rows, columns, values, len(x))
        left = x - rebuilt
        spread = (x - x.mean(0)).square().sum()
        loss = fvu = left.square().sum() / spread
        self._count(columns, values.detach(), len(x))
        aux = self._auxiliary(pre, left.detach())
        loss = loss + settings.aux_weight * aux
        self._descend(loss)
        self.step += 1
        dead = self.silent >= settings.dead_after
        return TrainingProgress(
            step=self.step,
            fvu=float(fvu.detach()),
            aux=float(aux.detach()),
            l0=int((values > 0).sum()) / len(x),
            dead_fraction=float(dead.cpu().double().mean()),
        )

    def _active(self, pre: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, features and values that stay; rows ascend."""
        n, k = len(pre), self.settings.k
        if self.settings.kind == "topk":
            _, columns = grouped_topk(pre.detach(), k)
            rows = torch.arange(n, device=pre.device).repeat_interleave(k)
            return rows, columns.flatten(), pre.gather(1, columns).flatten().relu()
        flat = pre.detach().flatten().topk(n * k, sorted=False).indices.sort().values
        values = pre.flatten()[flat].relu()
        positive = values.detach()[values.detach() > 0]
        if len(positive):
            change = positive.min().cpu().double() - self.threshold
            self.threshold = self.threshold + self.settings.threshold_rate * change
        return flat // pre.shape[1], flat % pre.shape[1], values

    def _decode(self, rows: Tensor, columns: Tensor, values: Tensor, n: int) -> Tensor:
        counts = torch.bincount(rows, minlength=n)
        return F.embedding_bag(
            columns,
            self.weights["W_dec"],
            F.pad(counts.cumsum(0), (1, 0)),
            mode="sum",
            per_sample_weights=values,
            include_last_offset=True,
        )

    def _count(self, columns: Tensor, values: Tensor, rows: int) -> None:
        self.silent += rows
        self.silent[columns[values > 0]] = 0

    def _auxiliary(self, pre: Tensor, left: Tensor) -> Tensor:
        """What the most excited dead features leave of the residue, as a share of it."""
        dead = (self.silent >= self.settings.dead_after).nonzero().flatten()
        if not len(dead):
            return pre.new_zeros(())
        values, chosen = pre[:, dead].topk(min(self.settings.aux_k, len(dead)), dim=1)
        rows = torch.arange(len(pre), device=pre.device).repeat_interleave(chosen.shape[1])
        model = self._decode(rows, dead[chosen].flatten(), values.flatten(), len(pre))
        return (left - model).square().sum() / left.square().sum().clamp(min=1e-12)

    def _descend(self, loss: Tensor) -> None:
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        decoder = self.weights["W_dec"]
        with torch.no_grad():
            assert decoder.grad is not None
            along = (decoder.grad * decoder).sum(1, keepdim=True)
            decoder.grad -= along * decoder
        nn.utils.clip_grad_norm_(self.weights.parameters(), 1.0)
        for group in self._adam.param_groups:
            group["lr"] = self.settings.rate_at(self.step)
        self._adam.step()
        with torch.no_grad():
            decoder.copy_(F.normalize(decoder, dim=1))

    def export(self, metadata: dict[str, Any]) -> SparseAutoencoder:
        """Return the autoencoder for rows as they are stored; batch top-k becomes JumpReLU."""
        batch = self.settings.kind == "batchtopk"
        config = SaeConfig(
            d_in=self.pool.width,
            d_sae=self.settings.d_sae,
            activation="jumprelu" if batch else "topk",
            k=None if batch else self.settings.k,
            metadata=metadata,
        )
        sae = SparseAutoencoder(config).requires_grad_(False)
        for name in ("W_enc", "W_dec"):
            getattr(sae, name).copy_(self.weights[name])
        for name in ("b_enc", "b_dec"):
            getattr(sae, name).copy_(self.weights[name] * self.scale)
        if sae.threshold is not None:
            sae.threshold.fill_(float(self.threshold) * self.scale)
        return sae

    def save(self, path: Path) -> None:
        """Write everything that the next step depends on, atomically."""
        tensors = {f"weights/{name}": tensor.detach() for name, tensor in self.weights.items()}
        tensors |= {"step": torch.tensor(self.step), "silent": self.silent}
        tensors["threshold"] = self.threshold
        curve = [[*astuple(row)] for row in self.curve]
        tensors["curve"] = torch.tensor(curve, dtype=torch.float64).reshape(-1, len(COLUMNS))
        for number, values in self._adam.state_dict()["state"].items():
            tensors |= {f"adam/{number}/{key}": value for key, value in values.items()}
        kept = {key: tensor.cpu().numpy() for key, tensor in tensors.items()}
        write_tensors(path, kept, {"work": self._work()})

    def load(self, path: Path) -> None:
        """Go back to where ``save`` was called; raises ModelError if that was another run."""
        if saved_work(path) != self._work():
            raise ModelError(
                f"{path} belongs to another run",
                expected="the same settings and activations",
                fix="delete it to begin again, or choose another folder",
            )
        with open_tensors(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        rows = tensors.pop("curve").tolist()
        self.curve = [TrainingProgress(int(step), *values) for step, *values in rows]
        self.step, self.silent = int(tensors["step"]), tensors["silent"].to(self.device)
        self.threshold = tensors["threshold"]
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            kind, *rest = key.split("/")
            if kind == "adam":
                state.setdefault(int(rest[0]), {})[rest[1]] = value
        with torch.no_grad():
            for name, tensor in self.weights.items():
                tensor.copy_(tensors[f"weights/{name}"])
        self._adam.load_state_dict({**self._adam.state_dict(), "state": state})

    def _work(self) -> str:
        return json.dumps(
            {"settings": self.settings.model_dump(mode="json"), "rows": self.pool.identity},
            sort_keys=True,
        )


def saved_work(path: Path) -> str | None:
    """To which run a checkpoint belongs.

    Raises ModelError for a file that no training left.
    """
    try:
        with open_tensors(path, "pt") as file:
            return (file.metadata() or {}).get("work")
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path} is no checkpoint of a training",
            found=error,
            expected="nothing there, or what a broken-off run left",
            fix="move it away, or choose another folder",
        ) from error


_REPORT_EVERY = 50
"""Steps between two rows of the curve."""


def finish(
    trainer: Trainer,
    checkpoint: Path,
    *,
    save_every: int = 200,
    report: Callable[[TrainingProgress], None] = lambda row: None,
) -> list[TrainingProgress]:
    """Go on from ``checkpoint`` if it is there, to the last step.

    Returns the whole curve; ``report`` is given each row of it that is made now.
    """
    if os.path.lexists(checkpoint):
        trainer.load(checkpoint)
    recent: list[TrainingProgress] = []
    while trainer.step < trainer.settings.steps:
        recent.append(trainer.advance())
        last = trainer.step == trainer.settings.steps
        if trainer.step % _REPORT_EVERY == 0 or last:
            trainer.curve.append(_mean(recent))
            report(trainer.curve[-1])
            recent = []
        if trainer.step % save_every == 0 or last:
            trainer.save(checkpoint)
    return trainer.curve


def _mean(rows: list[TrainingProgress]) -> TrainingProgress:
    count = len(rows)
    return TrainingProgress(
        step=rows[-1].step,
        fvu=sum(row.fvu for row in rows) / count,
        aux=sum(row.aux for row in rows) / count,
        l0=sum(row.l0 for row in rows) / count,
        dead_fraction=rows[-1].dead_fraction,
    )
