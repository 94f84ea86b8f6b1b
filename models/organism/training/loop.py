"""A training run that can be killed at any time and goes on from its last checkpoint."""

import csv
import io
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from leitmotif.files import atomic, write_text

LOG_EVERY, SAVE_EVERY = 25, 100
"""Steps from one row of the curve, or checkpoint, to the next; one is a multiple of the other."""


@dataclass(frozen=True)
class Schedule:
    """Learning rates over a run: a linear rise, a plateau, a linear fall."""

    steps: int
    muon_rate: float = 6e-3
    """Peak learning rate of the decoder's matrices."""
    adam_rate: float = 1.8e-3
    """Peak learning rate of everything else."""
    warm_up: int = 40
    decay: float = 0.4
    """Share of all steps over which the rates fall, at the end."""
    restart: int | None = None
    """Step from which they do all this a second time (Loshchilov and Hutter, ICLR 2017)."""

    def factor(self, step: int) -> float:
        """Share of the peak rates in one step."""
        last = self.steps
        if self.restart is not None:
            if step < self.restart:
                last = self.restart
            else:
                step, last = step - self.restart, self.steps - self.restart
        rising = min(1.0, (step + 1) / self.warm_up)
        falling = min(1.0, (1 - step / last) / self.decay)
        return rising * (0.97 * falling + 0.03)


class Run(ABC):
    """A model, its optimisers, and the step they are at.

    Muon (Jordan et al., 2024) updates the matrices of the blocks, AdamW all else. What
    ``heads`` holds is trained along and kept in checkpoints only.
    """

    CURVE: tuple[str, ...] = ("loss",)
    """Columns of the curve."""

    def __init__(
        self,
        model: PreTrainedModel,
        schedule: Schedule,
        heads: nn.Module | None = None,
    ) -> None:
        self.model, self.schedule, self.step = model, schedule, 0
        self._heads = heads or nn.Module()
        matrices = self.matrices()
        chosen = set(map(id, matrices))
        self._trained = [p for p in model.parameters() if p.requires_grad]
        others = [p for p in self._trained if id(p) not in chosen]
        self._optimisers: dict[str, torch.optim.Optimizer] = {
            "muon": torch.optim.Muon(
                matrices, lr=1.0, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"
            ),
            "adam": torch.optim.AdamW(
                [*others, *self._heads.parameters()],
                lr=1.0,
                betas=(0.9, 0.95),
                weight_decay=0.01,
            ),
        }

    def matrices(self) -> list[nn.Parameter]:
        """What Muon updates."""
        blocks = self.model.decoder.model.decoder.layers
        return [p for p in blocks.parameters() if p.ndim == 2 and p.requires_grad]

    @abstractmethod
    def losses(self) -> tuple[Tensor, dict[str, float]]:
        """What this step is to lower, and a row of the curve; depends on weights and step alone."""

    def advance(self) -> dict[str, float]:
        """Take one step; returns its row of the curve."""
        loss, row = self.losses()
        factor = self.schedule.factor(self.step)
        rates = {"muon": self.schedule.muon_rate, "adam": self.schedule.adam_rate}
        for name, optimiser in self._optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = rates[name] * factor
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._trained, 1.0)
        for optimiser in self._optimisers.values():
            optimiser.step()
        self.step += 1
        return row

    def save(self, path: Path) -> None:
        """Write everything that the next step depends on."""
        tensors = {"step": torch.tensor(self.step)}
        tensors |= {f"weights/{name}": tensor.detach() for name, tensor in self._weights()}
        for name, optimiser in self._optimisers.items():
            for number, values in optimiser.state_dict()["state"].items():
                tensors |= {f"{name}/{number}/{key}": value for key, value in values.items()}
        with atomic(path) as temporary:
            save_file({key: value.contiguous() for key, value in tensors.items()}, temporary)

    def load(self, path: Path) -> None:
        """Go back to where ``save`` was called."""
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        self.step = int(tensors["step"])
        with torch.no_grad():
            for name, tensor in self._weights():
                tensor.copy_(tensors[f"weights/{name}"])
        for name, optimiser in self._optimisers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                kind, *rest = key.split("/")
                if kind == name:
                    state.setdefault(int(rest[0]), {})[rest[1]] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})

    def _weights(self) -> Iterable[tuple[str, Tensor]]:
        yield from self.model.named_parameters()
        yield from self._heads.named_parameters("heads")


def finish(run: Run, checkpoint: Path, curve: Path) -> None:
    """Go on from ``checkpoint`` if it is there, to the last step, and write the curve."""
    rows: list[dict[str, object]] = []
    if checkpoint.exists():
        run.load(checkpoint)
        with curve.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row["step"]) <= run.step]
    recent: list[dict[str, float]] = []
    started, first, steps = time.monotonic(), run.step, run.schedule.steps
    while run.step < steps:
        recent.append(run.advance())
        if run.step % LOG_EVERY == 0 or run.step == steps:
            rows.append({"step": run.step, **_means(recent, run.CURVE)})
            recent = []
            _write_curve(curve, rows, run.CURVE)
            pace = (time.monotonic() - started) / (run.step - first)
            print(rows[-1], f"{pace:.2f} s/step", flush=True)
        if run.step % SAVE_EVERY == 0:
            run.save(checkpoint)


def _means(losses: list[dict[str, float]], columns: Iterable[str]) -> dict[str, float]:
    by_key = {
        key: [losses_of_step[key] for losses_of_step in losses if key in losses_of_step]
        for key in columns
    }
    return {key: round(fmean(values), 5) for key, values in by_key.items() if values}


def _write_curve(path: Path, rows: list[dict[str, object]], columns: Iterable[str]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["step", *columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
