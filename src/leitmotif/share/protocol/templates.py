"""The files in which an experiment is configured and logged: schema, example, and how each is read.

``scripts/templates.py`` writes the schemas and docs/templates.md from this table, and the check
``templates`` reads every file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, create_model

from leitmotif.config import Settings
from leitmotif.files import parse_json, read_text
from leitmotif.lens.concepts import ConceptTable, load_concepts
from leitmotif.pipeline import CONTROLS, INTERVENTIONS
from leitmotif.probe.inputs.controls import REGISTRY as CONTROL_REGISTRY
from leitmotif.probe.inputs.registry import ControlsFile, load_controls
from leitmotif.sae.autoencoder.registry import REGISTRY, Registry, load_registry
from leitmotif.share.protocol.lines import Protocol
from leitmotif.share.publish.routing import ROUTING, Routing, load_routing
from leitmotif.tables.interventions import InterventionRow, read_log

SCHEMAS = Path("schemas")


@dataclass(frozen=True)
class Template:
    """A kind of file with a schema."""

    name: str
    title: str
    path: Path | None
    """Where the repository has it; None for what a command writes where it is told to."""
    model: Callable[[], type[BaseModel]]
    """The class of the file, or of one of its lines."""
    read: Callable[[Path], object]
    """Reads and checks the file; raises LeitmotifError."""
    about: str
    """What it is for, in a few sentences of Markdown."""

    @property
    def schema(self) -> Path:
        """Where its JSON schema is."""
        return SCHEMAS / f"{self.name}.schema.json"

    @property
    def is_yaml(self) -> bool:
        """Whether people write it; otherwise a stage or a command does."""
        return self.path is not None and self.path.suffix == ".yaml"


@cache
def controls_file() -> type[BaseModel]:
    """``ControlsFile``, with each registered control by its name and with its own settings."""
    fields: dict[str, Any] = {
        name: (control | None, Field(default=None, description=_first_line(control)))
        for name, control in CONTROL_REGISTRY.items()
    }
    controls = create_model("Controls", __base__=Settings, **fields)
    return create_model(
        "ControlsFile",
        __base__=ControlsFile,
        __doc__=ControlsFile.__doc__,
        controls=(controls, ...),
    )


def _first_line(control: type[BaseModel]) -> str:
    return (control.__doc__ or "").split("\n")[0].replace("``", "`")


TEMPLATES = (
    Template(
        "hooks",
        "Hook mapping",
        REGISTRY,
        lambda: Registry,
        load_registry,
        "Which sparse autoencoder belongs to which site of which model. Sites count layers from 0: "
        "`hook_layers.2`, as published checkpoints write it, is `layers.2.residual`, and a paper "
        "that counts from 1 calls it layer 3. `leitmotif pin-sae` and `leitmotif train-sae` write "
        "entries. The lines `pinned`, `mapping` and `contexts` of the protocol compare each entry "
        "with the checkpoint and with the stored activations.",
    ),
    Template(
        "controls",
        "Control registry",
        CONTROLS,
        controls_file,
        load_controls,
        "What could explain a prediction without foresight. Every registered control is used, or "
        "left out with a reason; the line `controls` of the protocol fails otherwise. "
        "[Probes](probes.md) says what each control measures.",
    ),
    Template(
        "artifacts",
        "Artifact routing",
        ROUTING,
        lambda: Routing,
        load_routing,
        "Where each output is kept: tables, metrics and plots in git, large files on the DVC "
        "remote, and what may be shared in a data set of the hub. The line `routing` of the "
        "protocol compares it with dvc.yaml and git; `leitmotif publish` reads it "
        "([publishing](publishing.md)).",
    ),
    Template(
        "concepts",
        "Concepts and prompts",
        Path("concepts.yaml"),
        lambda: ConceptTable,
        load_concepts,
        "The concepts of the experiments on instruments and genres, and the prompts that ask for "
        "them. [The lens](lens.md) explains them.",
    ),
    Template(
        "interventions",
        "Intervention log",
        INTERVENTIONS,
        lambda: InterventionRow,
        read_log,
        "One line of JSON for each generated clip, and enough in it to make the clip again: "
        "`leitmotif replay LINE` does so. The stage `interventions` writes it. A baseline is the "
        "clip before the intervention; it has the same `track_id` and `seed`. The lines `log`, "
        "`clips` and `replay` of the protocol check it.",
    ),
    Template(
        "check",
        "Protocol",
        None,
        lambda: Protocol,
        lambda path: Protocol.model_validate(parse_json(read_text(path))),
        "What `leitmotif check --json FILE` writes: one line for each check "
        "([the protocol](protocol.md)).",
    ),
)
