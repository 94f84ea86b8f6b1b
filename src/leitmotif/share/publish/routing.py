"""artifacts.yaml: where each output and each committed weight is kept, and under which licence.

It routes; ``leitmotif.share.publish.licences`` decides what a licence allows, and a test holds
dvc.yaml, .gitignore and the documentation to it.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leitmotif.config import Settings
from leitmotif.config.section import read_settings
from leitmotif.pipeline import CORPUS, REPORT
from leitmotif.share.outs import revision_outs
from leitmotif.share.revisions import Revision

ROUTING = Path("artifacts.yaml")
SCHEMA = Path("schemas/artifacts.schema.json")
WEIGHTS = (".safetensors", ".bin", ".ckpt", ".npy", ".npz", ".onnx", ".pt", ".pth")
"""Endings of files that hold weights or other arrays."""
NEVER = (CORPUS, REPORT)
"""Recordings, and pages that play them: no entry may send these to the hub."""

_PATH = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"
RelativePath = Annotated[str, Field(pattern=_PATH)]
LicenceSource = Literal["tracks", "model", "repository"]


class StatedLicence(Settings):
    """A licence, and whom to credit."""

    name: Annotated[str, Field(min_length=1)]
    """Name as people write it, such as MIT."""
    url: Annotated[str, Field(pattern=r"^https://")]
    """Address by which the licence is recognised."""
    attribution: Annotated[str, Field(min_length=1)]
    """Whom to credit."""


class ModelLicence(StatedLicence):
    """The licence of a model's weights, which holds for what the model puts out, too."""

    model: Annotated[str, Field(min_length=1)]
    """Hub id or folder as in params.yaml, or a folder in which such folders lie."""


class Artifact(Settings):
    """Outputs that are kept in one way for one reason."""

    paths: Annotated[list[RelativePath], Field(min_length=1)]
    """Files and folders, from the repository's root; a folder stands for all that is in it."""
    storage: Literal["git", "dvc"]
    """``dvc``: in the cache of DVC and on its remote, and in git as a hash in dvc.lock."""
    hub: Literal["dataset", "none"]
    """Whether `leitmotif publish` copies it to a data set of the hub."""
    licences: list[LicenceSource] = Field(default_factory=list)
    """Whose licences hold for what is published: that of each file's or row's track, that of the
    model, that of this repository."""
    listed_in: RelativePath | None = None
    """A table that tells the tracks of files that are not named by a track: its rows have
    ``file``, relative to the table, and ``track_id``."""
    why: Annotated[str, Field(min_length=20)]
    """One sentence."""

    @model_validator(mode="after")
    def _licensed(self) -> Self:
        if (self.hub == "none") != (not self.licences):
            raise ValueError("licences are stated exactly where hub is dataset")
        if self.listed_in and "tracks" not in self.licences:
            raise ValueError("listed_in tells tracks, whose licences then hold")
        if self.hub != "none":
            for path in map(Path, self.paths):
                if any(path.is_relative_to(no) or no.is_relative_to(path) for no in NEVER):
                    raise ValueError(f"{path} holds recordings, which are never published")
        return self


class Routing(Settings):
    """All of artifacts.yaml."""

    format: Literal["leitmotif-artifacts/1"]
    """Name and version of this form."""
    repository: StatedLicence
    """Licence of what this repository's code makes from nothing else."""
    models: list[ModelLicence]
    """Licences of the models that put out activations and clips."""
    artifacts: list[Artifact]
    """Every output of the pipeline, and the weights in git, each in one entry."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        paths = sorted(Path(path) for artifact in self.artifacts for path in artifact.paths)
        for first, second in pairwise(paths):
            if second.is_relative_to(first):
                raise ValueError(f"{second} is routed twice")
        return self

    def of(self, path: str) -> Artifact | None:
        """The entry of a file or folder; None if there is none."""
        for artifact in self.artifacts:
            if any(Path(path).is_relative_to(covered) for covered in artifact.paths):
                return artifact
        return None

    def model_licence(self, model: str) -> ModelLicence | None:
        """The licence of a model by its name in params.yaml; None if no entry states one."""
        for entry in self.models:
            if model == entry.model or Path(model).is_relative_to(entry.model):
                return entry
        return None


def load_routing(path: Path = ROUTING) -> Routing:
    """Read artifacts.yaml; raises ConfigError naming the entry and the key."""
    return read_settings(path, Routing, fix=f"see {SCHEMA} and docs/publishing.md")


def routing_problems(routing: Routing, revision: Revision) -> list[str]:
    """What artifacts.yaml says otherwise than dvc.yaml, or not at all; empty if they agree.

    Each output has an entry, which says dvc exactly if DVC caches it; each file of weights or below
    data/ that git keeps has an entry, which says git; and each path of an entry stands for one of
    these.
    Raises as ``revision_outs`` does.
    """
    return list(_problems(routing, revision))


def _problems(routing: Routing, revision: Revision) -> Iterator[str]:
    outs = revision_outs(revision)
    in_git = [path for path in revision.paths(".") if _is_material(path)]
    for out in outs:
        kept = "dvc" if out.cached else "git"
        artifact = routing.of(out.path)
        if artifact is None:
            yield f"{out.path}: an output of {out.stage} that no entry routes"
        elif artifact.storage != kept:
            yield f"{out.path}: routed to {artifact.storage}, but dvc.yaml says {kept}"
    for path in in_git:
        artifact = routing.of(path)
        if artifact is None:
            yield f"{path}: in git, but no entry routes it"
        elif artifact.storage != "git":
            yield f"{path}: routed to {artifact.storage}, but git keeps it"
    known = [Path(path) for path in (*(out.path for out in outs), *in_git)]
    for artifact in routing.artifacts:
        for path in artifact.paths:
            if not any(there.is_relative_to(path) for there in known):
                yield f"{path}: routed, but neither an output nor in git"


def _is_material(path: str) -> bool:
    """Whether a file that git keeps is weights or data, and no code, text or setting."""
    return path.endswith(WEIGHTS) or (path.startswith("data/") and not path.endswith(".gitignore"))


def as_table(routing: Routing) -> str:
    """The entries as a table in Markdown, for the documentation."""
    lines = ["| what | kept in | on the hub | why |", "|---|---|---|---|"]
    places = {"git": "git", "dvc": "DVC cache and remote"}
    for artifact in routing.artifacts:
        hub = "no"
        if artifact.hub == "dataset":
            hub = f"data set; licence of {', '.join(artifact.licences)}"
        names = ", ".join(f"`{path}`" for path in artifact.paths)
        lines.append(f"| {names} | {places[artifact.storage]} | {hub} | {artifact.why} |")
    return "\n".join(lines)
