"""All that a status says, as values."""

import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leitmotif.feasibility.funnel import Folds, Step, folds_of, funnel
from leitmotif.feasibility.rehearsal import is_rehearsal
from leitmotif.status.material import StatusMaterial, read_material
from leitmotif.status.needs import Needs, needs_of
from leitmotif.status.next_step import NextStep, next_step


@dataclass(frozen=True)
class Status:
    """Where the experiment in a folder stands."""

    material: StatusMaterial
    steps: list[Step]
    folds: Folds | None
    needs: Needs | None
    """While people's decisions do not suffice; None where nothing has to be decided."""
    next: NextStep

    @property
    def rehearsal(self) -> bool:
        """Whether recordings are read by a model organism, which only rehearses the workflow."""
        params = self.material.params
        return params is not None and is_rehearsal(params)

    @property
    def next_line(self) -> str:
        """``next: `` with the command, why, and how long it takes: one line, 200 characters."""
        return textwrap.shorten(f"next: {self.next}", 200, placeholder=" …")

    def as_json(self) -> dict[str, Any]:
        """Plain values, for ``leitmotif status --json``."""
        material, params = self.material, self.material.params
        return {
            "model": None if params is None else params.model.name,
            "source": None if params is None else params.corpus.source,
            "path": None if params is None else params.corpus.path,
            "horizons": None if params is None else params.probes.horizons,
            "exploratory": None if params is None else params.probes.exploratory,
            "rehearsal": self.rehearsal,
            "stages": dict(material.states),
            "proposals": None if material.proposals is None else len(material.proposals),
            "decisions": dict(material.outcomes),
            "tracks": [asdict(step) for step in self.steps],
            "folds": None if self.folds is None else asdict(self.folds),
            "needs": None if self.needs is None else asdict(self.needs),
            "problems": material.problems,
            "next": asdict(self.next),
        }

    def in_state(self, state: str) -> list[str]:
        """Names of the stages in one of ``stages.STATES``."""
        return [name for name, now in self.material.states.items() if now == state]


def read_status(root: Path = Path()) -> Status:
    """The status of the repository at ``root``, whatever it lacks."""
    material = read_material(root)
    folds = folds_of(material)
    enough = folds is not None and folds.usable is not None and folds.usable >= folds.needed
    return Status(
        material,
        funnel(material),
        folds,
        None if enough else needs_of(material),
        next_step(material, root),
    )
